//! A process that is measured, and what the kernel says of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A process; ends when it is dropped, and with this one.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// Clock ticks a second in `/proc`: 100 on every Linux that people run.
const TICKS: f64 = 100.0;

// === impl Process ===

impl Process {
    /// Starts a binary whose log goes to a file.
    pub(crate) fn start(binary: &Path, arguments: &[String], log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"]) // it becomes the binary, so the pid is right
            .arg(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
        Self { child, log }
    }

    /// Its usage so far. Ends the run if it has ended.
    pub(crate) fn usage(&mut self) -> Usage {
        if let Some(status) = self.child.try_wait().expect("a child of ours") {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let end = log.lines().rev().take(5).collect::<Vec<_>>();
            panic!("it ended with {status}; its log, from the end: {end:#?}");
        }
        usage(self.child.id())
    }
}

impl Process {
    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // one that has ended by itself is as good
        let _ = self.child.wait();
    }
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    /// Resident memory in MiB.
    pub(crate) resident: f64,
    /// The most that it ever was.
    pub(crate) peak: f64,
}

/// What a process has used.
pub(crate) fn usage(pid: u32) -> Usage {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let mib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect("Linux has it");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
        kib.expect("a number") / 1024.0
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name, in brackets, may have blanks in it.
    let (_, after_name) = stat.rsplit_once(") ").expect("Linux has it");
    let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    Usage { cpu: ticks.sum::<f64>() / TICKS, resident: mib("VmRSS:"), peak: mib("VmHWM:") }
}
