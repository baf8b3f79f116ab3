//! Responses with a JSON body.

use super::body::Body;
use super::representation::text;
use super::status::Status;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;
use std::io::Write;

/// The API server compresses no answer below this size (`k8s.io/apiserver`, `writers.go`).
const GZIP_FROM: usize = 128 * 1024;

/// 200 with a JSON body.
pub(super) fn json(value: &Value) -> Response<Body> {
    whole(StatusCode::OK, "application/json", text(value))
}

/// 200 with plain text.
pub(super) fn plain(body: &'static str) -> Response<Body> {
    whole(StatusCode::OK, "text/plain; charset=utf-8", body.into())
}

/// 200 with a JSON body that is still to be written.
pub(super) fn written(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A failure.
pub(super) fn status(status: &Status) -> Response<Body> {
    let mut response = whole(code(status.code), "application/json", text(&status.to_object()));
    // The API server sends it along with this `Status` too.
    if status.code == 504 {
        retry_after(&mut response, 1);
    }
    response
}

/// A failure in front of the API server.
pub(super) fn html(status: u16) -> Response<Body> {
    let page = format!("<html><body><h1>{}</h1></body></html>\n", code(status));
    whole(code(status), "text/html", page.into())
}

/// Sets the header `Retry-After`.
pub(super) fn retry_after(response: &mut Response<Body>, seconds: u32) {
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
}

/// The body compressed as the API server would: not at all, or fast.
pub(super) fn gzip(body: Vec<u8>, accepted: bool) -> (Vec<u8>, Option<HeaderValue>) {
    if !accepted || body.len() < GZIP_FROM {
        return (body, None);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = encoder.write_all(&body).and_then(|()| encoder.finish());
    let compressed = compressed.expect("writing into memory cannot fail");
    (compressed, Some(HeaderValue::from_static("gzip")))
}

/// Says how the body is compressed.
pub(super) fn encoded(
    mut response: Response<Body>,
    encoding: Option<HeaderValue>,
) -> Response<Body> {
    if let Some(encoding) = encoding {
        response.headers_mut().insert(CONTENT_ENCODING, encoding);
    }
    response
}

fn whole(code: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = code;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn code(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
