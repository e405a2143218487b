//! Health Auto Export's names for symptoms, for what a cycle is tracked by, and for their values.
//! A name in another language than English is not guessed.

use super::names::camel;
use crate::{kind::Kind, sample::Metadata};

/// Names that are not HealthKit's.
const NAMES: &[(&str, &str)] = &[
    ("bodyAndMuscleAche", "generalizedBodyAche"),
    ("contraceptives", "contraceptive"),
    ("menstruation", "menstrualFlow"),
    ("ovulationTest", "ovulationTestResult"),
    ("period", "menstrualFlow"),
    ("pregnancyTest", "pregnancyTestResult"),
    ("progesteroneTest", "progesteroneTestResult"),
    ("spotting", "intermenstrualBleeding"),
];

/// The category that bears this name; none for a name that nobody knows.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let own = camel(name);
    if let Some((_, kind)) = NAMES.iter().find(|(theirs, _)| *theirs == own) {
        return Some(Kind::stored(kind));
    }
    let selector = Kind::parse(&own).ok()?;
    let is_category = selector.kind.is_category() == Some(true);
    (is_category && selector.category.is_none()).then_some(selector.kind)
}

/// HealthKit's values, in the order of its numbers, with the first of them.
const SEVERITY: (usize, &[&str]) = (
    0,
    &["unspecified", "notPresent", "mild", "moderate", "severe"],
);
const PRESENCE: (usize, &[&str]) = (0, &["present", "notPresent"]);
const BLEEDING: (usize, &[&str]) = (1, &["unspecified", "light", "medium", "heavy", "none"]);

/// The values that a category may have; empty for one that has none.
fn values(kind: &str) -> (usize, &'static [&'static str]) {
    match kind {
        "appetiteChanges" => (0, &["unspecified", "noChange", "decreased", "increased"]),
        "moodChanges" | "sleepChanges" => PRESENCE,
        "menstrualFlow" | "bleedingAfterPregnancy" | "bleedingDuringPregnancy" => BLEEDING,
        "cervicalMucusQuality" => (1, &["dry", "sticky", "creamy", "watery", "eggWhite"]),
        "ovulationTestResult" => (
            1,
            &[
                "negative",
                "luteinizingHormoneSurge",
                "indeterminate",
                "estrogenSurge",
            ],
        ),
        "pregnancyTestResult" | "progesteroneTestResult" => {
            (1, &["negative", "positive", "indeterminate"])
        }
        "contraceptive" => (
            1,
            &[
                "unspecified",
                "implant",
                "injection",
                "intrauterineDevice",
                "intravaginalRing",
                "oral",
                "patch",
            ],
        ),
        "infrequentMenstrualCycles"
        | "intermenstrualBleeding"
        | "irregularMenstrualCycles"
        | "lactation"
        | "mindfulSession"
        | "persistentIntermenstrualBleeding"
        | "pregnancy"
        | "prolongedMenstrualPeriods"
        | "sexualActivity" => (0, &[]),
        _ => SEVERITY,
    }
}

/// What a category says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// HealthKit's value.
    Value(&'static str),
    /// Nothing that HealthKit has a name for; what is printed is metadata.
    Unknown,
}

/// HealthKit's value of a category, by its name or its number; what a category without values
/// prints beside it is metadata.
pub(super) fn value(kind: &Kind, printed: Option<&str>, metadata: &mut Metadata) -> Said {
    let (first, all) = values(kind);
    let mut remember = |key: &str, text: &str| {
        metadata.entries.push((key.to_owned(), text.to_owned()));
    };
    if all.is_empty() {
        let own = printed.map(camel);
        match (kind.as_str(), own.as_deref()) {
            (_, None | Some("" | "notApplicable")) | ("sexualActivity", Some("unspecified")) => {}
            ("sexualActivity", Some("protectionUsed")) => {
                remember("HKSexualActivityProtectionUsed", "1");
            }
            ("sexualActivity", Some("protectionNotUsed")) => {
                remember("HKSexualActivityProtectionUsed", "0");
            }
            _ => remember("value", printed.unwrap_or_default()),
        }
        return Said::Value("notApplicable");
    }
    let Some(printed) = printed else {
        return Said::Unknown;
    };
    let named = |own: &str| all.iter().find(|name| **name == own).copied();
    let found = match printed.parse::<usize>() {
        Ok(number) => number
            .checked_sub(first)
            .and_then(|at| all.get(at))
            .copied(),
        Err(_) => named(&spelled(kind, &camel(printed))),
    };
    found.map_or_else(
        || {
            remember("value", printed);
            Said::Unknown
        },
        Said::Value,
    )
}

/// Other English words for the same value.
fn spelled(kind: &Kind, own: &str) -> String {
    match (kind.as_str(), own) {
        ("ovulationTestResult", "positive" | "lHSurge" | "luteinizingHormone") => {
            "luteinizingHormoneSurge"
        }
        ("cervicalMucusQuality", "eggwhite") => "eggWhite",
        ("contraceptive", "iUD") => "intrauterineDevice",
        _ => own,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_healthkits() {
        for (name, expected) in [
            ("Headache", Some("headache")),
            ("Body and Muscle Ache", Some("generalizedBodyAche")),
            (
                "Rapid, Pounding, or Fluttering Heartbeat",
                Some("rapidPoundingOrFlutteringHeartbeat"),
            ),
            ("Menstruation", Some("menstrualFlow")),
            ("Cervical Mucus Quality", Some("cervicalMucusQuality")),
            // A quantity is no symptom, and another language none that is known.
            ("Heart Rate", None),
            ("Kopfschmerzen", None),
            ("", None),
        ] {
            assert_eq!(kind(name).as_deref(), expected, "{name}");
        }
        for (kind, printed, expected) in [
            ("headache", Some("Not Present"), Some("notPresent")),
            ("headache", Some("Severe"), Some("severe")),
            ("headache", Some("2"), Some("mild")),
            ("headache", Some("schwer"), None),
            ("headache", None, None),
            ("moodChanges", Some("Present"), Some("present")),
            ("appetiteChanges", Some("No Change"), Some("noChange")),
            ("menstrualFlow", Some("Heavy"), Some("heavy")),
            ("menstrualFlow", Some("None"), Some("none")),
            ("menstrualFlow", Some("2"), Some("light")),
            ("menstrualFlow", Some("0"), None),
            (
                "ovulationTestResult",
                Some("Positive"),
                Some("luteinizingHormoneSurge"),
            ),
            ("pregnancy", None, Some("notApplicable")),
            (
                "sexualActivity",
                Some("Protection Used"),
                Some("notApplicable"),
            ),
        ] {
            let mut metadata = Metadata::default();
            let said = value(&Kind::stored(kind), printed, &mut metadata);
            let expected = expected.map_or(Said::Unknown, Said::Value);
            assert_eq!(said, expected, "{kind} {printed:?}");
            let kept = metadata.value("value").is_some();
            assert_eq!(kept, said == Said::Unknown && printed.is_some(), "{kind}");
        }
    }

    #[test]
    fn every_name_is_a_category_of_the_table() {
        for (name, kind) in NAMES {
            assert_eq!(Kind::stored(kind).is_category(), Some(true), "{name}");
        }
    }
}
