//! JSON of the iPhone app Health Auto Export, versions 1 and 2 of its format.
//!
//! ```text
//! first walk:  names, units, dates of the metrics ─► how long the app's sums are
//! second walk: points ─► samples, nights, workouts with routes, moods, doses, events
//! ```
//!
//! A metric may name itself behind its data, so the file is read twice; memory is that of one
//! point, or of one workout. What becomes of sums and means stands in [`metric`].

mod categories;
mod ecg;
mod events;
mod heart;
mod json;
mod lenient;
mod measure;
mod medication;
mod metric;
mod moment;
mod names;
mod route;
mod survey;
mod symptom;
mod tree;
mod workout;

use std::{cell::Cell, rc::Rc};

use serde::de::{DeserializeSeed as _, Error, IgnoredAny, MapAccess, SeqAccess};

use self::{
    ecg::EcgReader,
    events::Section,
    json::{Array, Elements, Fields, Guarded, Members, Object, failed},
    lenient::Lenient,
    metric::Metric,
    survey::{Head, Survey},
    tree::Tree,
    workout::WorkoutReader,
};
use super::{Importer, Item, ReadError, Sink, Source, head, provenance::Writers};

/// Knows the JSON of Health Auto Export.
#[derive(Clone, Copy, Debug)]
pub(super) struct HealthAutoExport;

/// Enough to meet the first section.
const HEAD: u64 = 64 << 10;

impl Importer for HealthAutoExport {
    fn name(&self) -> &'static str {
        "Health Auto Export"
    }

    fn id(&self) -> &'static str {
        "healthAutoExport"
    }

    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError> {
        let head = head(source, HEAD)?;
        let begins = head.trim_ascii_start().starts_with(b"{");
        let has = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
        Ok(begins && has(b"\"data\"") && SECTIONS.iter().any(|name| has(quoted(name).as_bytes())))
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        let mut survey = Survey::default();
        walk(source, &mut survey, |_| None)?;
        let (guarded, line) = Guarded::new(source)?;
        let mut reader = Reader {
            heads: survey.heads,
            metrics: 0,
            workouts: 0,
            writers: Writers::default(),
            sink,
            stopped: false,
            line: Rc::clone(&line),
        };
        parse(guarded, &line, &mut reader, |reader| {
            reader.stopped.then_some(ReadError::Stopped)
        })
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn walk<M: Members>(
    source: &mut dyn Source,
    members: &mut M,
    stopped: impl Fn(&M) -> Option<ReadError>,
) -> Result<(), ReadError> {
    let (guarded, line) = Guarded::new(source)?;
    parse(guarded, &line, members, stopped)
}

/// Reads the one object of a file.
fn parse<M: Members>(
    guarded: Guarded<'_>,
    line: &Cell<u64>,
    members: &mut M,
    stopped: impl Fn(&M) -> Option<ReadError>,
) -> Result<(), ReadError> {
    let mut json = serde_json::Deserializer::from_reader(guarded);
    let read = Object(members).deserialize(&mut json);
    if let Some(error) = stopped(members) {
        return Err(error);
    }
    read.and_then(|()| json.end())
        .map_err(|error| failed(&error, line.get()))
}

/// What stands in a file.
const SECTIONS: &[&str] = &[
    "metrics",
    "workouts",
    "cycleTracking",
    "ecg",
    "heartRateNotifications",
    "medications",
    "stateOfMind",
    "symptoms",
];

const NO_LIST: &str = "sections that are no lists";
const NO_OBJECT: &str = "elements that are no objects";

/// The second walk.
struct Reader<'s, 'k> {
    heads: Vec<Head>,
    /// Metrics that were read.
    metrics: usize,
    /// Workouts that were handed on.
    workouts: u64,
    writers: Writers,
    sink: &'s mut Sink<'k>,
    stopped: bool,
    line: Rc<Cell<u64>>,
}

impl Reader<'_, '_> {
    fn hand_on<E: Error>(&mut self, item: Item) -> Result<(), E> {
        (self.sink)(item).map_err(|_| {
            self.stopped = true;
            E::custom("stopped")
        })
    }

    fn skip<E: Error>(
        &mut self,
        count: u64,
        reason: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Result<(), E> {
        if count == 0 {
            return Ok(());
        }
        let line = self.line.get();
        self.hand_on(Item::Skipped {
            line,
            count,
            reason: reason.into(),
        })
    }

    fn skip_all<E: Error>(
        &mut self,
        tell: impl IntoIterator<Item = (u64, &'static str)>,
    ) -> Result<(), E> {
        tell.into_iter()
            .try_for_each(|(count, reason)| self.skip(count, reason))
    }

    fn events<'de, A: MapAccess<'de>>(
        &mut self,
        section: Section,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let mut events = Events {
            section,
            reader: self,
        };
        let is_list = map.next_value_seed(Lenient(Array(&mut events)))?;
        self.skip((!is_list).into(), NO_LIST)
    }
}

impl Members for Reader<'_, '_> {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "data" => map.next_value_seed(Object(self)),
            "metrics" => map.next_value_seed(Array(&mut Metrics(self))),
            "workouts" => {
                let is_list = map.next_value_seed(Lenient(Array(&mut Workouts(self))))?;
                self.skip((!is_list).into(), NO_LIST)
            }
            "ecg" => {
                let is_list = map.next_value_seed(Lenient(Array(&mut Ecgs(self))))?;
                self.skip((!is_list).into(), NO_LIST)
            }
            "stateOfMind" => self.events(Section::Moods, map),
            "medications" => self.events(Section::Medications, map),
            "symptoms" => self.events(Section::Symptoms, map),
            "cycleTracking" => self.events(Section::Cycle, map),
            "heartRateNotifications" => self.events(Section::HeartRates, map),
            _ => {
                map.next_value::<IgnoredAny>()?;
                let name = super::limits::plain(key);
                self.skip(1, format!("unknown section `{name}`"))
            }
        }
    }
}

struct Metrics<'r, 's, 'k>(&'r mut Reader<'s, 'k>);

