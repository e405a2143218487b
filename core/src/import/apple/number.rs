//! Numbers in files that follow the language of the phone.

use super::beats::digit;

/// Reads `265.868`, `-265,868`, `−1.234,5`, `٢٦٥٫٨`: of two different marks the last one is that of
/// the fraction, a single one always.
pub(super) fn lenient(text: &str) -> Option<f64> {
    let text = text.trim();
    let mut plain = String::with_capacity(text.len());
    let is_mark = |c: char| matches!(c, '.' | ',' | '\u{66b}' | '\u{66c}' | '\'' | '\u{2019}');
    let last = text.rfind(is_mark);
    let repeated = last.is_some_and(|at| {
        let mark = text.get(at..).and_then(|rest| rest.chars().next());
        text.chars().filter(|c| Some(*c) == mark).count() > 1
    });
    for (at, character) in text.char_indices() {
        if let Some(value) = digit(character) {
            plain.push(char::from_digit(u32::try_from(value).ok()?, 10)?);
        } else if is_mark(character) {
            // A mark that occurs twice parts thousands.
            if Some(at) == last && !repeated {
                plain.push('.');
            }
        } else {
            match character {
                '-' | '\u{2212}' | '\u{2010}' if plain.is_empty() => plain.push('-'),
                '+' if plain.is_empty() => {}
                // Marks of direction, and spaces that part thousands.
                '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{a0}' | '\u{202f}' => {}
                'e' | 'E' if plain.ends_with(|c: char| c.is_ascii_digit()) => plain.push('e'),
                '-' if plain.ends_with('e') => plain.push('-'),
                _ => return None,
            }
        }
    }
    plain.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The number at the beginning of `512.844 hertz`, `512ヘルツ`, `512,844 Hz`.
pub(super) fn leading(text: &str) -> Option<f64> {
    let text = text.trim();
    let belongs = |c: char| digit(c).is_some() || matches!(c, '.' | ',' | '\u{66b}');
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    lenient(text.get(..end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_language_reads() {
        for (text, number) in [
            ("265.868", Some(265.868)),
            ("-265,868", Some(-265.868)),
            ("\u{2212}265,868", Some(-265.868)),
            ("1.234,5", Some(1234.5)),
            ("1,234.5", Some(1234.5)),
            ("1.234.567", Some(1_234_567.0)),
            ("1\u{202f}234,5", Some(1234.5)),
            ("٢٦٥٫٨", Some(265.8)),
            ("100", Some(100.0)),
            ("1e-3", Some(0.001)),
            ("", None),
            ("Lead I", None),
            ("1-2", None),
            ("inf", None),
            (".", None),
        ] {
            assert_eq!(lenient(text), number, "{text}");
        }
        assert_eq!(leading("512.844 hertz"), Some(512.844));
        assert_eq!(leading("512ヘルツ"), Some(512.0));
        assert_eq!(leading("512,844 Hz"), Some(512.844));
        assert_eq!(leading("hertz"), None);
    }
}
