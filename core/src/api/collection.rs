//! What a phone keeps besides samples, by name: on the command line, in a path, in a scope.

use std::{fmt, str::FromStr};

use crate::document::Noun;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// The rings of each day: [`DocumentRecord`](super::DocumentRecord).
    Activity,
    /// Hearing tests: [`DocumentRecord`](super::DocumentRecord).
    Audiograms,
    /// FHIR resources of clinics: [`DocumentRecord`](super::DocumentRecord).
    Clinical,
    /// Blood pressures and meals: [`CorrelationRecord`](super::CorrelationRecord).
    Correlations,
    /// Electrocardiograms with their voltages: [`DocumentRecord`](super::DocumentRecord).
    Ecg,
    /// Doses of medications: [`DocumentRecord`](super::DocumentRecord).
    Medications,
    /// States of mind: [`DocumentRecord`](super::DocumentRecord).
    Moods,
    /// Prescriptions of glasses: [`DocumentRecord`](super::DocumentRecord).
    Prescriptions,
    /// Routes of workouts with their points: [`DocumentRecord`](super::DocumentRecord).
    Routes,
    /// Workouts: [`WorkoutRecord`](super::WorkoutRecord).
    Workouts,
}

impl Collection {
    /// All of them, in the order of their names.
    pub const ALL: &[Self] = &[
        Self::Activity,
        Self::Audiograms,
        Self::Clinical,
        Self::Correlations,
        Self::Ecg,
        Self::Medications,
        Self::Moods,
        Self::Prescriptions,
        Self::Routes,
        Self::Workouts,
    ];

    /// Its name, on the command line and as a word of a device's scope.
    ///
    /// Of correlations there is no such word: who may read a type of them (`bloodPressure`), or all
    /// of its samples, may read those.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Audiograms => "audiograms",
            Self::Clinical => "clinical",
            Self::Correlations => "correlations",
            Self::Ecg => "ecg",
            Self::Medications => "medications",
            Self::Moods => "moods",
            Self::Prescriptions => "prescriptions",
            Self::Routes => "routes",
            Self::Workouts => "workouts",
        }
    }

    /// Its path.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Activity => "/api/v1/activity",
            Self::Audiograms => "/api/v1/audiograms",
            Self::Clinical => "/api/v1/clinical",
            Self::Correlations => "/api/v1/correlations",
            Self::Ecg => "/api/v1/ecg",
            Self::Medications => "/api/v1/medications",
            Self::Moods => "/api/v1/moods",
            Self::Prescriptions => "/api/v1/prescriptions",
            Self::Routes => "/api/v1/routes",
            Self::Workouts => "/api/v1/workouts",
        }
    }

    /// The collection of a path.
    pub fn of_path(path: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|collection| collection.path() == path)
    }

    /// What its documents are; `None` for workouts and correlations, which are none.
    pub const fn noun(self) -> Option<Noun> {
        match self {
            Self::Activity => Some(Noun::ActivitySummary),
            Self::Audiograms => Some(Noun::Audiogram),
            Self::Clinical => Some(Noun::ClinicalRecord),
            Self::Ecg => Some(Noun::Ecg),
            Self::Medications => Some(Noun::Medication),
            Self::Moods => Some(Noun::StateOfMind),
            Self::Prescriptions => Some(Noun::VisionPrescription),
            Self::Routes => Some(Noun::Route),
            Self::Correlations | Self::Workouts => None,
        }
    }

    /// Whether a scope with these words, each whole, lets somebody read correlations of a type: it
    /// names the type, or both numbers of a blood pressure, whose reader may know which belong
    /// together.
    pub fn allows_correlation(kind: &str, has_word: impl Fn(&str) -> bool) -> bool {
        let numbers = ["bloodPressureSystolic", "bloodPressureDiastolic"];
        has_word(kind) || (kind == "bloodPressure" && numbers.iter().all(|word| has_word(word)))
    }

    /// The collection of a kind of document. Who somebody is (birth date, blood type) is in none:
    /// no device is served that.
    pub fn of_noun(noun: Noun) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|collection| collection.noun() == Some(noun))
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Collection {
    type Err = UnknownCollection;

    fn from_str(text: &str) -> Result<Self, UnknownCollection> {
        let mut all = Self::ALL.iter().copied();
        let found = all.find(|collection| collection.as_str() == text);
        found.ok_or(UnknownCollection)
    }
}

/// Not the name of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such collection")]
pub struct UnknownCollection;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_nouns_are_told_apart() {
        assert!(Collection::ALL.is_sorted_by_key(|collection| collection.as_str()));
        for collection in Collection::ALL {
            assert_eq!(collection.as_str().parse(), Ok(*collection));
            assert_eq!(Collection::of_path(collection.path()), Some(*collection));
            if let Some(noun) = collection.noun() {
                assert_eq!(Collection::of_noun(noun), Some(*collection));
            }
        }
        assert_eq!("samples".parse::<Collection>(), Err(UnknownCollection));
        for noun in Noun::ALL {
            let served = Collection::of_noun(*noun).is_some();
            assert_eq!(served, *noun != Noun::Characteristics, "{noun}");
        }
    }
}
