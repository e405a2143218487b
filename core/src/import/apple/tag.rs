//! One start tag: its name and its attributes, as text.

use std::ops::Range;

use memchr::{memchr, memchr3};

use super::text::is_forbidden;

/// A tag; its memory is used again for the next one.
///
/// An export has hundreds of millions of attributes, nearly all without a reference. So the text of
/// the tag is copied once, and keys and values are places in it; a value with references is resolved
/// behind it.
#[derive(Debug, Default)]
pub(super) struct Tag {
    text: String,
    name: usize,
    attributes: Vec<(Range<usize>, Range<usize>)>,
    /// Something in it is not an attribute.
    pub(super) broken: bool,
    /// Forbidden characters that were written as references.
    pub(super) controls: u64,
}

impl Tag {
    /// The element's name.
    pub(super) fn name(&self) -> &str {
        self.part(&(0..self.name))
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

    /// Takes the name and all that stands behind it: `type="..." unit="..."`.
    ///
    /// Exports of iOS 8 have keys with spaces in them, which is no XML; a key is everything up to
    /// the equals sign.
    pub(super) fn assign(&mut self, name: &str, text: &str) {
        self.text.clear();
        self.text.push_str(name);
        self.text.push_str(text);
        self.name = name.len();
        self.attributes.clear();
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
                self.name + value.start..self.name + value.end
            } else {
                let start = self.text.len();
                self.controls +=
                    push_unescaped(&mut self.text, text.get(value).unwrap_or_default());
                start..self.text.len()
            };
            let key = self.name + key.start..self.name + key.end;
            self.attributes.push((key, value));
        }
    }

    fn part(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
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
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_as_they_come() {
        let check = |text: &str, expected: &[(&str, &str)], broken: bool| {
            let mut tag = Tag::default();
            tag.assign("Record", "left=\"over\" from=\"before\"");
            tag.assign("Record", text);
            assert_eq!(tag.attributes().collect::<Vec<_>>(), expected, "{text}");
            assert_eq!(tag.broken, broken, "{text}");
        };
        check("", &[], false);
        check(" a=\"1\"\n  b = '2' ", &[("a", "1"), ("b", "2")], false);
        check(" a=\"1\"b=\"2\"", &[("a", "1"), ("b", "2")], false);
        check(" Modified Date=\"x\"", &[("Modified Date", "x")], false);
        check(
            " a=\"&lt;&lt;HKDevice: 0x1&gt;\"",
            &[("a", "<<HKDevice: 0x1>")],
            false,
        );
        check(
            " a=\"mL/min&#183;kg &#xb7; &amp;lt;\"",
            &[("a", "mL/min· kg · &lt;".replace("· k", "·k").as_str())],
            false,
        );
        check(
            " a=\"AT&T &unknown; &#;\"",
            &[("a", "AT&T &unknown; &#;")],
            false,
        );
        check(" a=\"one\ntwo\tthree\"", &[("a", "one two three")], false);
        check(" a=\"1\" b", &[("a", "1")], true);
        check(" a=1", &[], true);
        check(" a=\"1", &[], true);
    }

    #[test]
    fn forbidden_references_are_dropped() {
        let mut tag = Tag::default();
        tag.assign("Record", " sourceName=\"Bad&#11;App&#x0;&#xD800;\"");
        assert_eq!(tag.value("sourceName"), Some("BadApp"));
        assert_eq!(tag.controls, 3);
    }
}
