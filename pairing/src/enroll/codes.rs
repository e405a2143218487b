//! The typed codes of one window and what is left of them. Lives under the desk's lock.
//!
//! Five wrong confirmations end a code, whoever sent them and from wherever; then a new one is
//! drawn. There are three codes a window; after the third, pairing by typed code is over and pairing
//! by QR code goes on. So somebody who guesses has 15 tries in 2^40 a window.

use std::sync::Arc;

use super::pake;
use crate::{
    code::TypedCode,
    defence::{Defence, holds},
    environment::Entropy,
};

/// Wrong confirmations that end a code.
pub(super) const ATTEMPTS: u8 = 5;
/// Codes a window.
const CODES: u8 = 3;

/// The codes of a window.
pub(crate) struct Codes {
    current: Option<Arc<TypedCode>>,
    /// The current one is the so many-th.
    number: u8,
    /// Wrong confirmations of the current one.
    wrong: u8,
    entropy: Arc<dyn Entropy>,
}

/// What a wrong confirmation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It was counted, or the code was over already.
    Counted,
    /// It ended the code; there is a new one.
    NewCode,
    /// It ended the last code.
    Ended,
}

impl Codes {
    /// Draws the first one. Without randomness there is none, and the window has no typed codes.
    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> Self {
        let mut codes = Self {
            current: None,
            number: 0,
            wrong: 0,
            entropy,
        };
        if pake::AVAILABLE {
            codes.next();
        }
        codes
    }

    /// The code that counts now, with its number; `None` when there are no more.
    pub(super) fn current(&self) -> Option<(u8, Arc<TypedCode>)> {
        let code = self.current.as_ref()?;
        Some((self.number, Arc::clone(code)))
    }

    /// Whether the code of this number still counts.
    pub(super) fn is_current(&self, number: u8) -> bool {
        self.current.is_some() && self.number == number
    }

    /// A wrong confirmation of the code of this number. Each counts once, for the code that it was
    /// meant for.
    pub(super) fn wrong(&mut self, number: u8) -> Wrong {
        if !self.is_current(number) || !holds(Defence::AttemptLimit) {
            return Wrong::Counted;
        }
        let before = if holds(Defence::AttemptsPerWindow) {
            self.wrong
        } else {
            // Broken: each connection would have a count of its own.
            0
        };
        self.wrong = before.saturating_add(1);
        if self.wrong < ATTEMPTS {
            return Wrong::Counted;
        }
        self.next();
        if self.current.is_some() {
            Wrong::NewCode
        } else {
            Wrong::Ended
        }
    }

    /// The next code, if there is one.
    fn next(&mut self) {
        self.current = None;
        self.wrong = 0;
        if self.number < CODES || !holds(Defence::CodeLimit) {
            self.number = self.number.wrapping_add(1);
            self.current = TypedCode::draw(&*self.entropy).ok().map(Arc::new);
        }
    }
}

#[cfg(all(test, feature = "typed-code"))]
mod tests {
    use super::*;
    use crate::environment::{EntropyUnavailable, SystemEntropy};

    #[test]
    fn five_wrong_ones_end_a_code_and_three_codes_the_mode() {
        let mut codes = Codes::new(Arc::new(SystemEntropy));
        for number in 1..=CODES {
            assert_eq!(codes.current().map(|(number, _)| number), Some(number));
            // What was meant for another code counts for none.
            for other in [number - 1, number + 1] {
                assert_eq!(codes.wrong(other), Wrong::Counted);
            }
            for _ in 1..ATTEMPTS {
                assert_eq!(codes.wrong(number), Wrong::Counted);
                assert!(codes.is_current(number));
            }
            let ended = codes.wrong(number);
            assert_eq!(
                ended,
                if number == CODES {
                    Wrong::Ended
                } else {
                    Wrong::NewCode
                }
            );
            assert!(!codes.is_current(number));
        }
        assert!(codes.current().is_none());
        assert_eq!(codes.wrong(CODES), Wrong::Counted);
        assert!(codes.current().is_none());
    }

    #[test]
    fn without_randomness_there_is_no_code() {
        #[derive(Debug)]
        struct Nothing;
        impl Entropy for Nothing {
            fn fill(&self, _: &mut [u8]) -> Result<(), EntropyUnavailable> {
                Err(EntropyUnavailable)
            }
        }
        assert!(Codes::new(Arc::new(Nothing)).current().is_none());
    }
}
