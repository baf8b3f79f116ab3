//! Objects from fuzz input: always valid JSON of the right types, so that the fuzzer spends its time
//! behind the parser. Few names, so that references meet; fields that are missing or null; texts that
//! collide, or that must be escaped.

use crate::NODE;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use nodelocal_sd::objects::Resource;
use serde_json::{Map, Value, json};

/// An object, and who it is.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its kind.
    pub resource: Resource,
    /// Namespace (empty for a cluster's own) and name.
    pub key: (&'static str, &'static str),
    /// Its fields without its metadata.
    pub fields: Map<String, Value>,
    /// Its metadata.
    pub metadata: Map<String, Value>,
}

type Input<'a, 'b> = &'a mut Unstructured<'b>;

const NAMES: [&str; 3] = ["a", "b", "c"];
const NAMESPACES: [&str; 2] = ["default", "other"];
const NODES: [&str; 3] = [NODE, "node-b", ""];
const ADDRESSES: [&str; 5] = ["10.0.0.1", "10.0.0.2", "fd00::1", "host.example", ""];
const PORTS: [i32; 5] = [80, 9090, 0, -1, i32::MAX];
const TEXTS: [&str; 6] = ["", "x", "true", "a\"\\\n", "ä€😀", "\u{0}\u{7f}"];
const KEYS: [&str; 6] = ["app", "a.b/c-d", "a_b_c-d", "0", "", "ä"];

/// An object of that kind.
pub fn object(resource: Resource, u: Input<'_, '_>) -> Result<Object> {
    let name = match resource {
        Resource::Nodes => u.choose(&NODES[..2])?,
        Resource::Namespaces => u.choose(&NAMESPACES)?,
        _ => u.choose(&NAMES)?,
    };
    let namespace = match resource {
        Resource::Nodes | Resource::Namespaces => "",
        _ => u.choose(&NAMESPACES)?,
    };
    let mut metadata = metadata(u)?;
    let fields = match resource {
        Resource::Pods => pod(u)?,
        Resource::Nodes => node(u)?,
        Resource::Services => service(u)?,
        Resource::EndpointSlices => slice(u, &mut metadata)?,
        _ => Map::new(),
    };
    metadata.insert("name".to_owned(), json!(name));
    metadata.insert("namespace".to_owned(), json!(namespace));
    Ok(Object { resource, key: (namespace, name), fields, metadata })
}

// === the kinds ===

fn metadata(u: Input<'_, '_>) -> Result<Map<String, Value>> {
    fields(
        u,
        &[("uid", text), ("labels", pairs), ("annotations", pairs), ("ownerReferences", owners)],
    )
}

fn owners(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| {
        Ok(json!({
            "controller": u.arbitrary::<bool>()?,
            "kind": u.choose(&["ReplicaSet", "Job", "DaemonSet", ""])?,
            "name": u.choose(&["web-5d9c8", "job-1", "Not/A Name", ""])?,
            "uid": u.choose(&["1", "2"])?,
        }))
    })
}

fn pod(u: Input<'_, '_>) -> Result<Map<String, Value>> {
    let spec = fields(
        u,
        &[
            ("nodeName", |u| one_of(u, &NODES)),
            ("hostNetwork", bool),
            ("containers", containers),
            ("initContainers", containers),
        ],
    )?;
    let status = fields(
        u,
        &[
            ("phase", text),
            ("podIP", |u| one_of(u, &ADDRESSES)),
            ("hostIP", |u| one_of(u, &ADDRESSES)),
            ("conditions", conditions),
            ("containerStatuses", container_statuses),
            ("initContainerStatuses", container_statuses),
        ],
    )?;
    Ok([("spec".to_owned(), spec.into()), ("status".to_owned(), status.into())]
        .into_iter()
        .collect())
}

fn containers(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| {
        object_of(
            u,
            &[("name", |u| one_of(u, &NAMES)), ("image", text), ("ports", container_ports)],
        )
    })
}

fn container_ports(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| {
        object_of(
            u,
            &[("name", text), ("containerPort", |u| one_of(u, &PORTS)), ("protocol", text)],
        )
    })
}

fn container_statuses(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| object_of(u, &[("name", |u| one_of(u, &NAMES)), ("containerID", text)]))
}

fn conditions(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| object_of(u, &[("type", |u| one_of(u, &["Ready", "Other", ""])), ("status", text)]))
}

fn node(u: Input<'_, '_>) -> Result<Map<String, Value>> {
    let spec = fields(u, &[("providerID", text), ("unschedulable", bool)])?;
    let mut status = fields(u, &[("addresses", node_addresses), ("conditions", conditions)])?;
    if let Some(port) = optional(u, |u| one_of(u, &PORTS))? {
        status.insert("daemonEndpoints".to_owned(), json!({"kubeletEndpoint": {"Port": port}}));
    }
    Ok([("spec".to_owned(), spec.into()), ("status".to_owned(), status.into())]
        .into_iter()
        .collect())
}

