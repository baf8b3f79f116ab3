//! nodelocal-sd: the Prometheus targets of one Kubernetes node, over http_sd.
//!
//! ```text
//!  API server ──list/watch──▶ kube ──Change──▶ index ──publish──▶ Snapshot (ArcSwap)
//!                              ▲                                       │
//!                              └── demand ◀── sd::Query ◀── http ◀── GET /sd/{role}
//!                                                            │         ▼
//!                                              JSON ◀── sd::render ◀── targets
//!
//!  latest Snapshot, --file-sd ──▶ file_sd ──build, render──▶ NAME.json
//!
//!  a configuration ──▶ agent ──config::rewrite──▶ the same, asking GET /sd/{role}
//! ```
//!
//! # Invariants
//!
//! - **One writer.** One task owns the index; everything else sees immutable snapshots.
//! - **Readers never lock** what a watch needs, and never wait for one after the first sync.
//! - **The middle is pure.** [`objects`], [`selector`], [`index`], [`targets`], [`explain`], [`config`], [`operator`],
//!   [`check`] and [`migrate`] know no client, no socket, no file and no clock. I/O is in [`kube`], [`http`], [`agent`], [`file_sd`] and [`state`] only,
//!   and in [`files`] and [`commands`]; kube types stay in [`kube`].
//! - **Nothing is served before the first complete list**, and no failure ever removes a target:
//!   only a deletion, seen in a complete list or in a watch event, does.
//! - **Watches follow the questions.** What no query needs is not watched.
//! - **One home for each target.** The shares of all nodes and of the complement are disjoint, and together everything.
//! - **Equal state gives equal bytes.**

pub mod agent;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod coverage;
pub mod demand;
pub mod explain;
pub mod file_sd;
pub mod files;
pub mod history;
pub mod http;
pub mod index;
pub mod kube;
pub mod migrate;
pub mod objects;
pub mod operator;
pub mod sd;
pub mod selector;
pub mod sidecar;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod state;
pub mod status;
pub mod targets;
pub mod yaml;
