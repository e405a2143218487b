//! The pairing protocol of docs/protocol.md: frames, proofs, and both state machines.
//!
//! ```text
//! host:    trust -> desk (the window, one lock) <- serve (one connection) -+
//!                     codes                                                +- frame, transcript, wire
//! client:  client (dial, ask, check)                                       +- pake (typed codes)
//! ```

mod check;
pub mod client;
pub(crate) mod codes;
pub(crate) mod desk;
mod dial;
pub mod frame;
pub mod host;
pub mod name;
#[cfg_attr(not(feature = "typed-code"), path = "pake_left_out.rs")]
pub mod pake;
mod refused;
pub(crate) mod serve;
pub mod transcript;
mod wire;
