//! Bounds that no real export reaches, so that a hostile one cannot fill the memory.

/// Bytes of one tag, comment or text.
pub(super) const TOKEN: usize = 4 << 20;

/// Bytes before the root element.
pub(super) const PROLOG: usize = 1 << 20;

/// Open elements.
pub(super) const DEPTH: usize = 32;

/// Beats, statistics, events or members of one element.
pub(super) const PARTS: usize = 20_000;

/// Bytes of metadata of one element.
pub(super) const METADATA: usize = 1 << 20;

/// Entries of a cache of texts that repeat; a full one begins anew.
pub(super) const CACHE: usize = 2048;

/// Metadata entries of one element.
pub(super) const ENTRIES: usize = 1000;
