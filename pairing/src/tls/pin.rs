//! The new device's channel to a pairing window: exactly the key in the invitation, or with a typed
//! code any P-256 key, which the exchange is then bound to; and nothing else about its certificate.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{PAIRING, trace::Trace, watched::tell_extra};
use crate::{
    certificate::Certificate,
    defence::{Defence, holds},
    environment::Environment,
    id::KeyDigest,
};

/// TLS 1.3 to the window whose key has this digest, or to any: no server name, one ALPN name, no
/// resumption.
pub(crate) fn configuration(
    key: Option<KeyDigest>,
    environment: &Environment,
    trace: &Trace,
) -> Result<Arc<ClientConfig>, Error> {
    let provider = super::provider();
    let verifier = PinnedKey {
        key,
        provider: Arc::clone(&provider),
        trace: trace.clone(),
    };
    let mut configuration = ClientConfig::builder_with_details(provider, super::time(environment))
        .with_protocol_versions(super::versions())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    configuration.alpn_protocols = vec![PAIRING.to_vec()];
    configuration.enable_sni = false;
    configuration.resumption = Resumption::disabled();
    configuration.enable_early_data = false;
    Ok(Arc::new(configuration))
}

#[derive(Debug)]
struct PinnedKey {
    key: Option<KeyDigest>,
    provider: Arc<CryptoProvider>,
    trace: Trace,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Certificate::from_der(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        // Other kinds of keys fail at the signature, for which one scheme is offered.
        let is_pinned = self.key.is_none_or(|key| found.key == key);
        tell_extra(&self.trace, end_entity);
        self.trace.tell("verification", || {
            let against = match self.key {
                Some(_) => "the key in the code",
                None => "nothing yet: the typed code decides",
            };
            vec![("against", against.into()), ("passed", is_pinned.into())]
        });
        if is_pinned || !holds(Defence::SpkiPin) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
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
        if !holds(Defence::WindowSignature) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        // The right certificate without its key is as wrong as another one.
        verify_tls13_signature(message, certificate, signature, algorithms)
            .map_err(|_| CertificateError::ApplicationVerificationFailure.into())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
