//! The elements that are documents: rings, hearing tests, prescriptions, moods, clinical records,
//! and who the person is.

use serde_json::{Map, Value};

use super::{
    date,
    element::{ElementReader, FRAME, Reason},
    limits,
    measure::plain,
    metadata::external_id,
    tag::Tag,
    tokens::Token,
};
use crate::{
    document::{Document, Noun},
    import::{Item, ReadError},
    kind::decapitalize,
    sample::Metadata,
    time::rfc3339,
    unit::{Conversion, half_of_last_digit},
};

const DAY_MS: i64 = 86_400_000;

/// An attribute of the rings: its name, and that of the body.
const RINGS: &[(&str, &str)] = &[
    ("activeEnergyBurned", "activeEnergyBurned"),
    ("activeEnergyBurnedGoal", "activeEnergyBurnedGoal"),
    ("appleMoveTime", "moveTime"),
    ("appleMoveTimeGoal", "moveTimeGoal"),
    // Export version 11 has another name for it.
    ("appleMoveMinutes", "moveTime"),
    ("appleMoveMinutesGoal", "moveTimeGoal"),
    ("appleExerciseTime", "exerciseTime"),
    ("appleExerciseTimeGoal", "exerciseTimeGoal"),
    ("appleStandHours", "standHours"),
    ("appleStandHoursGoal", "standHoursGoal"),
];
/// The one unit that a person may choose.
const ENERGY_UNIT: &str = "activeEnergyBurnedUnit";

impl ElementReader<'_, '_> {
    /// Takes an element that is a document; says whether it was one.
    pub(super) fn document(&mut self, tag: &mut Tag, token: Token) -> Result<bool, ReadError> {
        let line = self.tokens.line();
        let document = match tag.name() {
            "ActivitySummary" => rings(tag),
            "Audiogram" => self.framed(Noun::Audiogram, tag),
            "StateOfMind" => self.framed(Noun::StateOfMind, tag),
            "VisionPrescription" => self.prescription(tag),
            "ClinicalRecord" => self.clinical(tag),
            "Me" => Ok(person(tag)),
            _ => return Ok(false),
        };
        let mut document = match document {
            Ok(document) => document,
            Err(reason) => {
                self.skipped(line, reason)?;
                self.leave(tag, token)?;
                return Ok(true);
            }
        };
        document.line = line;
        if token == Token::Open {
            self.parts(&mut document)?;
        }
        if document.noun != Noun::ClinicalRecord {
            let own = external_id(&document.metadata);
            document.external_id = own;
        }
        if document.body.is_empty() && document.metadata.is_empty() {
            // `<Me></Me>` says nothing.
            return Ok(true);
        }
        match tag.value("resourceFilePath") {
            Some(path) if document.noun == Noun::ClinicalRecord => self.refer(path, document)?,
            _ => (self.sink)(Item::Document(Box::new(document)))?,
        }
        Ok(true)
    }

    /// The children of a document.
    fn parts(&mut self, document: &mut Document) -> Result<(), ReadError> {
        let mut points = Vec::new();
        let mut attachments = Vec::new();
        let mut metadata = Metadata::default();
        self.children(&mut |reader, child, token| {
            let line = reader.tokens.line();
            if reader.metadata_entry(child, &mut metadata)? {
                return reader.leave(child, token);
            }
            let full = points.len() + attachments.len() >= limits::ENTRIES;
            match (document.noun, child.name()) {
                (Noun::Audiogram, "SensitivityPoint") if !full => points.push(object(child)),
                (Noun::VisionPrescription, "RightEye") => {
                    document.body.set("rightEye", object(child));
                }
                (Noun::VisionPrescription, "LeftEye") => {
                    document.body.set("leftEye", object(child));
                }
                (Noun::VisionPrescription, "Attachment") if !full => {
                    attachments.push(object(child));
                }
                _ if full => reader.skipped(line, "parts beyond the limit".into())?,
                _ => return reader.pass_over(child, token),
            }
            reader.leave(child, token)
        })?;
        document.metadata = metadata;
        for (name, list) in [("points", points), ("attachments", attachments)] {
            if !list.is_empty() {
                document.body.set(name, list);
            }
        }
        Ok(())
    }

    /// A document with the attributes of a record.
    fn framed(&mut self, noun: Noun, tag: &Tag) -> Result<Document, Reason> {
        let frame = self.frame(tag)?;
        let mut document = Document::new(noun, frame.start_ms, frame.end_ms);
        document.created_ms = frame.created_ms;
        document.provenance = Some(frame.provenance);
        rest(&mut document, tag, FRAME);
        Ok(document)
    }

