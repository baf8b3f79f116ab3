//! Manifests of files and folders.

use crate::operator::{Manifest, ManifestError};
use std::path::{Path, PathBuf};

/// Why a file's objects are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// No such file, or no right to it.
    #[error("{} cannot be read: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
    /// Something else than objects is in it.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// How deep folders may lie in each other; links can make a circle.
const DEEPEST: usize = 32;

/// The objects at a path, file by file: a file itself, whatever its name, or all `*.yaml`, `*.yml` and `*.json` in a
/// folder and below, sorted. `-` is standard input.
pub(super) fn read(path: &Path) -> Vec<Result<Vec<Manifest>, ReadError>> {
    if path == Path::new("-") {
        return vec![objects(path, "standard input", std::io::read_to_string(std::io::stdin()))];
    }
    match files(path, DEEPEST) {
        Ok(files) => files.into_iter().map(|file| file.and_then(|file| read_file(&file))).collect(),
        Err(error) => vec![Err(error)],
    }
}

fn read_file(file: &Path) -> Result<Vec<Manifest>, ReadError> {
    objects(file, &file.display().to_string(), std::fs::read_to_string(file))
}

fn objects(
    path: &Path,
    name: &str,
    text: std::io::Result<String>,
) -> Result<Vec<Manifest>, ReadError> {
    let text = text.map_err(|error| ReadError::Io { path: path.to_owned(), error })?;
    Ok(Manifest::read(name, &text)?)
}

/// The files at a path; an error in the place of a folder below that cannot be read.
fn files(path: &Path, depth: usize) -> Result<Vec<Result<PathBuf, ReadError>>, ReadError> {
    let failed = |error| ReadError::Io { path: path.to_owned(), error };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![Ok(path.to_owned())]);
    }
    let entries = std::fs::read_dir(path).map_err(failed)?;
    let entries: Result<Vec<PathBuf>, _> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries.map_err(failed)?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            if depth == 0 {
                let error = std::io::Error::other("folders lie too deep in each other");
                found.push(Err(ReadError::Io { path: entry, error }));
            } else {
                match files(&entry, depth - 1) {
                    Ok(more) => found.extend(more),
                    Err(error) => found.push(Err(error)),
                }
            }
        } else if entry
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
        {
            found.push(Ok(entry));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn folders_sorted_and_named_files_whatever_their_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("b")).unwrap();
        let pod = |name: &str| format!("{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}}}");
        for (file, name) in
            [("c.json", "three"), ("b/x.yml", "two"), ("a.yaml", "one"), ("d.txt", "four")]
        {
            fs::write(at(file), pod(name)).unwrap();
        }
        let names = |path: &Path| -> Vec<String> {
            let files = read(path).into_iter().map(Result::unwrap);
            files.flatten().map(|manifest| manifest.name).collect()
        };
        assert_eq!(names(folder.path()), ["one", "two", "three"]);
        assert_eq!(names(&at("d.txt")), ["four"]);
        fs::write(at("a.yaml"), "{{ no YAML }}: [").unwrap();
        assert_eq!(read(folder.path()).iter().filter(|file| file.is_err()).count(), 1);
        let error = read(&at("missing")).remove(0).unwrap_err().to_string();
        assert!(error.contains("missing cannot be read"), "{error}");
    }
}
