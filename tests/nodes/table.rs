//! What the scenarios have measured, printed at the end.

use std::sync::Mutex;

static ROWS: Mutex<Vec<[String; 3]>> = Mutex::new(Vec::new());

/// Adds a row: what happened, to which deployment or node, and the seconds or what else was seen.
pub(crate) fn add(event: &str, of: &str, seen: impl Into<String>) {
    ROWS.lock().unwrap().push([event.to_owned(), of.to_owned(), seen.into()]);
}

/// As Markdown.
pub(crate) fn print() {
    println!("\n| event | of | seen |\n|---|---|---|");
    for [event, of, seen] in &*ROWS.lock().unwrap() {
        println!("| {event} | {of} | {seen} |");
    }
    println!();
}
