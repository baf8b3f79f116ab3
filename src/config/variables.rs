//! `$(NAME)`, which config-reloader replaces by a variable of its environment before Prometheus reads.

/// A piece of a text with variables in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// What stays as it is.
    Text(&'a str),
    /// `$(NAME)`, whole.
    Variable(&'a str),
}

/// The pieces of a text. A variable is what thanos' reloader takes for one: `\$\(([a-zA-Z_0-9]+)\)`.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (start, end) = find(rest).unwrap_or((rest.len(), rest.len()));
        let at = if start == 0 { end } else { start };
        let (piece, after) = rest.split_at(at);
        rest = after;
        Some(if start == 0 { Piece::Variable(piece) } else { Piece::Text(piece) })
    })
}

/// The names of the variables in a text.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Variable(variable) => Some(&variable[2..variable.len() - 1]),
        Piece::Text(_) => None,
    })
}

/// Where the first variable begins and ends.
fn find(text: &str) -> Option<(usize, usize)> {
    text.match_indices("$(").find_map(|(start, _)| {
        let name = &text[start + 2..];
        let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        (length > 0 && name[length..].starts_with(')')).then_some((start, start + length + 3))
    })
}

#[cfg(test)]
mod tests {
    use super::Piece::{Text, Variable};
    use super::*;

    #[test]
    fn variables_are_found() {
        let cases: [(&str, &[Piece<'_>]); 8] = [
            ("", &[]),
            ("a", &[Text("a")]),
            ("$(A)", &[Variable("$(A)")]),
            ("a$(B_1)c$(D)", &[Text("a"), Variable("$(B_1)"), Text("c"), Variable("$(D)")]),
            ("$(A)$(B)", &[Variable("$(A)"), Variable("$(B)")]),
            ("$()", &[Text("$()")]),
            ("$(a-b)", &[Text("$(a-b)")]),
            ("$(A$(B)", &[Text("$(A"), Variable("$(B)")]),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
