//! Names that a peer chose, made harmless before a person sees them.
//!
//! A name may use letters and numbers of any script, combining accents, plain punctuation, and
//! pictographs. So nothing in it is a control, format, bidi, private or unassigned character, and none
//! is invisible: those are neither alphabetic nor numeric, and the four "letters" that show nothing
//! are named here.

use crate::defence::{Defence, holds};

/// A name as it came over the wire: refused if it holds any other character.
pub fn parse(bytes: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(bytes).ok()?;
    if !holds(Defence::InertNames) {
        return Some(name.to_owned());
    }
    let visible = name.chars().any(|c| c != ' ');
    let mut last = None;
    let mut is_allowed = |c| is_allowed_after(last.replace(c), c);
    (visible && name.len() <= MAX_BYTES && name.chars().all(&mut is_allowed))
        .then(|| name.to_owned())
}

/// The nearest name that [`parse`] takes: other characters are left out, and it is cut to 64 bytes.
pub fn clean(text: &str, or: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        if !is_allowed_after(name.chars().next_back(), c) {
            continue;
        }
        if name.len() + c.len_utf8() > MAX_BYTES {
            break;
        }
        name.push(c);
    }
    if name.trim().is_empty() {
        or.to_owned()
    } else {
        name.trim().to_owned()
    }
}

/// A name for people: where four or more digits follow each other, also with spaces or signs
/// between them, stands `####`. So no name can show somebody the six digits they look for.
pub fn inert(name: &str) -> String {
    if !holds(Defence::MaskedDigits) {
        return name.to_owned();
    }
    let mut shown = String::new();
    let mut run = String::new();
    for c in name.chars() {
        if c.is_numeric() || (!run.is_empty() && !c.is_alphabetic()) {
            run.push(c);
        } else {
            push_run(&mut shown, &mut run);
            shown.push(c);
        }
    }
    push_run(&mut shown, &mut run);
    shown
}

fn push_run(shown: &mut String, run: &mut String) {
    if run.chars().filter(|c| c.is_numeric()).count() < 4 {
        shown.push_str(run);
    } else {
        let signs = run.trim_end_matches(|c: char| !c.is_numeric()).len();
        shown.push_str("####");
        shown.push_str(run.get(signs..).unwrap_or_default());
    }
    run.clear();
}

/// A pictograph may be told to show itself in colour (variation selector 16), and nothing else may.
fn is_allowed_after(last: Option<char>, c: char) -> bool {
    is_allowed(c) || c == '\u{fe0f}' && last.is_some_and(is_pictograph)
}

/// Symbols, emoji and their skin tones of Unicode 14, but no dice and nothing else that counts.
fn is_pictograph(c: char) -> bool {
    const RANGES: [(char, char); 19] = [
        ('\u{2600}', '\u{267f}'),
        ('\u{2686}', '\u{2767}'),
        ('\u{2794}', '\u{27bf}'),
        ('\u{1f1e6}', '\u{1f1ff}'),
        ('\u{1f300}', '\u{1f521}'),
        ('\u{1f523}', '\u{1f64f}'),
        ('\u{1f680}', '\u{1f6d7}'),
        ('\u{1f6dd}', '\u{1f6ec}'),
        ('\u{1f6f0}', '\u{1f6fc}'),
        ('\u{1f900}', '\u{1f9ff}'),
        ('\u{1fa70}', '\u{1fa74}'),
        ('\u{1fa78}', '\u{1fa7c}'),
        ('\u{1fa80}', '\u{1fa86}'),
        ('\u{1fa90}', '\u{1faac}'),
        ('\u{1fab0}', '\u{1faba}'),
        ('\u{1fac0}', '\u{1fac5}'),
        ('\u{1fad0}', '\u{1fad9}'),
        ('\u{1fae0}', '\u{1fae7}'),
        ('\u{1faf0}', '\u{1faf6}'),
    ];
    RANGES
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&c))
}

fn is_allowed(c: char) -> bool {
    match c {
        // Hangul fillers are letters that show nothing.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        // Combining accents, as macOS writes them; dashes, quotes, bullet, ellipsis.
        '\u{300}'..='\u{36f}' | '\u{2010}'..='\u{2015}' | '\u{2018}'..='\u{201f}' => c != '\u{34f}',
        ' '..='~' | '\u{b7}' | '\u{2022}' | '\u{2026}' => true,
        _ => c.is_alphanumeric() || is_pictograph(c),
    }
}

const MAX_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_characters_pass() {
        for good in [
            "Anna-MacBook",
            "Anna’s Mac",
            "Łódź",
            "日本語",
            "Mac (2)",
            "e\u{301}",
            "Anna’s 💻",
            "❤\u{fe0f} Mac",
            "👍🏽",
            "🇨🇭",
        ] {
            assert_eq!(parse(good.as_bytes()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "   ",
            "a\u{1b}[31m",
            "a\u{9b}31m",
            "a\0b",
            "line\nbreak",
            "right\u{202e}left",
            "zero\u{200b}width",
            "joined\u{200d}",
            "\u{2066}isolated",
            "private\u{e000}",
            "unassigned\u{378}",
            "not a character\u{ffff}",
            "soft\u{ad}hyphen",
            "hangul\u{3164}filler",
            "grapheme\u{34f}joiner",
            "tag\u{e0041}",
            "separator\u{2028}",
            "\u{fe0f}",
            "in colour\u{fe0f}",
            "💻\u{200d}💻",
            "❤\u{fe0f}\u{fe0f}",
            "a die \u{2684}",
            "a key cap 1\u{fe0f}\u{20e3}",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
            let cleaned = clean(bad, "device");
            assert_eq!(parse(cleaned.as_bytes()), Some(cleaned));
        }
        assert_eq!(parse(&[b'a', 0xff]), None);
        assert_eq!(parse(&[b'a'; 65]), None);
        assert_eq!(clean(&"ä".repeat(4096), "device").len(), 64);
    }

    #[test]
    fn digits_do_not_show() {
        for (name, shown) in [
            ("Mac 15", "Mac 15"),
            ("Mac 123", "Mac 123"),
            ("type 123 456", "type ####"),
            ("type 123456 now", "type #### now"),
            ("1-2-3-4!", "####!"),
            ("12 Mac 34", "12 Mac 34"),
            ("１２３４", "####"),
            ("٤٥٦٧", "####"),
            ("①②③④", "####"),
            ("1💻2💻3💻4💻", "####💻"),
        ] {
            assert_eq!(inert(name), shown);
        }
    }
}
