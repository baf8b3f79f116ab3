//! Feature gates among the arguments of a program in Go: `flag` and `strconv.ParseBool` of its library, and
//! `MapStringBool` of `k8s.io/component-base/cli/flag`, as prometheus-operator has them.

/// What `strconv.ParseBool` takes for true.
const TRUE: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];

/// Whether the arguments turn that gate on by that flag, whose name is given without hyphens. The last one counts.
pub(super) fn is_on<'a>(
    mut arguments: impl Iterator<Item = &'a str>,
    flag: &str,
    gate: &str,
) -> bool {
    let mut on = false;
    while let Some(argument) = arguments.next() {
        let name = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
        let value = match name.and_then(|name| name.strip_prefix(flag)) {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        let pairs = value.into_iter().flat_map(|value| value.split(','));
        for (name, value) in pairs.filter_map(|pair| pair.split_once('=')) {
            if name.trim() == gate {
                on = TRUE.contains(&value.trim());
            }
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_reads_them() {
        for (arguments, expected) in [
            (&["--gates=X=true"][..], true),
            (&["-gates=X=true"], true),
            (&["--gates", "X=true"], true),
            (&["-gates", "X=true"], true),
            (&["operator", "--other=1", "--gates=Y=true, X = True ,Z=false"], true),
            (&["--gates=X=1"], true),
            (&["--gates=X=false"], false),
            (&["--gates=X=yes"], false),
            (&["--gates=X"], false),
            (&["--gates=XY=true"], false),
            (&["--gates"], false),
            (&["gates=X=true"], false),
            (&["---gates=X=true"], false),
            (&["--gates-of=X=true"], false),
            (&["--gates=X=true", "--gates=X=false"], false),
            (&["--gates=X=true", "--gates=Y=false"], true),
        ] {
            assert_eq!(is_on(arguments.iter().copied(), "gates", "X"), expected, "{arguments:?}");
        }
    }
}
