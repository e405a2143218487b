//! One start tag: its name and its attributes, as text.

use std::ops::Range;

use memchr::{memchr, memchr3, memchr3_iter};

use super::text::{count_lines, is_forbidden};

/// A tag; its memory is used again for the next one.
///
/// An export has hundreds of millions of attributes, nearly all without a reference. So the text of
/// the tag is copied once, and keys and values are places in it; a value with references is resolved
/// behind it.
#[derive(Debug, Default)]
pub(super) struct Tag {
    text: String,
    name: Range<usize>,
    attributes: Vec<(Range<usize>, Range<usize>)>,
    /// Those of the tag before, whose text is there until this one was read: most have the same keys.
    before: Vec<(Range<usize>, Range<usize>)>,
    /// The last one was read to its end, and was as nearly all are.
    was_usual: bool,
    /// Something in it is not an attribute.
    pub(super) broken: bool,
    /// Forbidden characters that were written as references.
    pub(super) controls: u64,
    /// The last value with references, how it reads, and what was dropped of it: devices have some,
    /// and one record after another has the same device.
    known: (String, String, u64),
}

/// Where a start tag ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its length, bytes.
    pub(super) length: usize,
    /// It is its own end.
    pub(super) is_empty: bool,
    /// Line feeds in it.
    pub(super) lines: u64,
}

impl Tag {
    /// The element's name.
    pub(super) fn name(&self) -> &str {
        self.part(&self.name)
    }

