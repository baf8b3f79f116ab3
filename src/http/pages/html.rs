//! HTML that cannot be broken by what is in it.
//!
//! Labels and annotations come from whoever may write a Pod. So there is one way in for text, and it escapes;
//! names of elements and attributes are the program's own (`&'static str`), and a link leads to a path of our
//! own with an encoded query.

use std::fmt::{self, Display, Write};

/// A piece of HTML that grows at its end.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// An attribute: its name, and its value before escaping.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// Writes text so that no parser takes it for anything else, in an element or between double quotes.
struct Escaped<'a>(&'a mut String);

// === impl Html ===

impl Html {
    /// Adds text.
    pub(super) fn text(&mut self, text: impl Display) {
        write!(Escaped(&mut self.0), "{text}").expect("a String takes all");
    }

    /// Adds an element with what `inside` adds.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        inside(self);
        self.close(name);
    }

    /// Adds an element that has text alone.
    pub(super) fn leaf(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        text: impl Display,
    ) {
        self.element(name, attributes, |inside| inside.text(text));
    }

    /// Adds an element that has no inside and no end, such as `input`.
    pub(super) fn void(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.open(name, attributes);
    }

    /// Adds a link to a path of ours, with these parameters.
    pub(super) fn link(
        &mut self,
        path: &'static str,
        query: &[(&str, &str)],
        attributes: &[Attribute<'_>],
        text: impl Display,
    ) {
        let address = address(path, query);
        let mut all: Vec<Attribute<'_>> = vec![("href", &address)];
        all.extend_from_slice(attributes);
        self.leaf("a", &all, text);
    }

    /// Adds what was made elsewhere.
    pub(super) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// The text of a document, with what it begins with.
    pub(super) fn into_document(self) -> String {
        format!("<!doctype html>\n{}\n", self.0)
    }

    fn open(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            if !value.is_empty() {
                self.0.push_str("=\"");
                Escaped(&mut self.0).write_str(value).expect("a String takes all");
                self.0.push('"');
            }
        }
        self.0.push('>');
    }

    fn close(&mut self, name: &'static str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }
}

/// A path and query of ours.
pub(super) fn address(path: &'static str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

// === impl Escaped ===

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, from) = rest.split_at(at);
            self.0.push_str(before);
            self.0.push_str(match from.as_bytes()[0] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            });
            rest = &from[1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A document with that text in each place where there can be any.
    fn everywhere(text: &str) -> String {
        let mut html = Html::default();
        html.element("p", &[("title", text), ("class", "a")], |p| {
            p.text(text);
            p.link("/debug/targets", &[("q", text), (text, "x")], &[("data-key", text)], text);
            p.void("input", &[("value", text)]);
        });
        html.into_document()
    }

    /// The tags of a document, each as a browser would see it.
    fn shape(document: &str) -> Vec<String> {
        let tags = document.split('<').skip(1).map(|rest| {
            let tag = rest.split('>').next().unwrap_or_default();
            // What is between quotes is of no interest, and cannot end early.
            tag.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
        });
        tags.collect()
    }

    fn hostile() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            any::<String>(),
            Just("\"><script>alert(1)</script>".to_owned()),
            Just("<img src=x onerror=alert(1)>".to_owned()),
            Just("' onmouseover='x".to_owned()),
            Just("javascript:alert(1)".to_owned()),
            Just("</textarea></title></style><!--".to_owned()),
            Just("&lt;script&gt;&#x3c;".to_owned()),
        ];
        prop::collection::vec(pieces, 1..4).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_text_makes_a_tag_or_an_attribute(text in hostile()) {
            let text = format!("x{text}"); // an empty value is written without quotes
            let document = everywhere(&text);
            prop_assert_eq!(shape(&document), shape(&everywhere("x")), "{}", document);
            prop_assert_eq!(document.matches('"').count(), everywhere("x").matches('"').count());
            prop_assert!(document.contains("href=\"/debug/targets?"), "a path of our own");
        }

        #[test]
        fn a_browser_reads_the_same_text(text in hostile()) {
            let mut html = Html::default();
            html.text(&text);
            let mut read = html.0;
            for (entity, character) in
                [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
            {
                read = read.replace(entity, character);
            }
            prop_assert_eq!(read, text);
        }
    }

    #[test]
    fn what_it_looks_like() {
        let mut html = Html::default();
        html.element("details", &[("open", ""), ("id", "a b")], |inside| {
            inside.leaf("summary", &[], format_args!("{} < {}", 1, 2));
        });
        assert_eq!(html.0, "<details open id=\"a b\"><summary>1 &lt; 2</summary></details>");
    }
}
