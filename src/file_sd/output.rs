//! One file: its name, and the question that it answers.

use crate::index::EndpointsFrom;
use crate::sd::{self, Compat, QueryError};
use crate::targets::{Profile, Query};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `NAME=/sd/ROLE?QUERY`, as typed. Its query is read once it is known where endpoints come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileQuery {
    /// The file's name, without `.json`.
    pub name: String,
    role: String,
    query: Option<String>,
}

/// Why a text is no [`FileQuery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongFileQuery {
    /// No name, or no path.
    #[error(
        "give a name and what http_sd would be asked, such as web=/sd/endpointslice?namespace=shop"
    )]
    Form,
    /// Characters that a name must not have.
    #[error(
        "the name has at most {LONGEST} of the characters a-z, A-Z, 0-9, _, . and -, the first of which is \
         not .; the file is NAME.json in --file-sd-dir"
    )]
    Name,
}

/// A file that is written.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its name, without `.json`.
    pub name: String,
    /// What it answers.
    pub query: Query,
    /// Whose labels it has.
    pub profile: Profile,
}

/// With `.json` and what a temporary name has beyond it, a file system takes 255 bytes.
const LONGEST: usize = 200;

// === impl FileQuery ===

impl FileQuery {
    /// The file of a sidecar whose endpoints come from there. No client says its version, so `auto` is the latest
    /// profile.
    ///
    /// # Errors
    /// As http_sd refuses the query.
    pub fn output(&self, from: EndpointsFrom, compat: Compat) -> Result<Output, QueryError> {
        let query = sd::parse(&self.role, self.query.as_deref(), from)?;
        let profile = compat.profile(&query, "");
        Ok(Output { name: self.name.clone(), query, profile })
    }
}

impl FromStr for FileQuery {
    type Err = WrongFileQuery;

    fn from_str(text: &str) -> Result<Self, WrongFileQuery> {
        let (name, target) = text.split_once('=').ok_or(WrongFileQuery::Form)?;
        let target = target.strip_prefix("/sd/").ok_or(WrongFileQuery::Form)?;
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        // Hidden names are not for those who look at what there is.
        if name.is_empty()
            || name.len() > LONGEST
            || name.starts_with('.')
            || !name.bytes().all(is_good)
        {
            return Err(WrongFileQuery::Name);
        }
        let (role, query) = match target.split_once('?') {
            Some((role, query)) => (role, Some(query.to_owned())),
            None => (target, None),
        };
        Ok(Self { name: name.to_owned(), role: role.to_owned(), query })
    }
}

// === impl Output ===

impl Output {
    /// Its path.
    pub fn file(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.json", self.name))
    }

    /// Where it is made: below the folder, because Prometheus reads all files of a job again at each event within
    /// the folder itself, and under a name that no `*.json` matches.
    pub(super) fn temporary(&self, folder: &Path) -> PathBuf {
        folder.join(".new").join(format!("{}.json.new", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_path() {
        let long = "a".repeat(LONGEST);
        for good in ["web=/sd/pod", "A-1_b.c=/sd/pod?port=a=b", &format!("{long}=/sd/node")] {
            assert!(good.parse::<FileQuery>().is_ok(), "{good}");
        }
        for bad in ["", "web", "web=", "web=/sd", "web=pod", "web=http://127.0.0.1:9911/sd/pod"] {
            assert_eq!(bad.parse::<FileQuery>(), Err(WrongFileQuery::Form), "{bad}");
        }
        for name in ["", ".", "..", ".web", "a/b", "../a", "ä", "a b", &format!("{long}a")] {
            let text = format!("{name}=/sd/pod");
            assert_eq!(text.parse::<FileQuery>(), Err(WrongFileQuery::Name), "{name}");
        }
    }

    #[test]
    fn the_query_is_that_of_http_sd() {
        let output = |text: &str, compat| {
            let query: FileQuery = text.parse().unwrap();
            query.output(EndpointsFrom::Slices, compat)
        };
        let fixed = Compat::Fixed(Profile::V3_5);
        for (text, compat, profile) in [
            ("a=/sd/pod", Compat::Auto, Profile::Latest),
            ("a=/sd/pod", fixed, Profile::V3_5),
            ("a=/sd/pod?compat=2.53", fixed, Profile::V2_53),
        ] {
            assert_eq!(output(text, compat).unwrap().profile, profile, "{text}");
        }
        for wrong in ["a=/sd/service", "a=/sd/", "a=/sd/pod/", "a=/sd/pod?x=1", "a=/sd/pod?port="] {
            assert!(output(wrong, fixed).is_err(), "{wrong}");
        }
    }
}
