//! What a plan depends on beside the old agent.

/// What is not the old agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The sidecar's image.
    pub image: String,
    /// The folder of the files, as a shell reads it.
    pub folder: String,
    /// The command that writes them, if it can be run again: not if the old one was read from standard input.
    pub command: Option<String>,
}
