//! Where the file of a part lies: `workouts/2026.parquet`, and of samples a folder for each type,
//! `samples/heartRate/2026.parquet`.
//!
//! Names of types come from files, and may hold anything. One of our table stands as it is. Of all
//! others small letters and digits stand; a capital is `-` and the small letter, every other byte
//! `+` and two hexadecimal digits, and so is the first one where no plain letter or digit may stand:
//! a capital at the beginning, and what is called like a type of the table or a device of Windows.
//! So two types never meet, whether the file system tells capitals apart or not. A name that gets too
//! long ends in its hash.

use sha2::{Digest as _, Sha256};

use super::{BEYOND, TABLES, UNDATED};
use crate::kind::Kind;

/// A longer name is cut to `HEAD` characters and gets its hash.
const LONGEST: usize = 100;
const HEAD: usize = 32;
/// What no other name has.
const HASHED: &str = "++";

/// What Windows takes for a device, with any ending.
const DEVICES: [&str; 4] = ["aux", "con", "nul", "prn"];
/// The same, followed by a digit.
const PORTS: [&str; 2] = ["com", "lpt"];

/// Where a file lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The table, which is a folder.
    pub table: &'static str,
    /// The folder in it; `None`: there is none.
    pub folder: Option<String>,
    /// What the file is called, without its ending.
    pub year: String,
}

impl Place {
    /// `None`: no file of ours lies there.
    pub fn new(table: &'static str, folder: Option<&str>, year: &str) -> Option<Self> {
        let has_kinds = TABLES.iter().find(|it| it.name == table)?.has_kinds;
        let is_ours = folder.map_or(!has_kinds, |folder| has_kinds && is_folder(folder));
        (is_ours && is_year(year)).then(|| Self {
            table,
            folder: folder.map(str::to_owned),
            year: year.to_owned(),
        })
    }
}

/// Whether a part has this year.
pub(super) fn is_year(text: &str) -> bool {
    let is_plain = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain || [UNDATED, BEYOND].contains(&text)
}

/// The folder of a type.
pub(super) fn folder(kind: &str) -> String {
    if is_known(kind) {
        return kind.to_owned();
    }
    spelled(kind, !is_taken(kind))
}

/// The folder of a type that is not known.
fn spelled(kind: &str, is_first_plain: bool) -> String {
    let mut name = String::new();
    for (at, byte) in kind.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' if at > 0 || is_first_plain => name.push(byte.into()),
            b'A'..=b'Z' if at > 0 => {
                name.push('-');
                name.push(byte.to_ascii_lowercase().into());
            }
            _ => {
                name.push('+');
                name.extend(hex(byte));
            }
        }
    }
    if name.len() > LONGEST {
        name.truncate(HEAD);
        name.push_str(HASHED);
        name.extend(Sha256::digest(kind).into_iter().flat_map(hex));
    } else if name.is_empty() {
        name.push('+');
    }
    name
}

fn hex(byte: u8) -> [char; 2] {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    [digit(byte >> 4), digit(byte & 0x0f)]
}

/// Whether a type may have this folder, or might in a version that knows more types, or fewer.
fn is_folder(name: &str) -> bool {
    if let Some((head, hash)) = name.rsplit_once(HASHED) {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        return head.len() == HEAD && hash.len() == 64 && hash.bytes().all(is_hex);
    }
    is_known(name)
        || kind(name).is_some_and(|kind| {
            let mut ways = [true, false].into_iter();
            ways.any(|is_first_plain| spelled(&kind, is_first_plain) == name)
        })
}

/// The type of a folder, unless its name was cut.
fn kind(name: &str) -> Option<String> {
    if name == "+" {
        return Some(String::new());
    }
    let mut bytes = Vec::new();
    let mut rest = name.chars();
    while let Some(letter) = rest.next() {
        bytes.push(match letter {
            '+' => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).ok()?
            }
            '-' => u8::try_from(rest.next()?).ok()?.to_ascii_uppercase(),
            plain => u8::try_from(plain).ok()?,
        });
    }
    String::from_utf8(bytes).ok()
}

fn is_known(kind: &str) -> bool {
    Kind::known().any(|known| known.as_str() == kind)
}

