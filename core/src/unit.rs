//! Unit conversion: whatever an export prints, the store keeps canonical units.
//!
//! Units follow the user's preferences on the day of the export, so the same record may come in
//! pounds once and in kilograms later. A unit is read into a factor and the powers of its base
//! dimensions; two units convert when their dimensions are the same.

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

/// A unit as a factor and the powers of its dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Measure {
    factor: f64,
    powers: [i8; DIMENSIONS],
}

// Metre, kilogram, second, ampere, and what HealthKit treats like base units.
const LENGTH: usize = 0;
const MASS: usize = 1;
const TIME: usize = 2;
const CURRENT: usize = 3;
const COUNT: usize = 4;
const DIMENSIONS: usize = 11;

type Base = (&'static str, f64, &'static [(usize, i8)]);

const ENERGY: &[(usize, i8)] = &[(MASS, 1), (LENGTH, 2), (TIME, -2)];
const PRESSURE: &[(usize, i8)] = &[(MASS, 1), (LENGTH, -1), (TIME, -2)];
const POWER: &[(usize, i8)] = &[(MASS, 1), (LENGTH, 2), (TIME, -3)];
const VOLUME: &[(usize, i8)] = &[(LENGTH, 3)];
const VOLT: &[(usize, i8)] = &[(MASS, 1), (LENGTH, 2), (TIME, -3), (CURRENT, -1)];
const SIEMENS: &[(usize, i8)] = &[(MASS, -1), (LENGTH, -2), (TIME, 3), (CURRENT, 2)];

/// Units that are words of their own.
const WORDS: &[Base] = &[
    ("count", 1.0, &[(COUNT, 1)]),
    ("counts", 1.0, &[(COUNT, 1)]),
    ("%", 1.0, &[(5, 1)]),
    ("IU", 1.0, &[(6, 1)]),
    ("dBASPL", 1.0, &[(7, 1)]),
    ("dB", 1.0, &[(7, 1)]),
    ("dBHL", 1.0, &[(8, 1)]),
    ("appleEffortScore", 1.0, &[(9, 1)]),
    ("deg", 1.0, &[(10, 1)]),
    ("rad", 180.0 / std::f64::consts::PI, &[(10, 1)]),
    ("bpm", 1.0 / 60.0, &[(COUNT, 1), (TIME, -1)]),
    ("BPM", 1.0 / 60.0, &[(COUNT, 1), (TIME, -1)]),
    ("D", 1.0, &[(LENGTH, -1)]),
    ("Hz", 1.0, &[(TIME, -1)]),
    ("kHz", 1000.0, &[(TIME, -1)]),
    ("min", 60.0, &[(TIME, 1)]),
    ("hr", 3600.0, &[(TIME, 1)]),
    ("h", 3600.0, &[(TIME, 1)]),
    ("d", 86_400.0, &[(TIME, 1)]),
    ("day", 86_400.0, &[(TIME, 1)]),
    ("in", 0.0254, &[(LENGTH, 1)]),
    ("ft", 0.3048, &[(LENGTH, 1)]),
    ("yd", 0.9144, &[(LENGTH, 1)]),
    ("mi", 1609.344, &[(LENGTH, 1)]),
    ("oz", 0.028_349_523_125, &[(MASS, 1)]),
    ("lb", 0.453_592_37, &[(MASS, 1)]),
    ("lbs", 0.453_592_37, &[(MASS, 1)]),
    ("st", 6.350_293_18, &[(MASS, 1)]),
    ("Cal", 4184.0, ENERGY),
    ("kcal", 4184.0, ENERGY),
    ("kCal", 4184.0, ENERGY),
    ("cal", 4.184, ENERGY),
    ("mmHg", 133.322_387_415, PRESSURE),
    ("inHg", 3_386.388_640_341, PRESSURE),
    ("cmAq", 98.0665, PRESSURE),
    ("cmH2O", 98.0665, PRESSURE),
    ("atm", 101_325.0, PRESSURE),
    ("fl_oz_us", 2.957_352_956_25e-5, VOLUME),
    ("fl_oz_imp", 2.841_306_25e-5, VOLUME),
    ("pt_us", 4.731_764_73e-4, VOLUME),
    ("pt_imp", 5.682_612_5e-4, VOLUME),
    ("cup_us", 2.365_882_365e-4, VOLUME),
    ("cup_imp", 2.841_306_25e-4, VOLUME),
];

/// Units that take a metric prefix.
const METRIC: &[Base] = &[
    ("m", 1.0, &[(LENGTH, 1)]),
    ("g", 1e-3, &[(MASS, 1)]),
    ("s", 1.0, &[(TIME, 1)]),
    ("sec", 1.0, &[(TIME, 1)]),
    ("L", 1e-3, VOLUME),
    ("l", 1e-3, VOLUME),
    ("J", 1.0, ENERGY),
    ("Pa", 1.0, PRESSURE),
    ("W", 1.0, POWER),
    ("V", 1.0, VOLT),
    ("S", 1.0, SIEMENS),
];

