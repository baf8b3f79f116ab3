//! What receives the samples: one more Prometheus, as in the end-to-end tests.

use crate::http::get;
use crate::prometheus::Prometheus;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The receiver of all agents; each has a label `way` of its own.
pub(crate) struct Receiver(Prometheus);

// === impl Receiver ===

impl Receiver {
    pub(crate) async fn start(folder: &Path) -> Self {
        let receives = ["--web.enable-remote-write-receiver"];
        let prometheus = Prometheus::start(folder, "scrape_configs: []\n", &receives).await;
        Self(prometheus)
    }

    /// Where samples are written to.
    pub(crate) fn url(&self) -> String {
        format!("{}/api/v1/write", self.0.url)
    }

    /// From which agents there is a sample of that Pod.
    pub(crate) async fn has(&self, pod: &str) -> BTreeSet<String> {
        let query = format!("exported{{pod=\"{pod}\"}}");
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("query", &query).finish();
        let answer = get(&format!("{}/api/v1/query?{query}", self.0.url)).await;
        let answer: Value = serde_json::from_str(&answer.expect("it answers")).expect("JSON");
        let series = answer["data"]["result"].as_array().expect("a vector").iter();
        series.filter_map(|one| one["metric"]["way"].as_str().map(str::to_owned)).collect()
    }
}
