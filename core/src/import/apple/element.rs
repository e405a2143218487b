//! The elements of an export, one after another.

use std::borrow::Cow;

use super::{
    beats,
    date::{self, Dates},
    document::element_name,
    limits,
    measure::Measures,
    metadata::{Room, external_id},
    prolog,
    provenance::Writers,
    route::References,
    tag::Tag,
    text::Chunks,
    tokens::{Token, Tokens},
};
use crate::{
    import::{Item, ReadError, Sink},
    sample::{Metadata, Sample, Value},
};

/// Reads the whole text of an export.
pub(super) fn read(
    chunks: Chunks,
    references: &mut References,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let mut reader = ElementReader {
        references,
        workouts: 0,
        tokens: Tokens::new(chunks)?,
        sink,
        spare: Vec::new(),
        room: Room(0),
        measures: Measures::default(),
        dates: Dates::default(),
        writers: Writers::default(),
    };
    let mut tag = Tag::default();
    match reader.tokens.next(&mut tag)? {
        Token::Open if tag.name() == "HealthData" => reader.root(&mut tag)?,
        Token::Empty if tag.name() == "HealthData" => {}
        Token::Open | Token::Empty | Token::Close | Token::End => {
            return Err(prolog::no_root(reader.tokens.line()));
        }
    }
    let ElementReader { tokens, sink, .. } = reader;
    let (cleaned, behind) = tokens.finish()?;
    let mut tell = |count, line, reason: &'static str| {
        if count == 0 {
            Ok(())
        } else {
            sink(Item::Skipped {
                line,
                count,
                reason: reason.into(),
            })
        }
    };
    tell(
        cleaned.controls.count,
        cleaned.controls.line,
        "control characters (removed, record kept)",
    )?;
    tell(
        cleaned.invalid.count,
        cleaned.invalid.line,
        "bytes that are not UTF-8 (replaced, record kept)",
    )?;
    tell(
        u64::from(behind.is_some()),
        behind.unwrap_or_default(),
        "text behind the end",
    )?;
    Ok(())
}

const BROKEN: &str = "tags with something that is no attribute";

/// Why an element cannot be kept.
pub(super) type Reason = Cow<'static, str>;

pub(super) struct ElementReader<'s, 'k> {
    pub(super) tokens: Tokens,
    pub(super) measures: Measures,
    dates: Dates,
    pub(super) writers: Writers,
    pub(super) references: &'s mut References,
    /// Workouts that were handed on.
    workouts: u64,
    pub(super) sink: &'s mut Sink<'k>,
    spare: Vec<Tag>,
    pub(super) room: Room,
}

impl ElementReader<'_, '_> {
    fn root(&mut self, tag: &mut Tag) -> Result<(), ReadError> {
        loop {
            match self.tokens.next(tag)? {
                Token::Close => return Ok(()),
                Token::End => return Err(self.tokens.truncated()),
                token @ (Token::Open | Token::Empty) => self.element(tag, token)?,
            }
        }
    }

    /// One child of the root.
    fn element(&mut self, tag: &mut Tag, token: Token) -> Result<(), ReadError> {
        let line = self.tokens.line();
        self.room = Room(limits::METADATA);
        if tag.broken {
            self.skipped(line, BROKEN.into())?;
            return self.leave(tag, token);
        }
        let kept = match tag.name() {
            "Record" => match self.record(tag, token)? {
                Ok(sample) => {
                    let remark = self
                        .measures
                        .last()
                        .and_then(|measure| measure.remark.clone());
                    (self.sink)(Item::Sample(sample))?;
                    if let Some(reason) = remark {
                        (self.sink)(Item::Skipped {
                            line,
                            count: 1,
                            reason,
                        })?;
                    }
                    Ok(())
                }
                Err(reason) => Err(reason),
            },
            "Correlation" => match self.correlation(tag, token)? {
                Ok(correlation) => {
                    (self.sink)(Item::Correlation(Box::new(correlation)))?;
                    Ok(())
                }
                Err(reason) => Err(reason),
            },
            "Workout" => {
                let (workout, routes) = self.workout(tag, token)?;
                let mut number = None;
                let kept = match workout {
                    Ok(workout) => {
                        number = Some(self.workouts);
                        self.workouts += 1;
                        (self.sink)(Item::Workout(Box::new(workout)))?;
                        Ok(())
                    }
                    Err(reason) => Err(reason),
                };
                self.hand_on(routes, number)?;
                kept
            }
            "ExportDate" => match tag.value("value").and_then(date::parse) {
                Some(at_ms) => {
                    (self.sink)(Item::Exported(at_ms))?;
                    return self.leave(tag, token);
                }
                None => Err("export dates that are no dates".into()),
            },
            _ => {
                if self.document(tag, token)? {
                    return Ok(());
                }
                return self.pass_over(tag, token);
            }
        };
        match kept {
            Ok(()) => Ok(()),
            Err(reason) => self.skipped(line, reason),
        }
    }

    /// A record, all of it read; or why it cannot be kept.
    pub(super) fn record(
        &mut self,
        tag: &Tag,
        token: Token,
    ) -> Result<Result<Sample, Reason>, ReadError> {
        let mut metadata = Metadata::default();
        let sample = self.record_of(tag, &mut metadata);
        if token == Token::Open {
            self.children(&mut |reader, child, token| {
                if reader.metadata_entry(child, &mut metadata)? {
                    return reader.leave(child, token);
                }
                match child.name() {
                    "HeartRateVariabilityMetadataList" if token == Token::Open => {
                        reader.beats(&mut metadata)
                    }
                    _ => reader.pass_over(child, token),
                }
            })?;
        }
        Ok(sample.map(|mut sample| {
            sample.external_id = external_id(&metadata);
            if !metadata.beats.is_empty() {
                beats::resolve(&mut metadata, sample.start_ms, sample.end_ms);
            }
            sample.metadata = metadata;
            sample
        }))
    }

