//! The plan as text: manifests as YAML, what to do as Markdown.

use super::file::File;
use super::notes::Weight;
use super::plan::Plan;
use super::steps::Step;
use std::fmt::Write as _;

// === impl File ===

impl File {
    /// The manifests, one document each.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for object in &self.objects {
            let _ = write!(text, "---\n{object}"); // a String takes all
        }
        text
    }
}

// === impl Plan ===

impl Plan {
    /// What to look at, what became of the fields, and the way there.
    pub fn steps(&self) -> String {
        let mut text = format!("# {}, to the nodes\n", self.old);
        for (weight, title) in [
            (Weight::First, "To be looked at before the first step"),
            (Weight::Changed, "Changed"),
            (Weight::Dropped, "Not carried"),
        ] {
            let mut notes = self.notes.iter().filter(|note| note.weight == weight).peekable();
            if notes.peek().is_some() {
                let _ = write!(text, "\n## {title}\n\n");
            }
            for note in notes {
                let _ = writeln!(text, "- `{}`: {}", note.field, note.why);
            }
        }
        if !self.carried.is_empty() {
            let _ = write!(text, "\n## Carried as it is\n\n{}\n", self.carried.join(", "));
        }
        let _ = write!(
            text,
            "\n## Steps\n\nEach target is scraped by somebody in each of them. If one fails, stay there, or go back: the way back \
             begins anywhere.\n"
        );
        write_steps(&mut text, &self.there);
        text
    }

    /// The way back.
    pub fn back(&self) -> String {
        let mut text = format!(
            "# {}, back from the nodes\n\nEach target is scraped by somebody in each step.\n",
            self.old
        );
        write_steps(&mut text, &self.back);
        text
    }

    /// All of the way there in one stream of YAML, with what is no manifest as comments.
    pub fn stream(&self) -> String {
        let mut text = String::new();
        for line in self.steps().lines() {
            let _ = writeln!(text, "{}", format!("# {line}").trim_end());
        }
        for file in &self.files {
            let _ = write!(text, "# {}\n{}", file.name, file.text());
        }
        text
    }
}

fn write_steps(text: &mut String, steps: &[Step]) {
    for Step { id, what, commands, after, twice } in steps {
        let _ = writeln!(text, "\n### {id}\n\n{what}");
        if !commands.is_empty() {
            text.push('\n');
        }
        for command in commands {
            let _ = writeln!(text, "    $ {command}");
        }
        if !after.is_empty() {
            let _ = write!(text, "\n{after}\n");
        }
        let _ = write!(text, "\nScraped twice then: {}.\n", twice.text());
    }
}
