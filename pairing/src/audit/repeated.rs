//! What somebody can do again and again without being let in, or being served: the first time is
//! noted at once, the following ones are counted and noted together, so that a flood cannot fill the
//! disk.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Event, Note};
use crate::id::PairId;

/// At most one entry of a kind in so many seconds.
const SECONDS: i64 = 600;

type Kind = (Event, PairId, &'static str);

/// Counts what repeats. There are as many kinds as known pairs, events and results.
#[derive(Debug, Default)]
pub(crate) struct Repeated(Mutex<HashMap<Kind, Run>>);

#[derive(Clone, Copy, Debug)]
struct Run {
    /// When it was last noted, Unix seconds.
    noted: i64,
    /// How often since then.
    more: u64,
}

impl Repeated {
    /// It happened at `now`: gives what is to be noted.
    pub(crate) fn happened(
        &self,
        event: Event,
        pair: PairId,
        result: &'static str,
        now: i64,
    ) -> Option<Note> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry((event, pair, result)).or_insert(Run {
            noted: i64::MIN,
            more: 0,
        });
        run.more += 1;
        let due = now < run.noted || now.saturating_sub(run.noted) >= SECONDS;
        due.then(|| {
            let count = std::mem::take(&mut run.more);
            run.noted = now;
            note((event, pair, result), count)
        })
    }

    /// All that was counted and not noted yet.
    pub(crate) fn rest(&self) -> Vec<Note> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = runs.drain().filter(|(_, run)| run.more > 0);
        let mut rest: Vec<_> = rest.map(|(kind, run)| (kind, run.more)).collect();
        rest.sort_by_key(|((event, pair, result), _)| (event.as_str(), *pair, *result));
        rest.into_iter()
            .map(|(kind, count)| note(kind, count))
            .collect()
    }
}

fn note((event, pair, result): Kind, count: u64) -> Note {
    Note::new(event).of(pair).ending(result).times(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_makes_few_entries_and_is_counted() {
        let repeated = Repeated::default();
        let pair = PairId([1; 16]);
        let mut noted = Vec::new();
        for tenth in 0..12_000 {
            let happened = repeated.happened(Event::HandshakeFailed, pair, "X", tenth / 10);
            noted.extend(happened.and_then(|note| note.count));
        }
        noted.extend(repeated.rest().iter().filter_map(|note| note.count));
        assert_eq!(noted, [1, 6_000, 5_999]);
        assert_eq!(repeated.rest(), []);
    }

    #[test]
    fn kinds_are_counted_apart() {
        let repeated = Repeated::default();
        let happened = |event, pair, result| {
            repeated
                .happened(event, PairId([pair; 16]), result, 0)
                .is_some()
        };
        assert!(happened(Event::HandshakeFailed, 1, "X"));
        assert!(happened(Event::HandshakeFailed, 1, "Y"));
        assert!(happened(Event::HandshakeFailed, 2, "X"));
        assert!(happened(Event::ReadData, 1, "X"));
        assert!(!happened(Event::ReadData, 1, "X"));
    }
}
