//! A state as bytes.

use super::encode::Encode;
use super::header::{Header, Refusal, Setup};
use crate::index::{Change, Index, OwnerKey, Progress, Snapshot, Update};
use crate::objects::{Owner, Resource, SliceOfNode, Store, Stored};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::sync::Arc;
use std::time::SystemTime;

/// What is saved.
#[derive(Clone, Debug)]
pub struct State {
    /// All objects.
    pub snapshot: Arc<Snapshot>,
    /// How far the watches had come with that snapshot.
    pub progress: Progress,
    /// Which cluster it is.
    pub identity: String,
}

/// What was saved by an earlier run.
#[derive(Debug)]
pub struct Restored {
    /// It knows all that was known.
    pub index: Index,
    /// Which cluster it was.
    pub identity: String,
    /// When it was saved.
    pub written: Option<SystemTime>,
}

/// Who owns an owner.
#[derive(Deserialize, Serialize)]
struct OwnerLine {
    namespace: Box<str>,
    name: Box<str>,
    uid: Box<str>,
    /// Kind, name and uid.
    owner: Option<(Box<str>, Box<str>, Box<str>)>,
}

/// No line is longer: twice the largest object that is read from the API server.
const LONGEST_LINE: u64 = 16 << 20;

/// Writes a state, object by object.
pub(super) fn write(
    output: impl Write,
    state: &State,
    setup: &Setup,
    now: SystemTime,
) -> io::Result<()> {
    let State { snapshot, progress, identity } = state;
    // The fastest level: the file is small anyway, and the others need several times the memory.
    let mut to = BufWriter::new(GzEncoder::new(output, Compression::fast()));
    serde_json::to_writer(&mut to, &Header::of(setup, identity, (snapshot, progress), now))?;
    to.write_all(b"\n")?;
    // Pods come before their owners, or the index would take these for owners of nobody.
    objects(&mut to, Resource::Pods, &snapshot.pods)?;
    objects(&mut to, Resource::Nodes, &snapshot.nodes)?;
    objects(&mut to, Resource::Services, &snapshot.services)?;
    objects(&mut to, Resource::EndpointSlices, &snapshot.slices)?;
    objects(&mut to, Resource::Endpoints, &snapshot.endpoints)?;
    objects(&mut to, Resource::Namespaces, &snapshot.namespaces)?;
    for (key, owner) in &*snapshot.owners {
        line(&mut to, key.resource(), &OwnerLine::of(key, owner.as_ref()))?;
    }
    to.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush()
}

fn objects<T>(to: &mut impl Write, resource: Resource, store: &Store<T>) -> io::Result<()>
where
    T: Encode + Stored,
{
    store.iter().try_for_each(|object| line(to, resource, &object.json()))
}

/// `pods {…}`
fn line(to: &mut impl Write, resource: Resource, object: &impl Serialize) -> io::Result<()> {
    write!(to, "{resource} ")?;
    serde_json::to_writer(&mut *to, object)?;
    to.write_all(b"\n")
}

/// Reads a state, object by object, into an index that begins with `first`.
pub(super) fn read(
    input: impl Read,
    setup: &Setup,
    first: &Snapshot,
    now: SystemTime,
) -> Result<Restored, Refusal> {
    let mut lines = BufReader::new(GzDecoder::new(input));
    let mut line = Vec::new();
    next(&mut lines, &mut line)?;
    let header: Header = parse(&line)?;
    header.check(setup, now)?;
    let complete = header.complete()?;
    let mut index = Index::after(first.clone());
    // Its end is reached only if the checksum is right.
    while next(&mut lines, &mut line)? {
        index.apply(change(&line, first)?);
    }
    index.resume(complete);
    Ok(Restored { index, written: header.written(), identity: header.identity })
}

/// Reads the next line, without its end. False if there is none.
fn next(lines: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, Refusal> {
    line.clear();
    let mut limited = lines.take(LONGEST_LINE);
    limited.read_until(b'\n', line).map_err(|error| Refusal::Damaged(error.to_string()))?;
    match line.pop() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) => Err(Refusal::Damaged("a line without an end".to_owned())),
    }
}

fn change(line: &[u8], first: &Snapshot) -> Result<Change, Refusal> {
    let damaged = || Refusal::Damaged("a line that is of no resource".to_owned());
    let space = line.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
    let (name, object) = (&line[..space], &line[space + 1..]);
    let resource = str::from_utf8(name).ok().and_then(Resource::named).ok_or_else(damaged)?;
    Ok(match resource {
        Resource::Pods => Change::Pods(Update::Apply(parse(object)?)),
        Resource::Nodes => Change::Nodes(Update::Apply(parse(object)?)),
        Resource::Services => Change::Services(Update::Apply(parse(object)?)),
        Resource::EndpointSlices => {
            let node = SliceOfNode(first.share.node().map(AsRef::as_ref));
            let slice = node.deserialize(&mut serde_json::Deserializer::from_slice(object));
            Change::EndpointSlices(Update::Apply(slice.map_err(no_json)?))
        }
        Resource::Endpoints => Change::Endpoints(Update::Apply(parse(object)?)),
        Resource::Namespaces => Change::Namespaces(Update::Apply(parse(object)?)),
        Resource::ReplicaSets | Resource::Jobs => parse::<OwnerLine>(object)?.into_change(resource),
    })
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(text).map_err(no_json)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn no_json(error: serde_json::Error) -> Refusal {
    Refusal::Damaged(error.to_string())
}

// === impl OwnerLine ===

impl OwnerLine {
    fn of(key: &OwnerKey, owner: Option<&Owner>) -> Self {
        Self {
            namespace: key.namespace().into(),
            name: key.name().into(),
            uid: key.uid().into(),
            owner: owner.map(|Owner { kind, name, uid }| (kind.clone(), name.clone(), uid.clone())),
        }
    }

    fn into_change(self, resource: Resource) -> Change {
        let key = OwnerKey::of_owner(resource, &self.namespace, &self.name, &self.uid);
        Change::Owner(key, self.owner.map(|(kind, name, uid)| Owner { kind, name, uid }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn state() -> State {
        State { snapshot: Arc::default(), progress: Progress::default(), identity: "u".to_owned() }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let setup = Setup::of(&Snapshot::default(), "boot");
        let error = write(&full, &state(), &setup, SystemTime::now()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    /// What is gzip, and no state, or one that a later version has written.
    #[test]
    fn lines_that_nobody_wrote() {
        let (first, now) = (Snapshot::default(), SystemTime::now());
        let setup = Setup::of(&first, "boot");
        let mut good = Vec::new();
        write(&mut good, &state(), &setup, now).unwrap();
        let mut header = String::new();
        GzDecoder::new(&*good).read_to_string(&mut header).unwrap();
        let with = |more: &str| {
            let mut to = GzEncoder::new(Vec::new(), Compression::fast());
            to.write_all(more.as_bytes()).unwrap();
            read(&*to.finish().unwrap(), &setup, &first, now)
        };
        assert!(with(&header).is_ok());
        for bad in ["", "\n", "{}\n", "null\n", header.trim_end()] {
            assert!(with(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "\n",
            "pods\n",
            "pods \n",
            "pods {}\n",
            "ingresses {}\n",
            "jobs []\n",
            "\u{0}",
            "nodes {\"metadata\":{}}\n",
        ] {
            assert!(with(&format!("{header}{bad}")).is_err(), "{bad:?}");
        }
    }
}
