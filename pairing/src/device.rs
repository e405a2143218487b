//! A P-256 key pair that is born here and never leaves, and the signatures of such keys.
//!
//! Public keys have one form only: the 91-byte DER `SubjectPublicKeyInfo` (RFC 5480) whose first
//! 27 bytes never change. So no parser of foreign keys is needed, and no key has two digests.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED,
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
        ParsedPublicKey, VerificationAlgorithm,
    },
};

use crate::{
    defence::{Defence, holds},
    id::KeyDigest,
    secret::Secret,
};

/// Length of a DER `SubjectPublicKeyInfo` of P-256.
pub const SPKI_LENGTH: usize = 91;

/// A P-256 key pair.
pub struct DeviceKey {
    pkcs8: Secret,
    pair: EcdsaKeyPair,
}

/// The key could not be made or read.
#[derive(Debug, thiserror::Error)]
#[error("the key is not a P-256 key")]
pub struct InvalidKey;

/// The signature was not made by this key, or the key is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not match the key")]
pub struct InvalidSignature;

impl DeviceKey {
    /// A new one.
    pub fn generate() -> Result<Self, InvalidKey> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| InvalidKey)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| InvalidKey)?;
        Ok(Self {
            pkcs8: Secret::new(pkcs8.as_ref().to_vec()),
            pair,
        })
    }

    /// From PKCS#8 DER.
    pub fn from_pkcs8(pkcs8: Secret) -> Result<Self, InvalidKey> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose())
            .map_err(|_| InvalidKey)?;
        Ok(Self { pkcs8, pair })
    }

    /// PKCS#8 DER, for the key store only.
    pub fn pkcs8(&self) -> &Secret {
        &self.pkcs8
    }

    /// The 91-byte DER `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> [u8; SPKI_LENGTH] {
        let mut spki = [0; SPKI_LENGTH];
        for (to, from) in spki
            .iter_mut()
            .zip(SPKI_PREFIX.iter().chain(self.point().iter().skip(1)))
        {
            *to = *from;
        }
        spki
    }

    /// Digest of it.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of_spki(&self.spki())
    }

    /// ECDSA P-256 SHA-256, `r ‖ s`.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], InvalidKey> {
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| InvalidKey)?;
        signature.as_ref().try_into().map_err(|_| InvalidKey)
    }

    /// The same as DER, as certificates hold it.
    pub fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, InvalidKey> {
        const DER: &EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        EcdsaKeyPair::from_pkcs8(DER, self.pkcs8.expose())
            .map_err(|_| InvalidKey)?
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| InvalidKey)
    }

    /// `04 ‖ x ‖ y`.
    fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.digest())
    }
}

/// Lets `rcgen` name this key in a certificate without a copy of it.
impl rcgen::PublicKeyData for DeviceKey {
    fn der_bytes(&self) -> &[u8] {
        self.point()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// Lets `rcgen` sign certificates with this key without a copy of it.
impl rcgen::SigningKey for DeviceKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.sign_der(message)
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// Whether `spki` is a P-256 key in the one form that we take: 91 bytes, a point on the curve.
pub fn is_p256(spki: &[u8]) -> bool {
    public_key(&ECDSA_P256_SHA256_FIXED, spki).is_ok()
}

/// Checks an ECDSA P-256 SHA-256 signature `r ‖ s` by the key `spki`.
pub fn verify_p256(spki: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
    public_key(&ECDSA_P256_SHA256_FIXED, spki)?
        .verify_sig(message, signature)
        .map_err(|_| InvalidSignature)
}

/// The same for a signature in DER, as certificates hold it.
pub(crate) fn verify_p256_der(
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), InvalidSignature> {
    public_key(&ECDSA_P256_SHA256_ASN1, spki)?
        .verify_sig(message, signature)
        .map_err(|_| InvalidSignature)
}

fn public_key(
    algorithm: &'static dyn VerificationAlgorithm,
    spki: &[u8],
) -> Result<ParsedPublicKey, InvalidSignature> {
    // The last byte of the prefix is the first of the point: 4, uncompressed.
    let (prefix, coordinates) = spki
        .split_at_checked(SPKI_PREFIX.len())
        .ok_or(InvalidSignature)?;
    let point = spki.get(SPKI_PREFIX.len() - 1..).ok_or(InvalidSignature)?;
    let is_ours = prefix == SPKI_PREFIX || !holds(Defence::KeyForm);
    if !is_ours || coordinates.len() != 64 {
        return Err(InvalidSignature);
    }
    ParsedPublicKey::new(algorithm, point).map_err(|_| InvalidSignature)
}

/// `SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING }` up to the point's tag.
const SPKI_PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, Ed25519KeyPair};

