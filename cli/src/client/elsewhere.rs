//! Where this client does not go: to a proxy of the environment, and to where an answer sends it.
//!
//! It speaks HTTP on channels that it opens itself, so neither is built in. What stands here is there
//! to be broken: a test that nobody has seen fail shows nothing.

use std::net::SocketAddr;

use healthsync_pairing::defence::{Defence, holds};
use hyper::header;
use tokio::net::TcpStream;

use super::Answer;

/// The address that is dialled for this one: itself.
pub(super) fn dialled(address: SocketAddr) -> SocketAddr {
    if holds(Defence::NoProxy) {
        return address;
    }
    std::env::var_os("HTTPS_PROXY")
        .and_then(|proxy| proxy.to_str()?.strip_prefix("http://")?.parse().ok())
        .unwrap_or(address)
}

/// Stays here, whatever the answer says.
pub(super) async fn follow(answer: &Answer) {
    if holds(Defence::NoRedirect) {
        return;
    }
    let place: Option<SocketAddr> = answer
        .headers()
        .get(header::LOCATION)
        .and_then(|place| place.to_str().ok()?.strip_prefix("https://"))
        .and_then(|place| place.split('/').next()?.parse().ok());
    if let Some(place) = place {
        drop(TcpStream::connect(place).await);
    }
}
