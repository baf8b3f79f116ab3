//! `role?query`: parsing never panics, and what it takes can be answered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nodelocal_sd::index::{EndpointsFrom, Index, Snapshot};
use nodelocal_sd::kube::fuzzing::Feed;
use nodelocal_sd::objects::Resource;
use nodelocal_sd::sd::{parse, parse_with_role};
use nodelocal_sd::targets::{Query, Role, Selector, build};
use nodelocal_sd_fuzz::{NODE, PROFILES, check};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::iter::once;
use std::sync::LazyLock;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let feed = Feed::of_node(NODE, usize::MAX);
    let mut index = Index::new(NODE, EndpointsFrom::Slices);
    let objects = include_str!("../../tests/conformance/recent/objects.json");
    let lists: BTreeMap<&str, &RawValue> = serde_json::from_str(objects).unwrap();
    for (path, resource) in [
        ("/api/v1/pods", Resource::Pods),
        ("/api/v1/nodes", Resource::Nodes),
        ("/api/v1/services", Resource::Services),
        ("/apis/discovery.k8s.io/v1/endpointslices", Resource::EndpointSlices),
        ("/api/v1/endpoints", Resource::Endpoints),
        ("/api/v1/namespaces", Resource::Namespaces),
    ] {
        let body = format!(r#"{{"items":{}}}"#, lists[path]);
        index.apply(feed.list(resource, once(body.as_bytes())).unwrap());
    }
    let snapshot = index.take_snapshot().unwrap();
    for role in Role::ALL {
        assert!(!build(&snapshot, &Query::all(role), PROFILES[0]).own.is_empty(), "{role:?}");
    }
    snapshot
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let (role, query) = match text.split_once('?') {
        Some((role, query)) => (role, Some(query)),
        None => (text, None),
    };
    let parsed = match parse(role, query, EndpointsFrom::Slices) {
        Ok(query) => query,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // The debug pages take the same question with the role as a parameter.
    let pages = format!("role={role}&{}", query.unwrap_or_default());
    assert_eq!(
        parse_with_role(Some(&pages), None, EndpointsFrom::Slices).ok().as_ref(),
        Some(&parsed)
    );

    for profile in PROFILES {
        let targets = build(&SNAPSHOT, &parsed, profile);
        check(&SNAPSHOT, &targets);
        // What only filters takes targets away, and changes none.
        let mut all = build(&SNAPSHOT, &without_filters(&parsed), profile).own.into_iter();
        for target in &targets.own {
            assert!(all.any(|other| other == *target), "only with a filter: {target:?}");
        }
    }
});

/// Without what selects the role's own objects. Other selectors hide what labels are made of; so do
/// namespaces for slices, whose Pods may be in another one.
fn without_filters(query: &Query) -> Query {
    let mut wide = Query { service: None, ports: [].into(), ..query.clone() };
    match query.role {
        Role::Pod => {
            wide.selectors.pod = Selector::default();
            wide.namespaces.clear();
        }
        Role::EndpointSlice => wide.selectors.endpointslice = Selector::default(),
        Role::Endpoints => wide.selectors.endpoints = Selector::default(),
        Role::Node => wide.selectors.node = Selector::default(),
    }
    wide
}
