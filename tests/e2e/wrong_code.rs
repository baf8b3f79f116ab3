//! A copy of the code with wrong rules in it. It is built once, with all of them; a variable tells which one to
//! follow.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A rule, where it stands, what stands there, and what takes its place; in it, `WRONG` is whether the
/// wrong rule is to be followed.
pub(crate) type WrongRule = (&'static str, &'static str, &'static str, &'static str);

/// Names the rule to follow.
pub(crate) const VARIABLE: &str = "NODELOCAL_SD_WRONG_RULE";
/// A name of its own, so that what cargo has built of the project stays what it is.
pub(crate) const BINARY: &str = "nodelocal-sd-wrong";

/// Where the copy is, and what cargo builds into.
pub(crate) struct WrongCode {
    copy: PathBuf,
    target: PathBuf,
}

// === impl WrongCode ===

impl WrongCode {
    /// Copies these folders and puts the rules in; `targets` takes the place of the manifest's tests and benches.
    pub(crate) fn copy(name: &str, folders: &[&str], rules: &[WrongRule], targets: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let executable = std::env::current_exe().expect("this test has a path");
        let target = executable.ancestors().nth(3).expect("target/debug/deps/e2e").to_owned();
        let copy = target.join(name);
        for folder in folders {
            copy_folder(&root.join(folder), &copy.join(folder));
        }
        for file in ["Cargo.toml", "Cargo.lock"] {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            let text = text.replacen("name = \"nodelocal-sd\"", &format!("name = \"{BINARY}\""), 2);
            let (before, after) = text.split_once("[[test]]").unwrap_or((&text, ""));
            let after = after.split_once("[profile.release]").map_or("", |(_, profiles)| profiles);
            let end =
                if after.is_empty() { "" } else { &format!("{targets}[profile.release]{after}") };
            std::fs::write(copy.join(file), [before, end].concat()).unwrap();
        }
        for (rule, file, from, to) in rules {
            let path = copy.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text.matches(from).count(), 1, "{rule}: {file} must have once:\n{from}");
            let to = to.replace("WRONG", &format!("crate::wrong_rule(\"{rule}\")"));
            std::fs::write(&path, text.replace(from, &to)).unwrap();
        }
        let library = copy.join("src/lib.rs");
        let text = std::fs::read_to_string(&library).unwrap();
        let told = format!(
            "{text}\nfn wrong_rule(rule: &str) -> bool {{ std::env::var(\"{VARIABLE}\").is_ok_and(|told| told == rule) }}\n"
        );
        std::fs::write(library, told).unwrap();
        Self { copy, target }
    }

    /// Lets the tests in that folder start the copy's binary.
    pub(crate) fn names_its_binary(&self, folder: &str) {
        name_binary_in(&self.copy.join(folder));
    }

    /// Runs cargo there, which must succeed.
    pub(crate) fn cargo(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().expect("cargo can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What cargo says there while that rule is followed.
    pub(crate) fn cargo_following(
        &self,
        rule: &str,
        arguments: &[&str],
        variable: (&str, &str),
    ) -> Output {
        let mut command = self.command(arguments);
        command.env(VARIABLE, rule).env(variable.0, variable.1);
        command.output().expect("cargo can be started")
    }

    pub(crate) fn binary(&self) -> PathBuf {
        self.target.join("debug").join(BINARY)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        let (first, rest) = arguments.split_first().expect("a subcommand");
        command.arg(first).arg("--offline").args(rest);
        command.current_dir(&self.copy).env("CARGO_TARGET_DIR", &self.target);
        command
    }
}

fn name_binary_in(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            name_binary_in(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let variable = "CARGO_BIN_EXE_nodelocal-sd";
            std::fs::write(&path, text.replace(variable, &format!("CARGO_BIN_EXE_{BINARY}")))
                .unwrap();
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
