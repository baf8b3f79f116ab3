//! Whether an expression of PromQL asks for `up` being 0.
//!
//! No parser of PromQL: words, numbers and operators, with texts and comments out of the way. What it looks for is
//! `up`, with matchers or without, compared with 0 or with less than 1; closing brackets between them are those of an
//! aggregation, such as `sum(up) == 0`.

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// An operator of comparison.
    Comparison(&'a str),
    /// Everything between braces, or between square brackets.
    Matchers,
    Other(char),
}

/// Functions that see what is not there.
const SEES_ABSENCE: [&str; 2] = ["absent", "absent_over_time"];

/// Whether the expression is true only while there is an `up` that is 0.
pub(super) fn relies_on_up(expression: &str) -> bool {
    let tokens = tokens(expression);
    let sees_absence =
        |token: &Token<'_>| matches!(token, Token::Word(word) if SEES_ABSENCE.contains(word));
    if tokens.iter().any(sees_absence) {
        return false;
    }
    let ups = tokens.iter().enumerate().filter(|(_, token)| **token == Token::Word("up"));
    ups.into_iter().any(|(at, _)| is_down(&tokens[at + 1..]) || is_down_before(&tokens[..at]))
}

/// `up{…} == 0`, `up != 1`, `sum by (job) (up) < 1`.
fn is_down(after: &[Token<'_>]) -> bool {
    let mut rest =
        after.iter().filter(|token| !matches!(token, Token::Matchers | Token::Other(')')));
    let Some(Token::Comparison(sign)) = rest.next() else { return false };
    let mut rest = rest.skip_while(|token| **token == Token::Word("bool"));
    let Some(Token::Word(number)) = rest.next() else { return false };
    below_one(sign, number)
}

/// `0 == up`.
fn is_down_before(before: &[Token<'_>]) -> bool {
    let [.., Token::Word(number), Token::Comparison(sign)] = before else { return false };
    let turned = match *sign {
        ">" => "<",
        ">=" => "<=",
        "<" | "<=" => return false,
        sign => sign,
    };
    below_one(turned, number)
}

fn below_one(sign: &str, number: &str) -> bool {
    let Ok(number) = number.parse::<f64>() else { return false };
    match sign {
        "==" | "<=" => number == 0.0,
        "!=" => number == 1.0,
        "<" => number > 0.0 && number <= 1.0,
        _ => false,
    }
}

fn tokens(expression: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '#' => (None, rest.find('\n').unwrap_or(rest.len())),
            '"' | '\'' | '`' => (Some(Token::Other(first)), text(rest, first)),
            '{' => (Some(Token::Matchers), bracket(rest, '}')),
            '[' => (Some(Token::Matchers), bracket(rest, ']')),
            '=' | '!' | '<' | '>' => {
                let length = 1 + usize::from(rest[1..].starts_with('='));
                (Some(Token::Comparison(&rest[..length])), length)
            }
            c if is_of_word(c) => {
                let length = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
                (Some(Token::Word(&rest[..length])), length)
            }
            c if c.is_whitespace() => (None, c.len_utf8()),
            c => (Some(Token::Other(c)), c.len_utf8()),
        };
        tokens.extend(token);
        rest = &rest[length..];
    }
    tokens
}

/// Names of metrics have colons, numbers have dots.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '.')
}

/// The length of a text in quotes; up to the end if it has none.
fn text(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The length of what is in brackets; texts in it may have brackets.
fn bracket(rest: &str, end: char) -> usize {
    let mut at = 1;
    while let Some(c) = rest[at..].chars().next() {
        at += match c {
            c if c == end => return at + c.len_utf8(),
            '"' | '\'' | '`' => text(&rest[at..], c),
            c => c.len_utf8(),
        };
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn expressions() {
        for (expression, expected) in [
            ("up == 0", true),
            ("up{job=\"a\"} == 0", true),
            ("up{job=~\"a}b\",x='}'}==0", true),
            ("up != 1", true),
            ("up < 1", true),
            ("up == bool 0", true),
            ("0 == up", true),
            ("1 > up{job=\"a\"}", true),
            ("100 * (count(up == 0) BY (job) / count(up) BY (job)) > 10", true),
            ("sum by (job) (up{job=\"a\"}) == 0", true),
            ("max(up) < 1 # why\n", true),
            ("avg(up) < 0.5", true),
            ("max_over_time(up[5m]) == 0", true),
            ("up == 1", false),
            ("up > 0", false),
            ("up", false),
            ("absent(up{job=\"a\"}) or up{job=\"a\"} == 0", false),
            ("absent(up == 1)", false),
            ("kube_up == 0", false),
            ("up:rate == 0", false),
            ("node_load1{up=\"0\"} == 0", false),
            ("label_replace(x, \"up == 0\", \"\", \"\", \"\") > 0", false),
            ("# up == 0\nx > 0", false),
            ("x == 0 and up == 1", false),
            ("up{", false),
            ("up == \"", false),
        ] {
            assert_eq!(relies_on_up(expression), expected, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(expression in "[up={}\\[\\]\"'`#!<> 01\\\\é\n()]{0,30}") {
            relies_on_up(&expression);
        }
    }
}
