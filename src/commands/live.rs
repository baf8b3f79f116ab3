//! The live view of `demo`: a table that is drawn anew on a terminal, plain lines elsewhere.

use super::targets::aligned;
use crate::targets::{Target, Targets};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};

/// What is shown of a target; equal rows are counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    role: &'static str,
    address: String,
    of: String,
    ready: String,
}

/// Shows targets as they come and go, and what happens in the cluster.
pub(super) struct Live<W> {
    out: W,
    terminal: bool,
    head: String,
    rows: BTreeMap<Row, usize>,
    news: VecDeque<String>,
}

/// How many sentences about the cluster stay on the screen.
const NEWS: usize = 6;

// === impl Row ===

impl Row {
    fn of(role: &'static str, target: &Target) -> Self {
        let label = |name: &str| {
            target.labels.get(&*format!("__meta_kubernetes_{name}")).map_or("", |value| &**value)
        };
        let ready = ["endpointslice_endpoint_conditions_ready", "endpoint_ready", "pod_ready"]
            .into_iter()
            .map(label)
            .find(|ready| !ready.is_empty())
            .unwrap_or_default();
        let name = match (label("pod_name"), label("node_name")) {
            ("", "") => target.labels.get("instance").map_or("", |name| &**name),
            ("", node) => node,
            (pod, _) => pod,
        };
        let of = [label("namespace"), label("service_name"), name];
        let of: Vec<&str> = of.into_iter().filter(|part| !part.is_empty()).collect();
        Self { role, address: target.address.clone(), of: of.join("/"), ready: ready.to_owned() }
    }

    fn line(&self) -> String {
        let Self { role, address, of, ready } = self;
        let ready = if ready.is_empty() { String::new() } else { format!(" ready={ready}") };
        format!("{role} {address} {of}{ready}")
    }
}

// === impl Live ===

impl<W: Write> Live<W> {
    /// Writes to `out`, below or after `head`.
    pub(super) fn new(out: W, terminal: bool, head: String) -> Self {
        Self { out, terminal, head, rows: BTreeMap::new(), news: VecDeque::new() }
    }

    /// Writes the head where lines follow each other.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.terminal { self.draw() } else { writeln!(self.out, "{}", self.head) }
    }

    /// Something happened in the cluster.
    pub(super) fn tell(&mut self, sentence: String) -> io::Result<()> {
        if !self.terminal {
            return writeln!(self.out, "# {sentence}");
        }
        self.news.push_back(sentence);
        if self.news.len() > NEWS {
            self.news.pop_front();
        }
        self.draw()
    }

    /// These are the targets now.
    pub(super) fn show<'a>(
        &mut self,
        targets: impl IntoIterator<Item = (&'static str, &'a Targets)>,
    ) -> io::Result<()> {
        let mut rows = BTreeMap::new();
        for (role, targets) in targets {
            for target in &targets.own {
                *rows.entry(Row::of(role, target)).or_insert(0) += 1;
            }
        }
        let before = std::mem::replace(&mut self.rows, rows);
        if self.terminal {
            return self.draw();
        }
        for (sign, these, those) in [("-", &before, &self.rows), ("+", &self.rows, &before)] {
            for row in these.keys().filter(|row| !those.contains_key(row)) {
                writeln!(self.out, "{sign} {}", row.line())?;
            }
        }
        self.out.flush()
    }

    fn draw(&mut self) -> io::Result<()> {
        let mut table = vec![["ROLE", "ADDRESS", "OF", "READY"].map(str::to_owned).to_vec()];
        for (row, count) in &self.rows {
            let Row { role, address, of, ready } = row.clone();
            let of = if *count > 1 { format!("{of} (x{count})") } else { of };
            table.push(vec![role.to_owned(), address, of, ready]);
        }
        let news: String = self.news.iter().map(|sentence| format!("{sentence}\n")).collect();
        let text = format!("{}\n\n{news}\n{}", self.head, aligned(&table));
        // A screen that scrolled, or a line that ran into the next, would spoil the drawing.
        let (columns, lines) = screen();
        let mut cut = String::new();
        for line in text.lines().take(lines - 1) {
            cut.extend(line.chars().take(columns));
            cut.push_str("\x1b[K\n"); // clears the rest of the line
        }
        // From the top left corner, and at the end the rest of the screen is cleared: without the
        // flicker that clearing everything first would give.
        write!(self.out, "\x1b[H{cut}\x1b[J")?;
        self.out.flush()
    }
}

/// Columns and lines of the terminal; as many as anybody has where that is not known.
fn screen() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 1 => (size.ws_col.into(), size.ws_row.into()),
        _ => (500, 500),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Targets {
        let label =
            |name: &str, value: &str| (format!("__meta_kubernetes_{name}").into(), value.into());
        let labels =
            [label("namespace", "shop"), label("pod_name", name), label("pod_ready", "true")];
        let target = Target {
            address: "10.0.0.1:80".to_owned(),
            labels: labels.into_iter().collect(),
            sources: Vec::new(),
        };
        Targets { own: vec![target], unassigned: Vec::new() }
    }

    fn shown(terminal: bool) -> String {
        let mut live = Live::new(Vec::new(), terminal, "head".to_owned());
        live.begin().unwrap();
        live.show([("pod", &pod("a"))]).unwrap();
        live.tell("a rollout".to_owned()).unwrap();
        live.show([("pod", &pod("b"))]).unwrap();
        String::from_utf8(live.out).unwrap()
    }

    #[test]
    fn lines_tell_what_comes_and_goes() {
        assert_eq!(
            shown(false),
            "head\n+ pod 10.0.0.1:80 shop/a ready=true\n# a rollout\n\
             - pod 10.0.0.1:80 shop/a ready=true\n+ pod 10.0.0.1:80 shop/b ready=true\n"
        );
    }

    #[test]
    fn a_terminal_shows_the_present_state() {
        let screens = shown(true);
        let last = screens.split("\x1b[H").last().unwrap();
        assert!(last.contains("shop/b") && !last.contains("shop/a"), "{last:?}");
    }
}
