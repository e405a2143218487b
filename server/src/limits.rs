//! How much of everything the server allows. Arguments, so that tests need not wait.

use std::time::Duration;

use crate::rate::Rate;

/// Times, sizes and numbers that bound what a peer can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request's header to its last, and the wait for a next request on
    /// HTTP/1.1.
    pub header: Duration,
    /// To read the body of a request.
    pub body: Duration,
    /// A connection without a request.
    pub idle: Duration,
    /// An answer of which the client takes nothing.
    pub stall: Duration,
    /// Answers under way when the server stops.
    pub farewell: Duration,
    /// Bytes of a request's header.
    pub header_bytes: u32,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Connections that have not shown a certificate yet.
    pub strangers: usize,
    /// The same from one address (IPv6: one /64).
    pub strangers_per_address: usize,
    /// Connections of paired devices.
    pub guests: usize,
    /// Answers that read the store at once.
    pub scans: usize,
    /// Requests that wait for a change at once.
    pub waits: usize,
    /// The same of one device.
    pub waits_per_pair: usize,
    /// How often one device may ask; `None`: as often as it likes.
    pub rate: Option<Rate>,
}

impl Limits {
    /// The limits of a real server.
    pub const fn standard() -> Self {
        Self {
            header: Duration::from_secs(5),
            body: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            stall: Duration::from_mins(2),
            farewell: Duration::from_secs(5),
            header_bytes: 16 * 1024,
            body_bytes: 1024 * 1024,
            streams: 32,
            strangers: 256,
            strangers_per_address: 32,
            guests: 512,
            scans: 16,
            waits: 64,
            waits_per_pair: 4,
            rate: None,
        }
    }
}
