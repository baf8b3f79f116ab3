//! Who gets a page: browsers. Programs get what they have always had.

/// Whether that `Accept` header prefers HTML to JSON or plain text: it names it, and nothing of ours before it
/// or with more weight. `*/*`, as curl sends it, names nothing.
pub(super) fn prefers_page(accept: &str) -> bool {
    let mut best = (0.0, false);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let is_page = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => true,
            "application/json" | "application/yaml" | "text/plain" => false,
            _ => continue,
        };
        let weight = parts
            .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
            .map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        if weight > best.0 {
            best = (weight, is_page);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_pages_and_programs_do_not() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("text/html", true),
            ("TEXT/HTML; charset=utf-8", true),
            ("application/json;q=0.5, text/html", true),
            ("text/html, application/json", true),
            ("application/json, text/html", false),
            ("application/json, text/html;q=0.9", false),
            ("text/html;q=0.1, application/json", false),
            ("text/html;q=0", false),
            ("text/html;q=nonsense", false),
            ("application/json", false),
            ("text/plain, text/html;q=0.5", false),
            ("*/*", false),
            ("text/*", false),
            ("", false),
            (";;;,,,q=", false),
        ] {
            assert_eq!(prefers_page(accept), expected, "{accept}");
        }
    }
}
