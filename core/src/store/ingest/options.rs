//! What an import may do, and whom it asks.

use std::{fmt, io, sync::Arc};

/// What an import may do.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option that a person gives or not"
)]
pub struct ImportOptions {
    /// Keep what a cut-off file held.
    pub keep_partial: bool,
    /// Records that name their origin themselves (those of our own CSV) keep it.
    pub keep_origins: bool,
    /// Keep who the person is: personal details, names and birth dates.
    pub with_identity: bool,
    /// Do all of it, tell what it did, and take it back.
    pub dry_run: bool,
    /// Delete what a complete and newer export no longer holds.
    pub prune: Option<Consent>,
    /// Says whether the file is still the one that was opened.
    pub settled: Option<Settled>,
}

/// Asked before many rows are deleted.
#[derive(Clone)]
pub struct Consent(Arc<dyn Fn(Deletion) -> bool + Send + Sync>);

impl Consent {
    /// `ask` says whether so much may be deleted; it is only asked above a hundredth of the rows.
    pub fn new(ask: impl Fn(Deletion) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(super) fn ask(&self, deletion: Deletion) -> bool {
        (self.0)(deletion)
    }
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Consent")
    }
}

/// How much a prune would delete, of one origin and one format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Rows of any noun that the export no longer holds.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
}

impl Deletion {
    /// Whether it is so much that somebody should look: more than a hundredth.
    pub fn is_large(self) -> bool {
        self.rows > self.of / 100
    }
}

/// Asked before a file is taken for whole.
#[derive(Clone)]
pub struct Settled(Arc<dyn Fn() -> io::Result<bool> + Send + Sync>);

impl Settled {
    /// `look` says whether length and time of the file are those that it had when it was opened.
    pub fn new(look: impl Fn() -> io::Result<bool> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub(super) fn look(&self) -> io::Result<bool> {
        (self.0)()
    }
}

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settled")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundredth_is_not_much() {
        let is_large = |rows, of| Deletion { rows, of }.is_large();
        assert!(!is_large(0, 0) && !is_large(1, 100) && !is_large(10, 1000));
        assert!(is_large(1, 99) && is_large(11, 1000) && is_large(u64::MAX, u64::MAX));
    }
}
