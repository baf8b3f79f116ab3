//! Findings as text.

use super::finding::Finding;
use crate::operator::Version;
use serde_json::{Value, json};

/// A line for each finding, in columns.
pub fn table(findings: &[Finding]) -> Vec<Vec<String>> {
    let header = ["VERDICT", "OBJECT", "FIELD", "WHERE", "WHY, AND WHAT TO DO"];
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let line = |finding: &Finding| {
        let Finding { verdict, object, field, source, why, instead, .. } = finding;
        let said: Vec<&str> =
            [&**why, instead].into_iter().filter(|part| !part.is_empty()).collect();
        let cells = [
            verdict.word().to_owned(),
            object.clone(),
            field.clone(),
            source.to_string(),
            said.join("; "),
        ];
        // What manifests say must not break the lines.
        cells.map(|cell| dash(cell.replace(char::is_control, " "))).to_vec()
    };
    let header = header.map(str::to_owned).to_vec();
    std::iter::once(header).chain(findings.iter().map(line)).collect()
}

/// All of it, for programs.
pub fn json(findings: &[Finding], operator: Version) -> Value {
    let findings = findings.iter().map(|finding| {
        json!({
            "verdict": finding.verdict.word(),
            "severity": finding.severity.word(),
            "object": finding.object,
            "field": finding.field,
            "where": finding.source.to_string(),
            "why": finding.why,
            "instead": finding.instead,
        })
    });
    json!({
        "operatorVersion": operator.to_string(),
        "findings": findings.collect::<Vec<_>>(),
    })
}
