//! How the values of a kind combine, after HealthKit's `HKQuantityAggregationStyle`.

use super::Kind;

/// How values over time become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// They add up (steps).
    Cumulative,
    /// They have a mean (heart rate).
    Discrete,
    /// They are levels in decibel, whose energy has a mean.
    Level,
}

/// Those that add up, beside `dietary..` and `distance..`.
const CUMULATIVE: &[&str] = &[
    "activeEnergyBurned",
    "appleMoveTime",
    "appleStandTime",
    "basalEnergyBurned",
    "elevationGained",
    "exerciseTime",
    "flightsClimbed",
    "inhalerUsage",
    "insulinDelivery",
    "nikeFuel",
    "numberOfAlcoholicBeverages",
    "numberOfTimesFallen",
    "pushCount",
    "steps",
    "swimmingStrokeCount",
    "timeInDaylight",
    "totalEnergyBurned",
];

const LEVELS: &[&str] = &[
    "environmentalAudioExposure",
    "environmentalSoundReduction",
    "headphoneAudioExposure",
];

impl Kind {
    /// How its values combine; what the table does not know is taken for discrete, because a mean
    /// of what adds up is less wrong than a sum of what does not.
    pub fn style(&self) -> Style {
        let is_known = self.is_category() == Some(false);
        let is_family = self.starts_with("dietary") || self.starts_with("distance");
        if CUMULATIVE.contains(&self.as_str()) || (is_known && is_family) {
            Style::Cumulative
        } else if LEVELS.contains(&self.as_str()) {
            Style::Level
        } else {
            Style::Discrete
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_known_kinds() {
        for name in CUMULATIVE.iter().chain(LEVELS) {
            assert!(Kind::known().any(|kind| *kind == **name), "{name}");
        }
    }

    #[test]
    fn styles_are_those_of_healthkit() {
        for (name, style) in [
            ("steps", Style::Cumulative),
            ("distanceWalkingRunning", Style::Cumulative),
            ("dietaryWater", Style::Cumulative),
            ("heartRate", Style::Discrete),
            ("sixMinuteWalkTestDistance", Style::Discrete),
            ("headphoneAudioExposure", Style::Level),
            ("totalEnergyBurned", Style::Cumulative),
            ("elevationGained", Style::Cumulative),
            ("distanceOfTheFuture", Style::Discrete),
        ] {
            assert_eq!(Kind::stored(name).style(), style, "{name}");
        }
    }
}
