//! The pairing protocol of docs/protocol.md: frames, proofs, and both state machines.

pub mod client;
pub mod frame;
pub mod host;
pub mod name;
pub mod transcript;
