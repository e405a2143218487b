//! Whole files through the whole crate.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod answers;
mod bad_input;
mod beside;
mod documents;
mod everything;
mod export;
mod fixtures;
mod generated;
mod health_auto_export;
mod health_auto_export_doses;
mod health_auto_export_events;
mod health_auto_export_forms;
mod health_connect;
mod health_connect_events;
mod identity;
mod import;
mod limits;
mod panics;
mod prune;
mod random_rows;
mod round_trip;
