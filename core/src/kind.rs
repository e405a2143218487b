//! Names of what is measured, and the one table of canonical units.
//!
//! A name is what the documents call a type (`steps`, `weight`), else HealthKit's identifier
//! without its prefix and with a small first letter. The store keeps names, never identifiers.

mod group;
mod style;
mod table;

use std::{fmt, sync::Arc};

pub(crate) use self::table::SLEEP;
use self::table::{ALIASES, Entry, Form, TABLE};
pub use self::{group::Group, style::Style};

/// The stable name of a health type (`steps`, `heartRate`, `sleepAnalysis`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Arc<str>);

impl Kind {
    /// The kind of a HealthKit identifier (`HKQuantityTypeIdentifierStepCount` is `steps`).
    pub fn from_healthkit(identifier: &str) -> Self {
        let bare = bare(identifier);
        let entry = TABLE.iter().find(|entry| entry.identifier == bare);
        Self(entry.map_or_else(|| decapitalize(bare), Entry::name).into())
    }

    /// A name that a store holds, as it stands.
    pub fn stored(name: &str) -> Self {
        Self(name.into())
    }

    /// Reads what a person wrote: a name, an alias (`heart_rate`, `distance`) or a HealthKit
    /// identifier, known or not. `Err` holds the nearest known name, if there is one.
    pub fn parse(text: &str) -> Result<Selector, UnknownKind> {
        Self::parse_among(text, std::iter::empty())
    }

    /// As [`Kind::parse`]; also accepts the names in `held`, which a store has and the table does
    /// not know.
    pub fn parse_among<'a>(
        text: &str,
        held: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Selector, UnknownKind> {
        let text = text.trim();
        if bare(text) != text {
            return Ok(Selector {
                kind: Self::from_healthkit(text),
                category: None,
            });
        }
        let folded = fold(text);
        let known = TABLE.iter().find_map(|entry| {
            let name = entry.name();
            (fold(&name) == folded || fold(entry.identifier) == folded).then_some(name)
        });
        if let Some(name) = known {
            return Ok(Selector {
                kind: Self(name.into()),
                category: None,
            });
        }
        if let Some((_, name, category)) = ALIASES.iter().find(|(alias, ..)| *alias == folded) {
            let category = category.map(str::to_owned);
            return Ok(Selector {
                kind: Self((*name).into()),
                category,
            });
        }
        if let Some(name) = held.clone().find(|name| fold(name) == folded) {
            return Ok(Selector {
                kind: Self(name.into()),
                category: None,
            });
        }
        Err(UnknownKind {
            name: text.to_owned(),
            nearest: nearest(&folded, held),
        })
    }

    /// Every name of the table.
    pub fn known() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|entry| Self(entry.name().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The unit that the store keeps this kind in; `None` for categories and unknown kinds.
    pub fn unit(&self) -> Option<&'static str> {
        match self.entry()?.form {
            Form::Quantity(unit) => Some(unit),
            Form::Category => None,
        }
    }

    /// Whether its values are names; `None` if the table does not know the kind.
    pub fn is_category(&self) -> Option<bool> {
        Some(self.entry()?.form == Form::Category)
    }

    fn entry(&self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.is_named(self))
    }
}

impl std::ops::Deref for Kind {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What one word of `--types` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The kind.
    pub kind: Kind,
    /// Only samples of this category value (`sleepREM` is `sleepAnalysis` with `asleepREM`).
    pub category: Option<String>,
}

/// No type has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown type {name:?}")]
pub struct UnknownKind {
    /// What was written.
    pub name: String,
    /// The nearest known name.
    pub nearest: Option<String>,
}

/// HealthKit's prefixes; the longest of those that share a beginning stands first.
const PREFIXES: &[&str] = &[
    "HKQuantityTypeIdentifier",
    "HKCategoryTypeIdentifier",
    "HKCorrelationTypeIdentifier",
    "HKScoredAssessmentTypeIdentifier",
    "HKDataTypeIdentifier",
    "HKDataType",
];

/// The identifier without its prefix; the identifier itself when nothing would be left.
pub(crate) fn bare(identifier: &str) -> &str {
    PREFIXES
        .iter()
        .find_map(|prefix| identifier.strip_prefix(prefix))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(identifier)
}

/// The text with a small first letter.
pub(crate) fn decapitalize(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}

