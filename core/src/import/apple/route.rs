//! `WorkoutRoute`: points that stand in it, or the name of a file beside the export.

use std::collections::{HashMap, HashSet};

use super::{
    date,
    element::{ElementReader, Frame},
    gpx, limits,
    tag::Tag,
    tokens::Token,
};
use crate::{
    document::{Document, Noun},
    import::{Item, ReadError},
    sample::Metadata,
    series::SeriesBuilder,
};

/// A route and the files that hold its points.
pub(super) struct Route {
    document: Document,
    paths: Vec<String>,
}

/// Documents whose file stands beside the export.
#[derive(Default)]
pub(super) struct References {
    known: HashMap<String, Vec<Document>>,
    count: usize,
    bytes: usize,
}

impl References {
    /// Keeps a document until its file is met; gives it back, and why, when there are too many, or
    /// when it is a second route of one file: each would get all points.
    fn add(&mut self, path: &str, document: Document) -> Option<(Document, &'static str)> {
        let path = path.trim_start_matches('/');
        let bytes = path.len() + document.body.size() + size(&document.metadata) + 500;
        if self.count >= limits::REFERENCES || self.bytes + bytes > limits::REFERENCE_BYTES {
            return Some((document, "files beyond the limit (kept without them)"));
        }
        let known = self.known.entry(path.to_owned()).or_default();
        if document.noun == Noun::Route && known.iter().any(|it| it.noun == Noun::Route) {
            let reason = "routes that name the file of another one (kept without points)";
            return Some((document, reason));
        }
        known.push(document);
        self.count += 1;
        self.bytes += bytes;
        None
    }

    /// The documents that name this file: all of its path, or its end.
    pub(super) fn take(&mut self, name: &str) -> Vec<Document> {
        let mut rest = name;
        loop {
            if let Some(found) = self.known.remove(rest) {
                return found;
            }
            match rest.split_once('/') {
                Some((_, behind)) => rest = behind,
                None => return Vec::new(),
            }
        }
    }

    /// Those whose file was not met, in the order of the export.
    pub(super) fn rest(self) -> Vec<Document> {
        let mut rest: Vec<_> = self.known.into_values().flatten().collect();
        rest.sort_by_key(|document| document.line);
        rest
    }
}

impl ElementReader<'_, '_> {
    /// A `WorkoutRoute`, all of it read. One without dates of its own has those of its workout.
    pub(super) fn route(
        &mut self,
        tag: &mut Tag,
        token: Token,
        workout: Option<&Frame>,
        room: &mut usize,
    ) -> Result<Option<Route>, ReadError> {
        let line = self.tokens.line();
        let own = if tag.value("startDate").is_some() {
            self.frame(tag)
        } else {
            Err("workout routes without a start date".into())
        };
        let mut document = match (own, workout) {
            (Ok(frame), _) => {
                let mut document = Document::new(Noun::Route, frame.start_ms, frame.end_ms);
                document.created_ms = frame.created_ms;
                document.provenance = Some(frame.provenance);
                document
            }
            (Err(_), Some(frame)) if tag.value("startDate").is_none() => {
                let mut document = Document::new(Noun::Route, frame.start_ms, frame.end_ms);
                document.provenance = Some(match tag.value("sourceName") {
                    Some(name) => {
                        let (version, device) = (tag.value("sourceVersion"), tag.value("device"));
                        self.writers.find(name, version, device)
                    }
                    None => frame.provenance.clone(),
                });
                document
            }
            (Err(reason), _) => {
                self.skipped(line, reason)?;
                self.leave(tag, token)?;
                return Ok(None);
            }
        };
        document.line = line;
        let mut paths = Vec::new();
        let mut metadata = Metadata::default();
        let mut builder = SeriesBuilder::new(Noun::Route.columns().len());
        let mut points = 0;
        if token == Token::Open {
            self.children(&mut |reader, child, token| {
                let line = reader.tokens.line();
                if reader.metadata_entry(child, &mut metadata)? {
                    return reader.leave(child, token);
                }
                match child.name() {
                    "Location" => match location(child) {
                        None => {
                            reader.skipped(line, "points of routes without a place".into())?;
                        }
                        Some(_) if points >= limits::POINTS || builder.size() >= *room => {
                            reader.skipped(line, "points of routes beyond the limit".into())?;
                        }
                        Some(point) => {
                            points += 1;
                            builder.push(&point);
                        }
                    },
                    "FileReference" if paths.len() < limits::ENTRIES => match child.value("path") {
                        Some(path) => paths.push(limits::name(path).to_owned()),
                        None => reader.skipped(line, "references without a path".into())?,
                    },
                    _ => return reader.pass_over(child, token),
                }
                reader.leave(child, token)
            })?;
        }
        *room = room.saturating_sub(builder.size());
        document.metadata = metadata;
        document.series = (points > 0).then(|| builder.finish());
        Ok(Some(Route { document, paths }))
    }

    /// Hands on the routes of a workout, after it; `number` says which one it is, if it was kept.
    pub(super) fn hand_on(
        &mut self,
        routes: Vec<Route>,
        number: Option<u64>,
    ) -> Result<(), ReadError> {
        for Route {
            mut document,
            paths,
        } in routes
        {
            document.workout = number;
            if document.series.is_some() || paths.is_empty() {
                (self.sink)(Item::Document(Box::new(document.clone())))?;
            }
            document.series = None;
            let mut seen = HashSet::new();
            for path in paths.iter().filter(|path| seen.insert(path.as_str())) {
                self.refer(path, document.clone())?;
            }
        }
        Ok(())
    }

    /// Keeps a document until the file is met that it names.
    pub(super) fn refer(&mut self, path: &str, document: Document) -> Result<(), ReadError> {
        let line = document.line;
        if let Some((document, reason)) = self.references.add(path, document) {
            (self.sink)(Item::Document(Box::new(document)))?;
            self.skipped(line, reason.into())?;
        }
        Ok(())
    }
}

/// Bytes of metadata in memory, roughly.
fn size(metadata: &Metadata) -> usize {
    /// Of an entry, beside its texts.
    const ENTRY: usize = 50;
    let entries = metadata.entries.iter();
    entries
        .map(|(key, value)| key.len() + value.len() + ENTRY)
        .sum()
}

/// A point in the columns of a route. Export version 8 has them in the export itself.
fn location(tag: &Tag) -> Option<[f64; 8]> {
    let number = |key: &str| {
        let number: f64 = tag.value(key)?.trim().parse().ok()?;
        number.is_finite().then_some(number)
    };
    let other = |key| number(key).unwrap_or(f64::NAN);
    Some([
        tag.value("date")
            .and_then(date::parse)
            .map_or(f64::NAN, gpx::whole),
        number("latitude")?,
        number("longitude")?,
        other("altitude"),
        other("speed"),
        other("course"),
        other("horizontalAccuracy"),
        other("verticalAccuracy"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_waits_for_its_file_is_bounded() {
        let mut references = References::default();
        let mut document = Document::new(Noun::Route, 0, 0);
        let text = "x".repeat(limits::REFERENCE_BYTES / 10);
        document.metadata.entries.push(("key".to_owned(), text));
        let kept = (0..20)
            .filter(|n| {
                references
                    .add(&format!("{n}.gpx"), document.clone())
                    .is_none()
            })
            .count();
        assert_eq!(kept, 9);
    }
}
