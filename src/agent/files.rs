//! Reading configurations and writing one.

use crate::files::{self, named};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// config-reloader is another user.
const MODE: u32 = 0o644;

/// The bytes of a file. The kubelet replaces a Secret's files by one symbolic link, so that a read sees one
/// version of it.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    fs::read(file).map_err(|error| named(file, &error))
}

/// Replaces a file as a whole: a reader sees the old text or the new one, also after a crash.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut result = Ok(());
    for temporary in temporaries(file) {
        result = files::replace(file, &temporary, MODE, |mut to| to.write_all(text.as_bytes()));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Where a file may be made: in the folder above, because config-reloader looks at all files of the folder
/// itself; or there, if the folder above is another volume or must not be written.
fn temporaries(file: &Path) -> Vec<PathBuf> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = format!(".{name}.{}", std::process::id());
    let folder = file.parent().unwrap_or(Path::new(""));
    let folders = [folder.parent(), Some(folder)];
    folders.into_iter().flatten().map(|folder| folder.join(&name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        fs::create_dir(&out).unwrap();
        let file = out.join("prometheus.yaml");
        for text in ["one", "two"] {
            replace(&file, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        }
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_replaced_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("folder");
        fs::create_dir_all(file.join("inside")).unwrap();
        let error = replace(&file, "text").unwrap_err().to_string();
        assert!(error.starts_with(&file.display().to_string()), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the temporary file is gone");
    }
}
