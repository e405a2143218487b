//! The QR code as modules, for a terminal or a picture.

use crate::secret::Secret;

/// The modules of a code, quiet zone not included.
#[derive(Debug)]
pub struct QrCode {
    /// Modules a side.
    pub width: usize,
    /// Row by row, true is dark.
    pub dark: Vec<bool>,
}

impl QrCode {
    /// Level L, smallest version (5 for 154 alphanumeric characters).
    pub fn new(_text: &Secret) -> Option<Self> {
        todo!()
    }

    /// Lines of half blocks with explicit black on white and this quiet zone (45 x 23 with 4
    /// modules at version 5). With `colour` false, plain block characters for a light-on-dark
    /// terminal are not attempted: the colours are part of the code, so NO_COLOR does not apply.
    pub fn terminal(&self, _quiet: usize) -> Vec<String> {
        todo!()
    }
}
