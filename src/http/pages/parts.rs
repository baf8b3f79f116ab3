//! What several pages are put together from.

use super::html::{Attribute, Html};
use jiff::Timestamp;
use jiff::fmt::strtime;
use std::fmt::Display;
use std::time::{Duration, SystemTime};

/// How something is doing. Each has a colour, and a text beside it that says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Warning,
    Bad,
    Quiet,
}

/// A word with a colour.
pub(super) fn badge(html: &mut Html, tone: Tone, text: impl Display) {
    let class = match tone {
        Tone::Good => "badge good",
        Tone::Warning => "badge warning",
        Tone::Bad => "badge bad",
        Tone::Quiet => "badge quiet",
    };
    html.leaf("span", &[("class", class)], text);
}

/// A moment. The script shows how long ago it was.
pub(super) fn time(html: &mut Html, at: SystemTime) {
    moment(html, at, "", &[]);
}

/// The beginning of what is still so. The script shows for how long it has been.
pub(super) fn since(html: &mut Html, at: SystemTime) {
    moment(html, at, "since ", &[("data-since", "")]);
}

fn moment(html: &mut Html, at: SystemTime, before: &str, attributes: &[Attribute<'_>]) {
    let Ok(at) = Timestamp::try_from(at) else { return };
    let machine = strtime::format("%Y-%m-%dT%H:%M:%S%.3fZ", at).unwrap_or_default();
    let people = strtime::format("%Y-%m-%d %H:%M:%S UTC", at).unwrap_or_default();
    let attributes = [&[("datetime", &*machine)], attributes].concat();
    html.leaf("time", &attributes, format_args!("{before}{people}"));
}

/// A span of time in the unit that suits it.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 0.000_95 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.0995 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

/// `1 target`, `2 targets`, `12,000 targets`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number as u64), if number == 1 { one } else { many })
}

/// A number with a comma before each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table with these column headers; `rows` adds rows to a body that is followed live.
pub(super) fn table(
    html: &mut Html,
    id: &'static str,
    caption: &str,
    columns: &[&'static str],
    rows: impl FnOnce(&mut Html),
) {
    html.element("table", &[], |table| {
        table.leaf("caption", &[("class", "hidden")], caption);
        table.element("thead", &[], |head| {
            head.element("tr", &[], |row| {
                for column in columns {
                    row.leaf("th", &[("scope", "col")], column);
                }
            });
        });
        table.element("tbody", &[("id", id), ("data-live", "")], rows);
    });
}

/// A cell that says on a phone, where there is no header row, which column it is of.
pub(super) fn cell(html: &mut Html, column: &'static str, inside: impl FnOnce(&mut Html)) {
    html.element("td", &[("data-column", column)], inside);
}

/// A field to search in, which the script follows.
pub(super) fn search(html: &mut Html, value: &str, hint: &'static str) {
    html.element("label", &[("class", "search")], |label| {
        label.leaf("span", &[], "Search");
        let input: [Attribute<'_>; 7] = [
            ("type", "search"),
            ("name", "q"),
            ("id", "q"),
            ("value", value),
            ("placeholder", hint),
            ("autocomplete", "off"),
            ("spellcheck", "false"),
        ];
        label.void("input", &input);
        label.leaf("kbd", &[("aria-hidden", "true")], "/");
    });
}

/// What is said in the place of an empty list.
pub(super) fn nothing(html: &mut Html, key: &'static str, text: impl Display) {
    html.leaf("p", &[("class", "nothing"), ("data-key", key)], text);
}

/// Whether a text has all words of a search, whatever their case. The text is in lower case already.
pub(super) fn has_all(text: &str, search: &str) -> bool {
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (micros, expected) in [
            (0, "0 µs"),
            (640, "640 µs"),
            (999, "1.0 ms"),
            (1_240, "1.2 ms"),
            (99_400, "99.4 ms"),
            (99_960, "100 ms"),
            (731_000, "731 ms"),
            (1_000_000, "1.0 s"),
            (93_260_000, "93.3 s"),
        ] {
            assert_eq!(span(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn numbers() {
        let numbers = [0, 7, 999, 1_000, 12_345, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(count(1, "target", "targets"), "1 target");
    }

    #[test]
    fn searches() {
        let text = "10.0.0.1:80 app=web namespace=shop";
        for (search, expected) in
            [("", true), ("  ", true), ("WEB", true), ("shop app=web", true), ("shop cart", false)]
        {
            assert_eq!(has_all(text, search), expected, "{search}");
        }
    }
}
