//! What lies between a client and its API server: counts what passes, TLS and all, and can do to it what
//! wires do.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A TCP proxy on loopback; ends when it is dropped.
pub(crate) struct Proxy {
    /// `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    wire: watch::Sender<Wire>,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

/// What becomes of connections. A change ends those that there are, but for [`Wire::Dead`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// They pass.
    Good,
    /// They end at once.
    Cut,
    /// Nothing passes, and nobody is told: half of a connection is gone. Those that there are stay dead.
    Dead,
    /// Each ends after so many bytes of the server's.
    Broken(usize),
    /// A bit of the server's byte at this place is another one.
    Garbled(usize),
    /// The server's bytes come a hundred at a time.
    Slow,
    /// Somebody answers who knows no TLS.
    Foreign,
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
        let (wire, state) = watch::channel(Wire::Good);
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, state, Arc::clone(&counts)));
        Self { url, wire, counts, _tasks: tasks }
    }

    /// Ends all connections, and every new one at once.
    pub(crate) fn cut(&self) {
        self.becomes(Wire::Cut);
    }

    pub(crate) fn mend(&self) {
        self.becomes(Wire::Good);
    }

    pub(crate) fn becomes(&self, wire: Wire) {
        self.wire.send_replace(wire);
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
    wire: watch::Receiver<Wire>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (wire, counts) = (wire.clone(), Arc::clone(&counts));
        connections.spawn(async move {
            counts.connections.fetch_add(1, Ordering::Relaxed);
            carry(client, target, wire, &counts.received).await;
            counts.connections.fetch_sub(1, Ordering::Relaxed);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// One connection.
async fn carry(
    mut client: TcpStream,
    target: SocketAddr,
    mut wire: watch::Receiver<Wire>,
    received: &AtomicU64,
) {
    let now = *wire.borrow_and_update();
    match now {
        Wire::Cut => return,
        Wire::Dead => pending().await,
        Wire::Foreign => {
            let _ = client.read(&mut [0; 1024]).await;
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            return;
        }
        Wire::Good | Wire::Broken(_) | Wire::Garbled(_) | Wire::Slow => {}
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let sent = AtomicU64::new(0);
        // The end of one direction is the end of a connection of TLS.
        tokio::select! {
            () = copy(from_client, to_server, Wire::Good, &sent) => return,
            () = copy(from_server, to_client, now, received) => return,
            _ = wire.changed() => {}
        }
    }
    if *wire.borrow() == Wire::Dead {
        drop(server);
        pending::<()>().await;
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    wire: Wire,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; if wire == Wire::Slow { 100 } else { 64 * 1024 }];
    let mut passed = 0;
    loop {
        let room = match wire {
            Wire::Broken(at) => buffer.len().min(at - passed),
            _ => buffer.len(),
        };
        if room == 0 {
            return;
        }
        let Ok(length @ 1..) = from.read(&mut buffer[..room]).await else { return };
        match wire {
            Wire::Garbled(at) if (passed..passed + length).contains(&at) => {
                buffer[at - passed] ^= 1;
            }
            Wire::Slow => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => {}
        }
        passed += length;
        count.fetch_add(length as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
