//! Unit conversion: whatever an export prints, the store keeps canonical units.
