//! Log lines that anybody on the network can cause: some a minute, and then how many were left out.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use healthsync_pairing::defence::{Defence, holds};
use tokio::time::Instant;

/// Lines in one [`PERIOD`].
const LINES: u32 = 60;
const PERIOD: Duration = Duration::from_mins(1);

/// Counts lines, so that a flood of connections does not become a flood of lines.
#[derive(Debug, Default)]
pub struct Notices(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Notices {
    /// Whether a line may be written; if so, how many were left out before it.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |began: Instant| now.saturating_duration_since(began) >= PERIOD;
        if state.began.is_none_or(is_over) {
            state.began = Some(now);
            state.lines = 0;
        }
        if state.lines >= LINES && holds(Defence::LogCap) {
            state.left_out = state.left_out.saturating_add(1);
            return None;
        }
        state.lines = state.lines.saturating_add(1);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_do_not_fill_the_log() {
        let notices = Notices::default();
        let begin = Instant::now();
        let written = |from: u64, to: u64| {
            (from..to)
                .filter_map(|second| notices.admit(begin + Duration::from_millis(second)))
                .collect::<Vec<_>>()
        };
        assert_eq!(written(0, 10_000), vec![0; 60]);
        assert_eq!(written(59_999, 60_002), [9_941, 0]);
        assert_eq!(written(60_002, 200_000).len(), 58 + 60 + 60);
    }
}