    /// Keys and values in the order of the file.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .map(|(key, value)| (self.part(key), self.part(value)))
    }

    /// The first value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.attributes()
            .find(|(own, _)| *own == key)
            .map(|(_, value)| value)
    }

    /// Takes the start tag that the text begins with; `None` if its end is not there yet.
    pub(super) fn read(&mut self, text: &str) -> Option<Ended> {
        self.before.clear();
        if std::mem::take(&mut self.was_usual) {
            std::mem::swap(&mut self.before, &mut self.attributes);
        }
        self.attributes.clear();
        self.controls = 0;
        self.broken = false;
        let Usual { length, is_empty } = match self.read_usual(text)? {
            Ok(usual) => usual,
            Err(Unusual) => return self.read_unusual(text),
        };
        let tag = text.get(..length)?;
        self.text.clear();
        self.text.push_str(tag);
        self.was_usual = true;
        let mut lines = 0;
        let bytes = tag.as_bytes();
        if memchr3(b'\n', b'\r', b'\t', bytes).is_some() {
            lines = count_lines(bytes);
            self.resolve(tag, |value| memchr3(b'\n', b'\r', b'\t', value).is_some());
        }
        if memchr(b'&', bytes).is_some() {
            self.resolve(tag, |value| memchr(b'&', value).is_some());
        }
        Some(Ended {
            length,
            is_empty,
            lines,
        })
    }

    /// Finds the attributes and the end of a tag in one go, if it is as nearly all are: names without
    /// spaces, values in quotes. Nothing of it is XML that others would read otherwise.
    fn read_usual(&mut self, text: &str) -> Option<Result<Usual, Unusual>> {
        let bytes = text.as_bytes();
        let mut at = 1;
        while bytes.get(at).is_some_and(|byte| is_plain(*byte)) {
            at += 1;
        }
        self.name = 1..at;
        loop {
            let space = bytes.get(at..)?.iter().take_while(|byte| is_white(**byte));
            let from = at + space.count();
            match bytes.get(from)? {
                b'>' => {
                    return Some(Ok(Usual {
                        length: from + 1,
                        is_empty: false,
                    }));
                }
                b'/' => {
                    return match bytes.get(from + 1)? {
                        b'>' => Some(Ok(Usual {
                            length: from + 2,
                            is_empty: true,
                        })),
                        _ => Some(Err(Unusual)),
                    };
                }
                _ => {}
            }
            at = from;
            let rest = bytes.get(from..)?;
            let known = self.before.get(self.attributes.len());
            let known = known.and_then(|(key, _)| self.text.as_bytes().get(key.clone()));
            match known {
                Some(known) if rest.starts_with(known) && rest.get(known.len()) == Some(&b'=') => {
                    at += known.len();
                }
                _ => at += rest.iter().take_while(|byte| is_plain(**byte)).count(),
            }
            let key = from..at;
            if key.is_empty() || *bytes.get(at)? != b'=' || *bytes.get(at + 1)? != b'"' {
                return Some(Err(Unusual));
            }
            let start = at + 2;
            let end = start + quote(bytes.get(start..)?)?;
            self.attributes.push((key, start..end));
            at = end + 1;
        }
    }

    /// Resolves what is not as it reads, in the values of which that is so.
    fn resolve(&mut self, tag: &str, is_such: impl Fn(&[u8]) -> bool) {
        let (known, resolved, dropped) = &mut self.known;
        for (_, place) in &mut self.attributes {
            let Some(value) = tag.get(place.clone()) else {
                continue;
            };
            if !is_such(value.as_bytes()) {
                continue;
            }
            if known != value {
                value.clone_into(known);
                resolved.clear();
                *dropped = push_unescaped(resolved, value);
            }
            let start = self.text.len();
            self.text.push_str(resolved);
            self.controls += *dropped;
            // Behind the tag: it is not looked at again.
            *place = start..self.text.len();
        }
    }

    fn read_unusual(&mut self, text: &str) -> Option<Ended> {
        let end = end_of_tag(text.as_bytes())?;
        let content = text.get(1..end)?;
        let lines = count_lines(content.as_bytes());
        let (content, is_empty) = match content.strip_suffix('/') {
            Some(content) => (content, true),
            None => (content, false),
        };
        let name = content.find([' ', '\t', '\r', '\n']);
        let (name, attributes) = content.split_at_checked(name.unwrap_or(content.len()))?;
        self.assign(name, attributes);
        Some(Ended {
            length: end + 1,
            is_empty,
            lines,
        })
    }

    /// Takes the name and all that stands behind it: `type="..." unit="..."`.
    ///
    /// Exports of iOS 8 have keys with spaces in them, which is no XML; a key is everything up to
    /// the equals sign.
    pub(super) fn assign(&mut self, name: &str, text: &str) {
        self.text.clear();
        self.text.push_str(name);
        self.text.push_str(text);
        self.name = 0..name.len();
        self.attributes.clear();
        self.was_usual = false;
        self.controls = 0;
        self.broken = false;
        // XML makes a space of a line end in a value.
        let breaks = memchr3(b'\n', b'\r', b'\t', text.as_bytes()).is_some();
        let mut reference = find(b'&', text, 0);
        let mut at = 0;
        loop {
            at += white(text, at);
            if at >= text.len() {
                return;
            }
            let Some((key, value)) = attribute(text, at) else {
                self.broken = true;
                return;
            };
            at = value.end + 1;
            if reference < value.start {
                reference = find(b'&', text, value.start);
            }
            let value = if reference >= value.end && !breaks {
                name.len() + value.start..name.len() + value.end
            } else {
                let start = self.text.len();
                self.controls +=
                    push_unescaped(&mut self.text, text.get(value).unwrap_or_default());
                start..self.text.len()
            };
            let key = name.len() + key.start..name.len() + key.end;
            self.attributes.push((key, value));
        }
    }

    fn part(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// A tag as nearly all are.
struct Usual {
    length: usize,
    is_empty: bool,
}

/// Something in a tag is not as usual.
struct Unusual;

/// Where the first `"` stands. Most values are short: a call for each would take as long as all the rest.
fn quote(bytes: &[u8]) -> Option<usize> {
    const SHORT: usize = 4;
    const ONES: u64 = 0x0101_0101_0101_0101;
    const QUOTES: u64 = ONES * 0x22;

    let (words, _) = bytes.as_chunks::<8>();
    for (number, word) in words.iter().take(SHORT).enumerate() {
        let others = u64::from_le_bytes(*word) ^ QUOTES;
        // The lowest bit that is set belongs to the first byte that is a quote.
        let found = others.wrapping_sub(ONES) & !others & (ONES << 7);
        if found != 0 {
            let byte = usize::try_from(found.trailing_zeros() / 8).ok()?;
            return Some(number * 8 + byte);
        }
    }
    let from = words.len().min(SHORT) * 8;
    Some(from + memchr(b'"', bytes.get(from..)?)?)
}

/// What names consist of.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':')
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Where the `>` of a tag stands, which is none in a value; `None` if it is not there yet.
pub(super) fn end_of_tag(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    for at in memchr3_iter(b'>', b'\'', b'"', text) {
        let byte = *text.get(at)?;
        match quote {
            None if byte == b'>' => return Some(at),
            None => quote = Some(byte),
            Some(open) if open == byte => quote = None,
            Some(_) => {}
        }
    }
    None
}

/// How many bytes of white space stand at `at`.
fn white(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    rest.iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// Where the key and the value of the attribute at `from` stand.
fn attribute(text: &str, from: usize) -> Option<(Range<usize>, Range<usize>)> {
    let bytes = text.as_bytes();
    let equals = from + memchr(b'=', bytes.get(from..)?)?;
    let key = text.get(from..equals)?.trim_ascii_end();
    let open = equals + 1 + white(text, equals + 1);
    let quote = *bytes.get(open)?;
    if quote != b'"' && quote != b'\'' {
        return None;
    }
    let start = open + 1;
    let end = start + memchr(quote, bytes.get(start..)?)?;
    Some((from..from + key.len(), start..end))
}

/// Where a byte stands at or behind `from`; behind the text if nowhere.
fn find(byte: u8, text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    memchr(byte, rest).map_or(usize::MAX, |at| from + at)
}

/// Appends the text with its references resolved; what is no reference stays as it stands. Says
/// how many forbidden characters were dropped.
fn push_unescaped(target: &mut String, text: &str) -> u64 {
    let mut dropped = 0;
    let mut rest = text;
    let breaks = memchr3(b'\n', b'\r', b'\t', text.as_bytes()).is_some();
    let special = |rest: &str| {
        if breaks {
            rest.find(['&', '\n', '\r', '\t'])
        } else {
            memchr(b'&', rest.as_bytes())
        }
    };
    while let Some(position) = special(rest) {
        let (before, behind) = rest.split_at_checked(position).unwrap_or((rest, ""));
        target.push_str(before);
        // XML makes a space of a line end in an attribute.
        let (character, length) = if behind.starts_with('&') {
            reference(behind).unwrap_or((Some('&'), 1))
        } else {
            (Some(' '), 1)
        };
        match character {
            Some(character) => target.push(character),
            None => dropped += 1,
        }
        rest = behind.get(length..).unwrap_or_default();
    }
    target.push_str(rest);
    dropped
}

/// The character of `&lt;`, `&#183;`, `&#xB7;` (`None` if it is forbidden), and the length.
fn reference(text: &str) -> Option<(Option<char>, usize)> {
    let end = text.bytes().take(12).position(|byte| byte == b';')?;
    let name = text.get(1..end)?;
    let character = match name {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            let forbidden = u8::try_from(code).is_ok_and(is_forbidden);
            char::from_u32(code).filter(|_| !forbidden)
        }
    };
    Some((character, end + 1))
}

#[cfg(test)]
mod tests;
