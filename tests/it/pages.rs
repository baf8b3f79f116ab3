//! The debug pages, and what browsers are told of them.

use crate::support::asked::Asked;
use crate::support::raw::{Answer as RawAnswer, Raw};
use crate::support::served::Served;
use crate::support::world::{self, NODE, PODS};
use http_body_util::BodyExt as _;
use nodelocal_sd::agent::{AgentState, Settings};
use nodelocal_sd::config::{Options, Waits};
use nodelocal_sd::http::{HttpSd, Limits, Routes as _};
use nodelocal_sd::kube::Timing;
use nodelocal_sd::simulator::{On, Simulator};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// As a browser asks.
const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";

const PAGES: [&str; 8] = [
    "/",
    "/debug/targets",
    "/debug/unassigned",
    "/debug/explain",
    "/debug/watches",
    "/debug/jobs",
    "/debug/changes",
    "/debug/config",
];

async fn get(served: &Served, target: &str, headers: &str) -> RawAnswer {
    Raw::connect(served.address()).await.exchange("GET", target, headers).await
}

#[tokio::test]
async fn a_browser_gets_pages_that_may_load_nothing_else() {
    let served = Served::of(&world::cluster(), Limits::SD).await;
    let assets = ["/debug/assets/pages.css", "/debug/assets/pages.js", "/debug/assets/icon.svg"];
    for target in PAGES.iter().chain(&assets) {
        let answer = get(&served, target, BROWSER).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        assert_eq!(
            answer.header("content-security-policy"),
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "{target}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("vary", "Accept"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{target} {name}");
        }
    }
    for target in PAGES {
        let answer = get(&served, target, BROWSER).await;
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{target}");
        let body = &answer.body;
        assert!(body.starts_with("<!doctype html>\n<html lang=\"en\">"), "{target}");
        for part in ["<title>", "<main id=\"main\"", "aria-current=\"page\"", "<h1"] {
            assert_eq!(body.matches(part).count(), 1, "{target}: {part}");
        }
        assert!(!body.contains("style=") && !body.contains("onclick"), "the policy allows neither");
        // The same again is no answer again.
        let known = format!("{BROWSER}If-None-Match: {}\r\n", answer.header("etag"));
        let again = get(&served, target, &known).await;
        assert_eq!((again.status, &*again.body), (304, ""), "{target}");
    }
}

#[tokio::test]
async fn programs_get_what_they_have_always_had() {
    let served = Served::of(&world::cluster(), Limits::SD).await;
    for accept in ["", "Accept: */*\r\n", "Accept: application/json, text/html;q=0.5\r\n"] {
        for (target, keys) in [
            ("/debug/targets?role=pod", ["node", "snapshot", "targets"].as_slice()),
            ("/debug/unassigned", &["counts", "node", "snapshot", "unassigned"]),
            ("/debug/watches", &["node", "snapshot", "watches"]),
            ("/debug/changes", &["changes", "node", "snapshot"]),
        ] {
            let answer = get(&served, target, accept).await;
            assert_eq!(answer.header("content-type"), "application/json", "{target}");
            for (name, value) in [
                ("vary", "Accept"),
                ("cache-control", "no-store"),
                ("x-content-type-options", "nosniff"),
                ("cross-origin-resource-policy", "same-origin"),
            ] {
                assert_eq!(answer.header(name), value, "{target} {name}");
            }
            let body: serde_json::Map<String, Value> = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(body.keys().collect::<Vec<_>>(), keys, "{target}");
        }
        let index = get(&served, "/", accept).await;
        assert!(index.body.starts_with("nodelocal-sd: the Prometheus targets of node"), "{accept}");
    }
    let refused = get(&served, "/debug/targets", "").await;
    assert_eq!(refused.status, 400, "without a role: {}", refused.body);
    let refused = get(&served, "/debug/targets?role=pod&q=web", "").await;
    assert_eq!(refused.status, 400, "a search is of the page alone: {}", refused.body);
    for target in ["/sd/pod", "/sd/endpointslice"] {
        let answer = get(&served, target, BROWSER).await;
        let got = (answer.header("content-type"), answer.header("vary"));
        assert_eq!(got, ("application/json", ""), "{target}: for Prometheus alone");
        for (name, value) in [
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{target} {name}");
        }
    }
    for target in ["/debug/jobs", "/debug/config"] {
        let answer = get(&served, target, "").await;
        assert_eq!(answer.header("cache-control"), "no-store", "{target}");
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.contains("--config-in"), "{target}: {}", answer.body);
    }
}