/// What all spellings of a name have in common: `heart_rate`, `Heart-Rate`, `heartRate`.
fn fold(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' ' | '.'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The known name with the fewest edits, if about a third of its letters or less must change.
fn nearest<'a>(folded: &str, held: impl Iterator<Item = &'a str>) -> Option<String> {
    let names = TABLE
        .iter()
        .map(|entry| (fold(&entry.name()), entry.name()));
    let aliases = ALIASES
        .iter()
        .map(|(alias, name, _)| ((*alias).to_owned(), (*name).to_owned()));
    let held = held.map(|name| (fold(name), name.to_owned()));
    let candidates = names.chain(held).chain(aliases);
    // A word of any length can come from outside; a long one is near to nothing.
    let length = folded.chars().count();
    if !(2..=64).contains(&length) {
        return None;
    }
    // Two letters that changed places are two edits.
    let allowed = (length / 3).max(if length < 4 { 1 } else { 2 });
    candidates
        .map(|(spelling, name)| (distance(folded, &spelling), name))
        .min_by_key(|(edits, _)| *edits)
        .filter(|(edits, _)| *edits <= allowed)
        .map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let substituted = diagonal + usize::from(x != y);
            diagonal = *cell;
            *cell = substituted.min(left + 1).min(diagonal + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_names() {
        let cases = [
            ("HKQuantityTypeIdentifierStepCount", "steps"),
            ("HKQuantityTypeIdentifierHeartRate", "heartRate"),
            (
                "HKQuantityTypeIdentifierHeartRateVariabilitySDNN",
                "heartRateVariability",
            ),
            ("HKQuantityTypeIdentifierVO2Max", "vo2Max"),
            ("HKQuantityTypeIdentifierBodyMass", "weight"),
            ("HKQuantityTypeIdentifierOxygenSaturation", "bloodOxygen"),
            ("HKQuantityTypeIdentifierAppleExerciseTime", "exerciseTime"),
            ("HKCategoryTypeIdentifierAppleStandHour", "standHours"),
            ("HKQuantityTypeIdentifierAppleStandTime", "appleStandTime"),
            ("HKCategoryTypeIdentifierSleepAnalysis", "sleepAnalysis"),
            ("HKDataTypeSleepDurationGoal", "sleepDurationGoal"),
            ("HKCorrelationTypeIdentifierBloodPressure", "bloodPressure"),
            ("HKQuantityTypeIdentifierOfTheFuture", "ofTheFuture"),
            ("HKDataType", "hKDataType"),
            ("SomethingElse", "somethingElse"),
            ("Ünlü", "Ünlü"),
            ("", ""),
        ];
        for (identifier, name) in cases {
            assert_eq!(
                Kind::from_healthkit(identifier).as_str(),
                name,
                "{identifier}"
            );
        }
    }

    #[test]
    fn people_write_many_words() {
        let cases = [
            ("steps", "steps", None),
            ("Steps", "steps", None),
            ("step_count", "steps", None),
            ("heart_rate", "heartRate", None),
            ("heart-rate", "heartRate", None),
            ("heartRateVariabilitySDNN", "heartRateVariability", None),
            ("hrv", "heartRateVariability", None),
            ("activeEnergy", "activeEnergyBurned", None),
            ("active_energy", "activeEnergyBurned", None),
            ("distance", "distanceWalkingRunning", None),
            ("sleep", "sleepAnalysis", None),
            ("sleepREM", "sleepAnalysis", Some("asleepREM")),
            ("sleepInBed", "sleepAnalysis", Some("inBed")),
            ("vo2max", "vo2Max", None),
            ("HKQuantityTypeIdentifierStepCount", "steps", None),
            ("HKQuantityTypeIdentifierOfTheFuture", "ofTheFuture", None),
            ("  weight ", "weight", None),
            ("body_mass", "weight", None),
        ];
        for (text, kind, category) in cases {
            let selector = Kind::parse(text).unwrap();
            assert_eq!(
                (selector.kind.as_str(), selector.category.as_deref()),
                (kind, category)
            );
        }
        assert!(Kind::parse("ofTheFuture").is_err());
        let selector = Kind::parse_among("of_the_future", ["ofTheFuture"].into_iter()).unwrap();
        assert_eq!(selector.kind.as_str(), "ofTheFuture");
    }

    #[test]
    fn typing_errors_get_a_suggestion() {
        let cases = [
            ("heartRat", Some("heartRate")),
            ("stpes", Some("steps")),
            ("bodyMasIndex", Some("bodyMassIndex")),
            ("unicorns", None),
            ("", None),
        ];
        for (text, nearest) in cases {
            assert_eq!(
                Kind::parse(text).unwrap_err().nearest.as_deref(),
                nearest,
                "{text}"
            );
        }
        assert_eq!(Kind::parse(&"x".repeat(100_000)).unwrap_err().nearest, None);
    }

    #[test]
    fn the_table_holds_together() {
        let mut names: Vec<_> = TABLE.iter().map(Entry::name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice");
        for entry in TABLE {
            let kind = Kind::from_healthkit(entry.identifier);
            assert_eq!(
                kind.entry().map(|found| found.identifier),
                Some(entry.identifier)
            );
        }
        for (alias, name, _) in ALIASES {
            assert_eq!(fold(alias), *alias);
            assert!(names.iter().any(|known| known == name), "{alias}");
        }
    }

    #[test]
    fn units_are_canonical() {
        let unit = |name| Kind::stored(name).unit();
        assert_eq!(unit("steps"), Some("count"));
        assert_eq!(unit("heartRateVariability"), Some("ms"));
        assert_eq!(unit("bloodOxygen"), Some("%"));
        assert_eq!(unit("sleepAnalysis"), None);
        assert_eq!(unit("ofTheFuture"), None);
        assert_eq!(Kind::stored("standHours").is_category(), Some(true));
    }
}
