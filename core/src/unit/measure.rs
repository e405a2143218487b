//! What a unit measures, read from the way HealthKit and other apps write it.

/// A unit as a factor and the powers of its dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measure {
    pub(super) factor: f64,
    pub(super) powers: [i8; DIMENSIONS],
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
    pub(super) fn parse(text: &str) -> Option<Self> {
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