/// What the foot of a page says of programs is so.
#[tokio::test]
async fn feet_are_true() {
    let served = Served::of(&world::cluster(), Limits::SD).await;
    for (target, expected) in PAGES.into_iter().zip([
        None,
        Some("/debug/targets?role=pod"),
        Some("/debug/unassigned"),
        Some("/debug/explain?pod=NAMESPACE/NAME"),
        Some("/debug/watches"),
        None,
        Some("/debug/changes"),
        None,
    ]) {
        let page = get(&served, target, BROWSER).await.body;
        let said = page.split("For programs: <code>").nth(1);
        let said = said.and_then(|rest| rest.split("</code> is JSON").next());
        assert_eq!(said, expected, "{target}");
        let Some(path) = said else { continue };
        let answer = get(&served, &path.replace("NAMESPACE/NAME", "shop/web-000"), "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap();
    }
}

#[tokio::test]
async fn the_overview_tells_what_is_not_synced_and_why() {
    let simulator = world::cluster();
    simulator.fault(On::resource("services").status(500));
    let served = Served::of(&simulator, Limits::SD).await;
    let tile = async || {
        let page = get(&served, "/", BROWSER).await.body;
        let tile = page.split("data-key=\"endpointslice\"").nth(1).unwrap();
        tile.split("</li>").next().unwrap().to_owned()
    };
    assert!(tile().await.contains("nobody has asked lately"));
    let mut waiting = Raw::connect(served.address()).await;
    waiting.write(b"GET /sd/endpointslice HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let tile = crate::support::http::eventually("the trouble", async || {
        let tile = tile().await;
        if tile.contains("class=\"trouble\"") { Ok(tile) } else { Err(tile) }
    })
    .await;
    for part in ["badge bad\">not synced", "list services"] {
        assert!(tile.contains(part), "{part}: {tile}");
    }
    assert!(!tile.contains("nobody"), "{tile}");
    let watches = get(&served, "/debug/watches", BROWSER).await.body;
    assert!(watches.contains("data-since>since 2"), "{watches}");
}

#[tokio::test]
async fn reasons_are_explained() {
    let simulator = world::cluster();
    world::put(
        &simulator,
        serde_json::json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "db-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "db"}},
            "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["192.0.2.1"]}],
        }),
    );
    let served = Served::of(&simulator, Limits::SD).await;
    let page = get(&served, "/debug/unassigned", BROWSER).await.body;
    for part in ["<span>Object</span>", ">of no node</span>", "The complement serves it."] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains(">no_node<"), "{page}");
    let targets = get(&served, "/debug/targets", BROWSER).await.body;
    assert!(!targets.contains("id=\"reasons\""), "{targets}");
}

#[tokio::test]
async fn who_is_refused() {
    let served = Served::of(&world::cluster(), Limits::SD).await;
    for target in PAGES.iter().chain(&["/debug/assets/pages.js", "/sd/pod"]) {
        let mut raw = Raw::connect(served.address()).await;
        let request = format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\n{BROWSER}\r\n");
        raw.write(request.as_bytes()).await.unwrap();
        assert_eq!(raw.answer(false).await.unwrap().status, 421, "{target}: DNS rebinding");

        for site in ["cross-site", "same-site"] {
            let asked = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Mode: cors\r\n");
            let answer = get(&served, target, &asked).await;
            assert_eq!(answer.status, 403, "{target} from {site}");
        }
        // To a browser, a window that a foreign page opens is a link too.
        let link = BROWSER.replace("none", "cross-site");
        let asks_nothing =
            ["/", "/debug/watches", "/debug/jobs", "/debug/changes", "/debug/config"];
        let status = if asks_nothing.contains(target) { 200 } else { 403 };
        assert_eq!(get(&served, target, &link).await.status, status, "{target}: a link");
        let mut raw = Raw::connect(served.address()).await;
        assert_eq!(raw.exchange("POST", target, BROWSER).await.status, 405, "{target}");
    }
}

