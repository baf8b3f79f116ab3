//! Replacing files as a whole: a reader sees the old content or the new one, also after a crash.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Puts a new file in the place of another one. It is made at `temporary`, which must be in the same file system
/// and of one writer only, and gets exactly that mode. Folders are made where they are missing: a volume is empty
/// at first.
///
/// # Errors
/// If it cannot be made; the old file is there then, the temporary one is not, and the message names what failed.
pub fn replace(
    file: &Path,
    temporary: &Path,
    mode: u32,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    for path in [file, temporary] {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
        }
    }
    let written = make(temporary, mode, write).and_then(|()| fs::rename(temporary, file));
    written.map_err(|error| {
        let _ = fs::remove_file(temporary); // a full disk is not kept full
        named(file, &error)
    })
}

fn make(
    temporary: &Path,
    mode: u32,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let _ = fs::remove_file(temporary); // of a run that was killed, perhaps with other rights
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)?;
    file.set_permissions(Permissions::from_mode(mode))?; // whatever the umask
    write(&file)?;
    file.sync_all()
}

/// The error with the file in its message.
pub fn named(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (file, temporary) = (folder.path().join("a"), folder.path().join("a.new"));
        let put = |text: &'static str| {
            replace(&file, &temporary, 0o640, |mut file| file.write_all(text.as_bytes()))
        };
        fs::write(&temporary, "of a run that was killed").unwrap();
        put("one").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        let full = |mut file: &File| {
            file.write_all(b"tw")?;
            Err(io::ErrorKind::StorageFull.into())
        };
        let error = replace(&file, &temporary, 0o640, full).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with(&*file.to_string_lossy()), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        put("two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
    }
}
