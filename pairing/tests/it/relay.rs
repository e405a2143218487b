//! Somebody between a device and its host: TLS to both, and each byte passed on.

use std::net::SocketAddr;

use healthsync_pairing::{environment::Environment, secret::Secret};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    task::JoinHandle,
};

use crate::fake::{FakeHost, connect_to};

/// What was passed on in one exchange.
pub(crate) struct Seen {
    pub(crate) from_device: Vec<u8>,
    pub(crate) from_host: Vec<u8>,
}

/// A relay to the host at this address: where devices find it, and what it sees of the next one.
pub(crate) async fn relay(to: SocketAddr) -> (SocketAddr, JoinHandle<Seen>) {
    let front = FakeHost::new(&["healthsync-pair/1"], &Environment::system()).await;
    let address = front.address;
    let seen = tokio::spawn(async move {
        let device = front.accept().await.expect("a device").stream;
        let host = connect_to(to, &Secret::new(Vec::new()))
            .await
            .expect("a handshake")
            .stream;
        let (device_reads, device_writes) = tokio::io::split(device);
        let (host_reads, host_writes) = tokio::io::split(host);
        let (from_device, from_host) = tokio::join!(
            pass_on(device_reads, host_writes),
            pass_on(host_reads, device_writes)
        );
        Seen {
            from_device,
            from_host,
        }
    });
    (address, seen)
}

/// Until one of the two leaves.
async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        seen.extend_from_slice(&bytes[..count]);
        if to.write_all(&bytes[..count]).await.is_err() || to.flush().await.is_err() {
            break;
        }
    }
    // Whoever waits at the other end learns that this one has left.
    drop(to.shutdown().await);
    seen
}

/// The types of the frames in a stream of bytes.
pub(crate) fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [kind, high, low, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = rest.get(length..).unwrap_or_default();
    }
    kinds
}
