//! Deadlines and delays of the loops, each with its reason.

use std::time::Duration;

/// When the loops give up waiting, and how long they wait before they try again. The defaults are
/// for a cluster; tests and `demo` shorten some.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The first list of own Pods comes after a random part of this: all nodes may start together.
    pub start_jitter: Duration,
    /// A list of own Pods after a 410 comes after a random part of this.
    pub relist_jitter: Duration,
    /// The same for kinds that are not selected by node: all nodes lose the same version at once, above
    /// all when the API server restarts, and each of these lists costs the server the whole type.
    /// Minutes, because what is known is served meanwhile.
    pub relist_jitter_unselected: Duration,
    /// A watch that resumes from a saved state is followed by a list after this to twice this.
    pub verify: Duration,
    /// The same for kinds that are not selected by node, whose lists cost the server the whole type.
    pub verify_unselected: Duration,
    /// How long is waited for more questions before Services of few namespaces are listed.
    pub questions: Duration,
    /// A watch of foreign slices that becomes needed later is opened after a random part of this: all
    /// nodes see the same Service come.
    pub open_jitter: Duration,
    /// From a list or get request to its headers; half of the server's own request limit (60 s).
    pub headers: Duration,
    /// Silence within the body of a list.
    pub body_silence: Duration,
    /// A page of a list, from the request to the end of its body: the server's request limit.
    pub page: Duration,
    /// From a watch request to its headers. Some proxies hold them until the first event or
    /// bookmark, which come about once a minute; so this grows to `watch_headers_max` while nothing
    /// else fails.
    pub watch_headers: Duration,
    /// Where `watch_headers` stops growing.
    pub watch_headers_max: Duration,
    /// Silence in a watch. Bookmarks come about once a minute: five missed ones mean dead.
    pub watch_silence: Duration,
    /// A watch asks the server for a random length between this and twice this, so that the nodes
    /// do not come back together.
    pub watch_length: Duration,
    /// A watch that outlives the length it asked for by this much is taken to be dead.
    pub watch_overrun: Duration,
    /// The least wait after 403 or 404: somebody has to change something first.
    pub forbidden: Duration,
    /// The same after the first few, which may be those of an API server that has just started.
    pub doubted: Duration,
    /// A watch that lived this long after a complete list proves that all is well again.
    pub calm: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            start_jitter: Duration::from_secs(2),
            relist_jitter: Duration::from_secs(2),
            relist_jitter_unselected: Duration::from_secs(3 * 60),
            verify: Duration::from_secs(60),
            verify_unselected: Duration::from_secs(5 * 60),
            questions: Duration::from_millis(500),
            open_jitter: Duration::from_secs(30),
            headers: Duration::from_secs(30),
            body_silence: Duration::from_secs(15),
            page: Duration::from_secs(60),
            watch_headers: Duration::from_secs(30),
            watch_headers_max: Duration::from_secs(90),
            watch_silence: Duration::from_secs(5 * 60),
            watch_length: Duration::from_secs(30 * 60),
            watch_overrun: Duration::from_secs(10),
            forbidden: Duration::from_secs(60),
            doubted: Duration::from_secs(1),
            calm: Duration::from_secs(60),
        }
    }
}

impl Timing {
    /// The defaults without the waits that spread a fleet: for one sidecar on its own.
    pub fn alone() -> Self {
        Self {
            start_jitter: Duration::ZERO,
            relist_jitter: Duration::ZERO,
            relist_jitter_unselected: Duration::ZERO,
            questions: Duration::ZERO,
            open_jitter: Duration::ZERO,
            ..Self::default()
        }
    }
}

/// A random part of a duration.
pub(super) fn part_of(whole: Duration) -> Duration {
    whole.mul_f64(fastrand::f64())
}
