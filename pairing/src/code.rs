//! The typed code: eight symbols that a person carries from the host to the new device, and a
//! ninth that finds typing errors before anything is sent.
//!
//! ```text
//! K7QF-3M9X-5        40 random bits in Crockford's base32, then
//! check symbol = symbols[H("healthsync code check v1" || the eight symbols)[0] >> 3]
//! ```
//!
//! It is the password of SPAKE2 ([`crate::enroll::pake`]) and never crosses the wire.

use std::fmt;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

use crate::{
    defence::{Defence, holds},
    environment::{Entropy, EntropyUnavailable},
    secret::Secret,
};

/// The eight symbols; wiped when dropped.
pub struct TypedCode(Secret);

impl TypedCode {
    /// A new one.
    pub fn draw(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut random = Zeroizing::new([0; 5]);
        if holds(Defence::FreshCodes) {
            entropy.fill(random.as_mut())?;
        }
        let mut bits = random
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let mut symbols = Vec::with_capacity(LENGTH);
        for _ in 0..LENGTH {
            symbols.push(symbol(bits));
            bits >>= 5;
        }
        Ok(Self(Secret::new(symbols)))
    }

    /// Reads what a person typed: case, hyphens and spaces do not count, `I` and `L` are `1`, `O`
    /// is `0`. The check symbol must fit.
    pub fn parse(typed: &str) -> Result<Self, CodeError> {
        if typed.trim_start().starts_with("HS1:") {
            return Err(CodeError::IsInvite);
        }
        let mut symbols = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
        for typed in typed.chars().filter(|c| *c != '-' && !c.is_whitespace()) {
            if symbols.len() > LENGTH {
                return Err(CodeError::Length);
            }
            symbols.push(forgiven(typed).ok_or(CodeError::Symbol)?);
        }
        match symbols.split_last() {
            Some((last, code)) if code.len() == LENGTH => {
                if check_symbol(code) == *last {
                    Ok(Self(Secret::new(code.to_vec())))
                } else {
                    Err(CodeError::Mistyped)
                }
            }
            _ => Err(CodeError::Length),
        }
    }

    /// As it is shown: `K7QF-3M9X-5`.
    pub fn to_text(&self) -> Secret {
        let symbols = self.symbols().expose();
        let (front, back) = symbols.split_at_checked(LENGTH / 2).unwrap_or_default();
        let mut text = Vec::with_capacity(LENGTH + 3);
        text.extend(front);
        text.push(b'-');
        text.extend(back);
        text.push(b'-');
        text.push(check_symbol(symbols));
        Secret::new(text)
    }

    /// The eight symbols in capitals: the password.
    pub(crate) const fn symbols(&self) -> &Secret {
        &self.0
    }
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedCode(..)")
    }
}

/// Whether a word is written like a code (`K7QF-3M9X-5`, in any case), whatever its check symbol:
/// nobody writes anything else like that.
pub fn looks_like_code(word: &str) -> bool {
    let word = word.trim();
    let groups: Vec<usize> = word.split('-').map(str::len).collect();
    groups == [4, 4, 1] && word.chars().all(|c| c == '-' || forgiven(c).is_some())
}

/// Not a code as a server shows it. No variant repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The text of a QR code.
    #[error("this is the text of a QR code, not the short code")]
    IsInvite,
    /// A symbol is missing, or there is one too many.
    #[error("the code must have nine symbols, like K7QF-3M9X-5")]
    Length,
    /// The check symbol does not fit.
    #[error("the code is mistyped: its last symbol does not fit the others")]
    Mistyped,
    /// A character that no code has.
    #[error("the code has digits and letters only, and no U")]
    Symbol,
}

impl CodeError {
    /// Stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::IsInvite => "INVITE_NOT_EXPECTED",
            Self::Length | Self::Mistyped | Self::Symbol => "CODE_MISTYPED",
        }
    }

    /// What to do next.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "all errors of this crate give their hint in one shape"
    )]
    pub fn hint(self) -> Option<String> {
        let hint = match self {
            Self::IsInvite => "give it to `healthsync scan`",
            Self::Length | Self::Mistyped | Self::Symbol => {
                "type the code as `healthsync-server pair` shows it and run `healthsync pair` again; nothing was sent"
            }
        };
        Some(hint.to_owned())
    }
}

