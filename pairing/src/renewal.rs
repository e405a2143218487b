//! A new key and certificate for a client that is paired: the two messages and what each end checks.
//!
//! ```text
//! request  91 SPKI ‖ 64 signature
//! answer   u16 length ‖ leaf ‖ u64 renew after, Unix seconds
//! signature = ECDSA P-256 SHA-256, r ‖ s, by the new key over
//!             "healthsync renew v1" ‖ 0x00 ‖ EKM ‖ pair id ‖ SPKI
//! ```
//!
//! They cross a channel that the present key has authenticated. EKM is the exporter value of that
//! channel, so a signature is worth nothing on another one.

use rustls::ConnectionCommon;

use crate::{
    ca,
    certificate::{Certificate, Validity, check_leaf},
    credentials::ClientCredentials,
    device::{DeviceKey, InvalidKey, SPKI_LENGTH, verify_p256},
    id::{KeyDigest, PairId},
    secret::Secret,
    trust::Refusal,
};

/// The label of the TLS exporter.
const EXPORTER_LABEL: &[u8] = b"EXPERIMENTAL-healthsync-renew-v1";

/// Length of a request.
pub const REQUEST_LENGTH: usize = SPKI_LENGTH + 64;

/// No answer is longer.
pub const ANSWER_LIMIT: usize = 4096;

/// So long after its end a certificate may still be renewed.
pub const GRACE_SECONDS: i64 = 90 * 86_400;

/// A certificate that has run out is renewed once in so many seconds at most.
pub const LATE_INTERVAL_SECONDS: i64 = 3600;

/// A certificate that begins so much later is taken. One that begins later still would be of no use once
/// the server's clock, which must be wrong, is put right.
pub const SKEW_SECONDS: i64 = 86_400;

/// What binds a request to its channel.
pub fn exporter<Data>(connection: &ConnectionCommon<Data>) -> Result<[u8; 32], rustls::Error> {
    let mut value = [0; 32];
    connection.export_keying_material(&mut value, EXPORTER_LABEL, None)?;
    Ok(value)
}

/// A request as the server reads it; nothing in it is believed before [`Self::verify`].
#[derive(Clone, Debug)]
pub struct Request {
    spki: [u8; SPKI_LENGTH],
    signature: [u8; 64],
}

impl Request {
    /// Exactly [`REQUEST_LENGTH`] bytes.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let (spki, signature) = body
            .split_at_checked(SPKI_LENGTH)
            .ok_or(Refusal::NotProved)?;
        Ok(Self {
            spki: spki.try_into().map_err(|_| Refusal::NotProved)?,
            signature: signature.try_into().map_err(|_| Refusal::NotProved)?,
        })
    }

    /// Whether the new key is a P-256 key that signed for this channel and pair.
    pub fn verify(&self, exporter: &[u8; 32], pair: &PairId) -> Result<(), Refusal> {
        let message = message(exporter, pair, &self.spki);
        verify_p256(&self.spki, &message, &self.signature).map_err(|_| Refusal::NotProved)
    }

    /// The new key.
    pub const fn spki(&self) -> &[u8; SPKI_LENGTH] {
        &self.spki
    }

    /// Its digest.
    pub fn key(&self) -> KeyDigest {
        KeyDigest::of_spki(&self.spki)
    }
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reissued {
    /// For the new key, DER.
    pub leaf: Vec<u8>,
    /// A third of its life is left then, Unix seconds.
    pub renew_after: u64,
}

impl Reissued {
    /// As it goes over the wire.
    pub fn write(&self) -> Vec<u8> {
        let length = u16::try_from(self.leaf.len()).unwrap_or(u16::MAX);
        [
            &length.to_be_bytes()[..],
            &self.leaf,
            &self.renew_after.to_be_bytes(),
        ]
        .concat()
    }