/// Whether something else is called so.
fn is_taken(name: &str) -> bool {
    let is_port = PORTS.iter().any(|port| {
        let number = name.strip_prefix(port);
        number.is_some_and(|number| number.len() == 1)
    });
    is_port || DEVICES.contains(&name) || {
        let mut known = Kind::known();
        known.any(|known| known.as_str().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn types_of_the_table_are_called_what_they_are() {
        let mut folded = BTreeSet::new();
        for known in Kind::known() {
            let name = folder(&known);
            assert_eq!(name, *known);
            assert!(name.len() < 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(!is_device(&name), "{name}");
            assert!(folded.insert(name.to_lowercase()), "{name} is there twice");
        }
    }

    fn is_device(name: &str) -> bool {
        let name = name.to_lowercase();
        let number = name
            .strip_prefix("com")
            .or_else(|| name.strip_prefix("lpt"));
        ["con", "prn", "aux", "nul"].contains(&name.as_str())
            || number.is_some_and(|number| number.len() == 1)
    }

    #[test]
    fn other_types_are_spelled_so_that_no_two_meet() {
        for (kind, name) in [
            ("newThing", "new-thing"),
            ("heartrate", "+68eartrate"),
            ("HEARTRATE", "+48-e-a-r-t-r-a-t-e"),
            ("con", "+63on"),
            ("com1", "+63om1"),
            ("com10", "com10"),
            ("", "+"),
            (".", "+2e"),
            ("..", "+2e+2e"),
            ("../x", "+2e+2e+2fx"),
            ("é", "+c3+a9"),
            ("new-thing", "new+2dthing"),
        ] {
            assert_eq!(folder(kind), name);
        }
        let long = "x".repeat(101);
        assert_eq!(
            folder(&long).split_once(HASHED).unwrap().0,
            "x".repeat(HEAD)
        );
    }

    #[test]
    fn no_name_of_a_type_leads_anywhere_else() {
        let mut kinds: Vec<String> = [
            "",
            ".",
            "..",
            "...",
            "/",
            "/etc/passwd",
            "..\\..",
            "C:",
            "C:\\x",
            "con",
            "CON",
            "Con",
            "con.txt",
            "nul",
            "COM1",
            "com1",
            "lpt9",
            "com\u{b9}",
            "a.",
            "a ",
            " a",
            "a",
            "A",
            "aA",
            "Aa",
            "AA",
            "a-a",
            "a+61",
            "+61",
            "-a",
            "+",
            "++",
            "-",
            "_a",
            "~",
            "$HOME",
            "%41",
            "*",
            "?",
            "[a]",
            "{a,b}",
            "a=b",
            "type=steps",
            "a:b",
            "a\u{0}b",
            "\n",
            "\r\n",
            "\u{7f}",
            "é",
            "e\u{301}",
            "É",
            "ß",
            "ẞ",
            "K",
            "\u{212a}",
            "İ",
            "i",
            "ı",
            "💓",
            "heartRate",
            "heartrate",
            "HeartRate",
            "heart-rate",
            "undated",
            "2026",
            "__HIVE_DEFAULT_PARTITION__",
            "null",
            "steps",
            "Steps",
        ]
        .map(str::to_owned)
        .to_vec();
        for count in [30, 33, 34, 99, 100, 101, 255, 256, 5000] {
            for letter in ["x", "X", "é", ".", "/"] {
                kinds.push(letter.repeat(count));
                kinds.push(format!("{}y", letter.repeat(count)));
            }
        }
        kinds.sort();
        kinds.dedup();
        let mut names = BTreeSet::new();
        for kind in &kinds {
            let name = folder(kind);
            assert!(
                !name.is_empty() && name.len() <= LONGEST,
                "{kind:?}: {name}"
            );
            let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "+-".contains(letter);
            assert!(name.chars().all(is_safe), "{kind:?}: {name}");
            assert!(
                !name.starts_with('-') && !is_device(&name),
                "{kind:?}: {name}"
            );
            assert!(is_folder(&name), "{kind:?}: {name}");
            if !name.contains(HASHED) {
                assert_eq!(super::kind(&name).as_deref(), Some(kind.as_str()));
            }
            assert!(
                names.insert(name.to_lowercase()),
                "{kind:?}: {name} is taken"
            );
        }
    }

    #[test]
    fn a_name_may_be_cut_anywhere() {
        for before in 0..5 {
            let kind = "x".repeat(before) + &"é".repeat(17);
            let name = folder(&kind);
            assert!(name.contains(HASHED) && is_folder(&name), "{name}");
        }
    }

    #[test]
    fn a_folder_is_ours_whatever_a_version_knows() {
        // The first was a type that nobody knew, the others are called like one that is known now.
        for folder in ["heart-rate", "heartrate", "+68eartrate", "+68eart-rate"] {
            assert!(is_folder(folder), "{folder}");
        }
    }

    #[test]
    fn a_file_of_ours_has_no_other_place() {
        for (folder, year) in [
            ("heartRate", "2026"),
            ("new-thing", "0000"),
            ("+", "undated"),
            ("x", "beyond"),
        ] {
            assert!(Place::new("samples", Some(folder), year).is_some());
            assert_eq!(Place::new("workouts", Some(folder), year), None);
        }
        assert!(Place::new("workouts", None, "2026").is_some());
        assert_eq!(Place::new("samples", None, "2026"), None);
        assert_eq!(Place::new("others", None, "2026"), None);
        for year in [
            "", "26", "2026-01", "../x", "20é", "+026", "Undated", "٢٠٢٦",
        ] {
            assert_eq!(Place::new("samples", Some("steps"), year), None);
        }
        for folder in [
            "",
            ".",
            "..",
            "a b",
            "Mine",
            "heart_rate",
            "Con",
            "+2E",
            "a+61",
            "-x",
            "a-",
            "a+",
            "a+2",
            "a-+2e",
            "++",
            "+ff",
            "é",
            "a/b",
            "a++b",
            "x-1",
        ] {
            assert_eq!(
                Place::new("samples", Some(folder), "2026"),
                None,
                "{folder}"
            );
        }
    }
}
