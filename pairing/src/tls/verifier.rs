//! Judges a client's certificate at the handshake: against its pair's CA, then against the record.
//!
//! A certificate of this CA is not enough. The key must be, byte for byte, the one that the record
//! of this very pair names, and the record must be in a state that may enter.
//!
//! What depends on the key being *used* waits for the handshake's signature: anybody may have a copy
//! of a certificate. Then a newer key takes the place of the old one, and a key that gave way long
//! ago suspends its pair.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::{
    seen::{Leaf, Seen},
    server::Errand,
    unix_time,
};
use crate::{
    audit::{Event, Note},
    certificate::{JudgedCa, Validity},
    defence::{Defence, holds},
    environment::{Clock, Environment},
    id::{KeyDigest, PairId, sha256},
    renewal::GRACE_SECONDS,
    trust::{Entry, Registry, State},
};

#[derive(Debug)]
pub(super) struct PairVerifier {
    pair: PairId,
    ca: JudgedCa,
    errand: Errand,
    web_pki: Arc<dyn ClientCertVerifier>,
    registry: Arc<Registry>,
    seen: Arc<Seen>,
    clock: Arc<dyn Clock>,
}

impl PairVerifier {
    pub(super) fn new(
        pair: PairId,
        ca: &[u8],
        errand: Errand,
        registry: Arc<Registry>,
        seen: Arc<Seen>,
        environment: &Environment,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.to_vec()))?;
        let web_pki =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), super::provider())
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        Ok(Self {
            pair,
            ca: JudgedCa::new(ca),
            errand,
            web_pki,
            registry,
            seen,
            clock: Arc::clone(&environment.clock),
        })
    }

    fn read(&self, der: &CertificateDer<'_>) -> Result<Arc<Leaf>, CertificateError> {
        let leaf = self.seen.read(der);
        leaf.map_err(|_| CertificateError::BadEncoding)
    }

    fn check_record(&self, der: &CertificateDer<'_>, now: i64) -> Result<(), CertificateError> {
        let leaf = self.read(der)?;
        let refused = || CertificateError::ApplicationVerificationFailure;
        let entry = self.registry.entry(&self.pair).ok_or_else(refused)?;
        let place = Place::of(&leaf.key, &entry).ok_or_else(refused)?;
        let may_enter = match (entry.record.state, self.errand) {
            (State::Revoked, _) if holds(Defence::RevokedRefused) => {
                return Err(CertificateError::Revoked);
            }
            // Revoked ones come here in a build that breaks the arm above.
            (State::Active | State::Revoked, Errand::Data) => true,
            (State::Active | State::Revoked, Errand::Renewal) => place.is_last_issued(der, &entry),
            (State::Pending, Errand::Data) => entry.deadline.is_some_and(|deadline| now < deadline),
            (State::Pending, Errand::Renewal) | (State::Suspended, _) => false,
        };
        may_enter.then_some(()).ok_or_else(refused)
    }

    /// The time at which the leaf's dates are judged: now, but where one that has run out may be
    /// renewed, its last second.
    fn judged_at(&self, leaf: &CertificateDer<'_>, now: i64) -> Result<i64, CertificateError> {
        if self.errand == Errand::Data {
            return Ok(now);
        }
        let leaf = self.read(leaf)?;
        if now - leaf.not_after > GRACE_SECONDS && holds(Defence::GraceLimit) {
            return Err(CertificateError::Expired);
        }
        Ok(now.min(leaf.not_after))
    }

    /// The client has shown that it has the key.
    fn arrived(&self, leaf: &CertificateDer<'_>) -> Result<(), Error> {
        let refused = Error::from(CertificateError::ApplicationVerificationFailure);
        let leaf = self.read(leaf)?;
        let entry = self.registry.entry(&self.pair);
        let pair = self.pair;
        match entry.and_then(|entry| Place::of(&leaf.key, &entry)) {
            Some(Place::Present) => Ok(()),
            Some(Place::Next) => {
                let promoted = self.registry.promote(&pair, &leaf.key, self.clock.now());
                match promoted {
                    Ok(true) => {
                        tracing::info!(%pair, "a device uses its new key: the old one is retired");
                        let changed = Note::new(Event::KeyChanged).of(pair).by(leaf.key);
                        self.registry.audit().note(changed);
                        Ok(())
                    }
                    // Somebody else was faster: the record tells.
                    Ok(false) => match self.registry.entry(&pair) {
                        Some(entry) if entry.record.key == leaf.key => Ok(()),
                        _ => Err(refused),
                    },
                    Err(error) => {
                        tracing::error!(%error, %pair, "could not retire the old key of a device");
                        Err(Error::General(
                            "the device records cannot be written".to_owned(),
                        ))
                    }
                }
            }
            Some(Place::Retired) if !holds(Defence::RetiredKeys) => Err(refused),
            Some(Place::Retired) => {
                match self.registry.suspend(&pair) {
                    Ok(true) => {
                        tracing::warn!(
                            %pair,
                            key = %leaf.key,
                            "a retired key was used: somebody has a copy of it; the pair is suspended"
                        );
                        let suspended = Note::new(Event::Suspended).of(pair).by(leaf.key);
                        self.registry.audit().note(suspended);
                    }
                    Ok(false) => {}
                    Err(error) => tracing::error!(%error, %pair, "could not suspend a pair"),
                }
                Err(refused)
            }
            None => Err(refused),
        }
    }
}

