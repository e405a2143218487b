//! Every TLS configuration of the project. TLS 1.3 alone, no tickets, no resumption, no early data.

pub mod client;
pub mod door;
pub mod failure;