/// The longest of those that share a beginning stands first. Dividing by a power of ten is exact
/// where multiplying by its inverse is not.
const PREFIXES: &[(&str, f64, f64)] = &[
    ("", 1.0, 1.0),
    ("mc", 1.0, 1e6),
    ("da", 10.0, 1.0),
    ("k", 1e3, 1.0),
    ("h", 100.0, 1.0),
    ("d", 1.0, 10.0),
    ("c", 1.0, 100.0),
    ("m", 1.0, 1e3),
    ("u", 1.0, 1e6),
    ("µ", 1.0, 1e6),
    ("μ", 1.0, 1e6),
    ("n", 1.0, 1e9),
    ("p", 1.0, 1e12),
    ("M", 1e6, 1.0),
    ("G", 1e9, 1.0),
];

impl Measure {
    /// Reads `mL/min·kg`, `ml/(kg*min)`, `kcal/hr·kg`, `mmol<180.1558800000541>/L`, `m/s^2`. What
    /// stands behind the first slash is all in the denominator, as HealthKit writes it.
    fn parse(text: &str) -> Option<Self> {
        let mut whole = Self {
            factor: 1.0,
            powers: [0; DIMENSIONS],
        };
        let mut sign = 1;
        for (position, part) in text.split('/').enumerate() {
            if position == 1 {
                sign = -1;
            }
            for word in part
                .split(['·', '*', '⋅', '(', ')', ' '])
                .filter(|word| !word.is_empty())
            {
                let (word, power) = match word.split_once('^') {
                    Some((word, power)) => (word, power.parse::<i8>().ok()?),
                    None => (word, 1),
                };
                let unit = if word == "1" {
                    Self {
                        factor: 1.0,
                        ..whole
                    }
                } else {
                    simple(word)?
                };
                if word != "1" {
                    whole = whole.times(unit, power.checked_mul(sign)?)?;
                }
            }
        }
        (!text.is_empty()).then_some(whole)
    }

    fn times(mut self, unit: Self, power: i8) -> Option<Self> {
        self.factor *= unit.factor.powi(i32::from(power));
        for (total, own) in self.powers.iter_mut().zip(unit.powers) {
            *total = total.checked_add(own.checked_mul(power)?)?;
        }
        Some(self)
    }
}

/// A single unit, with or without a metric prefix.
fn simple(word: &str) -> Option<Measure> {
    if let Some(found) = WORDS.iter().find(|(name, ..)| *name == word) {
        return Some(measure(found, 1.0, 1.0));
    }
    // A mole of a substance is so many grams of it: `mmol<180.1558800000541>`.
    if let Some((prefix, mass)) = word.split_once("mol<") {
        let grams: f64 = mass.strip_suffix('>')?.parse().ok()?;
        let (_, times, by) = PREFIXES.iter().find(|(name, ..)| *name == prefix)?;
        let valid = grams.is_finite() && grams > 0.0;
        return valid.then(|| measure(&("", grams * 1e-3, &[(MASS, 1)]), *times, *by));
    }
    PREFIXES.iter().find_map(|(prefix, times, by)| {
        let rest = word.strip_prefix(prefix)?;
        let base = METRIC.iter().find(|(name, ..)| *name == rest)?;
        Some(measure(base, *times, *by))
    })
}

