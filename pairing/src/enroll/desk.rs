//! The desk: the one pairing window, in memory only, under one lock. It dies with the process.
//!
//! ```text
//! CLOSED -open-> OPEN -F3 right-> CANDIDATE -F5 good-> DECIDING -digits equal-> ISSUING -> CLOSED
//!                  |  time            \________ anything else ________________/
//!                  +-> CLOSED <------------------------+
//! ```
//!
//! The window's one slot is taken by the first device that proves the secret, of the QR code or of
//! the typed one, and is never given twice: who comes later is told that the code was used, and so
//! is the person at the host. Wrong typed codes are counted under the same lock (`codes`).

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::ServerConfig;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    codes::{ATTEMPTS, Codes, Wrong},
    host::{Approval, HostEvent},
    transcript::{Transcript, equal},
};
use crate::{
    audit::{Audit, Event, Note, OK},
    code::TypedCode,
    defence::{Defence, holds},
    id::KeyDigest,
    secret::Secret,
    trust::Scope,
};

/// Seconds to type the digits.
pub(crate) const DECISION_SECONDS: u8 = 60;
const ENTRIES: u8 = 3;
const MAX_WAITING: usize = 16;
const MAX_WAITING_EACH: usize = 4;

/// Holds the window, if one is open.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    state: Mutex<DeskState>,
}

#[derive(Debug, Default)]
struct DeskState {
    live: Option<Live>,
    tickets: u64,
}

/// What does not change while a window is open.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) approval: Approval,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) server_name: String,
    pub(crate) leaf_days: u16,
    pub(crate) scope: Scope,
}

/// What a window is made of.
pub(crate) struct Opening {
    pub(crate) session: [u8; 8],
    pub(crate) secret: Secret,
    pub(crate) codes: Codes,
    pub(crate) key: KeyDigest,
    pub(crate) configuration: Arc<ServerConfig>,
    pub(crate) events: mpsc::Sender<HostEvent>,
    pub(crate) audit: Audit,
}

struct Live {
    opening: Opening,
    settings: Arc<Settings>,
    phase: Phase,
    told_of_another: bool,
    /// Wrong digits and wrong typed codes so far.
    spent: u64,
    waiting: Vec<Waiting>,
    closing: watch::Sender<Option<Closing>>,
}

enum Phase {
    Open,
    Candidate {
        ticket: u64,
    },
    Deciding {
        ticket: u64,
        digits: String,
        left: u8,
        decision: oneshot::Sender<Decision>,
    },
    Issuing {
        ticket: u64,
    },
}

/// A connection before F3. Dropping `_eviction` ends it.
#[derive(Debug)]
struct Waiting {
    ticket: u64,
    origin: IpAddr,
    standing: Standing,
    _eviction: oneshot::Sender<Infallible>,
}

/// What a connection before F3 has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing yet: the first to be sent away for another.
    Silent,
    /// A well-formed hello with a share, which anybody can make: the next to be sent away.
    Guessing,
    /// A hello whose tag proves the secret: never sent away.
    Greeted,
}

/// What the person decided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Approved,
    Refused,
}

/// Why a window closed, for the connections that it leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Out of time.
    Expired,
    /// The slot went to another device.
    Used,
    /// Refused, failed or cancelled.
    Other,
}

/// A step of a connection, answered under the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Go on.
    Granted,
    /// Another device has the slot.
    Taken,
    /// The typed code does not count any more.
    WrongCode,
    /// There is no typed code (any more).
    ModeOff,
    /// The window is closed.
    Closed,
}

/// The code that a connection tries.
#[derive(Debug)]
pub(crate) struct Challenge {
    /// It is the window's so many-th.
    pub(crate) number: u8,
    pub(crate) code: Arc<TypedCode>,
    /// The window's key.
    pub(crate) key: KeyDigest,
}

/// What typed digits did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// Right, or refused as wished.
    Done,
    /// So many entries are left; 0 closed the window.
    Wrong {
        left: u8,
    },
    NobodyWaits,
    NoWindow,
}

