//! Health Auto Export's names for metrics, units and workouts, and ours.

use std::borrow::Cow;

use crate::kind::{Kind, decapitalize};

/// Names that are neither ours nor HealthKit's.
const METRICS: &[(&str, &str)] = &[
    ("alcohol_consumption", "numberOfAlcoholicBeverages"),
    ("blood_oxygen_saturation", "bloodOxygen"),
    (
        "breathing_disturbances",
        "appleSleepingBreathingDisturbances",
    ),
    ("cardio_recovery", "heartRateRecoveryOneMinute"),
    ("dietary_energy", "dietaryEnergyConsumed"),
    ("handwashing", "handwashingEvent"),
    ("monounsaturated_fat", "dietaryFatMonounsaturated"),
    ("polyunsaturated_fat", "dietaryFatPolyunsaturated"),
    ("saturated_fat", "dietaryFatSaturated"),
    (
        "six_minute_walking_test_distance",
        "sixMinuteWalkTestDistance",
    ),
    ("stair_speed_down", "stairDescentSpeed"),
    ("stair_speed_up", "stairAscentSpeed"),
    ("swimming_distance", "distanceSwimming"),
    ("toothbrushing", "toothbrushingEvent"),
    ("total_fat", "dietaryFatTotal"),
    ("underwater_temperature", "waterTemperature"),
    ("weight_body_mass", "weight"),
    ("wheelchair_distance", "distanceWheelchair"),
];

/// The kind of a metric; one that nobody knows keeps its own name in our spelling.
pub(super) fn kind(metric: &str) -> Kind {
    if let Some((_, name)) = METRICS.iter().find(|(theirs, _)| *theirs == metric) {
        return Kind::stored(name);
    }
    let known = Kind::parse(metric).or_else(|_| Kind::parse(&format!("dietary_{metric}")));
    match known {
        Ok(selector) if selector.category.is_none() => selector.kind,
        Ok(_) | Err(_) => unknown(metric),
    }
}

/// The metric's own name in our spelling: `mindful_minutes` is `mindfulMinutes`.
pub(super) fn unknown(metric: &str) -> Kind {
    Kind::stored(&camel(metric))
}

/// `Some words_or others` as `someWordsOrOthers`.
pub(super) fn camel(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for word in text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        let mut letters = word.chars();
        if name.is_empty() {
            name.push_str(&decapitalize(word));
        } else if let Some(first) = letters.next() {
            name.extend(first.to_uppercase());
            name.push_str(letters.as_str());
        }
    }
    name
}

/// A unit as HealthKit would write it.
pub(super) fn unit(text: &str) -> Cow<'_, str> {
    match text {
        "steps" | "breaths" | "strokes" | "flights" => "count".into(),
        "spm" | "rpm" => "count/min".into(),
        "kmph" | "km/h" => "km/hr".into(),
        "mph" | "mi/h" => "mi/hr".into(),
        other => other.into(),
    }
}

/// HealthKit's names of workouts that the app shows under others.
const ACTIVITIES: &[(&str, &str)] = &[
    ("cycle", "cycling"),
    ("dance", "cardioDance"),
    ("openWaterSwim", "swimming"),
    ("poolSwim", "swimming"),
    ("rower", "rowing"),
    ("run", "running"),
    ("swim", "swimming"),
    ("walk", "walking"),
];

/// `Outdoor Walk` as `walking`, `Traditional Strength Training` as `traditionalStrengthTraining`.
/// A name in another language stays what it is.
pub(super) fn activity(name: &str) -> String {
    let bare = ["Outdoor ", "Indoor "]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let own = camel(bare);
    if own.is_empty() {
        return "other".to_owned();
    }
    let known = ACTIVITIES.iter().find(|(theirs, _)| *theirs == own);
    known.map_or(own, |(_, healthkit)| (*healthkit).to_owned())
}

/// A stage of sleep; `None` for one that is written in another language or not known.
pub(super) fn sleep_stage(value: &str) -> Option<&'static str> {
    let folded: String = value
        .chars()
        .filter(|c| c.is_alphabetic())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Some(match folded.as_str() {
        "awake" => "awake",
        "asleep" | "unspecified" | "asleepunspecified" => "asleepUnspecified",
        "inbed" => "inBed",
        "core" | "asleepcore" => "asleepCore",
        "rem" | "asleeprem" => "asleepREM",
        "deep" | "asleepdeep" => "asleepDeep",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_our_names() {
        for (metric, name) in [
            ("step_count", "steps"),
            ("active_energy", "activeEnergyBurned"),
            ("basal_energy_burned", "basalEnergyBurned"),
            ("walking_running_distance", "distanceWalkingRunning"),
            ("apple_exercise_time", "exerciseTime"),
            ("blood_oxygen_saturation", "bloodOxygen"),
            ("weight_body_mass", "weight"),
            ("heart_rate_variability", "heartRateVariability"),
            ("protein", "dietaryProtein"),
            ("vitamin_b12", "dietaryVitaminB12"),
            ("fiber", "dietaryFiber"),
            ("vo2_max", "vo2Max"),
            ("something_new", "somethingNew"),
        ] {
            assert_eq!(kind(metric).as_str(), name, "{metric}");
        }
    }

    #[test]
    fn every_mapped_metric_is_a_kind_of_the_table() {
        for (metric, name) in METRICS {
            let kind = Kind::stored(name);
            assert!(kind.is_category().is_some(), "{metric}: {name}");
        }
    }

    #[test]
    fn workouts_and_stages_have_healthkits_names() {
        for (name, expected) in [
            ("Walking", "walking"),
            ("Outdoor Walk", "walking"),
            ("Indoor Run", "running"),
            (
                "Traditional Strength Training",
                "traditionalStrengthTraining",
            ),
            ("Pool Swim", "swimming"),
            ("Spaziergang", "spaziergang"),
            ("", "other"),
        ] {
            assert_eq!(activity(name), expected);
        }
        assert_eq!(sleep_stage("In Bed"), Some("inBed"));
        assert_eq!(sleep_stage("REM"), Some("asleepREM"));
        assert_eq!(sleep_stage("Kern"), None);
    }
}
