//! rustls' reasons and the peer's alerts in our vocabulary.

use rustls::{AlertDescription, CertificateError, PeerIncompatible, pki_types::UnixTime};

use super::{Failure, Phase, PinError, Subject};

pub(super) fn of_tls(reason: &rustls::Error) -> Failure {
    use rustls::Error as Tls;
    let failure = match reason {
        Tls::InvalidCertificate(why) => of_certificate(why),
        Tls::AlertReceived(alert) => of_alert(*alert),
        Tls::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => unsupported_protocol(),
        Tls::InvalidMessage(_) => Failure::new(
            "NOT_TLS",
            Subject::Server,
            "what answers there does not speak TLS",
        ),
        _ => Failure::new("TLS_FAILED", Subject::Server, "the TLS handshake failed"),
    };
    failure.in_phase(Phase::Handshake).because(reason)
}

fn of_certificate(why: &CertificateError) -> Failure {
    use CertificateError as Why;
    let server = |code, message| Failure::new(code, Subject::Server, message);
    match why {
        Why::Expired | Why::ExpiredContext { .. } => {
            server("CERT_HAS_EXPIRED", "the server's certificate has expired").at(match why {
                Why::ExpiredContext { not_after, .. } => Some(*not_after),
                _ => None,
            })
        }
        Why::NotValidYet | Why::NotValidYetContext { .. } => server(
            "CERT_NOT_YET_VALID",
            "the server's certificate is not yet valid",
        )
        .at(match why {
            Why::NotValidYetContext { not_before, .. } => Some(*not_before),
            _ => None,
        }),
        Why::Revoked => server("CERT_REVOKED", "the server's certificate has been revoked"),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => server(
            "CERT_COMMON_NAME_INVALID",
            "the server's certificate is for another name",
        ),
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => server(
            "CERT_REJECTED",
            "the server's certificate is not one for a server",
        ),
        Why::Other(other) => match other.0.downcast_ref::<PinError>() {
            Some(PinError::SelfSigned) => server(
                "SELF_SIGNED_CERT_IN_CHAIN",
                "the server's certificate signed itself and is not trusted",
            ),
            Some(PinError::SelfSignedAbove) => server(
                "SELF_SIGNED_CERT_IN_CHAIN",
                "the server's certificate comes from an authority that this pair does not know",
            ),
            Some(PinError::CaExpired) => {
                Failure::new("CERT_HAS_EXPIRED", Subject::Ca, "the pair's CA has expired")
            }
            Some(PinError::CaNotYetValid) => Failure::new(
                "CERT_NOT_YET_VALID",
                Subject::Ca,
                "the pair's CA is not yet valid",
            ),
            Some(PinError::CaProfile) => Failure::new(
                "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
                Subject::Ca,
                "the stored CA is not a proper CA",
            ),
            None => server("CERT_REJECTED", "the server's certificate was refused"),
        },
        Why::UnknownIssuer | Why::BadSignature => server(
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "the server's certificate is not signed by this pair's CA",
        ),
        _ => server("CERT_REJECTED", "the server's certificate was refused"),
    }
}

fn of_alert(alert: AlertDescription) -> Failure {
    use AlertDescription as Alert;
    let client = |code, message| Failure::new(code, Subject::Client, message);
    let mut failure = match alert {
        Alert::CertificateExpired => client(
            "CERT_HAS_EXPIRED",
            "the server refused this computer's certificate because of its dates",
        ),
        Alert::CertificateRevoked => client(
            "CERT_REVOKED",
            "the server has revoked this computer's certificate",
        ),
        Alert::CertificateRequired => client(
            "NO_CLIENT_CERTIFICATE",
            "the server got no certificate from this computer",
        ),
        Alert::UnknownCA => client(
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "this computer's certificate is not signed by the CA of this pair",
        ),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown
        | Alert::DecryptError => client(
            "CERT_REJECTED",
            "the server refused this computer's certificate",
        ),
        Alert::AccessDenied | Alert::UnrecognisedName => {
            client("PAIR_UNKNOWN", "the server does not know this pair")
        }
        Alert::ProtocolVersion => unsupported_protocol(),
        Alert::NoApplicationProtocol => Failure::new(
            "UNSUPPORTED_PROTOCOL",
            Subject::Server,
            "another service answers there: it offers none of the protocols that were asked for",
        ),
        Alert::HandshakeFailure => Failure::new(
            "TLS_FAILED",
            Subject::Server,
            "the server broke the TLS handshake off",
        ),
        _ => Failure::new("TLS_FAILED", Subject::Server, "the TLS handshake failed"),
    };
    failure.alert = Some(alert_name(alert));
    failure
}

impl Failure {
    /// The end of a validity that was missed.
    fn at(mut self, limit: Option<UnixTime>) -> Self {
        self.limit = limit.and_then(|limit| i64::try_from(limit.as_secs()).ok());
        self
    }
}

fn unsupported_protocol() -> Failure {
    Failure::new(
        "UNSUPPORTED_PROTOCOL",
        Subject::Server,
        "the two ends have no TLS version in common: this one speaks TLS 1.3 alone",
    )
}

/// `CertificateRevoked` as RFC 8446 writes it: `certificate_revoked`.
pub(in crate::tls) fn alert_name(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnrecognisedName => return "unrecognized_name".to_owned(),
        AlertDescription::UnknownCA => return "unknown_ca".to_owned(),
        _ => {}
    }
    let mut name = String::new();
    for letter in format!("{alert:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
