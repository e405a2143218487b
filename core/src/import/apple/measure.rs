//! What a record measures: its type and unit attributes, and how its value is read.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

pub(super) use super::limits::plain;
use super::{category, limits};
use crate::{
    kind::{Kind, bare},
    sample::Value,
    unit::{Conversion, canonical, half_of_last_digit},
};

/// Types and units that were met already.
#[derive(Default)]
pub(super) struct Measures {
    known: HashMap<(String, String), usize>,
    list: Vec<Measure>,
    last: usize,
}

impl Measures {
    /// The measure of these two attributes.
    pub(super) fn find(&mut self, type_name: &str, unit: Option<&str>) -> Option<&mut Measure> {
        let (type_name, unit) = (limits::name(type_name), unit.map(limits::name));
        let is = |measure: &Measure| {
            measure.type_name == type_name && measure.unit_name.as_deref() == unit
        };
        if !self.list.get(self.last).is_some_and(is) {
            if self.list.len() >= limits::CACHE {
                self.known.clear();
                self.list.clear();
            }
            // A unit cannot begin with a line feed, so that `None` has a key of its own.
            let key = (
                type_name.to_owned(),
                unit.map_or_else(|| "\n".to_owned(), str::to_owned),
            );
            self.last = *self.known.entry(key).or_insert_with(|| {
                self.list.push(Measure::new(type_name, unit));
                self.list.len() - 1
            });
        }
        self.list.get_mut(self.last)
    }

    /// The measure that was found last.
    pub(super) fn last(&self) -> Option<&Measure> {
        self.list.get(self.last)
    }
}

/// A type in one printed unit.
pub(super) struct Measure {
    type_name: String,
    unit_name: Option<String>,
    pub(super) kind: Kind,
    /// The unit of the converted number.
    pub(super) unit: Arc<str>,
    /// Something to tell about each record of this measure, although it is kept.
    pub(super) remark: Option<Cow<'static, str>>,
    form: Form,
    conversion: Conversion,
    categories: Vec<(String, Arc<str>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Category,
    Quantity,
    /// The type does not say; its value does.
    Either,
}

/// The value is no number although the type asks for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotANumber;

impl Measure {
    fn new(type_name: &str, unit_name: Option<&str>) -> Self {
        let kind = Kind::from_healthkit(type_name);
        let form = match kind.is_category() {
            Some(true) => Form::Category,
            Some(false) => Form::Quantity,
            None if type_name.starts_with("HKCategory") => Form::Category,
            None if type_name.starts_with("HKQuantity") => Form::Quantity,
            None => Form::Either,
        };
        let printed = unit_name.unwrap_or_default();
        let target = kind.unit().or_else(|| canonical(printed));
        let conversion = match (target, unit_name) {
            // A number without a unit is taken as one in the canonical unit.
            (Some(_), None) => Some(Conversion::IDENTITY),
            (Some(to), Some(from)) if &*kind == "bloodGlucose" => Conversion::of_glucose(from, to),
            (Some(to), Some(from)) => Conversion::between(from, to),
            (None, _) => None,
        };
        let unit = if conversion.is_some() {
            target.unwrap_or_default()
        } else {
            printed
        };
        let remark = if kind.is_category().is_none() {
            Some(format!("unknown type, kept as `{}`", plain(&kind)).into())
        } else if form == Form::Quantity && conversion.is_none() {
            Some(format!("unknown unit of `{}`, kept as printed", plain(&kind)).into())
        } else {
            None
        };
        Self {
            type_name: type_name.to_owned(),
            unit_name: unit_name.map(str::to_owned),
            unit: if form == Form::Category {
                "".into()
            } else {
                unit.into()
            },
            kind,
            remark,
            form,
            conversion: conversion.unwrap_or(Conversion::IDENTITY),
            categories: Vec::new(),
        }
    }

    /// Reads a value attribute.
    pub(super) fn value(&mut self, text: Option<&str>) -> Result<Value, NotANumber> {
        let Some(text) = text else {
            return Ok(Value::None);
        };
        match self.form {
            Form::Category => Ok(self.category(text)),
            Form::Quantity => self.quantity(text).ok_or(NotANumber),
            Form::Either => Ok(self.quantity(text).unwrap_or_else(|| self.category(text))),
        }
    }

