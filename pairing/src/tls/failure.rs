//! What an error of a connection means: rustls' reasons and alerts, found in any chain.
//!
//! Two traps hide here. An `io::Error` answers `source()` with its inner error's source, not with
//! the inner error, so a plain walk misses the TLS reason. And in TLS 1.3 a client is connected
//! before the server has judged its certificate, so the alert may be lost on the way:
//! [`super::client::look`] asks a second time.

use std::{error::Error, fmt, io};

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// Whose certificate or side is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The pair's CA.
    Ca,
    /// This end.
    Client,
    /// The peer.
    Server,
}

impl Subject {
    /// `ca`, `client`, `server`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// A cause with its stable code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Stable code: `CERT_HAS_EXPIRED`, `CERT_NOT_YET_VALID`, `CERT_REVOKED`, `CERT_REJECTED`,
    /// `CERT_COMMON_NAME_INVALID`, `NO_CLIENT_CERTIFICATE`, `UNABLE_TO_VERIFY_LEAF_SIGNATURE`,
    /// `SELF_SIGNED_CERT_IN_CHAIN`, `UNSUPPORTED_PROTOCOL`, `PAIR_UNKNOWN`, `NOT_TLS`,
    /// `ECONNREFUSED`, `ECONNRESET`, `EHOSTUNREACH`, `ENOTFOUND`, `ETIMEDOUT`, `TLS_FAILED`.
    pub code: &'static str,
    /// Whose.
    pub subject: Subject,
    /// What happened, in plain words.
    pub message: String,
    /// Name of the TLS alert that the peer sent, if one came (RFC 8446, section 6).
    pub alert: Option<String>,
    /// What the libraries said.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) fn new(code: &'static str, subject: Subject, message: &str) -> Self {
        Self {
            code,
            subject,
            message: message.to_owned(),
            alert: None,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    fn because(self, cause: &dyn fmt::Display) -> Self {
        self.with_source(cause.to_string().into())
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let text = match (self.code, self.subject) {
            ("CERT_HAS_EXPIRED", Subject::Client) | ("CERT_REVOKED", _) => {
                "pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("CERT_HAS_EXPIRED" | "CERT_NOT_YET_VALID", _) => {
                "compare the clocks of both computers; if they are right, pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("CERT_COMMON_NAME_INVALID" | "SELF_SIGNED_CERT_IN_CHAIN", _) => {
                "this address is not your server: check `healthsync config show`, or give the right one with `--host`"
            }
            ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Subject::Server | Subject::Ca) => {
                "this address is not the server you paired with: check `--host`, or pair again with `healthsync scan`"
            }
            ("NO_CLIENT_CERTIFICATE" | "CERT_REJECTED" | "UNABLE_TO_VERIFY_LEAF_SIGNATURE", _) => {
                "look at `healthsync cert info`; then pair again with `healthsync scan`"
            }
            ("PAIR_UNKNOWN", _) => {
                "the server has no such pair (any more): `healthsync unpair`, then `healthsync scan`"
            }
            ("UNSUPPORTED_PROTOCOL", _) => {
                "only TLS 1.3 is spoken here; make sure that `healthsync-server` and nothing else answers at this address"
            }
            ("NOT_TLS", _) => {
                "another service answers on this port: check `healthsync config show` or give `--host ADDRESS:PORT`"
            }
            ("ECONNREFUSED", _) => {
                "start it with `healthsync-server start`, or give its address with `--host`"
            }
            ("ENOTFOUND", _) => "give the server's IP address with `--host`",
            ("ETIMEDOUT" | "EHOSTUNREACH" | "ECONNRESET", _) => {
                "check that `healthsync-server start` runs and that both computers are in the same network, or give its address with `--host`"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Whether no healthsync server could be reached at all (exit code 4); otherwise one end does
    /// not trust the other (exit code 3).
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.code,
            "ECONNREFUSED" | "ECONNRESET" | "EHOSTUNREACH" | "ENOTFOUND" | "ETIMEDOUT" | "NOT_TLS"
        )
    }
}

/// Why the server's certificate is refused although webpki might take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PinError {
    /// The leaf signed itself.
    #[error("the server's certificate is self-signed")]
    SelfSigned,
    /// The pair's CA is past its notAfter.
    #[error("the pair's CA has expired")]
    CaExpired,
    /// The pair's CA is before its notBefore.
    #[error("the pair's CA is not yet valid")]
    CaNotYetValid,
    /// The pair's CA does not have the profile of one.
    #[error("the pair's CA is not a proper CA")]
    CaProfile,
}

/// Finds the cause in a chain, looking into `io::Error`s too. `None`: nothing about TLS or TCP, or
/// an unclear error that needs [`super::client::look`].
pub fn cause(error: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(reason) = find::<rustls::Error>(error) {
        return Some(of_tls(reason));
    }
    let kind = find_io(error, &|found| {
        !matches!(found.kind(), io::ErrorKind::Other)
    })?;
    of_io(kind)
}

/// The cause behind an `io::Error` of a bare connection.
pub(crate) fn of_io(error: &io::Error) -> Option<Failure> {
    let failure = match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::new(
            "ECONNREFUSED",
            Subject::Server,
            "the connection was refused: nothing listens there",
        ),
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Failure::new(
            "EHOSTUNREACH",
            Subject::Server,
            "there is no route to the server",
        ),
        io::ErrorKind::TimedOut => Failure::new(
            "ETIMEDOUT",
            Subject::Server,
            "the server did not answer in time",
        ),
        io::ErrorKind::NotFound => Failure::new(
            "ENOTFOUND",
            Subject::Server,
            "the server's name could not be resolved",
        ),
        _ => return None,
    };
    Some(failure.because(error))
}

