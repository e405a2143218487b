//! Goes through the whole chain with its key.

use super::{AuditError, chain::ChainKey, witness::Head};
use crate::trust::{AUDIT_START, AuditPlace, AuditTable};

/// What the check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry is as it was written.
    Intact {
        /// How many there are.
        entries: u64,
        /// The last one, 0 if there was none yet.
        last: u64,
        /// Up to here entries were purged; 0 if none were.
        purged: u64,
    },
    /// Not so, from here on.
    Broken {
        /// The first place that is wrong.
        sequence: u64,
        /// How.
        what: Break,
    },
}

/// How the chain is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The entry is not the one that this host wrote there: it was changed, moved or made by
    /// somebody without the key (or the key is a new one).
    Changed,
    /// An entry that was there is gone.
    Missing,
    /// The note of a purge was not made by this host: the beginning was cut off.
    Beginning,
    /// The end is gone, although this server wrote more.
    End,
}

impl Break {
    /// `changed`, `missing`, `beginning`, `end`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Beginning => "beginning",
            Self::End => "end",
        }
    }
}

/// So many entries are looked at in one go.
const PAGE: u32 = 1000;

/// Checks the log, of which the running server knows that it reached `known`.
pub(super) fn verify(
    table: &AuditTable,
    key: &ChainKey,
    known: Option<Head>,
) -> Result<Verdict, AuditError> {
    table.snapshot(|table| check(table, key, known))
}

fn check(table: &AuditTable, key: &ChainKey, known: Option<Head>) -> Result<Verdict, AuditError> {
    let mut place = AUDIT_START;
    let mut seal = None;
    for checkpoint in table.checkpoints()? {
        // The oldest ones are purged as well: the first of them may follow any other.
        let follows = seal.is_none_or(|before| before == checkpoint.previous);
        if !follows || !key.sealed(&checkpoint) {
            return Ok(Verdict::Broken {
                sequence: checkpoint.sequence,
                what: Break::Beginning,
            });
        }
        seal = Some(checkpoint.seal);
        place = AuditPlace {
            sequence: checkpoint.sequence,
            hash: checkpoint.hash,
            time: checkpoint.time,
        };
    }
    let purged = place.sequence;
    let mut entries = 0;
    let mut after = 0;
    loop {
        let page = table.entries(after, i64::MIN, PAGE)?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.sequence;
        for entry in page {
            let expected = place.sequence + 1;
            let what = if entry.sequence > expected {
                Some(Break::Missing)
            } else if entry.sequence < expected || key.link(&place.hash, &entry) != entry.hash {
                Some(Break::Changed)
            } else {
                None
            };
            if let Some(what) = what {
                return Ok(Verdict::Broken {
                    sequence: entry.sequence.min(expected),
                    what,
                });
            }
            entries += 1;
            place = AuditPlace {
                sequence: entry.sequence,
                hash: entry.hash,
                time: entry.time,
            };
        }
    }
    if let Some(known) = known {
        if place.sequence < known.sequence {
            return Ok(Verdict::Broken {
                sequence: place.sequence + 1,
                what: Break::End,
            });
        }
        if table.hash(known.sequence)? != Some(known.hash) {
            return Ok(Verdict::Broken {
                sequence: known.sequence,
                what: Break::Changed,
            });
        }
    }
    Ok(Verdict::Intact {
        entries,
        last: place.sequence,
        purged,
    })
}
