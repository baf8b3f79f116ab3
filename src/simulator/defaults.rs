//! What a real API server fills in when an object is written, as far as targets show it.
//!
//! Rules: `SetDefaults_*` of `kubernetes/pkg/apis/{core,discovery}/v1/defaults.go`.

use super::kind::Kind;
use serde_json::{Map, Value};

/// Fills in what the author of a manifest left out.
pub(super) fn fill_in(kind: &Kind, object: &mut Value) {
    match kind.plural {
        "pods" => {
            for containers in ["/spec/containers", "/spec/initContainers"] {
                each(object, containers).for_each(|container| protocols(container, "/ports"));
            }
        }
        "services" => {
            protocols(object, "/spec/ports");
            for port in each(object, "/spec/ports").filter_map(Value::as_object_mut) {
                if let Some(number) = port.get("port").cloned() {
                    default(port, "targetPort", number);
                }
            }
        }
        "endpoints" => each(object, "/subsets").for_each(|subset| protocols(subset, "/ports")),
        "endpointslices" => protocols(object, "/ports"),
        _ => {}
    }
}

fn protocols(object: &mut Value, ports: &str) {
    for port in each(object, ports).filter_map(Value::as_object_mut) {
        default(port, "protocol", "TCP".into());
    }
}

/// The elements of the array there, if there is one.
fn each<'a>(object: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    object.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

/// To an API server, null and the zero value are as good as nothing.
fn default(object: &mut Map<String, Value>, name: &str, value: Value) {
    let field = object.entry(name).or_insert(Value::Null);
    if field.is_null() || *field == "" || *field == 0 {
        *field = value;
    }
}
