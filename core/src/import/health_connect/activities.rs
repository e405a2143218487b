//! Health Connect's numbers of exercises, and HealthKit's names for them.

/// By number: `android.health.connect.datatypes.ExerciseSessionType` of the Android Open Source
/// Project. (The numbers of the Jetpack library are others; they are not what the database holds.)
const ACTIVITIES: &[&str] = &[
    "other",
    "badminton",
    "baseball",
    "basketball",
    "cycling",
    "cycling",
    "mixedCardio",
    "boxing",
    "functionalStrengthTraining",
    "cricket",
    "cardioDance",
    "mixedCardio",
    "fencing",
    "americanFootball",
    "australianFootball",
    "discSports",
    "golf",
    "mindAndBody",
    "gymnastics",
    "handball",
    "highIntensityIntervalTraining",
    "hiking",
    "hockey",
    "skatingSports",
    "martialArts",
    "paddleSports",
    "other",
    "pilates",
    "racquetball",
    "climbing",
    "hockey",
    "rowing",
    "rugby",
    "running",
    "running",
    "sailing",
    "underwaterDiving",
    "skatingSports",
    "downhillSkiing",
    "snowboarding",
    "snowSports",
    "soccer",
    "softball",
    "squash",
    "stairClimbing",
    "traditionalStrengthTraining",
    "flexibility",
    "surfingSports",
    "swimming",
    "swimming",
    "tableTennis",
    "tennis",
    "volleyball",
    "walking",
    "waterPolo",
    "traditionalStrengthTraining",
    "wheelchairWalkPace",
    "yoga",
    "other",
    "stairs",
    "elliptical",
    "rowing",
];

/// HealthKit's name of an exercise; `other` for a number of a later version.
pub(super) fn name(number: Option<i64>) -> &'static str {
    number
        .and_then(|number| ACTIVITIES.get(usize::try_from(number).ok()?))
        .copied()
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_android() {
        for (number, expected) in [
            (0, "other"),
            (4, "cycling"),
            (33, "running"),
            (39, "snowboarding"),
            (53, "walking"),
            (57, "yoga"),
            (61, "rowing"),
            (62, "other"),
            (-1, "other"),
        ] {
            assert_eq!(name(Some(number)), expected, "{number}");
        }
        assert_eq!(name(None), "other");
    }
}
