//! Why a device was not enrolled, and what its person can do.

use crate::tls::failure::Failure;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why it did not. No variant holds text that the peer chose.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The server opened another value than it committed to: it chose the digits.
    #[error("attack or fault: the server changed its mind about the digits; pairing stopped")]
    Attack,
    /// The connection ended in the middle of the exchange.
    #[error("the server broke the pairing off")]
    BrokenOff(#[source] std::io::Error),
    /// No connection to the window.
    #[error("no connection to the server")]
    Connection(#[source] Failure),
    /// The window is closed: out of time, used, or never there.
    #[error("the server has no pairing window open: the code expired or was used")]
    Expired,
    /// This end failed.
    #[error("this device cannot pair")]
    Internal(#[source] Cause),
    /// Abort 6: no typed code, or no more of them.
    #[error("the server takes no typed code in this window")]
    ModeOff,
    /// Frames that are not of the protocol.
    #[error("the server does not follow the pairing protocol")]
    Protocol,
    /// Abort 4: the person, or nobody in time, or what we sent.
    #[error("the host refused this device, or nobody there typed its digits in time")]
    Refused,
    /// Abort 7.
    #[error("the server could not pair")]
    ServerFailed,
    /// The server stopped answering.
    #[error("the server did not answer in time")]
    TimedOut,
    /// What was issued is not what was agreed.
    #[error("the server's answer cannot be used: {0}")]
    Unusable(&'static str),
    /// Abort 2.
    #[error("another device used this code before you")]
    Used,
    /// No version in common.
    #[error("the server speaks another version of the pairing protocol")]
    Version,
    /// The server does not take our proof of the secret.
    #[error("the server does not take this code")]
    WrongCode,
    /// Abort 3: another code than the server's, or somebody between the two.
    #[error("this is not the code that the server shows; wrong codes are counted, five end a code")]
    WrongTypedCode,
    /// Another key than the invitation names, or a server without the secret.
    #[error("this server does not know the code")]
    WrongServer,
}

impl EnrollError {
    /// Stable code: `PAIRING_ATTACK`, `PAIRING_BROKEN_OFF`, `PAIRING_EXPIRED`, `PAIRING_FAILED`,
    /// `PAIRING_MODE_OFF`, `PAIRING_PROTOCOL`, `PAIRING_REFUSED`, `PAIRING_SERVER_FAILED`, `PAIRING_TIMEOUT`,
    /// `PAIRING_UNUSABLE`, `PAIRING_USED`, `PAIRING_VERSION`, `PAIRING_WRONG_CODE`,
    /// `PAIRING_WRONG_SERVER`, and those of [`Failure`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Attack => "PAIRING_ATTACK",
            Self::BrokenOff(_) => "PAIRING_BROKEN_OFF",
            Self::Connection(failure) => failure.code,
            Self::Expired => "PAIRING_EXPIRED",
            Self::Internal(_) => "PAIRING_FAILED",
            Self::ModeOff => "PAIRING_MODE_OFF",
            Self::Protocol => "PAIRING_PROTOCOL",
            Self::Refused => "PAIRING_REFUSED",
            Self::ServerFailed => "PAIRING_SERVER_FAILED",
            Self::TimedOut => "PAIRING_TIMEOUT",
            Self::Unusable(_) => "PAIRING_UNUSABLE",
            Self::Used => "PAIRING_USED",
            Self::Version => "PAIRING_VERSION",
            Self::WrongCode | Self::WrongTypedCode => "PAIRING_WRONG_CODE",
            Self::WrongServer => "PAIRING_WRONG_SERVER",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Connection(failure) => {
                return Some(if failure.is_unreachable() {
                    "check that `healthsync-server start` runs and that both computers are in the \
                     same network, then open a new code with `healthsync-server pair`"
                        .to_owned()
                } else {
                    failure.hint()?
                });
            }
            Self::Used => {
                "do not type anything on the host: press Enter there, then open a new code with \
                 `healthsync-server pair`"
            }
            Self::Attack => {
                "do not type anything on the host: press Enter there; try again in a network that \
                 you trust"
            }
            Self::Expired | Self::WrongCode | Self::WrongServer => {
                "open a new code on the host with `healthsync-server pair`, then run `healthsync scan` or \
                 `healthsync pair`"
            }
            Self::ModeOff => {
                "paste the long text at `healthsync scan`, or open a new window on the host with \
                 `healthsync-server pair`"
            }
            Self::WrongTypedCode => {
                "type the code that `healthsync-server pair` shows now; if it was right, somebody \
                 may stand between the two computers: use a network that you trust"
            }
            Self::Refused => {
                "open a new code with `healthsync-server pair`; type the digits that THIS device \
                 shows on the host within a minute"
            }
            Self::Version | Self::Protocol => {
                "use the same version of healthsync on both computers"
            }
            Self::BrokenOff(_) | Self::TimedOut | Self::ServerFailed | Self::Unusable(_) => {
                "look at the log of `healthsync-server start`, then open a new code with \
                 `healthsync-server pair`"
            }
            Self::Internal(_) => "run the command again",
        };
        Some(hint.to_owned())
    }

    /// Whether no address answered (exit code 4).
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Connection(failure) if failure.is_unreachable())
    }

    /// Whether the server ended the exchange itself: there is nobody to say goodbye to.
    pub(super) const fn is_over(&self) -> bool {
        matches!(
            self,
            Self::BrokenOff(_)
                | Self::Expired
                | Self::ModeOff
                | Self::Refused
                | Self::ServerFailed
                | Self::Used
                | Self::Version
                | Self::WrongCode
                | Self::WrongTypedCode
        )
    }

    /// Of several addresses that failed, the one that answered says more.
    pub(super) fn says_more_than(&self, other: &Self) -> bool {
        let rank = |error: &Self| match error {
            Self::Expired => 3,
            Self::WrongServer => 2,
            Self::Connection(failure) => i32::from(!failure.is_unreachable()),
            _ => 1,
        };
        rank(self) > rank(other)
    }
}
