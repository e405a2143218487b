//! The server: keeps health data and serves it to paired devices over mutual TLS.
//!
//! [`commands`] are what a person runs; [`listen`] takes connections, [`connection`] serves one,
//! [`gate`] checks each request, [`routes`] answer it. [`control`] is how commands reach a running
//! server. The crate puts `healthsync-core` (data) and `healthsync-pairing` (trust) together.

pub mod addresses;
pub mod advertise;
pub mod app;
pub mod args;
pub mod body;
pub mod commands;
pub mod config;
pub mod connection;
pub mod control;
pub mod crowd;
pub mod descriptors;
pub mod error;
pub mod gate;
pub mod guest;
pub mod http1;
pub mod keyboard;
pub mod limits;
pub mod listen;
pub mod log;
pub mod lull;
pub mod news;
pub mod notices;
pub mod packing;
pub mod passphrase;
pub mod permit;
pub mod present;
pub mod printer;
pub mod question;
pub mod rate;
pub mod refusal;
pub mod routes;
pub mod settings;
pub mod strangers;
pub mod watch;
pub mod withheld;
pub mod witness;
