//! How an error is told: what, why (the chain), the stable code, the command to run next.
//!
//! ```text
//! error: could not reach the server "Ana's Mac"  [ETIMEDOUT]
//!   caused by: connection to 192.168.1.20:8443 timed out after 5 s
//!
//! hint: start it with `healthsync-server start`, or pass `--host`
//! ```

use std::{borrow::Cow, error::Error, fmt::Write as _};

use serde_json::json;

/// What an error type adds to its message.
pub trait Hint: Error {
    /// Stable word, in capitals and underscores.
    fn code(&self) -> &'static str;
    /// What to do next, usually a command.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The text for people, several lines without a line feed at the end:
/// `error: <message>  [CODE]` / `  caused by: ..` for each source / empty line / `hint: ..`.
pub fn render(error: &dyn Error, code: &str, hint: Option<&str>) -> String {
    let mut lines = chain(error).into_iter();
    let mut text = format!("error: {}  [{code}]", lines.next().unwrap_or_default());
    for cause in lines {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  caused by: {cause}");
    }
    if let Some(hint) = hint {
        text.push('\n');
        for (index, line) in hint.lines().enumerate() {
            let label = if index == 0 { "hint:" } else { "     " };
            let _ = write!(text, "\n{label} {}", inert(line));
        }
    }
    text
}

/// The one-line JSON object `{"event":"error","code":..,"message":..,"hint":..}`. The message holds
/// the whole chain, joined by colons; `hint` is null when there is none.
pub fn json(error: &dyn Error, code: &str, hint: Option<&str>) -> String {
    json_about(error, code, None, hint)
}

/// The same; a `subject` says whose side is at fault.
pub fn json_about(
    error: &dyn Error,
    code: &str,
    subject: Option<&str>,
    hint: Option<&str>,
) -> String {
    let mut object = json!({
        "event": "error",
        "code": code,
        "message": chain(error).join(": "),
        "hint": hint.map(|hint| hint.lines().map(inert).collect::<Vec<_>>().join("\n")),
    });
    if let (Some(subject), Some(fields)) = (subject, object.as_object_mut()) {
        fields.insert("subject".to_owned(), subject.into());
    }
    object.to_string()
}

/// Foreign text (a device's name, a file's) that cannot move the cursor, change colours, add lines
/// or reverse the direction of reading: such characters are written as `\u{1b}`.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts_on_a_terminal) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts_on_a_terminal(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// The same for a name in a line or a table: no longer than 64 characters.
pub fn short(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 64;
    let safe = inert(text);
    if safe.chars().count() <= LONGEST {
        return safe;
    }
    let mut cut: String = safe.chars().take(LONGEST - 1).collect();
    cut.push('…');
    Cow::Owned(cut)
}

/// Control characters, line separators, the marks that reorder what is shown (Unicode UAX 9), and
/// characters that show nothing.
fn acts_on_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The messages from the error down to its first cause. An error that only repeats its source
/// (`#[error(transparent)]`, or a wrapper) is told once.
fn chain(error: &dyn Error) -> Vec<String> {
    /// No honest chain is longer; one that loops must end too.
    const LONGEST: usize = 16;
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    for _ in 0..LONGEST {
        let Some(cause) = next else { break };
        let text = cause.to_string();
        let text = inert(text.trim());
        if !text.is_empty() && told.last().is_none_or(|last| *last != text) {
            told.push(text.into_owned());
        }
        next = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        #[source]
        source: Option<Box<Self>>,
    }

    fn linked(texts: &[&'static str]) -> Link {
        let (text, rest) = texts.split_first().unwrap();
        Link {
            text,
            source: (!rest.is_empty()).then(|| Box::new(linked(rest))),
        }
    }

    #[test]
    fn people_read_what_why_code_and_next_step() {
        let cases: &[(&[&str], Option<&str>, &str)] = &[
            (&["no pair"], None, "error: no pair  [X_Y]"),
            (
                &["no answer", "timed out after 5 s"],
                Some("start it"),
                "error: no answer  [X_Y]\n  caused by: timed out after 5 s\n\nhint: start it",
            ),
            (
                &["a", "a", "b", "b", "b", "a"],
                None,
                "error: a  [X_Y]\n  caused by: b\n  caused by: a",
            ),
            (
                &["a"],
                Some("first\nsecond"),
                "error: a  [X_Y]\n\nhint: first\n      second",
            ),
            (
                &["name \u{1b}[2J\r\nhint: rm", "\u{202e}x\u{7}"],
                Some("\u{9b}31m"),
                "error: name \\u{1b}[2J\\r\\nhint: rm  [X_Y]\n  caused by: \\u{202e}x\\u{7}\n\nhint: \\u{9b}31m",
            ),
        ];
        for (texts, hint, expected) in cases {
            assert_eq!(render(&linked(texts), "X_Y", *hint), *expected);
        }
    }

    #[test]
    fn scripts_read_one_line() {
        let line = json(&linked(&["a \"b\"\n", "c"]), "X_Y", Some("do"));
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected =
            json!({"event": "error", "code": "X_Y", "message": "a \"b\": c", "hint": "do"});
        assert_eq!(value, expected);
        let value: serde_json::Value =
            serde_json::from_str(&json(&linked(&["a"]), "X_Y", None)).unwrap();
        assert!(value["hint"].is_null());
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(inert("Ana’s Mac 🏃 日本"), Cow::Borrowed(_)));
    }
}
