//! What docs/explain.md shows is what the command prints.

use super::jobs::served;
use crate::commands::run;
use std::fmt::Write as _;
use std::path::Path;

const FENCE: &str = "```console\n";

#[tokio::test]
async fn the_page_shows_what_is_printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/explain.md");
    let page = std::fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path()).await;
    let mut blocks = page.split(FENCE);
    let mut printed = blocks.next().unwrap().to_owned();
    for block in blocks {
        let (shown, rest) = block.split_once("```\n").unwrap();
        let typed = shown.lines().next().unwrap();
        let words = typed.strip_prefix("$ nodelocal-sd ").unwrap().replace('\'', "");
        let arguments: Vec<&str> = words.split(' ').chain(["--url", &served.url]).collect();
        let (_, text, _) = run(&arguments).await;
        write!(printed, "{FENCE}{typed}\n{text}```\n{rest}").unwrap();
    }
    assert!(printed.matches(FENCE).count() > 5);
    assert!(page == printed, "docs/explain.md must be:\n{printed}");
}
