//! Targets equal what Prometheus discovers: recorded outputs, the cases of its own tests, and
//! cases that it does not test. A test is named after its case.
//!
//! | Cases | What | Where |
//! |---|---|---|
//! | goldens | three object sets, outputs of 2.53.3, 3.5.3 and 3.16.0 | `goldens` |
//! | ES1 to ES21 | upstream's tests of role endpointslice | `endpointslice` |
//! | E1 to E16 | upstream's tests of role endpoints | `endpoints` |
//! | P1 to P19 | upstream's tests of role pod | `pod` |
//! | N1 to N5 | upstream's tests of role node | `node` |
//! | X1 to X26 | what upstream does not test | `beyond_upstream` |
//!
//! Not here, because it cannot be reached this way:
//!
//! | Cases | Why |
//! |---|---|
//! | ES12, E12 | they expect nothing, ES12 of a role that nobody asked for |
//! | ES13 | about internal indexes of upstream's informers |
//! | P17, P18, the second half of P19 | changes of Deployments, Jobs and CronJobs: no labels depend on them, and a sidecar never reads Deployments and CronJobs, nor a Job twice |
//! | S1 to S8, I1 to I7, X21, X22, the load-balancer part of X26 | roles service and ingress are not local to a node: they answer 404 |
//! | H1 to H5 | the client side of http_sd, which is Prometheus' |
//! | C1 | configuration errors: the query parser's, in `http_sd` |

mod beyond_upstream;
mod data;
mod endpoint_roles;
mod endpoints;
mod endpointslice;
mod goldens;
mod node;
mod pod;
