//! What a phone knows that is neither a record, a workout nor a correlation, on its way into the
//! store: routes, electrocardiograms, rings, audiograms, prescriptions, clinical records.

use std::{fmt, str::FromStr, sync::Arc};

use serde_json::{Map, Value, value::RawValue};

use crate::{
    sample::{Metadata, Provenance},
    series::Series,
    unit::nearly_equal,
};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// The rings of one day: energy, exercise, stand hours, and their goals.
    ActivitySummary,
    /// A hearing test.
    Audiogram,
    /// Birth date, sex, blood type: only kept when asked for.
    Characteristics,
    /// A FHIR resource of a clinic.
    ClinicalRecord,
    /// A single-lead electrocardiogram; its series is the voltage.
    Ecg,
    /// A dose of a medication: what, when, taken or not.
    Medication,
    /// Where a workout went; its series are the points.
    Route,
    /// A mood.
    StateOfMind,
    /// Glasses or contact lenses.
    VisionPrescription,
}

impl Noun {
    /// All of them, in the order of their names.
    pub const ALL: &[Self] = &[
        Self::ActivitySummary,
        Self::Audiogram,
        Self::Characteristics,
        Self::ClinicalRecord,
        Self::Ecg,
        Self::Medication,
        Self::Route,
        Self::StateOfMind,
        Self::VisionPrescription,
    ];

    /// Its name at rest and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActivitySummary => "activitySummary",
            Self::Audiogram => "audiogram",
            Self::Characteristics => "characteristics",
            Self::ClinicalRecord => "clinicalRecord",
            Self::Ecg => "ecg",
            Self::Medication => "medication",
            Self::Route => "route",
            Self::StateOfMind => "stateOfMind",
            Self::VisionPrescription => "visionPrescription",
        }
    }

    /// Its name for people, of many.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ActivitySummary => "activity summaries",
            Self::Audiogram => "audiograms",
            Self::Characteristics => "personal details",
            Self::ClinicalRecord => "clinical records",
            Self::Ecg => "electrocardiograms",
            Self::Medication => "medications",
            Self::Route => "workout routes",
            Self::StateOfMind => "states of mind",
            Self::VisionPrescription => "vision prescriptions",
        }
    }

    /// Names of the columns of its series; empty when it has none.
    ///
    /// A route: `time` in milliseconds since 1970-01-01T00:00:00Z, degrees (WGS 84), metres,
    /// metres a second, degrees clockwise from north. An ECG: microvolts, equally spaced from the
    /// document's start on, `sampleRate` (Hz) of the body apart.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Route => &[
                "time",
                "latitude",
                "longitude",
                "elevation",
                "speed",
                "course",
                "horizontalAccuracy",
                "verticalAccuracy",
            ],
            Self::Ecg => &["voltage"],
            _ => &[],
        }
    }

    /// What a block of its series is called among changes.
    pub fn blocks(self) -> Option<&'static str> {
        match self {
            Self::Route => Some("routePoints"),
            Self::Ecg => Some("ecgVoltages"),
            _ => None,
        }
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not the name of a noun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this names no kind of document")]
pub struct UnknownNoun;

impl FromStr for Noun {
    type Err = UnknownNoun;

    fn from_str(text: &str) -> Result<Self, UnknownNoun> {
        let named = Self::ALL.iter().find(|noun| noun.as_str() == text);
        named.copied().ok_or(UnknownNoun)
    }
}

/// One document of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is.
    pub noun: Noun,
    /// Start, milliseconds since 1970-01-01T00:00:00Z. Of what belongs to a day: that day's
    /// midnight as if it were UTC.
    pub start_ms: i64,
    /// End, same unit.
    pub end_ms: i64,
    /// The day in the phone's calendar (`2026-01-10`), of what belongs to one.
    pub local_date: Option<String>,
    /// When it was written on the phone, if the file says so.
    pub created_ms: Option<i64>,
    /// Who wrote it, if the file says so.
    pub provenance: Option<Arc<Provenance>>,
    /// The writer's own stable id, if there is one.
    pub external_id: Option<String>,
    /// What it says.
    pub body: Body,
    /// What else the writer said.
    pub metadata: Metadata,
    /// Points or voltages, in the columns of [`Noun::columns`].
    pub series: Option<Series>,
    /// The workout it belongs to: how many workouts of the same file came before that one.
    pub workout: Option<u64>,
    /// Line in the file, counted from 1; 0 for what is no line of it.
    pub line: u64,
}

impl Document {
    /// A document that says nothing yet.
    pub fn new(noun: Noun, start_ms: i64, end_ms: i64) -> Self {
        Self {
            noun,
            start_ms,
            end_ms,
            local_date: None,
            created_ms: None,
            provenance: None,
            external_id: None,
            body: Body::default(),
            metadata: Metadata::default(),
            series: None,
            workout: None,
            line: 0,
        }
    }
}

/// What a document says: named values, as a JSON object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    fields: Map<String, Value>,
    halves: Map<String, Value>,
    resource: Option<String>,
    identity: Map<String, Value>,
    printed: Map<String, Value>,
}

impl Body {
    /// The name under which a resource stands.
    pub const RESOURCE: &'static str = "resource";
    /// The name under which the file stands that holds the resource.
    pub const RESOURCE_FILE: &'static str = "resourceFilePath";
    /// The name under which texts stand that follow the phone's language.
    pub const PRINTED: &'static str = "printed";
    /// The name under which stands who the person is, where that was asked for.
    pub const IDENTITY: &'static str = "identity";

