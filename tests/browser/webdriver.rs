//! A browser: Chromium without a window, over the WebDriver protocol (W3C) and a few commands of DevTools.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// No condition takes long; one that hangs must fail its test.
const DEADLINE: Duration = Duration::from_secs(30);

/// A session of its own; ends when it is dropped.
pub(crate) struct Browser {
    session: String,
    client: Client<HttpConnector, Full<Bytes>>,
    driver: Child,
}

// === impl Browser ===

impl Browser {
    /// Starts `chromedriver` and a browser.
    pub(crate) async fn start() -> Self {
        let driver = std::env::var_os("CHROMEDRIVER").expect(
            "CHROMEDRIVER must name chromedriver, as `.ci/run pages` does: apt-get install chromium-driver",
        );
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .process_group(0) // its browsers are ended with it
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("chromedriver says its port");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim_end_matches('.').to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut browser = Self { session: String::new(), client, driver };
        let session = format!("http://127.0.0.1:{port}/session");
        // As root there is no sandbox, and in a container little shared memory.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let answer = browser.post_to(&session, &wanted).await.expect("a session");
        browser.session = format!("{session}/{}", answer["sessionId"].as_str().expect("an id"));
        browser.size(1280, 900, 1.0).await;
        browser
    }

    /// Opens that address.
    pub(crate) async fn open(&self, url: &str) {
        self.post("url", json!({ "url": url })).await;
    }

    /// The value of a JavaScript expression in the page.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = json!({"script": format!("return ({expression});"), "args": []});
        self.post("execute/sync", script).await
    }

    /// The same, if it is a text.
    pub(crate) async fn text(&self, expression: &str) -> String {
        self.value(expression).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true; `shown` says in the failure what there was.
    pub(crate) async fn until(&self, expression: &str, shown: &str) {
        let began = Instant::now();
        while self.value(expression).await != Value::Bool(true) {
            assert!(began.elapsed() < DEADLINE, "{expression}: {}", self.value(shown).await);
            sleep(Duration::from_millis(50)).await; // between two looks
        }
    }

    /// Presses these keys, one after the other, where the focus is.
    pub(crate) async fn keys(&self, keys: &str) {
        let press = |key: char| {
            [("keyDown", key), ("keyUp", key)]
                .map(|(kind, key)| json!({"type": kind, "value": key}))
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.post("actions", keyboard).await;
    }

    /// A window of that size, with so many pixels of the picture for one of the page.
    pub(crate) async fn size(&self, width: u32, height: u32, scale: f64) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Whether the system prefers dark colours.
    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// A command of DevTools.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// What the console has said since it was asked the last time: errors, violations of the policy, failed
    /// requests.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({"type": "browser"})).await;
        let entries = log.as_array().unwrap().iter();
        entries.map(|entry| format!("{} {}", entry["level"], entry["message"])).collect()
    }

    /// A picture of the window, as PNG in base64.
    pub(crate) async fn picture(&self) -> String {
        let picture = self.devtools("Page.captureScreenshot", json!({"format": "png"})).await;
        picture["data"].as_str().expect("a picture").to_owned()
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        let url = format!("{}/{command}", self.session);
        self.post_to(&url, &body).await.unwrap_or_else(|error| panic!("{command} {body}: {error}"))
    }

    async fn post_to(&self, url: &str, body: &Value) -> Result<Value, String> {
        let request = http::Request::post(url)
            .header("content-type", "application/json")
            .body(Full::from(body.to_string()))
            .unwrap();
        let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
        let mut body: Value =
            serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())?;
        if status.is_success() { Ok(body["value"].take()) } else { Err(body.to_string()) }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let pid = self.driver.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL); // gone already, if that fails
        }
    }
}