#[tokio::test]
async fn targets_are_found_and_refusals_explained() {
    let simulator = world::cluster();
    let served = Served::of(&simulator, Limits::SD).await;
    for (target, status, expected) in [
        ("/debug/targets", 200, format!("{PODS} targets")),
        ("/debug/targets?role=node", 200, "1 target".to_owned()),
        ("/debug/targets?role=endpointslice&namespace=shop", 200, format!("{PODS} targets")),
        ("/debug/targets?namespace=&q=web-01", 200, format!("10 of {PODS} targets")),
        ("/debug/targets?q=pod_label_app%3DWEB+web-017", 200, format!("1 of {PODS} targets")),
        ("/debug/targets?q=nothing-such", 200, format!("0 of {PODS} targets")),
        ("/debug/targets?namespace=empty", 200, "0 targets".to_owned()),
        ("/debug/targets?role=service", 404, "role service is not local to a node".to_owned()),
        ("/debug/targets?role=node&port=a", 400, "means nothing for role node".to_owned()),
        ("/debug/targets?%3Cb%3E=1", 400, "unknown parameter &quot;&lt;b&gt;&quot;".to_owned()),
    ] {
        let answer = get(&served, target, BROWSER).await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{target}");
        assert!(answer.body.contains(&expected), "{target}: {}", answer.body);
    }
}

/// What anybody who may write a Pod can do.
#[tokio::test]
async fn labels_and_annotations_stay_text() {
    let simulator = world::cluster();
    let mut pod = world::pod("hostile", NODE, "10.1.0.98");
    pod["metadata"]["annotations"] = serde_json::json!({
        "script": "\"><script>document.title='owned'</script>",
        "image": "<img src=x onerror=\"document.title='owned'\">",
        "end": "</dl></main><!-- '`",
    });
    pod["spec"]["containers"][0]["image"] = "<b>image</b>".into();
    world::put(&simulator, pod);
    let served = Served::of(&simulator, Limits::SD).await;
    for target in
        ["/debug/targets?q=hostile", "/debug/targets?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"]
    {
        let body = get(&served, target, BROWSER).await.body;
        for wrong in ["<script>", "<img src=x", "onerror=\"", "<b>image", "</dl></main><!--"] {
            assert!(!body.contains(wrong), "{target}: {wrong}");
        }
        assert_eq!(body.matches("<script").count(), 1, "{target}: our own");
    }
    let body = get(&served, "/debug/targets?q=hostile", BROWSER).await.body;
    assert!(body.contains("&quot;&gt;&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;"));
}

/// A sidecar that follows this configuration, until that has been written.
async fn following(
    simulator: &Simulator,
    folder: &Path,
    config: &str,
) -> (HttpSd, Arc<AgentState>) {
    let path = |name: &str| folder.join(name);
    std::fs::write(path("in.yaml"), config).unwrap();
    let asked = Asked::start(simulator, NODE, Timing::alone());
    let state = asked.follow(Settings {
        node: NODE.to_owned(),
        config_in: path("in.yaml"),
        jobs_from: Vec::new(),
        config_out: path("out.yaml"),
        reload_url: None,
        state_dir: None,
        options: Options::default(),
        compat: nodelocal_sd::sd::Compat::Auto,
        waits: Waits { hold: Duration::ZERO, spread: Duration::ZERO, pause: Duration::ZERO },
    });
    while state.view().applied_at.is_none() {
        sleep(Duration::from_millis(100)).await;
    }
    (asked.http_sd(Some(Arc::clone(&state))), state)
}

