//! One start tag: its name and its attributes, as text.

use super::text::is_forbidden;

/// A tag; its memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    used: usize,
    /// Something in it is not an attribute.
    pub(super) broken: bool,
    /// Forbidden characters that were written as references.
    pub(super) controls: u64,
}

impl Tag {
    /// The element's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Keys and values in the order of the file.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes
            .iter()
            .take(self.used)
            .map(|(key, value)| (key.as_str(), value.as_str()))
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
    pub(super) fn assign(&mut self, name: &str, mut text: &str) {
        self.name.clear();
        self.name.push_str(name);
        self.used = 0;
        self.controls = 0;
        self.broken = false;
        loop {
            text = text.trim_ascii_start();
            if text.is_empty() {
                return;
            }
            let Some((key, value, rest)) = split_attribute(text) else {
                self.broken = true;
                return;
            };
            if self.used == self.attributes.len() {
                self.attributes.push(Default::default());
            }
            if let Some((own_key, own_value)) = self.attributes.get_mut(self.used) {
                own_key.clear();
                own_key.push_str(key.trim_ascii_end());
                own_value.clear();
                self.controls += push_unescaped(own_value, value);
            }
            self.used += 1;
            text = rest;
        }
    }
}

fn split_attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.split_once('=')?;
    let rest = rest.trim_ascii_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, rest) = rest.get(1..)?.split_once(quote)?;
    Some((key, value, rest))
}

/// Appends the text with its references resolved; what is no reference stays as it stands. Says
/// how many forbidden characters were dropped.
fn push_unescaped(target: &mut String, text: &str) -> u64 {
    let special = |byte: u8| byte == b'&' || byte < 0x20;
    if !text.bytes().map(special).fold(false, |any, one| any | one) {
        target.push_str(text);
        return 0;
    }
    let mut dropped = 0;
    let mut rest = text;
    while let Some(position) = rest.find(['&', '\n', '\r', '\t']) {
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