/// Where a key stands in its pair's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Present,
    Next,
    Retired,
}

impl Place {
    fn of(key: &KeyDigest, entry: &Entry) -> Option<Self> {
        if entry.record.key == *key || !holds(Defence::ExactKey) {
            Some(Self::Present)
        } else if entry.next.as_ref().is_some_and(|next| next.key == *key) {
            Some(Self::Next)
        } else {
            entry.retired.contains(key).then_some(Self::Retired)
        }
    }

    /// Whether this is, byte for byte, the certificate last issued to the key. A retired key passes:
    /// it is judged when it is proved.
    fn is_last_issued(self, der: &[u8], entry: &Entry) -> bool {
        let issued = match self {
            Self::Present => Some(entry.leaf_digest),
            Self::Next => entry.next.as_ref().map(|next| next.leaf_digest),
            Self::Retired => return true,
        };
        issued == Some(sha256(der)) || !holds(Defence::LastIssuedLeaf)
    }
}

impl ClientCertVerifier for PairVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.web_pki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        // webpki checks neither the dates nor the profile of a trust anchor. The profile was judged when
        // the configuration was made.
        match self.ca.at(seconds) {
            Validity::Valid => {}
            _ if !holds(Defence::CaChecked) => {}
            Validity::Expired => return Err(CertificateError::Expired.into()),
            Validity::NotYetValid => return Err(CertificateError::NotValidYet.into()),
            Validity::Untrusted(_) => return Err(CertificateError::UnknownIssuer.into()),
        }
        let dates = unix_time(self.judged_at(end_entity, seconds)?).unwrap_or(now);
        let verified = match self
            .web_pki
            .verify_client_cert(end_entity, intermediates, dates)
        {
            Err(_) if !holds(Defence::CaOfThisPair) => ClientCertVerified::assertion(),
            judged => judged?,
        };
        self.check_record(end_entity, seconds)?;
        if !holds(Defence::SuspendAfterProof) {
            self.arrived(end_entity)?;
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = match self
            .web_pki
            .verify_tls13_signature(message, certificate, signature)
        {
            Err(_) if !holds(Defence::ProofOfPossession) => HandshakeSignatureValid::assertion(),
            judged => judged?,
        };
        self.arrived(certificate)?;
        Ok(verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web_pki.supported_verify_schemes()
    }
}