    /// A number and half of its last printed digit, both in the unit of the measure.
    pub(super) fn number(&self, text: &str) -> Option<(f64, f64)> {
        let text = text.trim();
        let printed: f64 = text
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())?;
        let mut value = self.conversion.apply(printed);
        let mut half = self
            .conversion
            .apply_to_difference(half_of_last_digit(text));
        // The store keeps fractions. Apple prints 0.97 with the unit %; some apps write 97. None
        // of the types that are kept in % can be more than one and a half times the whole.
        if &*self.unit == "%" && value > 1.5 {
            value /= 100.0;
            half /= 100.0;
        }
        // A hostile exponent or unit makes no tolerance.
        let half = if half.is_finite() { half } else { 0.0 };
        value.is_finite().then_some((value, half))
    }

    fn quantity(&self, text: &str) -> Option<Value> {
        let (value, tolerance) = self.number(text)?;
        Some(Value::Quantity { value, tolerance })
    }

    fn category(&mut self, text: &str) -> Value {
        if let Some((_, name)) = self.categories.iter().find(|(raw, _)| raw == text) {
            return Value::Category(Arc::clone(name));
        }
        let name: Arc<str> = category::name(bare(&self.type_name), limits::name(text)).into();
        if self.categories.len() < 16 && text.len() <= limits::NAME {
            self.categories.push((text.to_owned(), Arc::clone(&name)));
        }
        Value::Category(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(type_name: &str, unit: Option<&str>, value: &str) -> (String, Option<Value>) {
        let mut measures = Measures::default();
        let measure = measures.find(type_name, unit).unwrap();
        let value = measure.value(Some(value)).ok();
        (
            format!("{} {}", measure.kind, measure.unit)
                .trim()
                .to_owned(),
            value,
        )
    }

    fn quantity(value: f64, tolerance: f64) -> Value {
        Value::Quantity { value, tolerance }
    }

    #[test]
    fn values_become_canonical() {
        let q = |name: &str| format!("HKQuantityTypeIdentifier{name}");
        let check = |name: &str, unit, value, expected: &str, number| {
            assert_eq!(
                read(name, unit, value),
                (expected.to_owned(), number),
                "{name} {value}"
            );
        };
        check(
            &q("StepCount"),
            Some("count"),
            "12",
            "steps count",
            Some(quantity(12.0, 0.5)),
        );
        check(
            &q("Height"),
            Some("cm"),
            "168",
            "height m",
            Some(quantity(1.68, 0.005)),
        );
        check(
            &q("OxygenSaturation"),
            Some("%"),
            "0.97",
            "bloodOxygen %",
            Some(quantity(0.97, 0.005)),
        );
        check(
            &q("OxygenSaturation"),
            Some("%"),
            "97",
            "bloodOxygen %",
            Some(quantity(0.97, 0.005)),
        );
        check(
            &q("BloodGlucose"),
            Some("mmol/L"),
            "0",
            "bloodGlucose mg/dL",
            Some(quantity(0.0, 9.007_794_000_002_706)),
        );
        check(&q("StepCount"), Some("count"), "many", "steps count", None);
        check(&q("StepCount"), Some("count"), "NaN", "steps count", None);
        check(&q("StepCount"), Some("count"), "1e999", "steps count", None);
        check(
            &q("BodyMass"),
            Some("furlong"),
            "70",
            "weight furlong",
            Some(quantity(70.0, 0.5)),
        );
        check(
            &q("OfTheFuture"),
            Some("km"),
            "2",
            "ofTheFuture m",
            Some(quantity(2000.0, 500.0)),
        );
        check(
            "HKDataTypeSleepDurationGoal",
            Some("hr"),
            "8",
            "sleepDurationGoal min",
            Some(quantity(480.0, 30.0)),
        );
        check(
            "HKCategoryTypeIdentifierSleepAnalysis",
            None,
            "HKCategoryValueSleepAnalysisInBed",
            "sleepAnalysis",
            Some(Value::Category("inBed".into())),
        );
        check(
            "Strange",
            None,
            "text",
            "strange",
            Some(Value::Category("text".into())),
        );
    }

    #[test]
    fn unknown_names_are_told_only_if_plain() {
        assert_eq!(plain("OfTheFuture"), "OfTheFuture");
        assert_eq!(plain("a b\u{1b}[2J"), "(a name that is not plain)");
    }
}
