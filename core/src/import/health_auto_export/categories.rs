//! Health Auto Export's names for symptoms, for what a cycle is tracked by, and for their values.
//! A name in another language than English is not guessed.

use super::names::camel;
use crate::kind::Kind;

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

/// Symptoms of which HealthKit keeps how severe they are.
const SYMPTOMS: &[&str] = &[
    "abdominalCramps",
    "acne",
    "bladderIncontinence",
    "bloating",
    "breastPain",
    "chestTightnessOrPain",
    "chills",
    "constipation",
    "coughing",
    "diarrhea",
    "dizziness",
    "drySkin",
    "fainting",
    "fatigue",
    "fever",
    "generalizedBodyAche",
    "hairLoss",
    "headache",
    "heartburn",
    "hotFlashes",
    "lossOfSmell",
    "lossOfTaste",
    "lowerBackPain",
    "memoryLapse",
    "nausea",
    "nightSweats",
    "pelvicPain",
    "rapidPoundingOrFlutteringHeartbeat",
    "runnyNose",
    "shortnessOfBreath",
    "sinusCongestion",
    "skippedHeartbeat",
    "soreThroat",
    "vaginalDryness",
    "vomiting",
    "wheezing",
];

/// The values that a category may have: empty for one that has none, `None` for one whose values are
/// not known here.
fn values(kind: &str) -> Option<(usize, &'static [&'static str])> {
    let values: (usize, &'static [&'static str]) = match kind {
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
        symptom if SYMPTOMS.contains(&symptom) => SEVERITY,
        _ => return None,
    };
    Some(values)
}

/// What a print says of a category.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// HealthKit's value.
    Value(&'static str),
    /// HealthKit's metadata of a category without values.
    Entry(&'static str, &'static str),
    /// No more than that the category has no values.
    Nothing,
    /// Nothing that HealthKit has a name for.
    Unknown,
}

/// The value of a category of which no value is printed.
pub(super) fn unsaid(kind: &Kind) -> Option<&'static str> {
    let (_, all) = values(kind)?;
    all.is_empty().then_some("notApplicable")
}

/// What the name or the number of a value says of a category.
pub(super) fn said(kind: &Kind, printed: &str) -> Said {
    const PROTECTION: &str = "HKSexualActivityProtectionUsed";
    let Some((first, all)) = values(kind) else {
        return Said::Unknown;
    };
    let own = camel(printed);
    if all.is_empty() {
        return match (kind.as_str(), own.as_str()) {
            // 0 is HealthKit's number of it.
            (_, "notApplicable" | "0") | ("sexualActivity", "unspecified") => Said::Nothing,
            ("sexualActivity", "protectionUsed") => Said::Entry(PROTECTION, "1"),
            ("sexualActivity", "protectionNotUsed") => Said::Entry(PROTECTION, "0"),
            _ => Said::Unknown,
        };
    }
    let found = if let Ok(number) = printed.parse::<usize>() {
        let at = number.checked_sub(first);
        at.and_then(|at| all.get(at))
    } else {
        let own = spelled(kind, &own);
        all.iter().find(|name| **name == own)
    };
    found.map_or(Said::Unknown, |value| Said::Value(value))
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
            ("sexualActivity", Some("Geschützt"), None),
            // A category that is no symptom has no severity.
            ("sleepAnalysis", Some("3"), None),
            ("sleepAnalysis", None, None),
            ("standHours", Some("mild"), None),
        ] {
            let kind = Kind::stored(kind);
            let said = match printed {
                Some(printed) => said(&kind, printed),
                None => unsaid(&kind).map_or(Said::Unknown, Said::Value),
            };
            let expected = expected.map_or(Said::Unknown, Said::Value);
            assert_eq!(said, expected, "{kind} {printed:?}");
        }
        let sexual = Kind::stored("sexualActivity");
        let protected = Said::Entry("HKSexualActivityProtectionUsed", "1");
        assert_eq!(said(&sexual, "Protection Used"), protected);
        assert_eq!(said(&sexual, "Not Applicable"), Said::Nothing);
        assert_eq!(unsaid(&sexual), Some("notApplicable"));
    }

    #[test]
    fn every_name_is_a_category_of_the_table() {
        for (name, kind) in NAMES {
            assert_eq!(Kind::stored(kind).is_category(), Some(true), "{name}");
        }
        for name in SYMPTOMS {
            assert_eq!(Kind::stored(name).is_category(), Some(true), "{name}");
        }
    }
}
