//! Requests that a browser makes for a page of another site.
//!
//! Such a page cannot read the answers, since nothing here allows that. But it could ask, and a question opens
//! watches at the API server. Browsers say on whose behalf they ask (`Sec-Fetch-Site`), to loopback addresses
//! too; Prometheus and curl say nothing. Another port of the same host is another site for us: who forwards
//! ports has several programs there.
//!
//! A link that somebody follows is let through, but only where nothing is asked of a cluster: to a browser a
//! window that such a page opens by itself is a link as well.

use super::caller::header;
use super::response::Answer;
use http::{HeaderMap, HeaderName, HeaderValue};

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Where links of other sites may lead: to what tells what is known already, and opens no watch.
const LINKED: [&str; 5] = ["/", "/debug/watches", "/debug/jobs", "/debug/changes", "/debug/config"];

/// Whether the request for that path comes from a page of another site, and is no link that may lead there.
pub(super) fn is_of_another(headers: &HeaderMap, path: &str) -> bool {
    let is_other = !matches!(header(headers, SITE), "" | "same-origin" | "none");
    let is_link = header(headers, MODE) == "navigate" && header(headers, DESTINATION) == "document";
    is_other && !(is_link && LINKED.contains(&path))
}

/// Tells browsers that no page of another site may have that answer, and that it is of the type that it says.
pub(super) fn keep_from_others(answer: &mut Answer) {
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]
    {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_sites_may() {
        for (site, mode, destination, is_refused) in [
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
            let told = format!("{site} {mode} {destination}");
            assert_eq!(is_of_another(&headers, "/debug/watches"), is_refused, "{told}");
            let is_refused = !matches!(site, "" | "none" | "same-origin");
            assert_eq!(is_of_another(&headers, "/sd/pod"), is_refused, "{told}");
        }
    }
}
