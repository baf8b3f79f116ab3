//! Requests that a browser makes for a page of another site.
//!
//! Such a page cannot read the answers, since nothing here allows that. But it could ask, and a question opens
//! watches at the API server. Browsers say on whose behalf they ask (`Sec-Fetch-Site`), to loopback addresses
//! too; Prometheus and curl say nothing. Another port of the same host is another site for us: who forwards
//! ports has several programs there.

use super::caller::header;
use http::{HeaderMap, HeaderName};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Whether the request comes from a page of another site, and is no link that somebody follows.
pub(super) fn is_of_another(headers: &HeaderMap) -> bool {
    let is_other = !matches!(header(headers, SITE), "" | "same-origin" | "none");
    let is_link = header(headers, MODE) == "navigate" && header(headers, DESTINATION) == "document";
    is_other && !is_link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_sites_may() {
        for (site, mode, destination, expected) in [
            ("", "", "", false),
            ("none", "navigate", "document", false),
            ("same-origin", "cors", "empty", false),
            ("cross-site", "navigate", "document", false),
            ("cross-site", "navigate", "iframe", true),
            ("cross-site", "no-cors", "image", true),
            ("cross-site", "no-cors", "script", true),
            ("cross-site", "cors", "empty", true),
            ("same-site", "cors", "empty", true),
            ("something-new", "cors", "empty", true),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SITE, site), (MODE, mode), (DESTINATION, destination)] {
                if !value.is_empty() {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(is_of_another(&headers), expected, "{site} {mode} {destination}");
        }
    }
}
