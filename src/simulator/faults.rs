//! Faults: what a real API server, or what stands before it, does on a bad day.
//!
//! ```
//! use nodelocal_sd::simulator::{On, Simulator};
//! let simulator = Simulator::new();
//! simulator.fault(On::list("pods").times(3).status(500));
//! simulator.fault(On::watch("pods").skip(1).cut_after_bytes(100));
//! let rule = simulator.fault(On::any().refuse());
//! simulator.remove_fault(rule);
//! ```

use super::recorder::RecordedRequest;
use super::request::Verb;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Another answer than the right one.
    Status {
        /// HTTP status, and the code of the `Status` object.
        code: u16,
        /// Seconds in the header `Retry-After`.
        retry_after: Option<u32>,
        /// A page of a proxy instead of a `Status` object.
        html: bool,
    },
    /// The connection breaks before an answer.
    Refuse,
    /// The answer begins late.
    Delay(Duration),
    /// The answer never begins.
    Hang,
    /// The body stops after this much.
    Stop(Stop, After),
    /// A watch says this once, after so many events.
    Say(Line, usize),
    /// So many events of a watch, after so many others, are never sent.
    Lose {
        /// Events before the loss.
        after: usize,
        /// Events lost.
        count: usize,
    },
    /// A watch sends each event twice.
    Duplicate,
    /// A watch sends each pair of events in the wrong order; an event waits for its partner.
    Reorder,
    /// A list has one item more, which is not decodable as its kind.
    UndecodableItem,
    /// A list has one item more, whose very name cannot be read.
    NamelessItem,
}

/// How a body stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In order, as if this were all.
    End,
    /// The connection is cut.
    Cut,
    /// Nothing follows, and the connection stays.
    Hang,
}

/// How much of a body comes before it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Bytes of the body.
    Bytes(usize),
    /// Lines of a watch.
    Events(usize),
}

/// What a watch can say out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Half an event, then the end of the stream.
    Truncated,
    /// Not JSON.
    Garbage,
    /// JSON with an unknown event type.
    UnknownType,
    /// `ADDED` of an object that is not decodable as its kind.
    UndecodableObject,
    /// `ERROR` with a `Status` of this code, then the end of the stream.
    Error(u16),
}

/// Which requests a fault is for.
#[derive(Clone, Debug)]
#[must_use = "names no fault yet"]
pub struct On {
    verb: Option<Verb>,
    resource: Option<String>,
    impersonating: Option<bool>,
    skip: usize,
    times: usize,
}

/// A fault and the requests that suffer it.
#[derive(Clone, Debug)]
#[must_use = "does nothing until it is given to Simulator::fault"]
pub struct Rule {
    on: On,
    fault: Fault,
    seen: usize,
}

/// A rule that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(usize);

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<(RuleId, Rule)>,
    next: usize,
}

// === impl On ===

impl On {
    /// Every request, discovery included.
    pub fn any() -> Self {
        Self { verb: None, resource: None, impersonating: None, skip: 0, times: usize::MAX }
    }

    /// Every request for this resource: `pods`, `endpointslices`, …
    pub fn resource(resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..Self::any() }
    }

    /// Lists of this resource.
    pub fn list(resource: &str) -> Self {
        Self::resource(resource).verb(Verb::List)
    }

    /// Watches of this resource.
    pub fn watch(resource: &str) -> Self {
        Self::resource(resource).verb(Verb::Watch)
    }

    /// Reads of one object of this resource.
    pub fn get(resource: &str) -> Self {
        Self::resource(resource).verb(Verb::Get)
    }

    /// Only this verb.
    pub fn verb(mut self, verb: Verb) -> Self {
        self.verb = Some(verb);
        self
    }

    /// Only those that are made as somebody else, or only those that are not.
    pub fn impersonating(mut self, impersonating: bool) -> Self {
        self.impersonating = Some(impersonating);
        self
    }

    /// Not the first `n` of them.
    pub fn skip(mut self, n: usize) -> Self {
        self.skip = n;
        self
    }

    /// Only `n` of them; without it the fault stays until it is removed.
    pub fn times(mut self, n: usize) -> Self {
        self.times = n;
        self
    }

    /// They suffer `fault`.
    pub fn fault(self, fault: Fault) -> Rule {
        Rule { on: self, fault, seen: 0 }
    }

    /// A `Status` object of this code.
    pub fn status(self, code: u16) -> Rule {
        self.answer(code, None, false)
    }

    /// The same with `Retry-After`, in seconds.
    pub fn status_retry_after(self, code: u16, seconds: u32) -> Rule {
        self.answer(code, Some(seconds), false)
    }

    /// This HTTP status with a page of HTML, as of a proxy.
    pub fn html(self, code: u16) -> Rule {
        self.answer(code, None, true)
    }

    fn answer(self, code: u16, retry_after: Option<u32>, html: bool) -> Rule {
        self.fault(Fault::Status { code, retry_after, html })
    }

    /// No answer, a broken connection.
    pub fn refuse(self) -> Rule {
        self.fault(Fault::Refuse)
    }

    /// The answer comes later.
    pub fn delay(self, delay: Duration) -> Rule {
        self.fault(Fault::Delay(delay))
    }

    /// The answer never comes.
    pub fn hang(self) -> Rule {
        self.fault(Fault::Hang)
    }

    /// The body stops coming after `n` bytes.
    pub fn hang_after_bytes(self, n: usize) -> Rule {
        self.fault(Fault::Stop(Stop::Hang, After::Bytes(n)))
    }

    /// The watch falls silent after `n` events.
    pub fn hang_after_events(self, n: usize) -> Rule {
        self.fault(Fault::Stop(Stop::Hang, After::Events(n)))
    }

    /// The connection is cut after `n` bytes of the body.
    pub fn cut_after_bytes(self, n: usize) -> Rule {
        self.fault(Fault::Stop(Stop::Cut, After::Bytes(n)))
    }

    /// The body ends after `n` bytes as if it were whole.
    pub fn end_after_bytes(self, n: usize) -> Rule {
        self.fault(Fault::Stop(Stop::End, After::Bytes(n)))
    }

    /// The watch is closed after `n` events; 0 closes it at once.
    pub fn end_after_events(self, n: usize) -> Rule {
        self.fault(Fault::Stop(Stop::End, After::Events(n)))
    }

    /// The watch says something out of turn after `n` events.
    pub fn say(self, line: Line, n: usize) -> Rule {
        self.fault(Fault::Say(line, n))
    }
}

// === impl Script ===

impl Script {
    pub(super) fn add(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.next);
        self.next += 1;
        self.rules.push((id, rule));
        id
    }

    pub(super) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|(other, _)| *other != id);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The faults that one more request of this kind suffers, in the order of their rules.
    pub(super) fn next_request(&mut self, request: &RecordedRequest) -> Vec<Fault> {
        let RecordedRequest { verb, resource, headers, .. } = request;
        let impersonating = headers.contains_key("impersonate-user");
        let mut faults = Vec::new();
        for (_, Rule { on, fault, seen }) in &mut self.rules {
            let concerned = on.verb.is_none_or(|wanted| wanted == *verb)
                && on.resource.as_deref().is_none_or(|wanted| wanted == *resource)
                && on.impersonating.is_none_or(|wanted| wanted == impersonating);
            if concerned {
                if (on.skip..on.skip.saturating_add(on.times)).contains(seen) {
                    faults.push(fault.clone());
                }
                *seen += 1;
            }
        }
        faults
    }
}