impl Desk {
    /// Opens the window; `false` if one is open.
    pub(crate) fn open(&self, opening: Opening, settings: Settings) -> bool {
        let mut state = self.lock();
        if state.live.is_some() {
            return false;
        }
        state.live = Some(Live {
            opening,
            settings: Arc::new(settings),
            phase: Phase::Open,
            told_of_another: false,
            spent: 0,
            waiting: Vec::new(),
            closing: watch::Sender::new(None),
        });
        true
    }

    /// Whether a window is open.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().live.is_some()
    }

    /// Lets a connection in before its handshake. `None`: no window, or too many wait and none of
    /// them may be sent away.
    pub(crate) fn admit(self: &Arc<Self>, from: SocketAddr) -> Option<Admission> {
        let mut state = self.lock();
        let ticket = state.tickets;
        let live = state.live.as_mut()?;
        let origin = origin(from.ip());
        let crowd = live
            .waiting
            .iter()
            .filter(|one| one.origin == origin)
            .count();
        let only = (crowd >= MAX_WAITING_EACH).then_some(origin);
        let is_full = only.is_some() || live.waiting.len() >= MAX_WAITING;
        if is_full && holds(Defence::WaitingCap) {
            if !holds(Defence::EvictSilent) {
                return None;
            }
            let oldest = [Standing::Silent, Standing::Guessing]
                .into_iter()
                .find_map(|standing| {
                    live.waiting.iter().position(|one| {
                        one.standing == standing && only.is_none_or(|origin| one.origin == origin)
                    })
                })?;
            live.waiting.remove(oldest);
        }
        let (eviction, evicted) = oneshot::channel();
        live.waiting.push(Waiting {
            ticket,
            origin,
            standing: Standing::Silent,
            _eviction: eviction,
        });
        let admission = Admission {
            desk: Arc::clone(self),
            ticket,
            configuration: Arc::clone(&live.opening.configuration),
            settings: Arc::clone(&live.settings),
            closing: live.closing.subscribe(),
            evicted: Eviction(Some(evicted)),
        };
        state.tickets += 1;
        Some(admission)
    }

    /// Digits typed by a person.
    pub(crate) fn enter(&self, typed: &str) -> Entered {
        let mut state = self.lock();
        let Some(live) = state.live.as_mut() else {
            return Entered::NoWindow;
        };
        let Phase::Deciding {
            ticket,
            digits,
            left,
            ..
        } = &mut live.phase
        else {
            return Entered::NobodyWaits;
        };
        if equal(typed.as_bytes(), digits.as_bytes()) || !holds(Defence::DigitsCheck) {
            let issuing = Phase::Issuing { ticket: *ticket };
            if let Phase::Deciding { decision, .. } = std::mem::replace(&mut live.phase, issuing) {
                // The device may have gone; then its connection closes the window.
                drop(decision.send(Decision::Approved));
            }
            return Entered::Done;
        }
        *left -= 1;
        let left = *left;
        live.spent += 1;
        if left == 0 {
            close(&mut state, "PAIRING_REFUSED", Closing::Other);
        } else {
            live.tell(HostEvent::WrongDigits { left });
        }
        Entered::Wrong { left }
    }

    /// The person refuses: whoever waits is sent away, and the window closes.
    pub(crate) fn refuse(&self) -> Entered {
        let mut state = self.lock();
        match state.live.as_ref().map(|live| &live.phase) {
            None => Entered::NoWindow,
            Some(Phase::Issuing { .. }) => Entered::NobodyWaits,
            Some(Phase::Open) => {
                close(&mut state, "PAIRING_CANCELLED", Closing::Other);
                Entered::Done
            }
            Some(Phase::Candidate { .. } | Phase::Deciding { .. }) => {
                close(&mut state, "PAIRING_REFUSED", Closing::Other);
                Entered::Done
            }
        }
    }

    /// The typed code of the window with this session, if it has one now.
    pub(crate) fn typed_code(&self, session: [u8; 8]) -> Option<Secret> {
        let state = self.lock();
        let live = state.live.as_ref()?;
        if live.opening.session != session {
            return None;
        }
        let (_, code) = live.opening.codes.current()?;
        Some(code.to_text())
    }

    /// The window's time is over: it closes, unless a device has the slot already.
    pub(crate) fn expire(&self, session: [u8; 8]) {
        let mut state = self.lock();
        if state.live.as_ref().is_some_and(|live| {
            live.opening.session == session && matches!(live.phase, Phase::Open)
        }) {
            close(&mut state, "PAIRING_EXPIRED", Closing::Expired);
        }
    }

    /// Nobody looks at the window any more.
    pub(crate) fn cancel(&self, session: [u8; 8]) {
        let mut state = self.lock();
        if state.live.as_ref().is_some_and(|live| {
            live.opening.session == session && !matches!(live.phase, Phase::Issuing { .. })
        }) {
            close(&mut state, "PAIRING_CANCELLED", Closing::Other);
        }
    }

    /// Closes whatever window is open: nobody is to be paired any more.
    pub(crate) fn shut(&self) {
        close(&mut self.lock(), "PAIRING_CANCELLED", Closing::Other);
    }

    fn lock(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wipes the window: dropping it wipes its secret, its codes and its key.
fn close(state: &mut DeskState, code: &'static str, why: Closing) {
    if let Some(live) = state.live.take() {
        live.closing.send_replace(Some(why));
        live.tell(HostEvent::Closed { code });
        live.note_closed(code);
        if let Phase::Deciding { decision, .. } = live.phase {
            drop(decision.send(Decision::Refused));
        }
    }
}

impl Live {
    fn tell(&self, event: HostEvent) {
        // There is room for every event that a window can have. Nobody may be listening.
        drop(self.opening.events.try_send(event));
    }

    /// How the window ended; of what was tried in it, only the counts are kept.
    fn note_closed(&self, result: &'static str) {
        let closed = Note::new(Event::WindowClosed).ending(result);
        self.opening.audit.note(closed.times(self.spent));
    }

    fn is_held_by(&self, holder: u64) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Candidate { ticket }
            | Phase::Deciding { ticket, .. }
            | Phase::Issuing { ticket } => ticket == holder,
        }
    }

    fn stands(&mut self, ticket: u64, standing: Standing) {
        if let Some(place) = self.waiting.iter_mut().find(|one| one.ticket == ticket) {
            place.standing = standing;
        }
    }

    /// Grants a step while nobody has the slot.
    fn step(&mut self, grant: impl FnOnce(&mut Self)) -> Step {
        if matches!(self.phase, Phase::Open) || !holds(Defence::OneSlot) {
            grant(self);
            Step::Granted
        } else {
            self.another();
            Step::Taken
        }
    }

    fn another(&mut self) {
        if !self.told_of_another && holds(Defence::TellOfAnother) {
            self.told_of_another = true;
            self.tell(HostEvent::AnotherDevice);
        }
    }
}