fn of_tls(reason: &rustls::Error) -> Failure {
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
    failure.because(reason)
}

fn of_certificate(why: &CertificateError) -> Failure {
    use CertificateError as Why;
    let server = |code, message| Failure::new(code, Subject::Server, message);
    match why {
        Why::Expired | Why::ExpiredContext { .. } => {
            server("CERT_HAS_EXPIRED", "the server's certificate has expired")
        }
        Why::NotValidYet | Why::NotValidYetContext { .. } => server(
            "CERT_NOT_YET_VALID",
            "the server's certificate is not yet valid",
        ),
        Why::Revoked => server("CERT_REVOKED", "the server's certificate has been revoked"),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => server(
            "CERT_COMMON_NAME_INVALID",
            "the server's certificate is for another name",
        ),
        Why::Other(other) => match other.0.downcast_ref::<PinError>() {
            Some(PinError::SelfSigned) => server(
                "SELF_SIGNED_CERT_IN_CHAIN",
                "the server's certificate signed itself and is not trusted",
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
            "this computer presented no certificate",
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
            "the server does not offer what was asked for",
        ),
        _ => Failure::new("TLS_FAILED", Subject::Server, "the TLS handshake failed"),
    };
    failure.alert = Some(alert_name(alert));
    failure
}

fn unsupported_protocol() -> Failure {
    Failure::new(
        "UNSUPPORTED_PROTOCOL",
        Subject::Server,
        "the two ends have no TLS version in common",
    )
}

/// `CertificateRevoked` as RFC 8446 writes it: `certificate_revoked`.
fn alert_name(alert: AlertDescription) -> String {
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

/// The first error of type `E` in the chain.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = current
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(inner) = inner
            && let Some(found) = find::<E>(inner)
        {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// The first `io::Error` that `wanted` takes.
fn find_io<'a>(
    error: &'a (dyn Error + 'static),
    wanted: &dyn Fn(&io::Error) -> bool,
) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<io::Error>() {
            if wanted(found) {
                return Some(found);
            }
            if let Some(inner) = found.get_ref()
                && let Some(found) = find_io(inner, wanted)
            {
                return Some(found);
            }
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    /// As reqwest hides it: an error whose source is an `io::Error` around the TLS reason.
    #[derive(Debug, thiserror::Error)]
    #[error("error sending request")]
    struct Outer(#[source] io::Error);

    fn hidden(reason: rustls::Error) -> Outer {
        Outer(io::Error::other(io::Error::other(reason)))
    }

    fn check(reason: rustls::Error, code: &str, subject: Subject, alert: Option<&str>) {
        let found = cause(&hidden(reason)).expect("a cause");
        assert_eq!(found.code, code);
        assert_eq!(found.subject, subject, "{code}");
        assert_eq!(found.alert.as_deref(), alert, "{code}");
        assert!(found.hint().is_some() || code == "TLS_FAILED", "{code}");
    }

    #[test]
    fn reasons_of_tls_are_found_behind_io_errors() {
        use AlertDescription as Alert;
        use CertificateError as Why;
        let invalid = rustls::Error::InvalidCertificate;
        let pin = |why: PinError| invalid(Why::Other(OtherError(Arc::new(why))));
        let alert = rustls::Error::AlertReceived;
        let (ca, client, server) = (Subject::Ca, Subject::Client, Subject::Server);

        check(invalid(Why::Expired), "CERT_HAS_EXPIRED", server, None);
        check(
            invalid(Why::NotValidYet),
            "CERT_NOT_YET_VALID",
            server,
            None,
        );
        check(
            invalid(Why::UnknownIssuer),
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            server,
            None,
        );
        check(
            invalid(Why::NotValidForName),
            "CERT_COMMON_NAME_INVALID",
            server,
            None,
        );
        check(
            pin(PinError::SelfSigned),
            "SELF_SIGNED_CERT_IN_CHAIN",
            server,
            None,
        );
        check(pin(PinError::CaExpired), "CERT_HAS_EXPIRED", ca, None);
        check(
            alert(Alert::CertificateRevoked),
            "CERT_REVOKED",
            client,
            Some("certificate_revoked"),
        );
        check(
            alert(Alert::CertificateRequired),
            "NO_CLIENT_CERTIFICATE",
            client,
            Some("certificate_required"),
        );
        check(
            alert(Alert::UnrecognisedName),
            "PAIR_UNKNOWN",
            client,
            Some("unrecognized_name"),
        );
        check(
            alert(Alert::ProtocolVersion),
            "UNSUPPORTED_PROTOCOL",
            server,
            Some("protocol_version"),
        );
        check(
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
            "NOT_TLS",
            server,
            None,
        );
    }

    #[test]
    fn reasons_of_tcp_are_found_and_unclear_ones_are_not_guessed() {
        let check = |kind: io::ErrorKind| {
            let error = Outer(io::Error::other(io::Error::from(kind)));
            cause(&error).map(|found| (found.code, found.is_unreachable()))
        };
        assert_eq!(
            check(io::ErrorKind::ConnectionRefused),
            Some(("ECONNREFUSED", true))
        );
        assert_eq!(check(io::ErrorKind::TimedOut), Some(("ETIMEDOUT", true)));
        assert_eq!(
            check(io::ErrorKind::HostUnreachable),
            Some(("EHOSTUNREACH", true))
        );
        // The alert may be lost behind these: they need a second look.
        assert_eq!(check(io::ErrorKind::BrokenPipe), None);
        assert_eq!(check(io::ErrorKind::ConnectionReset), None);
    }
}
