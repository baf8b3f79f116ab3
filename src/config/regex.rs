//! Whether Go takes a regular expression. One that it refuses makes a whole configuration unloadable, and
//! prometheus-operator puts ports of monitors into expressions as they are.
//!
//! Go's syntax (RE2) and that of the crate `regex-syntax` are siblings. What differs is handled here, on
//! the safe side: an expression that only we misunderstand costs one job, one that passes wrongly
//! costs all of them.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{
    AssertionKind, Ast, Flag, FlagsItemKind, GroupKind, HexLiteralKind, LiteralKind,
    RepetitionKind, RepetitionRange, Visitor, visit,
};

/// Why Go refuses an expression.
#[derive(Debug, thiserror::Error)]
pub enum RegexError {
    /// Neither syntax has it.
    #[error("{0}")]
    Syntax(String),
    /// The crate's syntax has it, Go's has not.
    #[error("Go does not know {0}")]
    NotInGo(&'static str),
}

/// The most that Go repeats something, counted through nested repetitions.
const MOST_REPEATED: u32 = 1_000;

/// Checks an expression.
///
/// # Errors
/// If Go would refuse it.
pub(crate) fn check(expression: &str) -> Result<(), RegexError> {
    let ours = in_our_syntax(expression);
    let parsed = ParserBuilder::new().octal(true).build().parse(&ours);
    let ast = parsed.map_err(|error| RegexError::Syntax(error.kind().to_string()))?;
    visit(&ast, Checker { repeated: vec![1] })
}

/// The expression, with what only Go takes for literal text escaped.
pub(super) fn in_our_syntax(expression: &str) -> String {
    let (mut ours, mut rest) = (String::with_capacity(expression.len()), expression);
    let mut class: Option<usize> = None; // where the contents of the open class begin
    while let Some(c) = rest.chars().next() {
        let taken = match (c, class) {
            ('\\', None) if rest.starts_with("\\Q") => {
                let (literal, after) = rest[2..].split_once("\\E").unwrap_or((&rest[2..], ""));
                ours.push_str(&regex_syntax::escape(literal));
                rest = after;
                continue;
            }
            ('\\', _) => {
                let (text, taken) = escape(rest);
                ours.push_str(&text);
                rest = &rest[taken..];
                continue;
            }
            ('[', Some(_)) => match rest.strip_prefix("[:").and_then(|name| name.find(":]")) {
                Some(end) => end + 4, // a class by name, such as [:alpha:]
                None => {
                    ours.push('\\'); // no classes inside classes
                    1
                }
            },
            ('[', None) => {
                let negated = rest.starts_with("[^");
                let taken = if negated { 2 } else { 1 };
                class = Some(ours.len() + taken);
                taken
            }
            (']', Some(begin)) if ours.len() > begin => {
                class = None;
                1
            }
            ('&' | '~' | '-', Some(_)) if rest[1..].starts_with(c) => {
                ours.push('\\'); // no set operations
                1
            }
            ('{', None) if !is_repetition(rest) => {
                ours.push('\\');
                1
            }
            _ => c.len_utf8(),
        };
        ours.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    ours
}

/// An escape at the beginning of the text, as we say it, and how long it is there.
fn escape(text: &str) -> (String, usize) {
    let Some(c) = text[1..].chars().next() else { return (text.to_owned(), text.len()) };
    let length = 1 + c.len_utf8();
    let braced = || text[length..].starts_with('{').then(|| text.find('}')).flatten();
    match c {
        '<' | '>' => (c.to_string(), length), // no boundaries in Go
        // A single digit is a reference, which Go does not have; two are an octal number.
        '1'..='7' if !text[length..].starts_with(|c| matches!(c, '0'..='7')) => {
            ("\\8".to_owned(), length)
        }
        'x' => {
            let end = braced().map_or(length, |close| close + 1);
            (text[..end].to_owned(), end)
        }
        'p' | 'P' => {
            let letter = length + text[length..].chars().next().map_or(0, char::len_utf8);
            let (name, end) = match braced() {
                Some(close) => (&text[length + 1..close], close + 1),
                None => (&text[length..letter], letter),
            };
            let known = PROPERTIES.contains(&name.trim_start_matches('^'));
            (if known { text[..end].to_owned() } else { "\\8".to_owned() }, end)
        }
        _ => (text[..length].to_owned(), length),
    }
}

/// Unicode classes that Go has, those that somebody may use: others are refused to be safe. Such a class
/// with one letter stands without braces, too.
const PROPERTIES: [&str; 40] = [
    "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No", "P", "Pc",
    "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs", "C",
    "Cc", "Cf", "Arabic", "Cyrillic", "Greek", "Han", "Hebrew", "Latin",
];

/// Whether the text begins with `{n}`, `{n,}` or `{n,m}`; anything else in braces is text in Go.
fn is_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// Looks for what Go does not have.
struct Checker {
    /// How often each of the open repetitions repeats, with those around it.
    repeated: Vec<u32>,
}

impl Visitor for Checker {
    type Output = ();
    type Err = RegexError;

    fn finish(self) -> Result<(), RegexError> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), RegexError> {
        match ast {
            Ast::Flags(set) if !in_go(&set.flags.items) => Err(RegexError::NotInGo("these flags")),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) if !in_go(&flags.items) => {
                    Err(RegexError::NotInGo("these flags"))
                }
                _ => Ok(()),
            },
            Ast::Literal(literal) => match literal.kind {
                LiteralKind::HexFixed(
                    HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong,
                )
                | LiteralKind::HexBrace(
                    HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong,
                ) => Err(RegexError::NotInGo("\\u and \\U")),
                _ => Ok(()),
            },
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::WordBoundaryStart
                | AssertionKind::WordBoundaryEnd
                | AssertionKind::WordBoundaryStartHalf
                | AssertionKind::WordBoundaryEndHalf => {
                    Err(RegexError::NotInGo("\\b{…}, and \\< as a boundary"))
                }
                _ => Ok(()),
            },
            Ast::Repetition(repetition) => {
                if matches!(*repetition.ast, Ast::Repetition(_)) {
                    return Err(RegexError::NotInGo(
                        "a repetition of a repetition without a group",
                    ));
                }
                let around = self.repeated.last().copied().unwrap_or(1);
                let all = around.saturating_mul(most(&repetition.op.kind));
                self.repeated.push(all);
                if all > MOST_REPEATED {
                    return Err(RegexError::NotInGo("more than 1000 repetitions"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), RegexError> {
        if matches!(ast, Ast::Repetition(_)) {
            self.repeated.pop();
        }
        Ok(())
    }
}

fn most(kind: &RepetitionKind) -> u32 {
    match kind {
        RepetitionKind::Range(
            RepetitionRange::Exactly(most)
            | RepetitionRange::AtLeast(most)
            | RepetitionRange::Bounded(_, most),
        ) => (*most).max(1),
        _ => 1,
    }
}

/// Whether Go has all these flags.
fn in_go(items: &[regex_syntax::ast::FlagsItem]) -> bool {
    items.iter().all(|item| match item.kind {
        FlagsItemKind::Negation => true,
        FlagsItemKind::Flag(flag) => matches!(
            flag,
            Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_takes() {
        // Go's regexp.Compile was asked about each (go 1.26).
        let good = [
            "",
            "(.*)",
            "web",
            "a|b",
            "(a|b);true",
            r"a\.b",
            "[a-z]+?",
            "a{2}",
            "a{2,}",
            "a{,2}",
            "a{",
            "{a}",
            "[[:alpha:]]",
            "[]a]",
            "[^]a]",
            "[[]",
            "[a&&b]",
            r"\Qa(\E",
            r"\x{41}",
            r"\101",
            "(?i)a",
            "(?P<n>a)",
            "^*",
            "(a*)*",
            r"\pL",
            r"[\d]",
            "a{1000}",
            "$1(SHARD)",
            "é",
            r"\z",
            "a--b",
            r"\<a\>",
            r"\p{L}",
            r"\P{Greek}",
            r"\x{1F}",
            r"[[\]]",
        ];
        for expression in good {
            assert!(check(expression).is_ok(), "{expression}: {:?}", check(expression));
        }
        let bad = [
            "web(",
            "a)",
            "[a",
            "*",
            "a**",
            "a{2}{3}",
            "a{1001}",
            "(a{100}){100}",
            r"\u0041",
            "(?x)a",
            "(?=a)",
            r"a\",
            r"\8",
            r"\p{None}",
            r"[\p{Nope}]",
            r"\pQ",
            r"(a)\1",
            "[[][a",
            r"[\[][a",
            r"[\Qa\E]",
            "(?P<n",
            "a{3,2}",
            r"[z-a]",
            "+",
        ];
        for expression in bad {
            assert!(check(expression).is_err(), "{expression}");
        }
    }
}
