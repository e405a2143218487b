//! Families of kinds, as `--category` names them: one table.

use std::fmt;

use super::{Kind, fold};

/// A family of kinds that people ask for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Moving: steps, distances, energy, exercise.
    Activity,
    /// The body's measures: weight, height, fat.
    Body,
    /// Sleep, and what is measured in it.
    Sleep,
    /// Heart, blood, breath, temperature.
    Vitals,
}

/// What belongs to each.
const MEMBERS: &[(Group, &[&str])] = &[
    (
        Group::Activity,
        &[
            "steps",
            "distanceWalkingRunning",
            "distanceCycling",
            "distanceSwimming",
            "distanceWheelchair",
            "activeEnergyBurned",
            "basalEnergyBurned",
            "exerciseTime",
            "appleMoveTime",
            "appleStandTime",
            "standHours",
            "flightsClimbed",
            "pushCount",
            "swimmingStrokeCount",
            "physicalEffort",
        ],
    ),
    (
        Group::Body,
        &[
            "weight",
            "height",
            "bodyMassIndex",
            "bodyFatPercentage",
            "leanBodyMass",
            "waistCircumference",
        ],
    ),
    (
        Group::Sleep,
        &[
            "sleepAnalysis",
            "appleSleepingBreathingDisturbances",
            "appleSleepingWristTemperature",
            "sleepApneaEvent",
        ],
    ),
    (
        Group::Vitals,
        &[
            "heartRate",
            "restingHeartRate",
            "walkingHeartRateAverage",
            "heartRateVariability",
            "heartRateRecoveryOneMinute",
            "bloodPressureSystolic",
            "bloodPressureDiastolic",
            "bloodOxygen",
            "bloodGlucose",
            "respiratoryRate",
            "bodyTemperature",
            "vo2Max",
        ],
    ),
];

impl Group {
    /// Every group.
    pub const ALL: &[Self] = &[Self::Activity, Self::Body, Self::Sleep, Self::Vitals];

    /// The group that a word names, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let folded = fold(text.trim());
        Self::ALL
            .iter()
            .copied()
            .find(|group| group.as_str() == folded)
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Body => "body",
            Self::Sleep => "sleep",
            Self::Vitals => "vitals",
        }
    }

    /// The kinds in it.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        MEMBERS
            .iter()
            .filter(move |(group, _)| *group == self)
            .flat_map(|(_, names)| names.iter().map(|name| Kind::stored(name)))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_member_is_a_known_kind_and_in_one_group() {
        let known: HashSet<Kind> = Kind::known().collect();
        let mut seen = HashSet::new();
        for group in Group::ALL {
            assert!(group.kinds().next().is_some(), "{group} is empty");
            for kind in group.kinds() {
                assert!(known.contains(&kind), "{kind} is not in the table");
                assert!(seen.insert(kind.clone()), "{kind} is in two groups");
            }
        }
    }

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Group::parse("Vitals"), Some(Group::Vitals));
        assert_eq!(Group::parse(" body "), Some(Group::Body));
        assert_eq!(Group::parse("vital"), None);
        assert_eq!(Group::parse(""), None);
    }
}
