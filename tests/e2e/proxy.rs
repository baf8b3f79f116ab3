//! What lies between a client and its API server: counts what passes, TLS and all, and can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A TCP proxy on loopback; ends when it is dropped.
pub(crate) struct Proxy {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    is_open: watch::Sender<bool>,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    received: AtomicU64,
    connections: AtomicU64,
}

// === impl Proxy ===

impl Proxy {
    /// Starts one before `https://ADDRESS`.
    pub(crate) async fn before(url: &str) -> Self {
        let target = url.strip_prefix("https://").and_then(|address| address.parse().ok());
        let target: SocketAddr = target.expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("bound"));
        let (is_open, opened) = watch::channel(true);
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, opened, Arc::clone(&counts)));
        Self { url, is_open, counts, _tasks: tasks }
    }

    /// Ends all connections, and every new one at once.
    pub(crate) fn cut(&self) {
        self.is_open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.is_open.send_replace(true);
    }

    /// Bytes that the client has received.
    pub(crate) fn received(&self) -> u64 {
        self.counts.received.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub(crate) fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    is_open: watch::Receiver<bool>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (mut is_open, counts) = (is_open.clone(), Arc::clone(&counts));
        if !*is_open.borrow() {
            continue;
        }
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else { return };
            counts.connections.fetch_add(1, Ordering::Relaxed);
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let sent = AtomicU64::new(0);
            // The end of one direction is the end of a connection of TLS.
            tokio::select! {
                () = copy(from_client, to_server, &sent) => {}
                () = copy(from_server, to_client, &counts.received) => {}
                _ = is_open.wait_for(|open| !open) => {}
            }
            counts.connections.fetch_sub(1, Ordering::Relaxed);
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
