//! Requests byte by byte, and answers as they come: for what a well-behaved client hides.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No exchange takes long; one that hangs must fail its test.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection.
pub(crate) struct Raw<S = TcpStream> {
    stream: S,
    unread: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = timeout(DEADLINE, TcpStream::connect(address)).await.unwrap().unwrap();
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Writes as it is.
    pub(crate) async fn write(&mut self, text: &[u8]) -> std::io::Result<()> {
        timeout(DEADLINE, self.stream.write_all(text)).await.unwrap()
    }

    /// Sends a request without a body and reads the answer.
    pub(crate) async fn exchange(&mut self, method: &str, target: &str, headers: &str) -> Answer {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        self.write(request.as_bytes()).await.unwrap();
        self.answer(method == "HEAD").await.expect("an answer")
    }

    /// Reads one answer; `None` if the connection ends before it.
    pub(crate) async fn answer(&mut self, without_body: bool) -> Option<Answer> {
        let head = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.unread.split_off(end + 4);
                break String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
            }
            if !self.read_more().await {
                return None;
            }
        };
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let length = if without_body || status == 304 { 0 } else { length };
        while self.unread.len() < length {
            assert!(self.read_more().await, "the body is cut");
        }
        let rest = self.unread.split_off(length);
        let body = String::from_utf8(std::mem::replace(&mut self.unread, rest)).unwrap();
        Some(Answer { status, headers, body })
    }

    /// Waits until the other side closes, reading away what it still sends.
    pub(crate) async fn closed(&mut self) {
        while self.read_more().await {}
    }

    /// False at the end of the connection, in order or not.
    async fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = timeout(DEADLINE, self.stream.read(&mut buffer)).await.expect("it goes on");
        let read = read.unwrap_or(0);
        self.unread.extend_from_slice(&buffer[..read]);
        read > 0
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
