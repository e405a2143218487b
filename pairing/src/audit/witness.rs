//! Paired clients as witnesses: each keeps the place of the chain that it saw last, and asks at its
//! next request what stands there now.
//!
//! ```text
//! client  seen: SEQUENCE           (the place that it keeps)
//! server  head: SEQUENCE HASH TIME (the last entry that is on the disk)
//!         entry: HASH | purged | missing
//! ```
//!
//! The host's own check cannot see a log whose end was cut off, or that was replaced by an older
//! copy: every hash in it is right. A client that saw more can.

use std::{fmt, str::FromStr};

use super::Hash;
use crate::{
    defence::{Defence, holds},
    id::InvalidId,
};

/// A place in the chain, as a server shows it and a client keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// When it was written by the server's clock; Unix seconds.
    pub time: i64,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.sequence, self.hash, self.time)
    }
}

impl FromStr for Head {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(InvalidId);
        let head = Self {
            sequence: word()?.parse().map_err(|_| InvalidId)?,
            hash: word()?.parse()?,
            time: word()?.parse().map_err(|_| InvalidId)?,
        };
        words.next().map_or(Ok(head), |_| Err(InvalidId))
    }
}

/// What stands at a place that a client saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// This entry.
    Entry(Hash),
    /// It was deleted because of its age.
    Purged,
    /// Nothing: the log ends before it.
    Missing,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(hash) => hash.fmt(f),
            Self::Purged => f.write_str("purged"),
            Self::Missing => f.write_str("missing"),
        }
    }
}

impl FromStr for Seen {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "purged" => Ok(Self::Purged),
            "missing" => Ok(Self::Missing),
            hash => hash.parse().map(Self::Entry),
        }
    }
}

/// What a client finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It had seen nothing before.
    First,
    /// What it saw is still there, or has been purged in due time.
    Intact,
    /// The log is not the one that it saw.
    Rewritten(Rewritten),
}

/// How a client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rewritten {
    /// Another hash at the same place.
    #[error("another entry stands at its place")]
    Changed,
    /// The log ends before the place.
    #[error("the log ends before it")]
    Cut,
    /// Said to be purged, but it is not old enough.
    #[error("it was deleted before its 90 days were over")]
    TooEarly,
    /// The server does not answer the question any more.
    #[error("the server no longer shows its log")]
    Silent,
}

/// Compares what was seen with what the server shows now, at `now` by the client's clock.
pub fn compare(
    seen: Option<&Head>,
    head: Option<&Head>,
    answer: Option<Seen>,
    now: i64,
) -> Finding {
    let Some(seen) = seen else {
        return Finding::First;
    };
    if !holds(Defence::AuditWitness) {
        return Finding::Intact;
    }
    let (Some(head), Some(answer)) = (head, answer) else {
        return Finding::Rewritten(Rewritten::Silent);
    };
    if head.sequence < seen.sequence {
        return Finding::Rewritten(Rewritten::Cut);
    }
    match answer {
        Seen::Entry(hash) if hash == seen.hash => Finding::Intact,
        Seen::Entry(_) => Finding::Rewritten(Rewritten::Changed),
        Seen::Missing => Finding::Rewritten(Rewritten::Cut),
        Seen::Purged if is_due(seen, now) => Finding::Intact,
        Seen::Purged => Finding::Rewritten(Rewritten::TooEarly),
    }
}

/// Whether a purge explains that the entry is gone. The clocks of two computers may differ by a day.
fn is_due(seen: &Head, now: i64) -> bool {
    const DAY: i64 = 86_400;
    !holds(Defence::AuditPurgeAge) || now >= seen.time.saturating_add(super::KEPT_SECONDS - DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Head = Head {
        sequence: 7,
        hash: Hash([7; 32]),
        time: 1_800_000_000,
    };

    fn check(head: u64, answer: Option<Seen>, days: i64) -> Finding {
        let head = Head {
            sequence: head,
            ..SEEN
        };
        compare(Some(&SEEN), Some(&head), answer, SEEN.time + days * 86_400)
    }

    #[test]
    fn a_client_sees_another_log() {
        use Rewritten::{Changed, Cut, Silent};
        let same = Some(Seen::Entry(SEEN.hash));
        for (head, answer, expected) in [
            (7, same, Finding::Intact),
            (900, same, Finding::Intact),
            (6, same, Finding::Rewritten(Cut)),
            (0, Some(Seen::Missing), Finding::Rewritten(Cut)),
            (9, Some(Seen::Missing), Finding::Rewritten(Cut)),
            (
                9,
                Some(Seen::Entry(Hash([8; 32]))),
                Finding::Rewritten(Changed),
            ),
            (9, None, Finding::Rewritten(Silent)),
        ] {
            assert_eq!(check(head, answer, 0), expected, "{head} {answer:?}");
        }
        assert_eq!(
            compare(Some(&SEEN), None, None, 0),
            Finding::Rewritten(Silent)
        );
        assert_eq!(compare(None, Some(&SEEN), None, 0), Finding::First);
        assert_eq!(compare(None, None, None, 0), Finding::First);
    }

    #[test]
    fn a_purge_explains_only_what_is_old() {
        let check = |days| check(900, Some(Seen::Purged), days);
        assert_eq!(check(90), Finding::Intact);
        assert_eq!(check(89), Finding::Intact);
        assert_eq!(check(88), Finding::Rewritten(Rewritten::TooEarly));
        assert_eq!(check(0), Finding::Rewritten(Rewritten::TooEarly));
    }

    #[test]
    fn texts_read_back() {
        assert_eq!(SEEN.to_string().parse(), Ok(SEEN));
        for seen in [Seen::Entry(SEEN.hash), Seen::Purged, Seen::Missing] {
            assert_eq!(seen.to_string().parse(), Ok(seen));
        }
        for wrong in ["", "7", "7 x 1", "-1 x 1", "gone"] {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
            assert!(wrong.parse::<Seen>().is_err(), "{wrong}");
        }
        assert!(format!("{SEEN} 1").parse::<Head>().is_err());
    }
}
