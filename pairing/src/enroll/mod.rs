//! The pairing protocol of docs/protocol.md: frames, proofs, and both state machines.
//!
//! ```text
//! host:    trust -> desk (the window, one lock) <- serve (one connection) -+
//! client:  client (dial, ask, check)                                       +- frame, transcript, wire
//! ```

mod check;
pub mod client;
pub(crate) mod desk;
pub mod frame;
pub mod host;
pub mod name;
mod refused;
pub(crate) mod serve;
pub mod transcript;
mod wire;