    /// Sets a value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Sets a number in its canonical unit, and half of the last digit that the file printed.
    pub fn set_number(&mut self, name: &str, number: f64, half: f64) {
        self.set(name, number);
        self.halves.insert(name.to_owned(), half.into());
    }

    /// Sets a text that follows the phone's language on the day of the export, and so says nothing
    /// about whether two documents are equal.
    pub fn set_printed(&mut self, name: &str, text: &str) {
        self.printed.insert(name.to_owned(), text.into());
    }

    /// Sets something that says who the person is.
    pub fn set_identity(&mut self, name: &str, text: &str) {
        self.identity.insert(name.to_owned(), text.into());
    }

    /// Drops what says who the person is; tells whether there was any.
    pub fn drop_identity(&mut self) -> bool {
        !std::mem::take(&mut self.identity).is_empty()
    }

    /// Sets a JSON text that is kept byte by byte: FHIR says that the digits of a number count.
    /// Says whether it is JSON.
    pub fn set_resource(&mut self, text: &str) -> bool {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if is_json {
            self.resource = Some(text.trim().to_owned());
        }
        is_json
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.resource.is_none()
            && self.identity.is_empty()
            && self.printed.is_empty()
    }

    /// Bytes in memory, roughly.
    pub fn size(&self) -> usize {
        let parts = [&self.fields, &self.halves, &self.identity, &self.printed];
        let fields = parts.iter().flat_map(|part| part.iter());
        fields
            .map(|(name, value)| name.len() + size_of_value(value))
            .sum::<usize>()
            + self.resource.as_ref().map_or(0, String::len)
    }

    /// The JSON object; names in a fixed order, the resource last.
    pub fn to_json(&self) -> String {
        let mut fields = self.fields.clone();
        for (name, part) in [
            (Self::PRINTED, &self.printed),
            (Self::IDENTITY, &self.identity),
        ] {
            if !part.is_empty() {
                fields.insert(name.to_owned(), Value::Object(part.clone()));
            }
        }
        let mut text = Value::Object(fields).to_string();
        if let Some(resource) = &self.resource {
            text.pop();
            if text.len() > 1 {
                text.push(',');
            }
            text.push('"');
            text.push_str(Self::RESOURCE);
            text.push_str("\":");
            text.push_str(resource);
            text.push('}');
        }
        text
    }

    /// The halves as a JSON object, if there are any.
    pub fn halves(&self) -> Option<String> {
        (!self.halves.is_empty()).then(|| Value::Object(self.halves.clone()).to_string())
    }

    /// Takes over from a stored body the resource and the identity, if there is none here: what is
    /// not at hand, or was not asked for, is not taken away.
    pub fn keep_what_is_not_at_hand(&mut self, json: &str) {
        #[derive(serde::Deserialize)]
        struct Stored<'a> {
            #[serde(borrow)]
            resource: Option<&'a RawValue>,
            identity: Option<Map<String, Value>>,
        }

        let Ok(Stored { resource, identity }) = serde_json::from_str(json) else {
            return;
        };
        if self.resource.is_none() {
            self.resource = resource.map(|text| text.get().to_owned());
        }
        if self.identity.is_empty() {
            self.identity = identity.unwrap_or_default();
        }
    }

    /// Whether a stored body names the same file as this one, or neither names one.
    pub fn is_of_file_of(&self, json: &str) -> bool {
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Stored {
            resource_file_path: Option<Value>,
        }

        let stored: Stored = serde_json::from_str(json).unwrap_or_default();
        stored.resource_file_path.as_ref() == self.get(Self::RESOURCE_FILE)
    }

    /// Whether a stored body says the same: numbers up to what either print could say. One that
    /// lacks the resource (its file was not at hand) or the identity (nobody asked for it) says
    /// nothing about them.
    pub fn equals(&self, json: &str, halves: Option<&str>) -> bool {
        let own = self.to_json();
        if own == json {
            return true;
        }
        let parse = |text| serde_json::from_str::<Map<String, Value>>(text);
        let (Ok(mut own), Ok(mut other)) = (parse(&own), parse(json)) else {
            return false;
        };
        for fields in [&mut own, &mut other] {
            fields.remove(Self::PRINTED);
        }
        for name in [Self::RESOURCE, Self::IDENTITY] {
            if !own.contains_key(name) {
                other.remove(name);
            }
        }
        let other_halves = halves.and_then(|text| parse(text).ok()).unwrap_or_default();
        let half = |halves: &Map<String, Value>, name: &str| {
            halves.get(name).and_then(Value::as_f64).unwrap_or_default()
        };
        own.len() == other.len()
            && own.iter().all(|(name, value)| {
                let Some(other) = other.get(name) else {
                    return false;
                };
                match (value.as_f64(), other.as_f64()) {
                    (Some(a), Some(b)) => {
                        nearly_equal(a, half(&self.halves, name), b, half(&other_halves, name))
                    }
                    _ => value == other,
                }
            })
    }
}

/// Bytes of a value in memory, roughly.
fn size_of_value(value: &Value) -> usize {
    /// Of a field without what it holds.
    const FIELD: usize = 200;
    FIELD
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(size_of_value).sum(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| name.len() + size_of_value(value))
                .sum(),
        }
}

#[cfg(test)]
mod tests;
