//! What questions need to be watched.

use crate::objects::{Reach, Resource, ResourceSet};
use std::collections::BTreeSet;

/// What a question, or several, need to be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Which resources.
    pub resources: ResourceSet,
    /// Of which parts of the cluster, if Services are among them.
    pub services: BTreeSet<Reach>,
}

// === impl Needs ===

impl Needs {
    /// What both need.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = [self, other];
        let resources = both.iter().flat_map(|needs| needs.resources.iter()).collect();
        // Where Services would be looked for says nothing of a question that needs none.
        let of_services = |needs: &Self| needs.resources.contains(Resource::Services);
        let services = both.into_iter().filter(of_services).flat_map(|needs| needs.services);
        Self { resources, services: services.collect() }
    }

    /// What is missing, where that has synced and Services are watched there.
    pub fn minus(&self, synced: ResourceSet, services_watched: &BTreeSet<Reach>) -> ResourceSet {
        let missing = self.resources.minus(synced);
        let needs_services = self.resources.contains(Resource::Services);
        if needs_services && !Reach::cover(services_watched, &self.services) {
            missing.with(Resource::Services)
        } else {
            missing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_needed_where_somebody_needs_them() {
        let pods = Needs {
            resources: ResourceSet::EMPTY.with(Resource::Pods),
            services: [Reach::Cluster].into(),
        };
        let services = Needs {
            resources: ResourceSet::EMPTY.with(Resource::Services),
            services: [Reach::Namespace("a".into())].into(),
        };
        let expected = Needs {
            resources: pods.resources.with(Resource::Services),
            services: services.services.clone(),
        };
        assert_eq!(pods.clone().and(services.clone()), expected);
        assert_eq!(services.and(pods), expected);
    }

    #[test]
    fn services_are_missing_where_they_are_not_watched() {
        let namespaces = |names: &[&str]| -> BTreeSet<Reach> {
            names.iter().map(|name| Reach::Namespace((*name).into())).collect()
        };
        let cluster = || BTreeSet::from([Reach::Cluster]);
        let set = ResourceSet::EMPTY.with(Resource::Services);
        for (needed, watched, missing) in [
            (cluster(), cluster(), false),
            (cluster(), namespaces(&["a"]), true),
            (namespaces(&["a"]), cluster(), false),
            (namespaces(&["a"]), namespaces(&["a", "b"]), false),
            (namespaces(&["a", "c"]), namespaces(&["a", "b"]), true),
        ] {
            let needs = Needs { resources: set, services: needed };
            assert_eq!(!needs.minus(set, &watched).is_empty(), missing, "{needs:?} {watched:?}");
        }
        let none = Needs { resources: ResourceSet::EMPTY, services: cluster() };
        assert!(none.minus(ResourceSet::EMPTY, &BTreeSet::new()).is_empty());
    }
}
