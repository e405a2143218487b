//! In the place of `pake` in a build without typed codes: nothing can be started.

use std::convert::Infallible;

use super::frame::Malformed;
use crate::{
    code::TypedCode,
    environment::{Entropy, EntropyUnavailable},
    secret::Secret,
};

/// Whether this build pairs by typed codes.
pub const AVAILABLE: bool = false;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The new device.
    Client,
    /// The host.
    Server,
}

/// Never there.
#[derive(Debug)]
pub struct Pake(Infallible);

impl Pake {
    /// Always refused.
    pub const fn start(
        _side: Side,
        _code: &TypedCode,
        _exporter: &[u8; 32],
        _entropy: &dyn Entropy,
    ) -> Result<(Self, Vec<u8>), EntropyUnavailable> {
        Err(EntropyUnavailable)
    }

    /// Never called.
    pub const fn finish(self, _share: &[u8]) -> Result<Secret, Malformed> {
        match self.0 {}
    }
}
