#![expect(clippy::float_cmp, reason = "exactness is what is tested")]

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
