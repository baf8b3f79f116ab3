//! Label selectors of resources: `matchLabels` and `matchExpressions`, as `LabelSelectorAsSelector` of
//! apimachinery reads them. One that is not given selects nothing, an empty one all.

use crate::yaml::Yaml;

/// Whether it selects what has these labels; `None` if it is malformed.
pub fn selects<'a>(
    selector: Option<&Yaml>,
    mut labels: impl FnMut(&str) -> Option<&'a str>,
) -> Option<bool> {
    let Some(selector) = selector else { return Some(false) };
    let mut all = true;
    for (key, value) in of(selector, "matchLabels")?.entries()? {
        all &= labels(&key.text) == Some(value.text()?);
    }
    for expression in of(selector, "matchExpressions")?.items()? {
        let label = labels(expression.get("key").and_then(Yaml::text)?);
        let values = of(expression, "values")?.items()?;
        let among = label.is_some_and(|label| values.iter().any(|v| v.text() == Some(label)));
        all &= match expression.get("operator").and_then(Yaml::text)? {
            "In" => among,
            "NotIn" => !among,
            "Exists" => label.is_some(),
            "DoesNotExist" => label.is_none(),
            _ => return None,
        };
    }
    Some(all)
}

/// A field of a mapping; nothing, if it is not there.
fn of<'a>(node: &'a Yaml, key: &str) -> Option<&'a Yaml> {
    const NOTHING: &Yaml =
        &Yaml::Scalar(crate::yaml::Scalar { text: String::new(), quoted: false });
    node.entries()?;
    Some(node.get(key).unwrap_or(NOTHING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn as_kubernetes_has_it() {
        for (selector, expected) in [
            ("{}", Some(true)),
            ("{matchLabels: {a: b}}", Some(true)),
            ("{matchLabels: {a: c}}", Some(false)),
            ("{matchLabels: {a: b, c: d}}", Some(false)),
            ("{matchExpressions: [{key: a, operator: In, values: [x, b]}]}", Some(true)),
            ("{matchExpressions: [{key: z, operator: In, values: [b]}]}", Some(false)),
            ("{matchExpressions: [{key: z, operator: NotIn, values: [b]}]}", Some(true)),
            ("{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}", Some(false)),
            ("{matchExpressions: [{key: a, operator: Exists}]}", Some(true)),
            ("{matchExpressions: [{key: a, operator: DoesNotExist}]}", Some(false)),
            ("{matchLabels: {n: \"5\"}}", Some(true)),
            ("{matchExpressions: [{key: a, operator: Is}]}", None),
            ("{matchExpressions: [{operator: Exists}]}", None),
            ("[]", None),
            ("{matchLabels: [a]}", None),
        ] {
            let selector_read = yaml::read(selector).unwrap();
            let labels = |key: &str| match key {
                "a" => Some("b"),
                "n" => Some("5"),
                _ => None,
            };
            assert_eq!(selects(Some(&selector_read), labels), expected, "{selector}");
        }
        assert_eq!(selects(None, |_| None), Some(false));
    }
}
