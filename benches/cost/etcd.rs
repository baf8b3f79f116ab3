//! Objects in bulk: copies of one that the API server has written, put straight into etcd.
//!
//! Two requests for each Pod would take an hour for 150,000. The API server sees the copies as it
//! sees what another API server writes, and hands them out like its own.

use futures_util::StreamExt as _;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::ByteString;
use serde_json::json;

/// The JSON gateway of etcd.
pub(crate) struct Etcd {
    url: String,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

/// Requests at once.
const AT_ONCE: usize = 16;

// === impl Etcd ===

impl Etcd {
    pub(crate) fn at(url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { url: url.to_owned(), client }
    }

    /// Writes objects at keys, each in a request of its own: what is written in one transaction has one
    /// version, and a watch that begins there would miss the rest.
    pub(crate) async fn put(&self, objects: impl Iterator<Item = (String, String)>) {
        futures_util::stream::iter(objects)
            .for_each_concurrent(AT_ONCE, |(key, value)| self.put_one(key, value))
            .await;
    }

    async fn put_one(&self, key: String, value: String) {
        let (key, value) = (ByteString(key.into_bytes()), ByteString(value.into_bytes()));
        let request = ::http::Request::post(format!("{}/v3/kv/put", self.url))
            .body(Full::from(json!({"key": key, "value": value}).to_string()))
            .unwrap();
        let answer = self.client.request(request).await.expect("etcd answers");
        let status = answer.status();
        let text = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        assert!(status.is_success(), "etcd: {status}: {}", String::from_utf8_lossy(&text));
    }
}