fn check_symbol(code: &[u8]) -> u8 {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"healthsync code check v1");
    hash.update(code);
    let first = hash.finish().as_ref().first().copied().unwrap_or_default();
    symbol(u64::from(first >> 3))
}

/// The symbol of the last five bits.
fn symbol(bits: u64) -> u8 {
    usize::try_from(bits & 31)
        .ok()
        .and_then(|index| SYMBOLS.get(index))
        .copied()
        .unwrap_or_default()
}

fn forgiven(typed: char) -> Option<u8> {
    let upper = u8::try_from(typed).ok()?.to_ascii_uppercase();
    let read = match upper {
        b'I' | b'L' => b'1',
        b'O' => b'0',
        other => other,
    };
    SYMBOLS.contains(&read).then_some(read)
}

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::environment::SystemEntropy;

    fn text(code: &TypedCode) -> String {
        String::from_utf8(code.to_text().expose().to_vec()).unwrap()
    }

    #[derive(Debug)]
    struct Bytes([u8; 5]);
    impl Entropy for Bytes {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
            bytes.copy_from_slice(&self.0);
            Ok(())
        }
    }

    /// The check symbols come from Python's hashlib.
    #[test]
    fn codes_are_written_and_read() {
        for (bytes, expected) in [
            ([0; 5], "0000-0000-8"),
            ([0xff; 5], "ZZZZ-ZZZZ-T"),
            ([0, 0, 0, 0, 1], "1000-0000-K"),
        ] {
            let code = TypedCode::draw(&Bytes(bytes)).unwrap();
            assert_eq!(text(&code), expected);
        }
        for typed in [
            "K7QF-3M9X-5",
            "k7qf-3m9x-5",
            " k7qf3m9x5\r\n",
            "K7 QF 3M 9X 5",
            "K-7-Q-F-3-M-9-X-5",
        ] {
            let code = TypedCode::parse(typed).unwrap();
            assert_eq!(code.symbols().expose(), b"K7QF3M9X", "{typed:?}");
        }
        for (typed, meant) in [("oOoO-0000-8", "00000000"), ("iLoo-oooo", "11000000")] {
            let typed = if typed.len() == 11 {
                typed.to_owned()
            } else {
                format!("{typed}-{}", char::from(check_symbol(meant.as_bytes())))
            };
            let code = TypedCode::parse(&typed).unwrap();
            assert_eq!(code.symbols().expose(), meant.as_bytes());
        }
    }

    #[test]
    fn typing_errors_are_found_before_anything_is_sent() {
        for (typed, error) in [
            ("", CodeError::Length),
            ("K7QF-3M9X", CodeError::Length),
            ("K7QF-3M9X-55", CodeError::Length),
            ("K7QF-3M9X-Q", CodeError::Mistyped),
            ("K7FQ-3M9X-5", CodeError::Mistyped),
            ("K7QF-3M9U-5", CodeError::Symbol),
            ("K7QF_3M9X_5", CodeError::Symbol),
            ("Ｋ7QF-3M9X-5", CodeError::Symbol),
            ("HS1:K7QF", CodeError::IsInvite),
        ] {
            assert_eq!(TypedCode::parse(typed).unwrap_err(), error, "{typed:?}");
        }
        // One wrong symbol anywhere is seen 31 times in 32.
        let right = "K7QF3M9X5";
        let mut seen = 0;
        for at in 0..LENGTH {
            for other in SYMBOLS {
                let mut wrong = right.as_bytes().to_vec();
                wrong[at] = *other;
                seen += u32::from(TypedCode::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
            }
        }
        assert!(seen > 8 * 31 * 9 / 10, "{seen} of {}", 8 * 31);
    }

    #[test]
    fn codes_differ_and_are_seen_by_their_form() {
        let codes: BTreeSet<String> = (0..64)
            .map(|_| text(&TypedCode::draw(&SystemEntropy).unwrap()))
            .collect();
        assert_eq!(codes.len(), 64);
        assert!(codes.iter().all(|code| looks_like_code(code)));
        assert!(looks_like_code("k7qf-3m9x-a"));
        for other in [
            "K7QF3M9X5",
            "2026-0101-U",
            "a-b-c",
            "2026-01-01",
            "-K7QF-3M9X",
        ] {
            assert!(!looks_like_code(other), "{other}");
        }
    }
}
