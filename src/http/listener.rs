//! Where connections come from.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A source of connections: a socket, or, in tests whose time is virtual, streams in memory.
pub trait Listener: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and the addresses of its two ends.
    ///
    /// # Errors
    /// If none can be accepted now, as with too many open files. It is tried again after a while.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Ends)>> + Send;
}

/// The ends of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// The client's.
    pub peer: SocketAddr,
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Ends)> {
        loop {
            let (stream, peer) = Self::accept(self).await?;
            let Ok(local) = stream.local_addr() else {
                continue; // gone already
            };
            let _ = stream.set_nodelay(true); // an answer is one write; waiting for more gains nothing
            return Ok((stream, Ends { local, peer }));
        }
    }
}
