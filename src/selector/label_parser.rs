//! The syntax of label selectors: tokens, then requirements, with the quirks of
//! `k8s.io/apimachinery/pkg/labels/selector.go`.

use super::label::{Condition, Requirement};
use super::malformed::MalformedSelector;
use super::qualified::{key_error, value_error};
use std::collections::BTreeSet;
use std::iter::Peekable;

/// The requirements in the order of the text.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, MalformedSelector> {
    let mut parser = Parser { tokens: Tokens(text).peekable() };
    let mut requirements = Vec::new();
    if parser.peek() == Token::END {
        return Ok(requirements);
    }
    loop {
        requirements.push(parser.requirement()?);
        match parser.next() {
            Token::END => return Ok(requirements),
            Token::Symbol(",") => {}
            token => return Err(token.is_not("',' or the end")),
        }
    }
}

/// `in` and `notin` are words: they are operators only where an operator must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    /// The empty symbol is the end of the text.
    Symbol(&'a str),
}

/// The tokens before the end of the text.
struct Tokens<'a>(&'a str);

struct Parser<'a> {
    tokens: Peekable<Tokens<'a>>,
}

// === impl Token ===

impl Token<'_> {
    const END: Self = Self::Symbol("");

    fn is_not(self, expected: &'static str) -> MalformedSelector {
        let (Self::Word(found) | Self::Symbol(found)) = self;
        MalformedSelector::Unexpected { found: found.to_owned(), expected }
    }
}

// === impl Tokens ===

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = self.0.trim_start_matches(is_space);
        let symbol = rest.starts_with(is_special);
        let length = if rest.starts_with("==") || rest.starts_with("!=") {
            2
        } else if symbol {
            1
        } else {
            rest.find(|c| is_special(c) || is_space(c)).unwrap_or(rest.len())
        };
        let (token, rest) = rest.split_at(length);
        self.0 = rest;
        match token {
            "" => None,
            token if symbol => Some(Token::Symbol(token)),
            token => Some(Token::Word(token)),
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn peek(&mut self) -> Token<'a> {
        self.tokens.peek().copied().unwrap_or(Token::END)
    }

    fn next(&mut self) -> Token<'a> {
        self.tokens.next().unwrap_or(Token::END)
    }

    fn requirement(&mut self) -> Result<Requirement, MalformedSelector> {
        let negated = self.peek() == Token::Symbol("!");
        if negated {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            token => return Err(token.is_not("a label key")),
        };
        if let Some(why) = key_error(key) {
            let key = key.to_owned();
            return Err(MalformedSelector::Key { key, why });
        }
        let condition = if negated { Condition::DoesNotExist } else { self.condition(key)? };
        let key = key.into();
        Ok(Requirement { key, condition })
    }

    fn condition(&mut self, key: &str) -> Result<Condition, MalformedSelector> {
        if self.at_end_of_requirement() {
            return Ok(Condition::Exists);
        }
        match self.next() {
            Token::Symbol("=" | "==") => Ok(Condition::In([self.value(key)?].into())),
            Token::Symbol("!=") => Ok(Condition::NotIn([self.value(key)?].into())),
            Token::Symbol(">") => self.integer(key).map(Condition::GreaterThan),
            Token::Symbol("<") => self.integer(key).map(Condition::LessThan),
            Token::Word("in") => self.values(key).map(Condition::In),
            Token::Word("notin") => self.values(key).map(Condition::NotIn),
            token => Err(token.is_not("an operator: =, ==, !=, in, notin, > or <")),
        }
    }

    fn at_end_of_requirement(&mut self) -> bool {
        matches!(self.peek(), Token::END | Token::Symbol(","))
    }

    fn value(&mut self, key: &str) -> Result<Box<str>, MalformedSelector> {
        if self.at_end_of_requirement() {
            return Ok(Box::default());
        }
        match self.next() {
            Token::Word(value) => checked(key, value),
            token => Err(token.is_not("a label value")),
        }
    }

    fn integer(&mut self, key: &str) -> Result<i64, MalformedSelector> {
        let value = self.value(key)?;
        value.parse().map_err(|_| MalformedSelector::Value {
            key: key.to_owned(),
            value: value.into(),
            why: "> and < compare integers",
        })
    }

    /// `(a,b)`, in which empty values may stand: `()`, `(,a)`, `(a,)` and `(a,,b)`, but, as
    /// upstream has it, not `(a,,)`.
    fn values(&mut self, key: &str) -> Result<Box<[Box<str>]>, MalformedSelector> {
        match self.next() {
            Token::Symbol("(") => {}
            token => return Err(token.is_not("'('")),
        }
        let mut values = BTreeSet::new();
        if self.peek() == Token::Symbol(")") {
            self.next();
            values.insert(Box::default());
            return Ok(values.into_iter().collect());
        }
        loop {
            match self.next() {
                Token::Word(value) => {
                    values.insert(checked(key, value)?);
                    match self.peek() {
                        Token::Symbol(",") => {}
                        Token::Symbol(")") => break,
                        token => return Err(token.is_not("',' or ')'")),
                    }
                }
                Token::Symbol(",") => {
                    if values.is_empty() {
                        values.insert(Box::default());
                    }
                    match self.peek() {
                        Token::Symbol(")") => {
                            values.insert(Box::default());
                            break;
                        }
                        Token::Symbol(",") => {
                            self.next();
                            values.insert(Box::default());
                        }
                        _ => {}
                    }
                }
                token => return Err(token.is_not("',' or a label value")),
            }
        }
        self.next(); // the ')' that ended the loop
        Ok(values.into_iter().collect())
    }
}

