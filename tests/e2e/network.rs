//! A network of the tests' own: a namespace in which there is nothing but a loopback device, and that
//! carries the addresses of Pods too (the API server refuses loopback addresses in slices). And mounts of
//! their own, for the volumes of Pods. Both end with the process.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Says that this process is within.
const WITHIN: &str = "NODELOCAL_SD_E2E_NETWORK";

/// Makes every address of 10.0.0.0/8 one of the machine's own.
const SET_UP: &str =
    "ip link set lo up && ip route add local 10.0.0.0/8 dev lo && exec \"$0\" \"$@\"";

/// Starts this test anew in a network of its own, unless it is in one already.
pub(crate) fn enter() {
    if std::env::var_os(WITHIN).is_some() {
        return;
    }
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let this = std::env::current_exe().expect("this test has a path");
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let error = unshare
        .args(["--net", "--mount", "--", "sh", "-c", SET_UP])
        .arg(this)
        .args(arguments)
        .env(WITHIN, "yes")
        .exec(); // comes back only if it fails
    panic!("unshare cannot be started: {error}; it is part of util-linux, and `ip` of iproute2");
}
