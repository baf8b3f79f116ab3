//! The debug pages in a real browser: Chromium without a window, driven over WebDriver.
//!
//! Ignored in a plain `cargo test`, because they need `chromedriver`, which the variable `CHROMEDRIVER` names;
//! `.ci/run pages` installs it and runs them. With `SCREENSHOTS` set to a folder, pictures of the pages are put
//! there.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

/// Keys, focus, and what a reader without a mouse or a script can do.
mod keyboard;
/// What changes by itself.
mod live;
/// What is loaded, and what is not.
mod loading;
/// How it looks: light and dark, wide and narrow.
mod looks;
/// A sidecar whose pages are looked at.
mod pages;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
/// A browser.
mod webdriver;
