//! The sidecar, as a process of its own.

use crate::control_plane::free_ports;
use crate::process::Process;
use crate::world::NODE;
use std::path::{Path, PathBuf};

/// One that runs; ends when it is dropped.
pub(crate) struct Sidecar {
    pub(crate) process: Process,
    /// Where http_sd is served.
    pub(crate) url: String,
    /// Where its files are.
    pub(crate) files: String,
}

// === impl Sidecar ===

impl Sidecar {
    /// Starts one that writes these files, given as name and path.
    pub(crate) fn start<'a>(
        kubeconfig: &Path,
        folder: &Path,
        files: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let [sd, admin] = free_ports();
        let to = folder.join("sd");
        // A job of Prometheus that finds no folder at its start finds nothing, ever.
        std::fs::create_dir_all(&to).unwrap();
        let to = to.display().to_string();
        let mut arguments = vec![
            "run".to_owned(),
            format!("--node-name={NODE}"),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--listen=127.0.0.1:{sd}"),
            format!("--admin-listen=127.0.0.1:{admin}"),
        ];
        let given = arguments.len();
        arguments.extend(files.map(|(name, path)| format!("--file-sd={name}={path}")));
        if arguments.len() > given {
            arguments.push(format!("--file-sd-dir={to}"));
        }
        let binary = std::env::var_os("SIDECAR").map(PathBuf::from);
        let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_nodelocal-sd").into());
        let process = Process::start(&binary, &arguments, folder.join("sidecar.log"));
        Self { process, url: format!("http://127.0.0.1:{sd}"), files: to }
    }
}
