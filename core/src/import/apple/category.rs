//! Category values: `HKCategoryValueSleepAnalysisAsleepCore` is `asleepCore`.

use crate::kind::{SLEEP, decapitalize};

/// Families of values that several types share; else the family bears the type's name.
const FAMILIES: &[&str] = &[
    "AppetiteChanges",
    "AppleStandHour",
    "AppleWalkingSteadinessEvent",
    "CervicalMucusQuality",
    "Contraceptive",
    "EnvironmentalAudioExposureEvent",
    "HeadphoneAudioExposureEvent",
    "LowCardioFitnessEvent",
    "MenstrualFlow",
    "OvulationTestResult",
    "PregnancyTestResult",
    "Presence",
    "ProgesteroneTestResult",
    "Severity",
    "SleepAnalysis",
    "VaginalBleeding",
];

/// HealthKit's numbers, as old exports and other apps print them.
const NUMBERED: &[(&str, &[&str])] = &[
    ("AppleStandHour", &["stood", "idle"]),
    ("SleepAnalysis", SLEEP),
];

/// The value's name without its prefix. `identifier` is the type's, without its own prefix.
pub(super) fn name(identifier: &str, value: &str) -> String {
    let value = value.trim();
    if let Ok(number) = value.parse::<usize>()
        && let Some((_, names)) = NUMBERED.iter().find(|(family, _)| *family == identifier)
        && let Some(name) = names.get(number)
    {
        return (*name).to_owned();
    }
    let Some(bare) = value.strip_prefix("HKCategoryValue") else {
        return value.to_owned();
    };
    let families = std::iter::once(&identifier).chain(FAMILIES);
    let stripped = families
        .filter_map(|family| bare.strip_prefix(family))
        .find(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        .unwrap_or(bare);
    match (identifier, stripped) {
        // iOS 16 gave the old value a new name.
        ("SleepAnalysis", "Asleep") => "asleepUnspecified".to_owned(),
        (_, "") => value.to_owned(),
        (_, name) => decapitalize(name),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn values_lose_their_prefix() {
        let cases = [
            (
                "SleepAnalysis",
                "HKCategoryValueSleepAnalysisAsleepCore",
                "asleepCore",
            ),
            (
                "SleepAnalysis",
                "HKCategoryValueSleepAnalysisAsleepREM",
                "asleepREM",
            ),
            (
                "SleepAnalysis",
                "HKCategoryValueSleepAnalysisInBed",
                "inBed",
            ),
            (
                "SleepAnalysis",
                "HKCategoryValueSleepAnalysisAsleep",
                "asleepUnspecified",
            ),
            (
                "SleepAnalysis",
                "HKCategoryValueSleepAnalysisAsleepUnspecified",
                "asleepUnspecified",
            ),
            ("SleepAnalysis", "3", "asleepCore"),
            ("SleepAnalysis", "17", "17"),
            (
                "AppleStandHour",
                "HKCategoryValueAppleStandHourStood",
                "stood",
            ),
            (
                "MindfulSession",
                "HKCategoryValueNotApplicable",
                "notApplicable",
            ),
            ("Headache", "HKCategoryValueSeverityMild", "mild"),
            ("MoodChanges", "HKCategoryValuePresencePresent", "present"),
            ("StateOfMind", "HKCategoryValueStateOfMindNotSet", "notSet"),
            ("SleepAnalysis", "HKCategoryValue", "HKCategoryValue"),
            ("Food", "apple pie", "apple pie"),
        ];
        for (identifier, value, expected) in cases {
            assert_eq!(name(identifier, value), expected, "{identifier} {value}");
        }
    }
}
