//! What the API server says of itself, in its metrics.

use crate::cluster::Cluster;
use crate::http::eventually;
use crate::metrics::Metrics;
use kube::client::Body;
use nodelocal_sd::kube::{Source, connect};

/// Its metrics, read as an administrator.
pub(crate) struct Server {
    client: kube::Client,
}

// === impl Server ===

impl Server {
    pub(crate) async fn of(cluster: &Cluster) -> Self {
        let source = Source::Kubeconfig { paths: vec![cluster.plane.kubeconfig()], context: None };
        Self { client: connect(&source).await.expect("a good kubeconfig") }
    }

    /// Its metrics now; `None` while it does not answer.
    pub(crate) async fn metrics(&self) -> Option<Metrics> {
        let request = ::http::Request::get("/metrics").body(Body::empty()).unwrap();
        let answer = self.client.send(request).await.ok()?;
        let good = answer.status().is_success();
        let bytes = answer.into_body().collect_bytes().await.ok()?;
        good.then(|| Metrics(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Open watches, of all clients.
    pub(crate) async fn watches(&self) -> f64 {
        let metrics = self.metrics().await.expect("the API server answers");
        metrics.sum("apiserver_longrunning_requests", &["verb=\"WATCH\""])
    }

    /// Waits until there are no more than so many.
    pub(crate) async fn has_watches(&self, most: f64) {
        eventually("watches end with their client", || async {
            let open = self.watches().await;
            if open <= most { Ok(()) } else { Err(format!("{open} watches are open")) }
        })
        .await;
    }
}