/// A connection's place at the desk. Dropped while it holds the slot, it closes the window.
#[derive(Debug)]
pub(crate) struct Admission {
    desk: Arc<Desk>,
    ticket: u64,
    pub(crate) configuration: Arc<ServerConfig>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) closing: watch::Receiver<Option<Closing>>,
    pub(crate) evicted: Eviction,
}

/// Ends when the connection is sent away for another, or has left the queue.
#[derive(Debug)]
pub(crate) struct Eviction(Option<oneshot::Receiver<Infallible>>);

impl Eviction {
    /// To be waited for once.
    pub(crate) fn take(&mut self) -> impl Future<Output = ()> + use<> {
        let receiver = self.0.take();
        async {
            match receiver {
                Some(receiver) => drop(receiver.await),
                None => std::future::pending().await,
            }
        }
    }
}

impl Admission {
    /// The start of the transcript, if `session` is this window's.
    pub(crate) fn transcript(&self, session: [u8; 8], exporter: [u8; 32]) -> Option<Transcript> {
        self.with(|live| {
            equal(&session, &live.opening.session)
                .then(|| Transcript::new(exporter, &live.opening.key, &live.opening.secret))
        })
        .flatten()
    }

    /// F1 was good: this connection is not sent away for another.
    pub(crate) fn greet(&self) -> Step {
        self.with(|live| live.step(|live| live.stands(self.ticket, Standing::Greeted)))
            .unwrap_or(Step::Closed)
    }