impl Elements for Metrics<'_, '_, '_> {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let reader = &mut *self.0;
        let Some(head) = reader.heads.get_mut(reader.metrics) else {
            // Behind the last metric of the first walk.
            return Ok(list.next_element::<IgnoredAny>()?.is_some());
        };
        let head = std::mem::take(head);
        reader.metrics += 1;
        let mut points = Points {
            metric: Metric::new(&head),
            reader,
        };
        Ok(list.next_element_seed(Object(&mut points))?.is_some())
    }
}

/// One metric.
struct Points<'h, 'r, 's, 'k> {
    metric: Metric<'h>,
    reader: &'r mut Reader<'s, 'k>,
}

impl Members for Points<'_, '_, '_, '_> {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "data" => map.next_value_seed(Array(self)),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl Elements for Points<'_, '_, '_, '_> {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(point) = list.next_element::<Fields>()? else {
            return Ok(false);
        };
        match self.metric.items(&point, &mut self.reader.writers) {
            Ok(items) => {
                for item in items {
                    self.reader.hand_on(item)?;
                }
                if let Some(remark) = self.metric.remark.clone() {
                    self.reader.skip(1, remark)?;
                }
            }
            Err(reason) => self.reader.skip(1, reason)?,
        }
        Ok(true)
    }
}

struct Workouts<'r, 's, 'k>(&'r mut Reader<'s, 'k>);

impl Elements for Workouts<'_, '_, '_> {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut workout = WorkoutReader::default();
        let Some(is_object) = list.next_element_seed(Lenient(Object(&mut workout)))? else {
            return Ok(false);
        };
        let reader = &mut *self.0;
        if !is_object {
            reader.skip(1, NO_OBJECT)?;
            return Ok(true);
        }
        match workout.finish(reader.workouts, &mut reader.writers) {
            Ok(finished) => {
                reader.workouts += 1;
                for item in finished.items {
                    reader.hand_on(item)?;
                }
                reader.skip_all(finished.tell)?;
            }
            Err(reason) => reader.skip(1, reason)?,
        }
        Ok(true)
    }
}

struct Ecgs<'r, 's, 'k>(&'r mut Reader<'s, 'k>);

impl Elements for Ecgs<'_, '_, '_> {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut ecg = EcgReader::default();
        let Some(is_object) = list.next_element_seed(Lenient(Object(&mut ecg)))? else {
            return Ok(false);
        };
        let reader = &mut *self.0;
        if !is_object {
            reader.skip(1, NO_OBJECT)?;
            return Ok(true);
        }
        match ecg.finish(&mut reader.writers) {
            Ok((document, tell)) => {
                reader.hand_on(Item::Document(Box::new(document)))?;
                reader.skip_all(tell)?;
            }
            Err(reason) => reader.skip(1, reason)?,
        }
        Ok(true)
    }
}

/// Moods, medications, symptoms and the like.
struct Events<'r, 's, 'k> {
    section: Section,
    reader: &'r mut Reader<'s, 'k>,
}

impl Elements for Events<'_, '_, '_> {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut tree = Tree::default();
        let Some(is_object) = list.next_element_seed(Lenient(Object(&mut tree)))? else {
            return Ok(false);
        };
        if !is_object {
            self.reader.skip(1, NO_OBJECT)?;
            return Ok(true);
        }
        match self.section.read(&tree, &mut self.reader.writers) {
            Ok(kept) => {
                self.reader.hand_on(kept.item)?;
                if let Some(remark) = kept.remark {
                    self.reader.skip(1, remark)?;
                }
                self.reader.skip_all(tree.tell())?;
            }
            Err(reason) => self.reader.skip(1, reason)?,
        }
        Ok(true)
    }
}
