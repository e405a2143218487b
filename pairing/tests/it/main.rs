//! Integration tests of the trust layer: one binary, one module a subject.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on says so and stops"
)]

mod audit;
mod crash_points;
mod data_port;
mod defences;
mod discovery;
mod downgrade;
mod errors;
mod expiry;
mod fake;
mod foreign_server;
mod hello_retry;
mod host;
mod life;
mod middle;
mod misbehaving_client;
mod misbehaving_server;
mod names;
mod pairing;
mod photo_race;
#[cfg(feature = "typed-code")]
mod relay;
mod renewal;
mod revocation;
mod rogue_qr;
mod secret_confinement;
#[cfg(target_os = "linux")]
mod secret_service;
mod seeded;
#[cfg(feature = "typed-code")]
mod typed_code;
#[cfg(feature = "typed-code")]
mod typed_ends;
mod vectors;
