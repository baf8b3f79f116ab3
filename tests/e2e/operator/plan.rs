//! The plan that `migrate` prints, as a user reads it.

/// A step.
pub(crate) struct Printed {
    pub(crate) id: String,
    pub(crate) commands: Vec<String>,
    /// What must give nothing once it is done.
    pub(crate) queries: Vec<String>,
    /// What is scraped twice then, in words.
    pub(crate) twice: String,
}

/// The steps in a plan, whether or not it is in comments.
pub(crate) fn printed(text: &str) -> Vec<Printed> {
    let mut steps: Vec<Printed> = Vec::new();
    for line in text.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)) {
        if let Some(id) = line.strip_prefix("### ") {
            let (commands, queries) = (Vec::new(), Vec::new());
            steps.push(Printed { id: id.to_owned(), commands, queries, twice: String::new() });
        }
        let (Some(step), line) = (steps.last_mut(), line.trim()) else { continue };
        if let Some(command) = line.strip_prefix("$ ") {
            step.commands.push(command.to_owned());
        } else if line.starts_with("up{") {
            step.queries.push(line.to_owned());
        } else if let Some(twice) = line.strip_prefix("Scraped twice then: ") {
            step.twice = twice.trim_end_matches('.').to_owned();
        }
    }
    steps
}