fn node_addresses(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| {
        let kind = |u: Input<'_, '_>| one_of(u, &["InternalIP", "Hostname", "ExternalIP", "x-y"]);
        object_of(u, &[("type", kind), ("address", |u| one_of(u, &ADDRESSES))])
    })
}

fn service(u: Input<'_, '_>) -> Result<Map<String, Value>> {
    let spec = fields(
        u,
        &[
            ("type", text),
            ("clusterIP", |u| one_of(u, &ADDRESSES)),
            ("ipFamilyPolicy", |u| one_of(u, &["SingleStack", "PreferDualStack"])),
            ("ipFamilies", |u| list(u, |u| one_of(u, &["IPv4", "IPv6"]))),
        ],
    )?;
    Ok([("spec".to_owned(), spec.into())].into_iter().collect())
}

fn slice(u: Input<'_, '_>, metadata: &mut Map<String, Value>) -> Result<Map<String, Value>> {
    if u.ratio(3, 4)? {
        // Instead of whatever labels it had: that is how a slice gets its Service.
        let mut labels = json!({"kubernetes.io/service-name": u.choose(&NAMES)?});
        if u.arbitrary()? {
            labels["endpointslice.kubernetes.io/managed-by"] =
                json!("endpointslice-controller.k8s.io");
        }
        metadata.insert("labels".to_owned(), labels);
    }
    let mut fields = fields(u, &[("ports", slice_ports), ("endpoints", |u| list(u, endpoint))])?;
    fields.insert("addressType".to_owned(), one_of(u, &["IPv4", "IPv6", "FQDN"])?);
    Ok(fields)
}

fn slice_ports(u: Input<'_, '_>) -> Result<Value> {
    list(u, |u| {
        object_of(
            u,
            &[
                ("name", text),
                ("protocol", text),
                ("port", |u| one_of(u, &PORTS)),
                ("appProtocol", text),
            ],
        )
    })
}

fn endpoint(u: Input<'_, '_>) -> Result<Value> {
    let conditions = |u: Input<'_, '_>| {
        object_of(u, &[("ready", bool), ("serving", bool), ("terminating", bool)])
    };
    object_of(
        u,
        &[
            ("addresses", |u| list(u, |u| one_of(u, &ADDRESSES))),
            ("conditions", conditions),
            ("hostname", text),
            ("nodeName", |u| one_of(u, &NODES)),
            ("zone", text),
            ("deprecatedTopology", pairs),
            ("targetRef", target_ref),
        ],
    )
}

fn target_ref(u: Input<'_, '_>) -> Result<Value> {
    let kind = *u.choose(&["Pod", "Node", "Other", ""])?;
    let name = if kind == "Node" { u.choose(&NODES)? } else { u.choose(&NAMES)? };
    Ok(json!({"kind": kind, "namespace": u.choose(&NAMESPACES)?, "name": name}))
}

// === values ===

fn text(u: Input<'_, '_>) -> Result<Value> {
    one_of(u, &TEXTS)
}

fn bool(u: Input<'_, '_>) -> Result<Value> {
    Ok(json!(u.arbitrary::<bool>()?))
}

fn pairs(u: Input<'_, '_>) -> Result<Value> {
    let mut pairs = Map::new();
    for _ in 0..4 {
        if !u.arbitrary()? {
            break; // as at the end of the input, which is all zeros
        }
        let value = if u.ratio(1, 8)? { Value::Null } else { text(u)? };
        pairs.insert((*u.choose(&KEYS)?).to_owned(), value);
    }
    Ok(pairs.into())
}

fn one_of<T: Copy + Into<Value>>(u: Input<'_, '_>, values: &[T]) -> Result<Value> {
    Ok((*u.choose(values)?).into())
}

fn list(u: Input<'_, '_>, mut item: impl FnMut(Input<'_, '_>) -> Result<Value>) -> Result<Value> {
    let mut items = Vec::new();
    while items.len() < 2 && u.arbitrary()? {
        items.push(item(u)?);
    }
    Ok(items.into())
}

/// A field: its name, and how its value is made.
type Field = (&'static str, fn(Input<'_, '_>) -> Result<Value>);

fn object_of(u: Input<'_, '_>, of: &[Field]) -> Result<Value> {
    Ok(fields(u, of)?.into())
}

/// Each field with a value, null, or missing.
fn fields(u: Input<'_, '_>, of: &[Field]) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    for (name, value) in of {
        if let Some(value) = optional(u, value)? {
            fields.insert((*name).to_owned(), value);
        }
    }
    Ok(fields)
}

fn optional(
    u: Input<'_, '_>,
    value: impl FnOnce(Input<'_, '_>) -> Result<Value>,
) -> Result<Option<Value>> {
    Ok(match u.int_in_range(0..=15)? {
        0 | 1 => None,
        2 => Some(Value::Null),
        _ => Some(value(u)?),
    })
}
