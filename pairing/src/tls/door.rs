//! The server's one port: reads the ClientHello, picks the configuration, finishes the handshake.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;

use crate::trust::{Peer, Trust};

/// What came in.
#[derive(Debug)]
pub enum Entered {
    /// A paired client, checked against the device records.
    Data {
        /// The channel, handshake done.
        stream: Box<tokio_rustls::server::TlsStream<TcpStream>>,
        /// Who.
        peer: Peer,
    },
    /// The pairing exchange ran on this connection and is over (its outcome went to the window).
    Pairing,
}

/// Serves one connection up to the end of its handshake (5 s), or of the pairing exchange.
pub async fn enter(
    _trust: &Arc<Trust>,
    _stream: TcpStream,
    _from: SocketAddr,
) -> Result<Entered, Turned> {
    todo!()
}

/// Why a connection was not let in; for the log (no secret in it).
#[derive(Debug, thiserror::Error)]
#[error("connection refused: {reason}")]
pub struct Turned {
    /// Short stable phrase.
    pub reason: &'static str,
    /// The chain.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
