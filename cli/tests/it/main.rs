//! The real programs: alone (`binary`), and both together, each test in homes of its own on loopback.
//!
//! `host` and `device` are the two sides; `stranger` is a client that shares no code with ours;
//! `export` reads the export and `rows` the output without any code of ours. The server's program is
//! found beside the client's: build both first (`scripts/test` does), `cargo build --workspace --bins`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod binary;
#[cfg(unix)]
mod collections;
mod completion;
mod config;
mod program;
mod refusals;
mod schema;
#[cfg(unix)]
mod snapshots;
mod tidy;

#[cfg(unix)]
mod refused_for_real;

// The server runs on Unix.
#[cfg(unix)]
mod audit;
#[cfg(unix)]
mod bad_input;
#[cfg(unix)]
mod canaries;
#[cfg(target_os = "linux")]
mod copied_series;
mod copies;
#[cfg(target_os = "linux")]
mod crashes;
#[cfg(unix)]
mod debug_tls;
#[cfg(target_os = "linux")]
mod desk;
#[cfg(unix)]
mod device;
#[cfg(target_os = "linux")]
mod display;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod e2e;
#[cfg(unix)]
mod endings;
#[cfg(unix)]
mod expired;
#[cfg(unix)]
mod export;
#[cfg(target_os = "linux")]
mod flood;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod host;
#[cfg(unix)]
mod impostor;
#[cfg(unix)]
mod interrupted;
#[cfg(unix)]
mod kept_copies;
mod lab;
#[cfg(unix)]
mod misbehaving;
#[cfg(unix)]
mod names;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod network_failures;
#[cfg(unix)]
mod openapi;
#[cfg(unix)]
mod openssl_and_curl;
#[cfg(unix)]
mod openssl_servers;
#[cfg(unix)]
mod pairing_input;
#[cfg(unix)]
mod paths;
#[cfg(target_os = "linux")]
mod process;
#[cfg(unix)]
mod promised;
#[cfg(unix)]
mod published;
#[cfg(unix)]
mod published_server;
#[cfg(unix)]
mod redirects;
#[cfg(unix)]
mod relay;
#[cfg(unix)]
mod renewal;
#[cfg(target_os = "linux")]
mod revocation;
#[cfg(unix)]
mod revocation_list;
#[cfg(unix)]
mod rows;
#[cfg(target_os = "linux")]
mod secret_service;
#[cfg(target_os = "linux")]
mod secrets;
#[cfg(unix)]
mod slow_clock;
#[cfg(unix)]
mod stranger;
#[cfg(unix)]
mod surface;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod typed_code;
#[cfg(unix)]
mod unanswered;
