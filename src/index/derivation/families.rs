//! Address families: which a Service has, and which addresses of a Pod belong to one.

use super::controller::Controller;
use crate::objects::{Pod, Service};
use std::net::IpAddr;

/// An address family, in the order in which a slice's `addressType` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    V4,
    V6,
}

/// The families of a Service, each of which has slices of its own. Without `ipFamilies`, which very
/// old API servers do not fill in, that of its address; both if it has none.
pub(super) fn families_of(service: &Service) -> Vec<Family> {
    let named = service.ip_families.iter().filter_map(|name| Family::named(name));
    let mut families: Vec<Family> = named.collect();
    if families.is_empty() {
        families = match parse(&service.cluster_ip) {
            Some(address) => vec![Family::of(address)],
            None => vec![Family::V4, Family::V6],
        };
    }
    families.dedup();
    families
}

/// The Pod's addresses of that family, as that controller writes them. Only `podIPs` is read.
pub(super) fn addresses_of(pod: &Pod, family: Family, controller: Controller) -> Box<[Box<str>]> {
    let address_of = |text: &str| {
        let address = parse(text).filter(|address| Family::of(*address) == family)?;
        Some(if controller.prints_addresses() { address.to_string().into() } else { text.into() })
    };
    pod.ips.iter().filter_map(|text| address_of(text)).collect()
}

/// Parses an address as Kubernetes does: an IPv4 address may have leading zeros, and one that is
/// mapped into IPv6 is an IPv4 address (`k8s.io/utils/net`, `ParseIPSloppy`).
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    let parsed = text.parse().ok().or_else(|| {
        let without_zeros = |part: &str| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0".to_owned(),
            rest => rest.to_owned(),
        };
        let parts: Vec<String> = text.split('.').map(without_zeros).collect();
        parts.join(".").parse().ok()
    });
    parsed.map(|address: IpAddr| address.to_canonical())
}

// === impl Family ===

impl Family {
    /// Its name, in `ipFamilies` and `addressType`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The family of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::V4, Self::V6].into_iter().find(|family| family.name() == name)
    }

    /// The family of a canonical address.
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Family::{V4, V6};

    type Texts = &'static [&'static str];

    #[test]
    fn of_a_service() {
        let cases: [(Texts, &str, &[Family]); 8] = [
            (&["IPv4"], "10.0.0.1", &[V4]),
            (&["IPv6"], "fd00::1", &[V6]),
            (&["IPv6", "IPv4"], "fd00::1", &[V6, V4]),
            (&["IPv6", "IPv4"], "None", &[V6, V4]),
            (&[], "10.0.0.1", &[V4]),
            (&[], "fd00::1", &[V6]),
            (&[], "None", &[V4, V6]),
            (&[], "", &[V4, V6]),
        ];
        for (names, cluster_ip, expected) in cases {
            let service = Service {
                ip_families: names.iter().map(|name| (*name).into()).collect(),
                cluster_ip: cluster_ip.into(),
                ..Service::default()
            };
            assert_eq!(families_of(&service), expected, "{names:?} {cluster_ip:?}");
        }
    }

    #[test]
    fn addresses_of_a_pod() {
        let cases: [(Texts, Family, Texts, Texts); 8] = [
            (&["10.0.0.1"], V4, &["10.0.0.1"], &["10.0.0.1"]),
            (&["10.0.0.1"], V6, &[], &[]),
            (&["10.0.0.1", "fd00::1"], V6, &["fd00::1"], &["fd00::1"]),
            (&["fd00::1", "10.0.0.1"], V4, &["10.0.0.1"], &["10.0.0.1"]),
            // Before 1.33, from 1.33 on.
            (&["010.000.0.01"], V4, &["010.000.0.01"], &["10.0.0.1"]),
            (&["FD00:0:0::01"], V6, &["FD00:0:0::01"], &["fd00::1"]),
            (&["::ffff:10.0.0.1"], V4, &["::ffff:10.0.0.1"], &["10.0.0.1"]),
            (&["nonsense", "", "1.2.3", "1..2.3"], V4, &[], &[]),
        ];
        for (ips, family, copied, printed) in cases {
            let pod = Pod { ips: ips.iter().map(|ip| (*ip).into()).collect(), ..Pod::default() };
            for (controller, expected) in
                [(Controller::V1_32, copied), (Controller::V1_33, printed)]
            {
                let addresses = addresses_of(&pod, family, controller);
                let addresses: Vec<&str> = addresses.iter().map(|address| &**address).collect();
                assert_eq!(addresses, expected, "{ips:?} {family:?} {controller:?}");
            }
        }
    }

    #[test]
    fn only_pod_ips_is_read() {
        let pod = Pod { ip: "10.0.0.1".into(), ..Pod::default() };
        assert!(addresses_of(&pod, V4, Controller::V1_33).is_empty());
    }
}
