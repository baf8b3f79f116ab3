//! Whether the fault matrix would notice: what must never be done when something fails is put into a copy of the
//! code, and rows of the matrix must turn red.

#![expect(clippy::print_stderr, reason = "what was found, and how")]

use super::control_plane::ControlPlane;
use super::wrong_code::{BINARY, WrongCode, WrongRule};

const RULES: [WrongRule; 3] = [
    (
        "a partial list replaces what is known",
        "src/kube/list.rs",
        "            let meta = meta.map_err(|failure| (failure, page))?;",
        "            if WRONG && meta.is_err() && let Some(version) = version.clone() {
                return Ok((outcome, version));
            }
            let meta = meta.map_err(|failure| (failure, page))?;",
    ),
    (
        "an error empties what is known",
        "src/kube/reflector.rs",
        "                    if failure.is_expired() {
                        from =",
        "                    if WRONG {
                        let nothing = crate::index::ListOutcome::of(Vec::new());
                        self.tell(K::change(Update::Replace(nothing))).await;
                    }
                    if failure.is_expired() {
                        from =",
    ),
    (
        "no delay between tries",
        "src/kube/backoff.rs",
        "        part_of(bound)\n",
        "        if WRONG { Duration::ZERO } else { part_of(bound) }\n",
    ),
];

/// Rows of the matrix, of which each rule must turn one red.
const ROWS: &str = "lists: cut on the second page;reads: 503;watches: closed at once";

const TESTS: &str = "[[test]]\nname = \"it\"\npath = \"tests/it/main.rs\"\n\n";

pub(crate) fn turn_rows_red(_: &ControlPlane) {
    let folders = ["src", "manifests", "tests", "docs", "benches"]; // which include each other
    let code = WrongCode::copy("wrong-faults", &folders, &RULES, TESTS);
    code.names_its_binary("tests/it");
    let matrix = ["test", "--quiet", "--test", "it", "faults::matrix"];
    code.cargo(&["test", "--quiet", "--test", "it", "--no-run"]);
    let right = code.cargo_following("none", &matrix, ("FAULTS", ROWS));
    let said = String::from_utf8_lossy(&right.stdout).into_owned();
    assert!(right.status.success() && said.contains("1 passed"), "{BINARY}: {said}");
    for (rule, ..) in RULES {
        let output = code.cargo_following(rule, &matrix, ("FAULTS", ROWS));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && said.contains("1 failed"), "not found: {rule}\n{said}");
        let such = |line: &&str| line.contains("lost after") || line.contains("promises more");
        let words = said.lines().find(such);
        let words = words.unwrap_or_else(|| panic!("{rule} fails otherwise: {said}"));
        let words: String = words.chars().take(150).collect();
        eprintln!("found: {rule} ({words})");
    }
}
