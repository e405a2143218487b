//! Integration tests of the trust layer: one binary, one module a subject.

mod secret_confinement;
#[cfg(target_os = "linux")]
mod secret_service;
mod vectors;
