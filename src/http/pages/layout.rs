//! What all pages have: head, navigation, how things are, foot.

use super::html::{Attribute, Html};
use super::parts::{Tone, badge, count};
use crate::http::app::App;
use crate::http::debug_agent::followed;
use crate::http::response::{self, Answer};
use crate::sd::Rendered;
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};

/// A page, as navigation has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Targets,
    Unassigned,
    Watches,
    Jobs,
    Changes,
    Config,
    Explain,
}

/// What a page shows, before it has a frame.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) tab: Tab,
    pub(super) title: String,
    pub(super) status: StatusCode,
    pub(super) main: Html,
}

const TABS: [(Tab, &str, &str); 8] = [
    (Tab::Overview, "/", "Overview"),
    (Tab::Targets, "/debug/targets", "Targets"),
    (Tab::Unassigned, "/debug/unassigned", "Unassigned"),
    (Tab::Explain, "/debug/explain", "Explain"),
    (Tab::Watches, "/debug/watches", "Watches"),
    (Tab::Jobs, "/debug/jobs", "Jobs"),
    (Tab::Changes, "/debug/changes", "Changes"),
    (Tab::Config, "/debug/config", "Configuration"),
];

/// A page may load its own style sheet and script and nothing else, and nobody may put it in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

// === impl Page ===

impl Page {
    /// A page whose inside is made by `main`.
    pub(super) fn new(tab: Tab, title: impl Into<String>, main: impl FnOnce(&mut Html)) -> Self {
        let mut html = Html::default();
        main(&mut html);
        Self { tab, title: title.into(), status: StatusCode::OK, main: html }
    }

    /// The same page with another status.
    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The whole document as an answer. `seen` is the entity tag that the caller has.
    pub(super) fn answer(&self, app: &App, seen: &str) -> Answer {
        let document = Bytes::from(self.document(app));
        let rendered = Rendered::from(document);
        let mut answer = response::of_type("text/html; charset=utf-8", rendered.body.clone());
        *answer.status_mut() = self.status;
        if self.status == StatusCode::OK {
            response::unless_known(&mut answer, &rendered.tag.to_string(), seen);
        }
        with_headers(answer)
    }

    fn document(&self, app: &App) -> String {
        let mut html = Html::default();
        html.element("html", &[("lang", "en")], |html| {
            html.element("head", &[], |head| self.head(app, head));
            html.element("body", &[], |body| {
                let skip: [Attribute<'_>; 2] = [("class", "skip"), ("href", "#main")];
                body.leaf("a", &skip, "Skip to the content");
                body.element("header", &[], |header| self.header(app, header));
                body.element("main", &[("id", "main"), ("tabindex", "-1")], |main| {
                    main.append(&self.main);
                });
                body.element("footer", &[], |footer| foot(self.tab, app, footer));
            });
        });
        html.into_document()
    }

    fn head(&self, app: &App, head: &mut Html) {
        let share = &app.snapshots.load().share;
        head.void("meta", &[("charset", "utf-8")]);
        head.void(
            "meta",
            &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")],
        );
        head.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        head.leaf("title", &[], format_args!("{} · {share}", self.title));
        head.void("link", &[("rel", "icon"), ("href", super::assets::ICON)]);
        head.void("link", &[("rel", "stylesheet"), ("href", super::assets::STYLE)]);
        head.element("script", &[("src", super::assets::SCRIPT), ("defer", "")], |_| {});
    }

    fn header(&self, app: &App, header: &mut Html) {
        let share = &app.snapshots.load().share;
        header.element("div", &[("class", "bar")], |bar| {
            bar.element("a", &[("class", "brand"), ("href", "/")], |brand| {
                brand.void("img", &[("src", super::assets::ICON), ("alt", "")]);
                brand.leaf("b", &[], "nodelocal-sd");
            });
            bar.leaf("span", &[("class", "node")], share);
            bar.element(
                "span",
                &[("class", "health"), ("id", "health"), ("data-live", "")],
                |health| {
                    health_of(app, health);
                },
            );
        });
        header.element("nav", &[("aria-label", "Pages")], |nav| {
            for (tab, path, name) in TABS {
                let current: &[Attribute<'_>] =
                    if tab == self.tab { &[("aria-current", "page")] } else { &[] };
                nav.link(path, &[], current, name);
            }
        });
    }
}

/// What a browser is told of everything that pages are made of, beside what it is told of every answer.
pub(super) fn with_headers(mut answer: Answer) -> Answer {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    answer
}

/// In a word: whether all that is needed is there.
fn health_of(app: &App, html: &mut Html) {
    let entries = app.board.entries();
    let failing = entries.iter().filter(|(.., entry)| entry.view().trouble.is_some()).count();
    let trouble = app.agent.as_ref().is_some_and(|agent| agent.view().trouble.is_some());
    if failing > 0 {
        let text = count(failing, "watch failing", "watches failing");
        html.link("/debug/watches", &[], &[("class", "badge bad")], text);
    } else if trouble {
        let class = [("class", "badge bad")];
        html.link("/debug/jobs", &[], &class, "configuration cannot be used");
    } else if app.board.is_stale() {
        badge(html, Tone::Warning, "from the saved state");
    } else if app.snapshots.load().synced.is_empty() {
        badge(html, Tone::Warning, "first list under way");
    } else {
        badge(html, Tone::Good, "watches healthy");
    }
}

/// Where programs get what a page shows, and in which form.
fn for_programs(tab: Tab, app: &App) -> Option<(&'static str, &'static str)> {
    match tab {
        Tab::Overview => None,
        Tab::Targets => Some(("/debug/targets?role=pod", "JSON")),
        Tab::Unassigned => Some(("/debug/unassigned", "JSON")),
        Tab::Explain => Some(("/debug/explain?pod=NAMESPACE/NAME", "JSON")),
        Tab::Watches => Some(("/debug/watches", "JSON")),
        Tab::Changes => Some(("/debug/changes", "JSON")),
        Tab::Jobs => followed(app).map(|_| ("/debug/jobs", "JSON")),
        Tab::Config => followed(app).map(|_| ("/debug/config", "YAML")),
    }
}

fn foot(tab: Tab, app: &App, footer: &mut Html) {
    footer.element("p", &[("id", "foot"), ("data-live", "")], |p| {
        p.text(format_args!(
            "nodelocal-sd {} · snapshot {}",
            env!("CARGO_PKG_VERSION"),
            app.snapshots.load().version
        ));
    });
    let Some((path, form)) = for_programs(tab, app) else { return };
    footer.element("p", &[], |p| {
        p.text("For programs: ");
        p.leaf("code", &[], path);
        p.text(format_args!(" is {form} to whoever does not ask for HTML, as curl."));
    });
}
