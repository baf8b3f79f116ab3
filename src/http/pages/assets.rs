//! The style sheet, the script and the icon, as they are in the program.

use super::layout::with_headers;
use crate::http::response::{self, Answer};

pub(super) const STYLE: &str = "/debug/assets/pages.css";
pub(super) const SCRIPT: &str = "/debug/assets/pages.js";
pub(super) const ICON: &str = "/debug/assets/icon.svg";

/// The file of that path, if it is one.
pub(in crate::http) fn asset(path: &str) -> Option<Answer> {
    let (content_type, text) = match path {
        STYLE => ("text/css; charset=utf-8", include_str!("assets/pages.css")),
        SCRIPT => ("text/javascript; charset=utf-8", include_str!("assets/pages.js")),
        ICON => ("image/svg+xml", include_str!("assets/icon.svg")),
        _ => return None,
    };
    Some(with_headers(response::of_type(content_type, text)))
}
