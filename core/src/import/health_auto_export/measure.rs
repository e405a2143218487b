//! Numbers in the unit of a metric, and their way to the canonical one.

use std::sync::Arc;

use super::names;
use crate::{
    kind::Kind,
    unit::{Conversion, canonical},
};

/// A kind whose numbers are printed in one unit.
#[derive(Clone, Debug)]
pub(super) struct Measure {
    pub(super) kind: Kind,
    /// The unit of the converted numbers.
    pub(super) unit: Arc<str>,
    /// The unit is not one of this kind: numbers stay as they are printed.
    pub(super) is_foreign: bool,
    conversion: Conversion,
    percent: Percent,
}

/// How a percentage is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Percent {
    /// It is none.
    No,
    /// Of a hundred, always.
    Hundredths,
    /// Of a hundred; but a number that nobody lives with is a fraction of one.
    Either,
}

impl Measure {
    pub(super) fn new(kind: Kind, printed: &str) -> Self {
        let printed = names::unit(printed.trim());
        let target = kind.unit().or_else(|| canonical(&printed));
        let conversion = match target {
            Some(_) if printed.is_empty() => Some(Conversion::IDENTITY),
            Some(to) if &*kind == "bloodGlucose" => Conversion::of_glucose(&printed, to),
            Some(to) => Conversion::between(&printed, to),
            None => None,
        };
        let unit = conversion.and(target).unwrap_or(&printed);
        let percent = match (&*printed, unit, &*kind) {
            ("%", "%", "bloodOxygen" | "bodyFatPercentage") => Percent::Either,
            ("%", "%", _) => Percent::Hundredths,
            _ => Percent::No,
        };
        Self {
            unit: unit.into(),
            is_foreign: conversion.is_none() && !printed.is_empty(),
            conversion: conversion.unwrap_or(Conversion::IDENTITY),
            percent,
            kind,
        }
    }

    /// The number in the canonical unit; `None` if it is not finite there.
    pub(super) fn apply(&self, number: f64) -> Option<f64> {
        let value = match self.percent {
            Percent::Hundredths => number / 100.0,
            Percent::Either if number > 1.5 => number / 100.0,
            Percent::Either | Percent::No => self.conversion.apply(number),
        };
        value.is_finite().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_canonical() {
        let check = |metric, unit, number, expected: (&str, f64)| {
            let measure = Measure::new(names::kind(metric), unit);
            let value = measure.apply(number).unwrap();
            assert_eq!(&*measure.unit, expected.0, "{metric}");
            assert!((value - expected.1).abs() < 1e-9, "{metric}: {value}");
            assert!(!measure.is_foreign);
        };
        check("active_energy", "kJ", 4.184, ("kcal", 1.0));
        check("walking_running_distance", "mi", 1.0, ("m", 1609.344));
        check("weight_body_mass", "lb", 100.0, ("kg", 45.359_237));
        check("body_temperature", "degF", 98.6, ("degC", 37.0));
        check(
            "blood_glucose",
            "mmol/L",
            5.0,
            ("mg/dL", 90.077_940_000_027),
        );
        check("blood_oxygen_saturation", "%", 97.0, ("%", 0.97));
        check("blood_oxygen_saturation", "%", 0.97, ("%", 0.97));
        check("walking_asymmetry_percentage", "%", 0.8, ("%", 0.008));
        check("step_count", "count", 8.279_676, ("count", 8.279_676));
        check("heart_rate", "bpm", 72.0, ("count/min", 72.0));
        check("walking_speed", "km/hr", 3.6, ("m/s", 1.0));
        check(
            "apple_sleeping_wrist_temperature",
            "degC",
            35.5,
            ("degC", 35.5),
        );
        check("physical_effort", "kcal/hr·kg", 4.0, ("kcal/hr·kg", 4.0));
        check("vo2_max", "ml/(kg·min)", 40.0, ("mL/min·kg", 40.0));
    }

    #[test]
    fn a_unit_of_something_else_stays() {
        let measure = Measure::new(names::kind("step_count"), "furlong");
        assert_eq!((&*measure.unit, measure.apply(3.0)), ("furlong", Some(3.0)));
        assert!(measure.is_foreign);
    }
}