fn measure(base: &Base, times: f64, by: f64) -> Measure {
    let mut powers = [0; DIMENSIONS];
    for (dimension, power) in base.2 {
        if let Some(slot) = powers.get_mut(*dimension) {
            *slot = *power;
        }
    }
    Measure {
        factor: base.1 * times / by,
        powers,
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
#[expect(clippy::float_cmp, reason = "exactness is what is tested")]
mod tests {
    use super::*;

    fn convert(value: f64, from: &str, to: &str) -> Option<f64> {
        Conversion::between(from, to).map(|conversion| conversion.apply(value))
    }

    #[test]
    fn preferences_convert() {
        let cases = [
            (1.0, "kcal", "kcal", 1.0),
            (1.0, "Cal", "kcal", 1.0),
            (4.184, "kJ", "kcal", 1.0),
            (1.0, "mi", "m", 1609.344),
            (1.5, "km", "m", 1500.0),
            (1.0, "ft", "m", 0.3048),
            (10.0, "in", "m", 0.254),
            (100.0, "lb", "kg", 45.359_237),
            (11.0, "st", "kg", 69.853_224_98),
            (500.0, "g", "kg", 0.5),
            (16.0, "oz", "g", 453.592_37),
            (98.6, "degF", "degC", 37.0),
            (310.15, "K", "degC", 37.0),
            (5.5, "mmol<180.1558800000541>/L", "mg/dL", 99.085_734),
            (42.0, "ml/kg/min", "mL/min·kg", 42.0),
            (42.0, "mL/kg·min", "mL/min·kg", 42.0),
            (42.0, "ml/(kg*min)", "mL/min·kg", 42.0),
            (3.0, "kcal/hr·kg", "kcal/hr·kg", 3.0),
            (3.0, "kcal/(kg*hr)", "kcal/hr·kg", 3.0),
            (4.184, "kJ/hr·kg", "kcal/hr·kg", 1.0),
            (1.2, "count/s", "count/min", 72.0),
            (3.6, "km/hr", "m/s", 1.0),
            (1.0, "mi/hr", "m/s", 0.447_04),
            (0.05, "s", "ms", 50.0),
            (1.5, "hr", "min", 90.0),
            (90.0, "s", "min", 1.5),
            (16.0, "kPa", "mmHg", 120.009_852),
            (8.0, "fl_oz_us", "mL", 236.588_236_5),
            (1.0, "cup_imp", "mL", 284.130_625),
            (0.4, "g", "mg", 400.0),
            (2.0, "mg", "mcg", 2000.0),
            (2.0, "µg", "mcg", 2.0),
            (0.001, "S", "mcS", 1000.0),
            (80.0, "dBASPL", "dBASPL", 80.0),
        ];
        for (value, from, to, expected) in cases {
            let found = convert(value, from, to).unwrap_or_else(|| panic!("{from} to {to}"));
            assert!(
                (found - expected).abs() < 1e-5,
                "{value} {from} = {found} {to}"
            );
        }
    }

    #[test]
    fn round_numbers_stay_round() {
        assert_eq!(convert(168.0, "cm", "m"), Some(1.68));
        assert_eq!(convert(0.52, "km", "m"), Some(520.0));
        assert_eq!(convert(75.3, "kg", "kg"), Some(75.3));
        assert_eq!(convert(330.0, "mL", "L"), Some(0.33));
        assert_eq!(convert(36.6, "degC", "degC"), Some(36.6));
        assert_eq!(convert(1.7, "g", "mg"), Some(1700.0));
    }

    #[test]
    fn different_things_do_not_convert() {
        for (from, to) in [
            ("count", "%"),
            ("kg", "m"),
            ("IU", "mcg"),
            ("furlong", "m"),
            ("", "m"),
            ("degC", "kg"),
            ("mol<x>/L", "mg/dL"),
            ("m^200/s^-128", "m"),
        ] {
            assert_eq!(convert(1.0, from, to), None, "{from} to {to}");
        }
        assert!(Conversion::of_glucose("mmol/L", "mg/dL").is_some());
    }

    #[test]
    fn every_canonical_unit_of_the_table_is_known() {
        for kind in crate::kind::Kind::known() {
            if let Some(unit) = kind.unit() {
                assert!(
                    temperature(unit).is_some() || Measure::parse(unit).is_some(),
                    "{unit}"
                );
            }
        }
    }

    #[test]
    fn unknown_types_get_one_unit_a_dimension() {
        assert_eq!(canonical("mi"), Some("m"));
        assert_eq!(canonical("kJ"), Some("kcal"));
        assert_eq!(canonical("degF"), Some("degC"));
        assert_eq!(canonical("furlong"), None);
    }

    #[test]
    fn the_last_digit_counts() {
        for (text, half) in [
            ("72", 0.5),
            ("0.97", 0.005),
            ("1.5e3", 50.0),
            ("1e-3", 0.0005),
            ("-3.5", 0.05),
        ] {
            assert_eq!(half_of_last_digit(text), half, "{text}");
        }
        assert_eq!(half_of_last_digit("1e-99999999999"), 0.5);
        assert!(half_of_last_digit("1e-999").abs() < 1e-300);
    }

    #[test]
    fn prints_of_one_number_are_equal() {
        let cases = [
            ("70.5", "kg", "155.43", "lb", true),
            ("70.5", "kg", "70.6", "kg", false),
            ("72", "kg", "73", "kg", false),
            ("0.5", "kg", "0.500", "kg", true),
            ("120.3", "kg", "265.2161215", "lb", true),
            ("120.3", "kg", "265.5", "lb", false),
            ("0", "kg", "0", "lb", true),
        ];
        for (a, unit_a, b, unit_b, expected) in cases {
            let side = |text: &str, unit| {
                let conversion = Conversion::between(unit, "kg").unwrap();
                let half = conversion.apply_to_difference(half_of_last_digit(text));
                (conversion.apply(text.parse().unwrap()), half)
            };
            let ((a, half_a), (b, half_b)) = (side(a, unit_a), side(b, unit_b));
            assert_eq!(nearly_equal(a, half_a, b, half_b), expected, "{a} and {b}");
        }
    }
}
