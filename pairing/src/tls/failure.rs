//! What an error of a connection means: rustls' reasons and alerts, found in any chain.
//!
//! Two traps hide here. An `io::Error` answers `source()` with its inner error's source, not with
//! the inner error, so a plain walk misses the TLS reason. And in TLS 1.3 a client is connected
//! before the server has judged its certificate, so the alert may be lost on the way:
//! [`super::client::look`] asks a second time.

mod hint;
mod reason;

use std::{error::Error, fmt, io};

pub(super) use self::reason::alert_name;
use self::reason::of_tls;

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

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not to a TCP connection.
    Connect,
    /// To TCP, not through the TLS handshake.
    Handshake,
    /// Through the handshake.
    Exchange,
}

impl Phase {
    /// `connect`, `handshake`, `exchange`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Exchange => "exchange",
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
    /// How far it came.
    pub phase: Phase,
    /// What happened, in plain words.
    pub message: String,
    /// Name of the TLS alert that the peer sent, if one came (RFC 8446, section 6).
    pub alert: Option<String>,
    /// The end of a validity that was missed, seconds since 1970, where a certificate's dates are
    /// the cause and are known.
    pub limit: Option<i64>,
    /// What the libraries said.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A cause of this code.
    pub fn new(code: &'static str, subject: Subject, message: &str) -> Self {
        Self {
            code,
            subject,
            phase: Phase::Connect,
            message: message.to_owned(),
            alert: None,
            limit: None,
            source: None,
        }
    }

    /// The same, with how far the connection came.
    #[must_use]
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    pub(crate) fn with_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.source = Some(source);
        self
    }

    fn because(self, cause: &dyn fmt::Display) -> Self {
        self.with_source(cause.to_string().into())
    }

    /// Whether the peer knows none of the protocols that were offered (RFC 7301, section 3.2); which
    /// it wants instead it does not say.
    pub fn wants_another_protocol(&self) -> bool {
        self.alert.as_deref() == Some("no_application_protocol")
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
    /// Something that the server sent along signed itself.
    #[error("the server's certificate comes with a self-signed authority that is not trusted")]
    SelfSignedAbove,
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

/// The first error of type `E` in the chain.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
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

    use rustls::{AlertDescription, CertificateError, OtherError};

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
        assert!(found.hint().is_some(), "{code}");
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
