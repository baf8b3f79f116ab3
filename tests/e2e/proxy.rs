//! What lies between a sidecar and its API server, and can be cut.

use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A TCP proxy on loopback; ends when it is dropped.
pub(crate) struct Proxy {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    open: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

// === impl Proxy ===

impl Proxy {
    /// Starts one before `https://ADDRESS`.
    pub(crate) async fn before(url: &str) -> Self {
        let target = url.strip_prefix("https://").and_then(|address| address.parse().ok());
        let target: SocketAddr = target.expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("https://{}", listener.local_addr().expect("bound"));
        let (open, is_open) = watch::channel(true);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, is_open));
        Self { url, open, _tasks: tasks }
    }

    /// Ends all connections, and every new one at once.
    pub(crate) fn cut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, is_open: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut is_open = is_open.clone();
        if !*is_open.borrow() {
            continue;
        }
        connections.spawn(async move {
            let Ok(mut server) = TcpStream::connect(target).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                _ = is_open.wait_for(|open| !open) => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}
