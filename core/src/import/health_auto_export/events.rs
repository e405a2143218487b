//! What the app keeps beside metrics and workouts: moods, medications, symptoms, cycle tracking,
//! heart rate notifications.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    heart, medication, symptom,
    tree::{Tree, printed},
};
use crate::{
    document::{Document, Noun},
    import::{Item, provenance::Writers},
    kind::Kind,
    sample::{Metadata, Sample, Value},
};

/// The source of what names none.
pub(super) const APP: &str = "Health Auto Export";

/// Which of these lists an element stands in.
#[derive(Clone, Copy)]
pub(super) enum Section {
    Moods,
    Medications,
    Symptoms,
    Cycle,
    HeartRates,
}

/// An item, and what is said of it although it is kept.
pub(super) struct Kept {
    pub(super) item: Item,
    pub(super) remark: Option<String>,
}

impl From<Document> for Kept {
    fn from(document: Document) -> Self {
        Self {
            item: Item::Document(Box::new(document)),
            remark: None,
        }
    }
}

impl Section {
    pub(super) fn read(self, tree: &Tree, writers: &mut Writers) -> Result<Kept, &'static str> {
        match self {
            Self::Moods => mood(tree, writers).map(Kept::from),
            Self::Medications => medication::read(tree, writers).map(Kept::from),
            Self::Symptoms => symptom::read(tree, "symptom", writers),
            Self::Cycle => symptom::read(tree, "cycle", writers),
            Self::HeartRates => heart::read(tree, writers),
        }
    }
}

/// A document with all that the element says but for `known` and for dates that are in `said`.
pub(super) fn document(
    mut document: Document,
    tree: &Tree,
    known: &[&str],
    said: Option<(i64, i64)>,
    writers: &mut Writers,
) -> Document {
    document.provenance = Some(writers.find(tree.source().unwrap_or(APP), None, None));
    document.external_id = tree.id();
    let has_id = document.external_id.is_some();
    for (name, value) in tree.rest(known, said) {
        if name != "id" || !has_id {
            document.body.set(name, value);
        }
    }
    document
}

fn mood(tree: &Tree, writers: &mut Writers) -> Result<Document, &'static str> {
    let span = tree.span()?;
    let entries = tree.fields.get("metadata").and_then(Json::as_object);
    let known: &[&str] = if entries.is_some() {
        &["metadata"]
    } else {
        &[]
    };
    let mood = Document::new(Noun::StateOfMind, span.0, span.1);
    let mut mood = document(mood, tree, known, Some(span), writers);
    let entries = entries.into_iter().flatten();
    mood.metadata.entries = entries
        .map(|(key, value)| (key.clone(), printed(value)))
        .collect();
    Ok(mood)
}

/// What a sample measures, in which unit, and what it says.
pub(super) type Measured = (Kind, Arc<str>, Value);

pub(super) fn sample(
    (kind, unit, value): Measured,
    (start_ms, end_ms): (i64, i64),
    tree: &Tree,
    metadata: Metadata,
    writers: &mut Writers,
) -> Item {
    let source = tree.source().unwrap_or(APP);
    Item::Sample(Sample {
        kind,
        unit,
        value,
        start_ms,
        end_ms,
        created_ms: None,
        provenance: writers.find(source, None, None),
        external_id: None,
        metadata,
    })
}
