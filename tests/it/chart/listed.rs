//! The values, where they are listed, and the versions.

use super::{chart, read, root};
use serde_json::Value;
use std::collections::BTreeSet;

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&read(&chart().join(file))).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&read(&chart().join("values.schema.json"))).unwrap()
}

/// As one writes them after `--set`, in two levels at most.
fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in schema()["properties"].as_object().unwrap() {
        match value["properties"].as_object() {
            Some(fields) => names.extend(fields.keys().map(|field| format!("{name}.{field}"))),
            None => names.push(name.clone()),
        }
    }
    names.retain(|name| name != "global");
    assert!(names.len() > 30, "{names:?}");
    names
}

#[test]
fn the_schema_has_the_values() {
    let values = yaml("values.yaml");
    let with_default: BTreeSet<String> = values
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(name, value)| {
            let is_group = schema()["properties"][name]["properties"].is_object();
            match value.as_object().filter(|_| is_group) {
                Some(fields) => fields.keys().map(|field| format!("{name}.{field}")).collect(),
                None => vec![name.clone()],
            }
        })
        .collect();
    assert_eq!(with_default, names().into_iter().collect());
}

/// A typo is an error wherever the names are ours or Kubernetes'.
#[test]
fn the_schema_is_closed() {
    fn visit(at: &str, schema: &Value, open: &mut Vec<String>) {
        if let Some(fields) = schema.as_object() {
            if fields.contains_key("properties") && schema["additionalProperties"] != false {
                open.push(at.to_owned());
            }
            for (key, value) in fields {
                visit(&format!("{at}/{key}"), value, open);
            }
        }
    }
    let mut open = Vec::new();
    visit("", &schema(), &mut open);
    let of_crds = ["/properties/remoteWrite/items"];
    let of_pods = ["volumeMounts", "volumes"]
        .map(|list| format!("/properties/prometheus/properties/{list}/items"));
    let expected = of_crds.into_iter().map(str::to_owned).chain(of_pods);
    assert_eq!(open.into_iter().collect::<BTreeSet<_>>(), expected.collect());
}

#[test]
fn the_page_has_a_row_for_each_value() {
    let page = read(&root().join("docs/helm.md"));
    let (_, table) = page.split_once("\n## Values\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let names = names();
    assert_eq!(rows, names.iter().map(String::as_str).collect());
}

#[test]
fn every_value_is_tried() {
    let tried = yaml("ci/everything-values.yaml");
    for name in names() {
        let pointer = format!("/{}", name.replace('.', "/"));
        assert!(tried.pointer(&pointer).is_some(), "ci/everything-values.yaml has no {name}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let about = yaml("Chart.yaml");
    for version in ["version", "appVersion"] {
        assert_eq!(about[version], env!("CARGO_PKG_VERSION"), "{version}");
    }
}
