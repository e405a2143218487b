//! File descriptors: each connection takes one, and the system gives a process only so many.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::Limits;

/// More than all limits together need.
const WANTED: u64 = 4096;
/// For the databases, the control socket, files of requests under way, and commands.
const OWN: usize = 96;
/// Fewer places than these serve nobody.
const FEWEST: usize = 8;

/// Asks the system for as many as the server can use (macOS gives 256 unasked), and says how many
/// there are.
pub fn raise() -> usize {
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(WANTED);
    let possible = now.maximum.unwrap_or(WANTED).min(WANTED);
    let mut has = current;
    if current < possible {
        let more = Rlimit {
            current: Some(possible),
            maximum: now.maximum,
        };
        match setrlimit(Resource::Nofile, more) {
            Ok(()) => has = possible,
            Err(error) => tracing::debug!(%error, "the system gives no more descriptors"),
        }
    }
    usize::try_from(has).unwrap_or(usize::MAX)
}

impl Limits {
    /// The same with no more connections than so many descriptors carry, so that those who only
    /// knock never take what a paired device needs.
    #[must_use]
    pub fn within(self, descriptors: usize) -> Self {
        let room = descriptors.saturating_sub(OWN);
        Self {
            strangers: self.strangers.min((room / 4).max(FEWEST)),
            guests: self.guests.min((room / 2).max(FEWEST)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_the_descriptors() {
        let at = |descriptors| {
            let limits = Limits::standard().within(descriptors);
            (limits.strangers, limits.guests)
        };
        let standard = Limits::standard();
        assert_eq!(at(4096), (standard.strangers, standard.guests));
        assert_eq!(at(256), (40, 80));
        assert_eq!(at(20), (FEWEST, FEWEST));
        for descriptors in (128..5000).step_by(7) {
            let (strangers, guests) = at(descriptors);
            assert!(
                strangers + guests + OWN <= descriptors.max(OWN + 2 * FEWEST),
                "{descriptors}"
            );
        }
    }
}