    /// As it came over the wire.
    pub fn read(answer: &[u8]) -> Result<Self, UnusableAnswer> {
        let wrong = UnusableAnswer("it has another form");
        let (length, rest) = answer.split_first_chunk().ok_or(wrong)?;
        let (leaf, renew_after) = rest
            .split_at_checked(usize::from(u16::from_be_bytes(*length)))
            .ok_or(wrong)?;
        Ok(Self {
            leaf: leaf.to_vec(),
            renew_after: u64::from_be_bytes(renew_after.try_into().map_err(|_| wrong)?),
        })
    }
}

/// A client's new key, until a certificate for it is there.
#[derive(Debug)]
pub struct NewKey(DeviceKey);

/// The server's answer is not what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the new certificate cannot be used: {0}")]
pub struct UnusableAnswer(&'static str);

impl NewKey {
    /// A new one.
    pub fn generate() -> Result<Self, InvalidKey> {
        DeviceKey::generate().map(Self)
    }

    /// The request on this channel of this pair.
    pub fn request(&self, exporter: &[u8; 32], pair: &PairId) -> Result<Vec<u8>, InvalidKey> {
        let spki = self.0.spki();
        let signature = self.0.sign(&message(exporter, pair, &spki))?;
        Ok([&spki[..], &signature].concat())
    }

    /// The new credentials beside the present ones: same pair, same CA, new key and leaf. The
    /// answer must be a leaf of our CA for the new key and this pair that has not ended. One that begins
    /// a little later was made by a clock ahead of ours: the server's, and it is the server that judges it.
    pub fn accept(
        self,
        answer: &[u8],
        present: &ClientCredentials,
        now: i64,
    ) -> Result<ClientCredentials, UnusableAnswer> {
        let Reissued { leaf, .. } = Reissued::read(answer)?;
        match check_leaf(&leaf, &present.ca, false, now) {
            Validity::Valid | Validity::NotYetValid => {}
            Validity::Expired | Validity::Untrusted(_) => {
                return Err(UnusableAnswer(
                    "it does not have the agreed form, or has ended",
                ));
            }
        }
        let parsed = Certificate::from_der(&leaf).map_err(|_| UnusableAnswer("it is damaged"))?;
        if parsed.not_before.saturating_sub(now) > SKEW_SECONDS {
            return Err(UnusableAnswer("it begins more than a day from now"));
        }
        if parsed.key != self.0.digest() {
            return Err(UnusableAnswer("it is for another key"));
        }
        if parsed.san != [format!("URI:{}", ca::client_name(&present.pair))] {
            return Err(UnusableAnswer("it is for another pair"));
        }
        Ok(ClientCredentials {
            pair: present.pair,
            key: self.0,
            leaf,
            ca: present.ca.clone(),
            discovery_key: Secret::new(present.discovery_key.expose().to_vec()),
        })
    }
}

/// Whether a leaf should be renewed: less than a third of its life is left, give or take a
/// twentieth of the life that `chance` (any number) decides, so that devices paired together do
/// not come together.
pub fn is_due(leaf: &Certificate, now: i64, chance: u64) -> bool {
    let life = leaf.not_after - leaf.not_before;
    let jitter = (life / 20).max(1);
    let early = i64::try_from(chance % jitter.unsigned_abs()).unwrap_or(0);
    leaf.not_after - now < life / 3 + early
}

/// When people should be warned: renewal should have happened, and the end is near. Under 30
/// days, or under a third where the whole life is short.
pub fn is_late(leaf: &Certificate, now: i64) -> bool {
    let life = leaf.not_after - leaf.not_before;
    leaf.not_after - now < (30 * 86_400).min(life / 3)
}

/// Whether a certificate that has run out may still be renewed.
pub const fn is_in_grace(leaf: &Certificate, now: i64) -> bool {
    leaf.not_after < now && now - leaf.not_after <= GRACE_SECONDS
}

fn message(exporter: &[u8; 32], pair: &PairId, spki: &[u8; SPKI_LENGTH]) -> Vec<u8> {
    [&b"healthsync renew v1\0"[..], exporter, &pair.0, spki].concat()
}

#[cfg(test)]
mod tests;
