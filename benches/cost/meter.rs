//! What an agent receives: a TCP proxy before the API server that counts bytes, TLS and all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A proxy on loopback; ends when it is dropped.
pub(crate) struct Meter {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    received: AtomicU64,
    open: AtomicU64,
}

// === impl Meter ===

impl Meter {
    /// Starts one before `https://ADDRESS`.
    pub(crate) async fn before(url: &str) -> Self {
        let target = url.strip_prefix("https://").and_then(|address| address.parse().ok());
        let target: SocketAddr = target.expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("bound"));
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, Arc::clone(&counts)));
        Self { url, counts, _tasks: tasks }
    }

    /// Bytes that the agent has received.
    pub(crate) fn received(&self) -> u64 {
        self.counts.received.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let counts = Arc::clone(&counts);
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else { return };
            counts.open.fetch_add(1, Ordering::Relaxed);
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let sent = AtomicU64::new(0);
            // The end of one direction is the end of a connection of TLS.
            tokio::select! {
                () = copy(from_client, to_server, &sent) => {}
                () = copy(from_server, to_client, &counts.received) => {}
            }
            counts.open.fetch_sub(1, Ordering::Relaxed);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        count.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
