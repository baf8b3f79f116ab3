//! `/debug/config`: the configuration that the agent has, without its secrets.
//!
//! Not live: it can be large, and would be read and gone through again every two seconds for each who looks.

use super::layout::{Page, Tab};
use super::parts::nothing;
use crate::http::app::App;
use crate::http::debug_agent::config_text;

const TITLE: &str = "Configuration";

/// The page.
pub(in crate::http) fn config(app: &App) -> Page {
    Page::new(Tab::Config, TITLE, |html| {
        html.leaf("h1", &[], TITLE);
        match config_text(app) {
            Ok(text) => {
                html.leaf(
                    "p",
                    &[("class", "lead")],
                    "What the agent's Prometheus was given: the configuration in its rewritten form. What is a \
                     secret, or is called like one, is not shown. Reload the page to see what was written since.",
                );
                html.leaf("pre", &[], text);
            }
            Err(reason) => nothing(html, "nothing", capitalised(&reason.to_string())),
        }
    })
}

/// As a sentence of its own.
fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}
