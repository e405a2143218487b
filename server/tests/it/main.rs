//! The server as its clients meet it: real TLS, real pairs, real files.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod audit;
mod authz;
mod binary;
mod changes;
mod commands;
mod house;
mod killed;
mod limits;
mod packs;
mod renewal;
mod requests;
mod scopes;
mod strangers;
mod totals;
mod watch;
