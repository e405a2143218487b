//! Transcript hash, key schedule, tags, proofs, digits, pair id; no I/O.
