//! The certificate authority of one pair: the only place that makes certificates.
//! Profiles as in docs/protocol.md (PAIRING.md §2).
