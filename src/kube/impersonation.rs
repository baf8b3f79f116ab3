//! As whom Pods and the own Node are read: as ourselves, or as our node.
//!
//! RBAC cannot say "of the own node only". But since Kubernetes 1.36 an account may have the right to act as the
//! node that its Pod is on, and for reading only (constrained impersonation, KEP-5284): the API server compares
//! the node with the one in the token, and then lets the Node authorizer decide, which allows a node its own Pods
//! and its own Node. So an account needs no right on Pods and Nodes at all, and what its token can read is bounded
//! by the server.

use super::failure::Failure;
use http::header::{HeaderName, HeaderValue};
use kube::client::Body;
use std::sync::Arc;

/// Whether Pods and the own Node are read as the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Impersonation {
    /// Where the server lets us, and as ourselves elsewhere.
    Auto,
    /// Always: what the server refuses is not read.
    On,
    /// Never.
    #[default]
    Off,
}

/// An API server, and as whom it is asked.
#[derive(Clone)]
pub struct ApiServer {
    /// How it is reached.
    pub client: kube::Client,
    /// Whether Pods and the own Node are read as the node.
    pub impersonation: Impersonation,
}

/// As whom one loop asks, and whether that may change.
#[derive(Debug)]
pub(super) struct Caller {
    impersonation: Impersonation,
    /// The node as a user; nothing, if what is asked for is not of a node.
    node: Option<HeaderValue>,
    as_node: bool,
    /// Why the last request was refused that was made the other way, if this one is made because of that.
    refused: Option<Failure>,
    /// Whether the last good answer was to the node.
    last_good: Option<bool>,
}

/// No other header of impersonation may come with it: then the server would want rights of the unconstrained kind.
const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");

// === impl ApiServer ===

impl From<kube::Client> for ApiServer {
    /// Asked as ourselves.
    fn from(client: kube::Client) -> Self {
        Self { client, impersonation: Impersonation::Off }
    }
}

// === impl Caller ===

impl Caller {
    /// Asks for what is of that node; of no node, as ourselves.
    pub(super) fn new(impersonation: Impersonation, node: Option<&Arc<str>>) -> Self {
        let user = node.map(|node| format!("system:node:{node}"));
        let node = user.and_then(|user| HeaderValue::try_from(user).ok());
        let as_node = node.is_some() && impersonation != Impersonation::Off;
        Self { impersonation, node, as_node, refused: None, last_good: None }
    }

    /// The user as whom to ask, if not as ourselves.
    pub(super) fn user(&self) -> Option<&HeaderValue> {
        self.node.as_ref().filter(|_| self.as_node)
    }

    /// The request, made as that user.
    pub(super) fn asks(&self, mut request: http::Request<Body>) -> http::Request<Body> {
        if let Some(user) = self.user() {
            request.headers_mut().insert(IMPERSONATE_USER, user.clone());
        }
        request
    }

    /// The last request was answered. Returns true if it is news as whom.
    pub(super) fn accepted(&mut self) -> bool {
        self.refused = None;
        let is_news = self.last_good.replace(self.as_node) != Some(self.as_node);
        is_news && self.node.is_some()
    }

    /// Whether a request that failed so is to be made again at once the other way. That is so once for each answer
    /// or wait.
    pub(super) fn tries_other_way(&self, failure: &Failure) -> bool {
        self.is_auto() && self.refused.is_none() && failure.may_be_of_caller()
    }

    /// The last request failed. If the other way has failed too, the next one is made as at first, so that a
    /// refusal that has nothing to do with rights changes nothing.
    pub(super) fn failed(&mut self, failure: &Failure) {
        if self.tries_other_way(failure) {
            self.as_node = !self.as_node;
            self.refused = Some(failure.clone());
        } else if self.refused.take().is_some() {
            self.as_node = !self.as_node;
        }
    }

    /// What the server said to the other way, if that is why this one was tried. Begins with a separator.
    pub(super) fn refused_before(&self) -> String {
        let whom = if self.as_node { "with the account's own rights" } else { "as the own node" };
        self.refused.as_ref().map_or_else(String::new, |failure| format!("; {whom}: {failure}"))
    }

