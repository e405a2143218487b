//! Who may talk to whom: pairing, certificates, keys, TLS.
//!
//! This crate knows no health data (the words for types in scopes and in the [`audit`] log are given
//! to it). It opens `trust.db` and the key file, and nothing else.
//! TLS is configured in [`tls`] alone; certificates are made in [`ca`] and [`device`] alone.

pub mod address;
pub mod audit;
pub mod ca;
pub mod certificate;
pub mod code;
pub mod credentials;
mod crl;
pub mod defence;
pub mod device;
pub mod discovery;
pub mod enroll;
pub mod environment;
pub mod id;
pub mod invite;
pub mod keystore;
pub mod qr;
pub mod renewal;
pub mod secret;
pub mod tls;
pub mod trust;
