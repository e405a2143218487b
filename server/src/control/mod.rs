//! The control socket: how `pair`, `pairs`, `approve`, `revoke`, `audit` and `status` reach the
//! server.
//!
//! A Unix socket that only its user can open: it stands in a folder of mode 0700, and both ends
//! check the user id of the other. A client sends one JSON line and reads JSON lines until the
//! server closes. Closing the connection of `pair` closes its window.

pub mod audit;
pub mod client;
pub mod protocol;
pub mod server;
pub mod socket;
mod window;

use std::{io, path::PathBuf};

use healthsync_core::report::Hint;

/// Why the control socket could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no server is running on {0:?}")]
    NotRunning(PathBuf),
    /// A folder or the other end belongs to somebody else.
    #[error("{0:?} belongs to another user or is open to others")]
    Foreign(PathBuf),
    /// The socket could not be made.
    #[error("could not make the control socket in {0:?}")]
    Bind(PathBuf, #[source] io::Error),
    /// The connection broke.
    #[error("the connection to the running server broke")]
    Broken(#[source] io::Error),
    /// The other end said something else.
    #[error("the running server gave an answer that this version does not know")]
    Unexpected,
}

impl ControlError {
    /// Whether no server could be reached.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::NotRunning(_) | Self::Broken(_))
    }
}

impl Hint for ControlError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotRunning(_) => "SERVER_NOT_RUNNING",
            Self::Foreign(_) => "CONTROL_SOCKET_FOREIGN",
            Self::Bind(..) => "CONTROL_SOCKET_FAILED",
            Self::Broken(_) => "SERVER_STOPPED",
            Self::Unexpected => "CONTROL_PROTOCOL",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotRunning(_) | Self::Broken(_) => {
                Some("start it with `healthsync-server start`".to_owned())
            }
            Self::Foreign(path) => Some(format!(
                "find out who made {} and remove it",
                path.display()
            )),
            Self::Bind(..) => None,
            Self::Unexpected => {
                Some("stop the server and start it again with this version".to_owned())
            }
        }
    }
}