    fn is_auto(&self) -> bool {
        self.impersonation == Impersonation::Auto && self.node.is_some()
    }

    /// What the user can do about a refusal of the node, if that is the only way. Begins with a separator.
    pub(super) fn advice(&self, failure: &Failure, resource: &str) -> Option<String> {
        let is_refused = matches!(failure, Failure::Status { code: 403, .. });
        (is_refused && self.as_node && !self.is_auto()).then(|| format!(
            "; missing RBAC rules: apiGroups: [\"authentication.k8s.io\"], resources: [\"nodes\"], verbs: [\"impersonate:associated-node\"], \
             and apiGroups: [\"\"], resources: [\"{resource}\"], \
             verbs: [\"impersonate-on:associated-node:list\", \"impersonate-on:associated-node:watch\"]; \
             it takes Kubernetes 1.36 and the token of a Pod on that node (--impersonate-node=auto does without)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Impersonation::{Auto, Off, On};

    fn status(code: u16) -> Failure {
        Failure::Status {
            code,
            message: String::new(),
            reason: None,
            retry_after: None,
            version_too_large: false,
        }
    }

    fn user(caller: &Caller) -> &str {
        caller.user().map_or("ourselves", |user| user.to_str().unwrap())
    }

    /// What comes of requests one after the other: a letter for each that says as whom it was made (`n`ode or
    /// ourselves, `o`), and `!` where the next one follows at once. 200 is an answer.
    fn story(caller: &mut Caller, codes: &[u16]) -> String {
        let mut story = String::new();
        for code in codes {
            story.push(if caller.user().is_some() { 'n' } else { 'o' });
            if *code == 200 {
                caller.accepted();
                continue;
            }
            let failure = status(*code);
            if caller.tries_other_way(&failure) {
                story.push('!');
            }
            caller.failed(&failure);
        }
        story
    }

    #[test]
    fn as_whom_is_asked() {
        let node: Arc<str> = "n1".into();
        for (impersonation, node, codes, expected) in [
            (Auto, Some(&node), &[200, 200][..], "nn"),
            // Falls back once, and stays there.
            (Auto, Some(&node), &[403, 200, 200], "n!oo"),
            (Auto, Some(&node), &[403, 200, 200, 500, 200], "n!oooo"),
            // The rights change, in either direction.
            (Auto, Some(&node), &[200, 403, 200, 403, 200, 200], "nn!oo!nn"),
            // None of both: one of each before a wait, and always in the same order.
            (Auto, Some(&node), &[403, 403, 403, 403, 403, 200], "n!on!on!o"),
            // A refusal of both that has passed, and an outage right after a refusal.
            (Auto, Some(&node), &[200, 403, 403, 200], "nn!on"),
            (Auto, Some(&node), &[403, 500, 200], "n!on"),
            // No question of rights.
            (Auto, Some(&node), &[500, 404, 410, 429, 200], "nnnnn"),
            // A proxy that knows no impersonation.
            (Auto, Some(&node), &[400, 200], "n!o"),
            (Auto, Some(&node), &[401, 200], "n!o"),
            (On, Some(&node), &[403, 403, 200], "nnn"),
            (Off, Some(&node), &[403, 200], "oo"),
            // Not of a node.
            (Auto, None, &[403, 200], "oo"),
            (On, None, &[403, 200], "oo"),
        ] {
            let mut caller = Caller::new(impersonation, node);
            assert_eq!(story(&mut caller, codes), expected, "{impersonation:?} {codes:?}");
        }
    }

    #[test]
    fn the_user() {
        assert_eq!(user(&Caller::new(On, Some(&"n1".into()))), "system:node:n1");
        assert_eq!(user(&Caller::new(Off, Some(&"n1".into()))), "ourselves");
    }

    #[test]
    fn news_is_told_once() {
        let mut caller = Caller::new(Auto, Some(&"n1".into()));
        assert!(caller.accepted() && !caller.accepted());
        caller.failed(&status(403));
        assert!(caller.accepted() && !caller.accepted());
        assert!(!Caller::new(Auto, None).accepted(), "no question");
    }
}