    fn prescription(&mut self, tag: &Tag) -> Result<Document, Reason> {
        let issued = tag
            .value("dateIssued")
            .and_then(date::parse)
            .ok_or("vision prescriptions without a date")?;
        let mut document = Document::new(Noun::VisionPrescription, issued, issued);
        if let Some(expires) = tag.value("expirationDate") {
            match date::parse(expires) {
                Some(ms) => document.body.set("expirationDate", rfc3339(ms)),
                None => document.body.set("expirationDate", limits::name(expires)),
            }
        }
        if let Some(name) = tag.value("sourceName") {
            let (version, device) = (tag.value("sourceVersion"), tag.value("device"));
            document.provenance = Some(self.writers.find(name, version, device));
        }
        document.created_ms = tag.value("creationDate").and_then(date::parse);
        let taken = ["dateIssued", "expirationDate"];
        rest(&mut document, tag, &[&taken, FRAME].concat());
        Ok(document)
    }

    fn clinical(&mut self, tag: &Tag) -> Result<Document, Reason> {
        let received = tag
            .value("receivedDate")
            .and_then(date::parse)
            .ok_or("clinical records without a date")?;
        let mut document = Document::new(Noun::ClinicalRecord, received, received);
        let name = tag.value("sourceName").unwrap_or_default();
        document.provenance = Some(self.writers.find(name, None, None));
        // An identifier is unique for one kind of resource of one clinic.
        let part = |key| tag.value(key).map(limits::name).unwrap_or_default();
        let id = [part("sourceURL"), part("type"), part("identifier")].join("\n");
        document.external_id = Some(id);
        rest(&mut document, tag, &["receivedDate", "sourceName"]);
        Ok(document)
    }
}

/// The rings of one day.
fn rings(tag: &Tag) -> Result<Document, Reason> {
    let day = tag.value("dateComponents").unwrap_or_default();
    let start_ms =
        date::parse(&format!("{day} 00:00:00 +0000")).ok_or("activity summaries without a date")?;
    let mut document = Document::new(Noun::ActivitySummary, start_ms, start_ms + DAY_MS);
    document.local_date = Some(day.to_owned());
    let energy = tag
        .value(ENERGY_UNIT)
        .map_or(Some(Conversion::IDENTITY), |unit| {
            Conversion::between(unit, "kcal")
        });
    let mut taken = vec!["dateComponents"];
    if energy.is_some() {
        taken.push(ENERGY_UNIT);
    }
    for (printed, name) in RINGS {
        let conversion = if printed.starts_with("activeEnergy") {
            energy
        } else {
            Some(Conversion::IDENTITY)
        };
        let text = tag.value(printed).unwrap_or_default().trim();
        let number = text.parse::<f64>().ok().filter(|it| it.is_finite());
        // What cannot be read stays as it is printed, with its unit.
        if let (Some(number), Some(conversion)) = (number, conversion) {
            let half = conversion.apply_to_difference(half_of_last_digit(text));
            document
                .body
                .set_number(name, conversion.apply(number), half);
            taken.push(printed);
        }
    }
    rest(&mut document, tag, &taken);
    Ok(document)
}

/// Who the person is: kept only when that was asked for.
fn person(tag: &Tag) -> Document {
    let mut document = Document::new(Noun::Characteristics, 0, 0);
    for (key, value) in tag.attributes() {
        let bare = key.strip_prefix("HKCharacteristicTypeIdentifier");
        let name = decapitalize(bare.unwrap_or(key));
        document.body.set(&name, limits::name(value));
    }
    document
}

/// Keeps all other attributes as they are printed.
fn rest(document: &mut Document, tag: &Tag, taken: &[&str]) {
    for (key, value) in tag.attributes() {
        if !taken.contains(&key) {
            document.body.set(limits::name(key), limits::name(value));
        }
    }
}

/// The attributes of an element as an object: numbers where a number is printed. Names that are
/// numbers by chance (an attachment's id) stay text.
fn object(tag: &Tag) -> Value {
    let mut map = Map::new();
    for (key, text) in tag.attributes() {
        let value = match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ if key == "identifier" => text.into(),
            _ => text
                .parse::<f64>()
                .ok()
                .filter(|it| it.is_finite())
                .map_or_else(|| limits::name(text).into(), Value::from),
        };
        map.insert(limits::name(short(key)).to_owned(), value);
    }
    Value::Object(map)
}

/// `frequencyValue` is `frequency`; its unit stands beside it.
fn short(key: &str) -> &str {
    key.strip_suffix("Value").unwrap_or(key)
}

/// The name of an element that a reason may tell.
pub(super) fn element_name(tag: &Tag) -> String {
    format!("unknown element `{}`", plain(tag.name()))
}