fn checked(key: &str, value: &str) -> Result<Box<str>, MalformedSelector> {
    match value_error(value) {
        None => Ok(value.into()),
        Some(why) => {
            Err(MalformedSelector::Value { key: key.to_owned(), value: value.to_owned(), why })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, String> {
        match parse(text) {
            Ok(requirements) => {
                Ok(requirements.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn accepted() {
        for (text, expected) in [
            ("  ", ""),
            ("a", "a"),
            ("in", "in"),
            ("in in (in)", "in=in"),
            ("a=notin", "a=notin"),
            ("a=,b", "a=,b"),
            ("a\n=\tb", "a=b"),
            ("a in ()", "a="),
            ("a in (,)", "a="),
            ("a in (,b)", "a in (,b)"),
            ("a in (b,)", "a in (,b)"),
            ("a in (b,,c)", "a in (,b,c)"),
            ("a!=b,!c", "a!=b,!c"),
            ("a>1,b<2", "a>1,b<2"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn refused() {
        let operator = "an operator: =, ==, !=, in, notin, > or <";
        for (text, error) in [
            (",", r#"found ",", expected a label key"#.to_owned()),
            ("a,", r#"found "", expected a label key"#.to_owned()),
            ("!", r#"found "", expected a label key"#.to_owned()),
            ("=b", r#"found "=", expected a label key"#.to_owned()),
            ("a b", format!(r#"found "b", expected {operator}"#)),
            ("a !b", format!(r#"found "!", expected {operator}"#)),
            ("!a=b", r#"found "=", expected ',' or the end"#.to_owned()),
            ("a=b c", r#"found "c", expected ',' or the end"#.to_owned()),
            ("a==!b", r#"found "!", expected a label value"#.to_owned()),
            ("a in b", r#"found "b", expected '('"#.to_owned()),
            ("a in (b", r#"found "", expected ',' or ')'"#.to_owned()),
            ("a in (b,,)", r#"found ")", expected ',' or a label value"#.to_owned()),
            ("a in (", r#"found "", expected ',' or a label value"#.to_owned()),
            ("a>b", r#"value "b" of label "a" is invalid: > and < compare integers"#.to_owned()),
            ("a>", r#"value "" of label "a" is invalid: > and < compare integers"#.to_owned()),
            (
                "Q.io/a",
                r#"label key "Q.io/a" is invalid: its prefix must be a lower-case DNS name of at most 253 bytes"#.to_owned(),
            ),
            (
                "a=b/c",
                r#"value "b/c" of label "a" is invalid: it must be letters, digits, '-', '_' or '.', beginning and ending with a letter or digit"#.to_owned(),
            ),
        ] {
            assert_eq!(canonical(text), Err(error), "{text:?}");
        }
    }
}
