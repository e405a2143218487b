//! Judges a server: the pinned CA alone is trusted.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{
    client::ConfigurationError,
    failure::{PinError, cause},
    trace::Trace,
    watched::{tell_ca, tell_extra, tell_leaf},
};
use crate::{
    certificate::{Certificate, Validity, check_ca},
    defence::{Defence, holds},
};

/// Trusts one CA and checks that CA itself, which webpki does not do for a trust anchor.
#[derive(Debug)]
pub(super) struct PinnedCa {
    ca: Vec<u8>,
    web_pki: Arc<WebPkiServerVerifier>,
    trace: Trace,
}

impl PinnedCa {
    pub(super) fn new(ca: &[u8], trace: &Trace) -> Result<Self, ConfigurationError> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(ca.to_vec()))
            .map_err(|error| ConfigurationError(error.into()))?;
        let web_pki =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider())
                .build()
                .map_err(|error| ConfigurationError(error.into()))?;
        Ok(Self {
            ca: ca.to_vec(),
            web_pki,
            trace: trace.clone(),
        })
    }

    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match check_ca(&self.ca, seconds(now)) {
            Validity::Valid => {}
            Validity::Expired => return Err(pinned(PinError::CaExpired)),
            Validity::NotYetValid => return Err(pinned(PinError::CaNotYetValid)),
            Validity::Untrusted(_) if !holds(Defence::CaProfile) => {}
            Validity::Untrusted(_) => return Err(pinned(PinError::CaProfile)),
        }
        let verified = self.web_pki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if verified.as_ref().is_err_and(|error| !matters(error)) {
            return Ok(ServerCertVerified::assertion());
        }
        verified.map_err(|error| better(error, end_entity, intermediates, server_name))
    }
}

/// What webpki knows no word for.
fn better(
    error: rustls::Error,
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> rustls::Error {
    use CertificateError as Why;
    let signed_itself = |der: &CertificateDer<'_>| {
        Certificate::from_der(der).is_ok_and(|found| found.issuer == found.subject)
    };
    match error {
        // webpki calls a self-signed CA that serves "CA used as end entity".
        rustls::Error::InvalidCertificate(Why::UnknownIssuer | Why::Other(_))
            if signed_itself(leaf) =>
        {
            pinned(PinError::SelfSigned)
        }
        rustls::Error::InvalidCertificate(Why::UnknownIssuer | Why::BadSignature)
            if above.iter().any(signed_itself) =>
        {
            pinned(PinError::SelfSignedAbove)
        }
        // The CA may sign for the names of its pair alone, and that is looked at before the name.
        rustls::Error::InvalidCertificate(Why::Other(_)) if !is_for(leaf, name) => {
            Why::NotValidForName.into()
        }
        other => other,
    }
}

fn is_for(leaf: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let wanted = format!("DNS:{}", name.to_str());
    Certificate::from_der(leaf).is_ok_and(|leaf| leaf.san.contains(&wanted))
}

impl ServerCertVerifier for PinnedCa {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = self.judge(end_entity, intermediates, server_name, ocsp_response, now);
        if self.trace.is_on() {
            let (trace, at) = (&self.trace, seconds(now));
            tell_leaf(trace, end_entity, &self.ca, Some(&server_name.to_str()), at);
            for extra in intermediates {
                tell_extra(trace, extra);
            }
            tell_ca(trace, &self.ca, at);
            trace.tell("verification", || {
                let mut facts = vec![
                    ("against", "the pinned CA".into()),
                    ("serverName", server_name.to_str().as_ref().into()),
                    ("passed", judged.is_ok().into()),
                ];
                if let Err(error) = &judged {
                    let code = cause(error).map_or("TLS_FAILED", |failure| failure.code);
                    facts.push(("code", code.into()));
                    facts.push((
                        "reason",
                        error.to_string().escape_default().to_string().into(),
                    ));
                }
                facts
            });
        }
        judged
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General(
            "TLS 1.2 is not spoken here".to_owned(),
        ))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if !holds(Defence::ServerSignature) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let verified = self
            .web_pki
            .verify_tls13_signature(message, cert, signature);
        self.trace.tell("handshake-signature", || {
            vec![
                ("of", "server".into()),
                ("scheme", format!("{:?}", signature.scheme).into()),
                ("passed", verified.is_ok().into()),
            ]
        });
        verified
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.web_pki.supported_verify_schemes()
    }
}

/// Whether this fault of the server's certificate ends the handshake: each does.
fn matters(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => holds(Defence::ServerName),
        _ => holds(Defence::PinnedCa),
    }
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

fn pinned(why: PinError) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}
