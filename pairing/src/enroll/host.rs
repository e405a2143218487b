//! The host's side, as the rest of the program sees it: how to open a pairing window, and what a
//! person at the host is told. The window itself is in [`super::desk`], one device's exchange in
//! [`super::serve`].

use std::{net::SocketAddr, sync::Weak};

use tokio::sync::mpsc;

use super::desk::Desk;
use crate::{
    id::{KeyDigest, PairId},
    secret::Secret,
    trust::Scope,
};

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Six digits through [`crate::trust::Trust::approve`].
    Digits,
    /// Exactly this key, no digits.
    ExpectKey(KeyDigest),
    /// Anybody who has the code; only for servers that listen on loopback (the caller checks).
    None,
}

/// How to open a window.
#[derive(Clone, Debug)]
pub struct WindowOptions {
    /// 30..900 seconds.
    pub seconds: u16,
    /// Where clients reach this server, best first.
    pub addresses: Vec<SocketAddr>,
    /// Name of this server as the client will show it.
    pub server_name: String,
    /// Who decides.
    pub approval: Approval,
    /// Life of client certificates, days (1..398; 365 is usual).
    pub leaf_days: u16,
    /// What the new device may read.
    pub scope: Scope,
}

/// An open window. Dropping it closes the window.
#[derive(Debug)]
pub struct Window {
    /// The invitation as text.
    pub text: Secret,
    /// Unix seconds.
    pub expires_at: i64,
    /// What happens; the channel ends after `Paired` or `Closed`.
    pub events: mpsc::Receiver<HostEvent>,
    pub(crate) closer: Closer,
}

impl Window {
    /// The code to type on the new device, as it is now; `None` when there is none (any more).
    pub fn code(&self) -> Option<Secret> {
        self.closer.desk.upgrade()?.typed_code(self.closer.session)
    }
}

/// Closes the window when it is dropped; a device that was approved meanwhile is still served.
#[derive(Debug)]
pub(crate) struct Closer {
    pub(crate) desk: Weak<Desk>,
    pub(crate) session: [u8; 8],
}

impl Drop for Closer {
    fn drop(&mut self) {
        if let Some(desk) = self.desk.upgrade() {
            desk.cancel(self.session);
        }
    }
}

/// A pair that another one takes the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its id.
    pub pair: PairId,
    /// What it calls itself, inert.
    pub name: String,
    /// When it was paired, Unix seconds.
    pub paired_at: i64,
}

/// What a person at the host is told. `name` is inert already (no control or bidi characters,
/// at most 64 columns, runs of 4 or more digits as `####`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// A device waits for its digits.
    DigitsWanted {
        /// What it calls itself.
        name: String,
        /// Its key.
        key: KeyDigest,
        /// Where it comes from.
        from: SocketAddr,
        /// Seconds to decide.
        seconds: u8,
        /// The pair that it replaces, proved by its old key.
        replaces: Option<Replaced>,
    },
    /// `! Another device knows this code too.`
    AnotherDevice,
    /// Five wrong typed codes came: [`Window::code`] gives another one now.
    NewCode,
    /// Five wrong ones came for the third code: the window goes on without typed codes.
    CodesEnded,
    /// Digits were wrong; so many entries are left.
    WrongDigits {
        /// 2, 1.
        left: u8,
    },
    /// The pair is ACTIVE.
    Paired {
        /// Its id.
        pair: PairId,
        /// Its name.
        name: String,
    },
    /// The window is closed without a pair.
    Closed {
        /// `PAIRING_EXPIRED`, `PAIRING_REFUSED`, `PAIRING_TIMEOUT`, `PAIRING_FAILED`,
        /// `PAIRING_CANCELLED`, `PAIRING_NOT_ACKNOWLEDGED` (rolled back after 120 s).
        code: &'static str,
    },
}
