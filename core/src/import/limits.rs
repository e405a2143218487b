//! Bounds that no real export reaches, so that a hostile one cannot fill the memory.

use std::borrow::Cow;

/// Bytes of one tag, comment or text.
pub(super) const TOKEN: usize = 2 << 20;

/// Bytes before the root element.
pub(super) const PROLOG: usize = 1 << 20;

/// Open elements.
pub(super) const DEPTH: usize = 32;

/// Beats, statistics, events or members of one element.
pub(super) const PARTS: usize = 20_000;

/// Bytes of metadata of one child of the root, with all that it holds.
pub(super) const METADATA: usize = 256 << 10;

/// Bytes of a name: of a type, a unit, a category, a source, a device.
pub(super) const NAME: usize = 1024;

/// Entries of a cache of texts that repeat; a full one begins anew.
pub(super) const CACHE: usize = 512;

/// Metadata entries of one element.
pub(super) const ENTRIES: usize = 1000;

/// Points of one route: four days and more at one a second.
pub(super) const POINTS: usize = 400_000;

/// Bytes of one series, encoded; and of all routes that stand in one workout.
pub(super) const SERIES: usize = 16 << 20;

/// Files that an export refers to, and bytes of the names and elements that do.
pub(super) const REFERENCES: usize = 100_000;
pub(super) const REFERENCE_BYTES: usize = 32 << 20;

/// Bytes of one FHIR resource.
pub(super) const RESOURCE: u64 = 8 << 20;

/// The text, or as much of it as a name may have.
pub(super) fn name(text: &str) -> &str {
    text.get(..text.floor_char_boundary(NAME))
        .unwrap_or_default()
}

/// A foreign name that is short and plain enough to be told.
pub(super) fn plain(name: &str) -> Cow<'_, str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if !name.is_empty() && name.len() <= 80 && name.chars().all(good) {
        Cow::Borrowed(name)
    } else {
        Cow::Borrowed("(a name that is not plain)")
    }
}