async fn ask(routes: &HttpSd, target: &str, accept: &str) -> (u16, String) {
    let request = http::Request::get(target).header("host", "localhost").header("accept", accept);
    let parts = request.body(()).unwrap().into_parts().0;
    let answer = routes.answer(parts, "127.0.0.1:9911".parse().unwrap()).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const CONFIG: &str = "\
global: {scrape_interval: 30s}
remote_write:
- url: https://writer:SECRET@remote.example/write
  headers: {X-Scope-OrgID: shop, Authorization: SECRET}
scrape_configs:
- job_name: web
  kubernetes_sd_configs: [{role: endpointslice, namespaces: {names: [shop]}}]
  basic_auth: {username: web, password: SECRET}
- job_name: own
  static_configs: [{targets: [localhost:9090]}]
- job_name: <b>bad</b>
  kubernetes_sd_configs: [{role: pod}]
  relabel_configs: [{source_labels: [a], regex: '(', action: keep}]
- job_name: elsewhere
  kubernetes_sd_configs: [{role: pod, api_server: 'https://u:SECRET@other.example'}]
";

#[tokio::test(start_paused = true)]
async fn jobs_and_the_configuration_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (routes, _state) = following(&world::cluster(), folder.path(), CONFIG).await;
    let (status, jobs) = ask(&routes, "/debug/jobs", "*/*").await;
    assert_eq!(status, 200, "{jobs}");
    let jobs: Value = serde_json::from_str(&jobs).unwrap();
    let states: Vec<(&str, &str)> = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["name"].as_str().unwrap(), job["state"].as_str().unwrap()))
        .collect();
    assert_eq!(
        states,
        [
            ("web", "rewritten"),
            ("own", "kept"),
            ("<b>bad</b>", "refused"),
            ("elsewhere", "dropped")
        ]
    );
    assert_eq!(jobs["jobs"][0]["questions"], serde_json::json!(["endpointslice?namespace=shop"]));
    assert_eq!(jobs["configuration"]["writes"], 1);

    let (status, yaml) = ask(&routes, "/debug/config", "*/*").await;
    assert_eq!(status, 200);
    assert!(yaml.contains("url: https://<secret>@remote.example/write"), "{yaml}");
    assert!(yaml.contains("X-Scope-OrgID: shop") && yaml.contains("password: <secret>"), "{yaml}");

    let page = "text/html";
    let (_, config_page) = ask(&routes, "/debug/config", page).await;
    let main = config_page.split("<main").nth(1).and_then(|rest| rest.split("</main").next());
    let main = main.unwrap();
    assert!(main.contains("<pre>global:") && !main.contains("data-live"), "read once: {main}");
    let (_, jobs_page) = ask(&routes, "/debug/jobs", page).await;
    let link = "<a href=\"/debug/targets?role=endpointslice&amp;namespace=shop\">";
    for part in
        ["4 jobs", link, "&lt;b&gt;bad&lt;/b&gt;", "left out", "not for nodes", "relabel_configs"]
    {
        assert!(jobs_page.contains(part), "{part}: {jobs_page}");
    }
    let (_, found) = ask(&routes, "/debug/jobs?q=left+out", page).await;
    assert!(found.contains("1 of 4 jobs"), "{found}");
    let explained = "/debug/explain?pod=shop/web-000&job=elsewhere";
    for target in PAGES.into_iter().chain([explained]) {
        for accept in [page, "*/*"] {
            let (_, body) = ask(&routes, target, accept).await;
            assert!(!body.contains("SECRET"), "{target} {accept}: {body}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_be_read_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (routes, _state) = following(&world::cluster(), folder.path(), CONFIG).await;
    let out = folder.path().join("out.yaml");
    std::fs::write(&out, "password: 'SECRET\n").unwrap();
    for accept in ["text/html", "*/*"] {
        let (_, body) = ask(&routes, "/debug/config", accept).await;
        assert!(body.contains("out.yaml is no YAML") && !body.contains("SECRET"), "{body}");
        let (_, body) = ask(&routes, "/debug/jobs", accept).await;
        assert!(body.contains("web") && !body.contains("SECRET"), "{body}");
    }
    std::fs::remove_file(&out).unwrap();
    let (status, body) = ask(&routes, "/debug/config", "*/*").await;
    assert_eq!(status, 503);
    assert!(body.contains("the agent has no configuration yet"), "{body}");
}

#[tokio::test]
async fn what_came_is_shown() {
    let simulator = world::cluster();
    let served = Served::of(&simulator, Limits::SD).await;
    get(&served, "/sd/pod", "").await;
    world::put(&simulator, world::pod("web-new", NODE, "10.1.0.99"));
    let page = crate::support::http::eventually("the new Pod", || async {
        let body = get(&served, "/debug/changes?targets=changed", BROWSER).await.body;
        if body.contains("shop/web-new") { Ok(body) } else { Err(body) }
    })
    .await;
    assert!(page.contains("Pod <b>shop/web-new</b> added"), "{page}");
    assert!(page.contains("added </span>10.1.0.99:8080</ins>"), "{page}");
    let json: Value = serde_json::from_str(&get(&served, "/debug/changes", "").await.body).unwrap();
    let change = &json["changes"][0];
    assert_eq!(change["events"][0]["name"], "web-new");
    assert_eq!(change["targets"][0]["added"]["first"][0], "10.1.0.99:8080");
    assert!(change["tookSeconds"].as_f64().unwrap() > 0.0);
    let searched = get(&served, "/debug/changes?q=nothing-such", BROWSER).await.body;
    assert!(searched.contains("0 changes"), "{searched}");
}
