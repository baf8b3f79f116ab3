//! The steps of the roles endpointslice and endpoints.

use super::chain::{Ended, Narrowing, Reason};
use super::found::{Found, object_of};
use super::holders::{Holder, holders};
use super::services::{ports_left_out, why_none};
use crate::objects::Service;
use crate::targets::{Profile, Unassigned};
use std::collections::BTreeSet;

pub(super) fn follow(chain: &mut Narrowing<'_>) -> Result<(), Ended> {
    let asked = &chain.asked.query;
    // Before it matters which family is which.
    chain.begin(chain.asked.profile.min(Profile::V3_5));
    if chain.found.own.is_empty() {
        return why_none(chain);
    }
    let holders = holders(chain.known, asked.role, chain.pod);
    let services: Vec<&Service> =
        holders.iter().filter_map(|holder| holder.service(chain.known)).collect();
    let objects: BTreeSet<String> = chain.found.own.iter().map(object_of).collect();
    let objects: Vec<String> = objects.into_iter().collect();
    let hint = ports_left_out(&services, chain.pod);
    chain.pass_with(
        "a Service or a slice has an endpoint of the Pod",
        Reason { why: objects.join("; "), hint },
    );
    if !asked.selectors.endpointslice.is_empty() || !asked.selectors.endpoints.is_empty() {
        chain.narrow(
            &format!("selector.{} selects what has the Pod", asked.role.name()),
            |query, asked| {
                query.selectors.endpointslice = asked.selectors.endpointslice.clone();
                query.selectors.endpoints = asked.selectors.endpoints.clone();
            },
            |chain, _| own_kind(chain, &holders),
        )?;
    }
    if !asked.selectors.service.is_empty() || asked.service.is_some() {
        let what = match asked.service {
            Some(_) => "service= selects the Service",
            None => "selector.service hides labels of Services, and no target",
        };
        chain.narrow(
            what,
            |query, asked| {
                query.selectors.service = asked.selectors.service.clone();
                query.service = asked.service.clone();
            },
            |chain, _| of_services(chain, &services),
        )?;
    }
    if !asked.selectors.pod.is_empty() {
        chain.narrow(
            "selector.pod hides labels of Pods, and no target",
            |query, asked| query.selectors.pod = asked.selectors.pod.clone(),
            hidden,
        )?;
    }
    chain.narrow_profile("its address family is one that Prometheus takes", families)?;
    if !asked.ports.is_empty() {
        chain.narrow(
            "port= names one of its ports",
            |query, asked| query.ports = asked.ports.clone(),
            |chain, found| ports(chain, found, &services),
        )?;
    }
    Ok(())
}

/// What the selector of the role's own objects does.
fn own_kind(chain: &Narrowing<'_>, holders: &[Holder<'_>]) -> Reason {
    let unmet = holders.iter().filter_map(|holder| {
        let unmet = holder.unmet(&chain.asked.query);
        (!unmet.is_empty()).then(|| format!("{} does not meet {}", holder.name(), unmet.join(", ")))
    });
    let unmet: Vec<String> = unmet.collect();
    if unmet.is_empty() {
        return Reason::new("all that have the Pod meet it");
    }
    Reason::new(unmet.join("; "))
}

/// What `selector.service` and `service=` do together: a Service that is not seen is not selected either.
fn of_services(chain: &Narrowing<'_>, services: &[&Service]) -> Reason {
    let query = &chain.asked.query;
    let said = services.iter().filter_map(|service| {
        let name = &service.meta.key;
        let hidden = query.selectors.service.unmet(*service);
        if !hidden.is_empty() {
            return Some(format!(
                "Service {name} is hidden: it does not meet {}",
                hidden.join(", ")
            ));
        }
        let labels = &service.meta.labels;
        let unmet =
            query.service.as_ref()?.unmet(labels).map(|(key, term)| match labels.get(key) {
                Some(value) => format!("{term} (it has {key}={value})"),
                None => format!("{term} (it has no label {key})"),
            });
        let unmet: Vec<String> = unmet.collect();
        (!unmet.is_empty()).then(|| format!("Service {name} does not meet {}", unmet.join(", ")))
    });
    let mut said: Vec<String> = said.collect();
    if services.is_empty() {
        said.push("no Service of that name is known".to_owned());
    }
    match said.is_empty() {
        true => Reason::new("each Service that has the Pod meets it"),
        false => Reason::new(said.join("; ")),
    }
}

/// What `selector.pod` does.
fn hidden(chain: &Narrowing<'_>, found: &Found) -> Reason {
    let unmet = chain.asked.query.selectors.pod.unmet(chain.pod);
    if unmet.is_empty() {
        return Reason::new("the Pod meets it, and its labels are there");
    }
    let unmet = unmet.join(", ");
    if let Some(Unassigned { target, .. }) = found.unassigned.first() {
        return Reason::hinted(
            format!(
                "the Pod does not meet {unmet}, and {} names no node: without the Pod nobody can tell whose it is",
                object_of(target)
            ),
            "the complement has it: explain it there (run --complement)",
        );
    }
    if found.own.is_empty() {
        return Reason::new(format!(
            "the Pod does not meet {unmet}, and all that it had were ports of its own"
        ));
    }
    Reason::hinted(
        format!(
            "the Pod does not meet {unmet}: its target stays, without labels of the Pod, as in Prometheus"
        ),
        "to select Pods, select their labels by rules of the job, or their Service by service=",
    )
}

/// What becomes of the secondary address family of a dual-stack Service.
fn families(chain: &Narrowing<'_>, found: &Found) -> Reason {
    let (before, left) = (chain.found.own.len(), found.own.len());
    if left == 0 {
        return Reason::hinted(
            "the Pod's addresses are of the secondary family of a dual-stack Service, which Prometheus leaves out since 3.11",
            "the first of the Service's ipFamilies is the primary one; compat=3.5 in the query asks as an older one",
        );
    }
    let dropped = before.saturating_sub(left);
    Reason::new(format!(
        "left out are {dropped} targets of a dual-stack Service's secondary family, as by Prometheus since 3.11"
    ))
}

/// What `port=` does.
fn ports(chain: &Narrowing<'_>, found: &Found, services: &[&Service]) -> Reason {
    let wanted: Vec<&str> = chain.asked.query.ports.iter().map(String::as_str).collect();
    let wanted = wanted.join(", ");
    if !found.own.is_empty() {
        return Reason::new(format!(
            "port={wanted} leaves {} of {}",
            found.own.len(),
            chain.found.own.len()
        ));
    }
    let name = |target: &crate::targets::Target| {
        let label = |name| target.labels.get(name).map(ToString::to_string);
        label("__meta_kubernetes_endpointslice_port_name")
            .or_else(|| label("__meta_kubernetes_endpoint_port_name"))
    };
    let names: BTreeSet<String> = chain.found.own.iter().filter_map(name).collect();
    let names: Vec<String> = names.into_iter().collect();
    let has = match names.is_empty() {
        true => "have no name".to_owned(),
        false => format!("are named {}", names.join(", ")),
    };
    let hint = ports_left_out(services, chain.pod);
    Reason { why: format!("port={wanted} is asked for; the Pod's ports of Services {has}"), hint }
}
