//! What health data is: reading exports, keeping samples, answering queries, writing formats.
//!
//! This crate knows no network, no TLS and no terminal. Of files it opens only SQLite databases;
//! importers get readers. See `ARCHITECTURE.md` for the way of a sample through the crate.

pub mod aggregate;
pub mod api;
pub mod batch;
pub mod change;
pub mod correlation;
pub mod document;
pub mod format;
pub mod identity;
pub mod import;
mod json;
pub mod kind;
pub mod query;
pub mod replica;
pub mod report;
pub mod sample;
pub mod series;
pub mod store;
pub mod time;
pub mod unit;
mod varint;
pub mod workout;
