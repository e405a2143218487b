//! Unit conversion: whatever an export prints, the store keeps canonical units.
//!
//! Units follow the user's preferences on the day of the export, so the same record may come in
//! pounds once and in kilograms later. A unit is read into a factor and the powers of its base
//! dimensions; two units convert when their dimensions are the same.

mod measure;

use measure::Measure;

/// How a printed number becomes one in another unit: `(value - zero) * times / by`.
///
/// Multiplier and divisor are kept apart because a division by 100 is exact where a
/// multiplication by 0.01 is not: 168 cm are 1.68 m.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    zero: f64,
    times: f64,
    by: f64,
    /// The value's last step: added after the factor.
    plus: f64,
}

impl Conversion {
    /// Nothing changes.
    pub const IDENTITY: Self = Self {
        zero: 0.0,
        times: 1.0,
        by: 1.0,
        plus: 0.0,
    };

    /// From a number of a hundred to a fraction of one.
    pub const fn per_hundred() -> Self {
        Self {
            by: 100.0,
            ..Self::IDENTITY
        }
    }

    /// The conversion between two units as HealthKit writes them; `None` if they measure
    /// different things.
    pub fn between(from: &str, to: &str) -> Option<Self> {
        if from == to {
            return Some(Self::IDENTITY);
        }
        if let (Some((from_factor, from_zero)), Some((to_factor, to_zero))) =
            (temperature(from), temperature(to))
        {
            return Some(Self::factor(from_factor, to_factor).shifted(from_zero, to_zero));
        }
        let from = Measure::parse(from)?;
        let to = Measure::parse(to)?;
        (from.powers == to.powers).then(|| Self::factor(from.factor, to.factor))
    }

    /// As [`Conversion::between`], and glucose in mmol/L without a molar mass, as some apps write.
    pub fn of_glucose(from: &str, to: &str) -> Option<Self> {
        let glucose = "mol<180.1558800000541>";
        Self::between(from, to).or_else(|| Self::between(&from.replace("mol", glucose), to))
    }

    /// The number in the other unit.
    pub fn apply(&self, value: f64) -> f64 {
        if *self == Self::IDENTITY {
            value
        } else {
            (value - self.zero) * self.times / self.by + self.plus
        }
    }

    /// A difference in the other unit.
    pub fn apply_to_difference(&self, difference: f64) -> f64 {
        difference * self.times / self.by
    }

    fn factor(from: f64, to: f64) -> Self {
        let ratio = from / to;
        // Of a/b and b/a, one is often a whole number; then it alone is exact.
        let inverse = to / from;
        if is_whole(inverse) && !is_whole(ratio) {
            Self {
                by: inverse.round(),
                ..Self::IDENTITY
            }
        } else if is_whole(ratio) {
            Self {
                times: ratio.round(),
                ..Self::IDENTITY
            }
        } else {
            Self {
                times: from,
                by: to,
                ..Self::IDENTITY
            }
        }
    }

    fn shifted(self, zero: f64, plus: f64) -> Self {
        Self { zero, plus, ..self }
    }
}

/// Whether it is an integer but for the rounding of the factors it came from.
fn is_whole(number: f64) -> bool {
    (1.0..1e15).contains(&number) && (number - number.round()).abs() <= number * 1e-12
}

/// Size of a degree and the number at 0 degC.
fn temperature(unit: &str) -> Option<(f64, f64)> {
    match unit {
        "degC" | "°C" | "C" => Some((9.0, 0.0)),
        "degF" | "°F" | "F" => Some((5.0, 32.0)),
        "K" => Some((9.0, 273.15)),
        _ => None,
    }
}

/// The unit in which a type that the table of types does not know is kept: one a dimension, so
/// that a later export with other preferences gives the same numbers.
pub fn canonical(unit: &str) -> Option<&'static str> {
    const CANONICAL: &[&str] = &[
        "count",
        "count/min",
        "%",
        "kcal",
        "m",
        "kg",
        "mmHg",
        "degC",
        "m/s",
        "mg/dL",
        "min",
        "mL",
        "W",
        "L/min",
        "mL/min·kg",
        "kcal/hr·kg",
        "dBASPL",
        "dBHL",
        "IU",
        "mcS",
        "mcV",
        "Hz",
        "appleEffortScore",
        "deg",
    ];
    CANONICAL
        .iter()
        .copied()
        .find(|to| Conversion::between(unit, to).is_some())
}

/// Half of the last digit that `text` prints (`72` 0.5, `0.97` 0.005, `1.5e3` 50).
pub fn half_of_last_digit(text: &str) -> f64 {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let decimals = mantissa
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    let decimals = i32::try_from(decimals).unwrap_or(i32::MAX);
    let power = exponent.saturating_sub(decimals);
    // A table would be no faster; `powi` of a negative power divides by the exact power of ten.
    if power < 0 {
        0.5 / 10f64.powi(power.saturating_neg().min(400))
    } else {
        0.5 * 10f64.powi(power)
    }
}

/// Whether two numbers can be prints of the same one, each up to its own last digit.
///
/// The bound is the sum of both halves, since either print was rounded. It is taken a little
/// smaller, because neighbours printed alike (70.5 and 70.6) stand exactly that far apart and are
/// not equal.
pub fn nearly_equal(a: f64, half_a: f64, b: f64, half_b: f64) -> bool {
    let difference = (a - b).abs();
    // Printing and conversion round in the last bits of a double.
    let noise = 1e-12 * a.abs().max(b.abs());
    difference < (half_a + half_b) * (1.0 - 1e-6) || difference <= noise
}

#[cfg(test)]
mod tests;
