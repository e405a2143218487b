//! Judges a client's certificate at the handshake: against its pair's CA, then against the record.
//!
//! A certificate of this CA is not enough. The key must be, byte for byte, the one that the record
//! of this very pair names, and the record must be in a state that may enter.

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

use crate::{
    certificate::{Certificate, Validity, check_ca},
    id::PairId,
    trust::{Registry, State},
};

#[derive(Debug)]
pub(super) struct PairVerifier {
    pair: PairId,
    ca: Vec<u8>,
    web_pki: Arc<dyn ClientCertVerifier>,
    registry: Arc<Registry>,
}

impl PairVerifier {
    pub(super) fn new(pair: PairId, ca: &[u8], registry: Arc<Registry>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.to_vec()))?;
        let web_pki =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), super::provider())
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
        Ok(Self {
            pair,
            ca: ca.to_vec(),
            web_pki,
            registry,
        })
    }

    fn check_record(&self, leaf: &CertificateDer<'_>, now: i64) -> Result<(), CertificateError> {
        let leaf = Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let entry = self
            .registry
            .entry(&self.pair)
            .filter(|entry| entry.record.key == leaf.key)
            .ok_or(CertificateError::ApplicationVerificationFailure)?;
        match entry.record.state {
            State::Active => Ok(()),
            State::Pending if entry.deadline.is_some_and(|deadline| now < deadline) => Ok(()),
            State::Pending | State::Suspended => {
                Err(CertificateError::ApplicationVerificationFailure)
            }
            State::Revoked => Err(CertificateError::Revoked),
        }
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
        // webpki checks neither the dates nor the profile of a trust anchor.
        match check_ca(&self.ca, seconds) {
            Validity::Valid => {}
            Validity::Expired => return Err(CertificateError::Expired.into()),
            Validity::NotYetValid => return Err(CertificateError::NotValidYet.into()),
            Validity::Untrusted(_) => return Err(CertificateError::UnknownIssuer.into()),
        }
        let verified = self
            .web_pki
            .verify_client_cert(end_entity, intermediates, now)?;
        self.check_record(end_entity, seconds)?;
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
        self.web_pki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web_pki.supported_verify_schemes()
    }
}