    /// The code that a hello with a share is about; `Err` when there is none (any more). This
    /// proves nothing yet, so whoever has the slot already is not told, and neither is the device.
    pub(crate) fn challenge(&self) -> Result<Challenge, Step> {
        self.with(|live| {
            live.stands(self.ticket, Standing::Guessing);
            let (number, code) = live.opening.codes.current().ok_or(Step::ModeOff)?;
            Ok(Challenge {
                number,
                code,
                key: live.opening.key,
            })
        })
        .unwrap_or(Err(Step::Closed))
    }

    /// F3 was right: takes the window's one slot. A typed code, by its number, must still count.
    pub(crate) fn take_slot(&self, code: Option<u8>) -> Step {
        self.with(|live| {
            let counts = code.is_none_or(|number| live.opening.codes.is_current(number));
            if !counts && holds(Defence::AttemptLimit) {
                return Step::WrongCode;
            }
            live.step(|live| {
                live.waiting.retain(|one| one.ticket != self.ticket);
                live.phase = Phase::Candidate {
                    ticket: self.ticket,
                };
            })
        })
        .unwrap_or(Step::Closed)
    }

    /// F3 was wrong for the code of this number: counts it, and tells the person when that ends
    /// the code, unless a device has the slot and the person a question to answer.
    pub(crate) fn count_wrong(&self, number: u8) {
        self.with(|live| {
            live.spent += 1;
            let (told, event) = match live.opening.codes.wrong(number) {
                Wrong::Counted => return,
                Wrong::NewCode => (HostEvent::NewCode, Event::CodeSpent),
                Wrong::Ended => (HostEvent::CodesEnded, Event::CodesEnded),
            };
            // Noted whatever the person is shown: somebody guesses.
            let spent = Note::new(event).times(ATTEMPTS.into());
            live.opening.audit.note(spent);
            if matches!(live.phase, Phase::Open) {
                live.tell(told);
            }
        });
    }

    /// F6 went out: asks the person, or decides as the window was opened to.
    pub(crate) fn ask(
        &self,
        digits: String,
        wanted: HostEvent,
    ) -> Option<oneshot::Receiver<Decision>> {
        self.with(|live| {
            if !live.is_held_by(self.ticket) {
                return None;
            }
            let (decision, decided) = oneshot::channel();
            if live.settings.approval == Approval::Digits {
                live.tell(wanted);
                live.phase = Phase::Deciding {
                    ticket: self.ticket,
                    digits,
                    left: ENTRIES,
                    decision,
                };
            } else {
                drop(decision.send(Decision::Approved));
                live.phase = Phase::Issuing {
                    ticket: self.ticket,
                };
            }
            Some(decided)
        })
        .flatten()
    }

    /// The device has its record: the window closes. Gives the way to tell the person more.
    pub(crate) fn finish(&self) -> Option<mpsc::Sender<HostEvent>> {
        let mut state = self.desk.lock();
        if !state.live.as_ref()?.is_held_by(self.ticket) {
            return None;
        }
        let live = state.live.take()?;
        live.closing.send_replace(Some(Closing::Used));
        live.note_closed(OK);
        Some(live.opening.events)
    }

    /// Closes the window if this connection holds its slot.
    pub(crate) fn give_up(&self, code: &'static str) {
        let mut state = self.desk.lock();
        if let Some(live) = state.live.as_mut() {
            live.waiting.retain(|one| one.ticket != self.ticket);
            if live.is_held_by(self.ticket) {
                close(&mut state, code, Closing::Used);
            }
        }
    }

    /// Runs under the lock, if this connection's window is still the open one.
    fn with<T>(&self, run: impl FnOnce(&mut Live) -> T) -> Option<T> {
        let mut state = self.desk.lock();
        if self.closing.borrow().is_some() {
            return None;
        }
        state.live.as_mut().map(run)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.give_up("PAIRING_FAILED");
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

/// One person's connections come from one address; with IPv6, from one /64.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}