    use super::*;

    #[test]
    fn a_key_comes_back_from_pkcs8() {
        let key = DeviceKey::generate().unwrap();
        let again = DeviceKey::from_pkcs8(Secret::new(key.pkcs8().expose().to_vec())).unwrap();
        assert_eq!(again.spki(), key.spki());
        assert_eq!(key.digest(), KeyDigest::of_spki(&key.spki()));
        assert!(key.pkcs8().expose().len() <= 138);
        assert!(!format!("{key:?}").contains("pkcs8"));
    }

    #[test]
    fn the_spki_is_what_x509_says() {
        let key = DeviceKey::generate().unwrap();
        let by_rcgen = rcgen::PublicKeyData::subject_public_key_info(&key);
        assert_eq!(key.spki().as_slice(), by_rcgen);
    }

    #[test]
    fn foreign_private_keys_are_refused() {
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        let own = DeviceKey::generate().unwrap();
        let mut cut = own.pkcs8().expose().to_vec();
        cut.truncate(100);
        for wrong in [
            p384.to_pkcs8v1().unwrap().as_ref().to_vec(),
            ed25519.to_pkcs8v1().unwrap().as_ref().to_vec(),
            cut,
            Vec::new(),
        ] {
            assert!(DeviceKey::from_pkcs8(Secret::new(wrong)).is_err());
        }
    }

    #[test]
    fn signatures_are_checked() {
        let key = DeviceKey::generate().unwrap();
        let other = DeviceKey::generate().unwrap();
        let signature = key.sign(b"message").unwrap();
        assert_eq!(verify_p256(&key.spki(), b"message", &signature), Ok(()));

        let mut flipped = signature;
        flipped[40] ^= 1;
        let der = key.sign_der(b"message").unwrap();
        assert_eq!(verify_p256_der(&key.spki(), b"message", &der), Ok(()));
        for (spki, message, signature) in [
            (key.spki(), &b"another"[..], &signature[..]),
            (other.spki(), b"message", &signature),
            (key.spki(), b"message", &flipped),
            (key.spki(), b"message", &signature[..63]),
            (key.spki(), b"message", &[0; 64]),
            (key.spki(), b"message", &der),
            (key.spki(), b"message", &[]),
        ] {
            assert_eq!(
                verify_p256(&spki, message, signature),
                Err(InvalidSignature)
            );
        }
    }

    #[test]
    fn only_one_form_of_a_public_key_is_taken() {
        let key = DeviceKey::generate().unwrap();
        let good = key.spki();
        let signature = key.sign(b"message").unwrap();
        let changed = |position: usize, value: u8| {
            let mut spki = good.to_vec();
            spki[position] = value;
            spki
        };
        let compressed = {
            // The same point with its short form: 33 bytes, lengths adapted.
            let mut spki = SPKI_PREFIX[..26].to_vec();
            (spki[1], spki[24]) = (0x39, 0x22);
            spki.push(2 + (good[90] & 1));
            spki.extend_from_slice(&good[27..59]);
            spki
        };
        for wrong in [
            Vec::new(),
            good[..90].to_vec(),
            [&good[..], &[0]].concat(),
            changed(22, 0x08),                   // another curve
            changed(26, 0x06),                   // hybrid point
            changed(90, good[90] ^ 1),           // off the curve
            [&good[..27], &[0; 64]].concat(),    // not a point
            [&good[..27], &[0xff; 64]].concat(), // coordinates beyond the field
            good[26..].to_vec(),                 // the bare point
            compressed,
        ] {
            assert!(!is_p256(&wrong));
            assert_eq!(
                verify_p256(&wrong, b"message", &signature),
                Err(InvalidSignature)
            );
        }
        assert!(is_p256(&good));
    }
}
