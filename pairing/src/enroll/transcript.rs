//! Transcript hash, key schedule, tag, proofs, digits, pair id; no I/O.
//!
//! Everything is bound to one TLS channel by its exporter value (RFC 9266's advice: a label of our
//! own, used as a salt and never as a key), and to all frames so far by their hash.

use aws_lc_rs::{
    constant_time, digest,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};

use super::frame::Malformed;
use crate::{
    defence::{Defence, holds},
    id::{KeyDigest, PairId},
    secret::Secret,
};

/// The label of the TLS exporter.
pub const EXPORTER_LABEL: &[u8] = b"EXPERIMENTAL-healthsync-pair-v1";

/// The state of one exchange at one end.
pub struct Transcript {
    exporter: [u8; 32],
    key: Prk,
    hash: digest::Context,
    /// What must never be a message.
    #[cfg(healthsync_break)]
    plain: [u8; 32],
}

impl Transcript {
    /// Starts with what the channel gives (exporter value, key of its pairing certificate) and
    /// what both people's devices share: the invitation's secret, or the result of SPAKE2.
    pub fn new(exporter: [u8; 32], server_key: &KeyDigest, shared: &Secret) -> Self {
        let exporter = bound(exporter);
        let key = Salt::new(HKDF_SHA256, &exporter).extract(shared.expose());
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"healthsync pair v1");
        hash.update(&bound(server_key.0));
        Self {
            exporter,
            key,
            hash,
            #[cfg(healthsync_break)]
            plain: std::array::from_fn(|at| shared.expose().get(at).copied().unwrap_or(0)),
        }
    }

    /// Adds a whole frame, exactly as it went over the wire.
    pub fn add(&mut self, frame: &[u8]) {
        self.hash.update(frame);
    }

    /// The tag of a Hello whose frame without the tag is `hello`; nothing was added before it.
    pub fn hello_tag(&self, hello: &[u8]) -> Result<[u8; 32], Malformed> {
        #[cfg(healthsync_break)]
        if !holds(Defence::SecretDerived) {
            return Ok(self.plain);
        }
        let mut hash = self.hash.clone();
        hash.update(hello);
        self.derive("hello", &finish(hash)?)
    }

    /// The proof in F3; F1 and F2 were added.
    pub fn client_proof(&self) -> Result<[u8; 32], Malformed> {
        self.derive("client proof", &self.now()?)
    }

    /// The proof in F4; F1 to F3 were added.
    pub fn server_proof(&self) -> Result<[u8; 32], Malformed> {
        self.derive("server proof", &self.now()?)
    }

    /// What the new key signs in F5; F1 to F4 were added.
    pub fn enrol_message(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        Ok([b"healthsync pair v1 enrol\0", &self.now()?[..], body].concat())
    }

    /// What the old key signs in F5; F1 to F4 were added.
    pub fn replace_message(&self, body: &[u8]) -> Result<Vec<u8>, Malformed> {
        Ok([b"healthsync pair v1 replace\0", &self.now()?[..], body].concat())
    }

    /// The six digits; F1 to F5 were added, `server_nonce` is nS of F6.
    pub fn digits(&self, server_nonce: &[u8; 32]) -> Result<String, Malformed> {
        let context = [&self.now()?[..], server_nonce].concat();
        let number = u64::from_be_bytes(self.derive("digits", &context)?);
        Ok(format!("{:06}", number % 1_000_000))
    }

    /// The pair's id; F1 to F6 were added.
    pub fn pair_id(&self) -> Result<PairId, Malformed> {
        Ok(PairId(self.derive("pair id", &self.now()?)?))
    }

    /// The key that marks announcements; F1 to F6 were added.
    pub fn discovery_key(&self) -> Result<Secret, Malformed> {
        let key: [u8; 32] = self.derive("discovery key", &self.now()?)?;
        Ok(Secret::new(key.to_vec()))
    }

    /// The server's commitment to nS.
    pub fn commit(&self, server_nonce: &[u8; 32]) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        if !holds(Defence::CommitHides) {
            return *server_nonce;
        }
        hash.update(b"healthsync pair v1 commit\0");
        hash.update(&self.exporter);
        hash.update(server_nonce);
        // SHA-256 gives 32 bytes; were it not so, the zeros would match no peer's commitment.
        finish(hash).unwrap_or_default()
    }

    fn now(&self) -> Result<[u8; 32], Malformed> {
        finish(self.hash.clone())
    }

    /// `D(label, x, n)`: HKDF-Expand (RFC 5869).
    fn derive<const N: usize>(&self, label: &str, context: &[u8]) -> Result<[u8; N], Malformed> {
        let info = [b"healthsync pair v1 ", label.as_bytes(), &[0], context];
        let mut derived = [0; N];
        self.key
            .expand(&info, Length(N))
            .and_then(|value| value.fill(&mut derived))
            .map_err(|_| Malformed)?;
        Ok(derived)
    }
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transcript(..)")
    }
}

/// A value of the channel, as it goes into what is derived.
pub(super) fn bound(value: [u8; 32]) -> [u8; 32] {
    if holds(Defence::ChannelBinding) {
        value
    } else {
        [0; 32]
    }
}

/// Whether two secret values are equal, in constant time.
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

fn finish(hash: digest::Context) -> Result<[u8; 32], Malformed> {
    hash.finish().as_ref().try_into().map_err(|_| Malformed)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