    fn record_of(&mut self, tag: &Tag, metadata: &mut Metadata) -> Result<Sample, Reason> {
        let mut type_name = None;
        let (mut unit, mut value) = (None, None);
        let mut parts = FrameParts::default();
        for (key, text) in tag.attributes() {
            match key {
                "type" => type_name = Some(text),
                "unit" => unit = Some(text),
                "value" => value = Some(text),
                // iOS 8 wrote metadata as attributes.
                _ if !parts.take(key, text) => self.entry(key, text, metadata)?,
                _ => {}
            }
        }
        let type_name = type_name
            .filter(|name| !name.is_empty())
            .ok_or("records without a type")?;
        let frame = self.frame_of(&parts)?;
        let measure = self
            .measures
            .find(type_name, unit)
            .ok_or("records without a type")?;
        let value = measure
            .value(value)
            .map_err(|_| "quantities that are no number")?;
        let is_quantity = matches!(value, Value::Quantity { .. });
        Ok(Sample {
            kind: measure.kind.clone(),
            unit: if is_quantity {
                measure.unit.clone()
            } else {
                "".into()
            },
            value,
            start_ms: frame.start_ms,
            end_ms: frame.end_ms,
            created_ms: frame.created_ms,
            provenance: frame.provenance,
            external_id: None,
            metadata: Metadata::default(),
        })
    }

    /// What records, correlations and workouts have in common.
    pub(super) fn frame(&mut self, tag: &Tag) -> Result<Frame, Reason> {
        let mut parts = FrameParts::default();
        for (key, value) in tag.attributes() {
            parts.take(key, value);
        }
        self.frame_of(&parts)
    }

    fn frame_of(&mut self, parts: &FrameParts<'_>) -> Result<Frame, Reason> {
        let FrameParts {
            start,
            end,
            created,
            name,
            version,
            device,
        } = *parts;
        let start_ms = start
            .ok_or("elements without a start date")
            .and_then(|text| {
                let date = self.dates.parse(text);
                date.ok_or("start dates that are no dates")
            })?;
        let end_ms = match end {
            Some(text) if Some(text) == start => start_ms,
            Some(text) => {
                let date = self.dates.parse(text);
                date.ok_or("end dates that are no dates")?
            }
            None => start_ms,
        };
        if end_ms < start_ms {
            return Err("ends before their starts".into());
        }
        Ok(Frame {
            start_ms,
            end_ms,
            created_ms: match created {
                Some(text) if Some(text) == end => Some(end_ms),
                _ => created.and_then(|text| self.dates.parse(text)),
            },
            provenance: self.writers.find(name.unwrap_or_default(), version, device),
        })
    }

    /// Calls `visit` with each child of the element whose start tag was read last, but for those whose
    /// tag is broken: what it lacks could be anything.
    pub(super) fn children(
        &mut self,
        visit: &mut dyn FnMut(&mut Self, &mut Tag, Token) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut child = self.spare.pop().unwrap_or_default();
        loop {
            match self.tokens.next(&mut child)? {
                Token::Close => break,
                Token::End => return Err(self.tokens.truncated()),
                token @ (Token::Open | Token::Empty) if child.broken => {
                    self.skipped(self.tokens.line(), BROKEN.into())?;
                    self.leave(&mut child, token)?;
                }
                token @ (Token::Open | Token::Empty) => visit(self, &mut child, token)?,
            }
        }
        self.spare.push(child);
        Ok(())
    }

    /// Steps over an element and tells it.
    pub(super) fn pass_over(&mut self, tag: &mut Tag, token: Token) -> Result<(), ReadError> {
        self.skipped(self.tokens.line(), element_name(tag).into())?;
        self.leave(tag, token)
    }

    /// Steps over the children of an element.
    pub(super) fn leave(&mut self, tag: &mut Tag, token: Token) -> Result<(), ReadError> {
        if token == Token::Open {
            self.tokens.skip_children(tag)
        } else {
            Ok(())
        }
    }

    pub(super) fn skipped(&mut self, line: u64, reason: Reason) -> Result<(), ReadError> {
        (self.sink)(Item::Skipped {
            line,
            count: 1,
            reason,
        })?;
        Ok(())
    }
}

/// What records, correlations and workouts have in common.
pub(super) struct Frame {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) created_ms: Option<i64>,
    pub(super) provenance: std::sync::Arc<crate::sample::Provenance>,
}

/// The same as the file prints it.
#[derive(Default)]
struct FrameParts<'t> {
    start: Option<&'t str>,
    end: Option<&'t str>,
    created: Option<&'t str>,
    name: Option<&'t str>,
    version: Option<&'t str>,
    device: Option<&'t str>,
}

impl<'t> FrameParts<'t> {
    /// Takes an attribute of [`FRAME`]; says whether it was one.
    fn take(&mut self, key: &str, value: &'t str) -> bool {
        let place = match key {
            "startDate" => &mut self.start,
            "endDate" => &mut self.end,
            "creationDate" => &mut self.created,
            "sourceName" | "source" => &mut self.name,
            "sourceVersion" => &mut self.version,
            "device" => &mut self.device,
            _ => return false,
        };
        *place = Some(value);
        true
    }
}

/// Attributes that say who wrote an element, and when.
pub(super) const FRAME: &[&str] = &[
    "sourceName",
    "startDate",
    "endDate",
    "creationDate",
    "sourceVersion",
    "device",
    "source",
];
