//! What stands beside the export: routes, electrocardiograms, clinical resources, and files that are
//! none of ours, which are told.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, Read},
};

use super::{archive::unreadable, ecg, gpx, is_export, limits, route::References};
use crate::{
    document::{Document, Noun},
    import::{Entry, Folder, Item, ReadError, Sink},
};

/// A file was not read to its end.
#[derive(Debug)]
pub(super) enum Failed {
    /// It is damaged, and why; the others are not.
    Damaged(&'static str),
    /// Nothing can be read any more.
    Read(io::Error),
}

impl Failed {
    /// Of a reader that failed: an archive that is damaged here, or the disk.
    pub(super) fn reading(error: io::Error) -> Self {
        match unreadable(error) {
            ReadError::Read(error) => Self::Read(error),
            _ => Self::Damaged("it cannot be read to its end"),
        }
    }
}

/// What stands in files beside the export.
const NOUNS: &[Noun] = &[Noun::ClinicalRecord, Noun::Ecg, Noun::Route];

/// Reads all files but the export itself, in their order, then tells which were missing. A noun of
/// which no file was met is not covered: whoever takes the export apart leaves these files behind.
pub(super) fn read(
    folder: &mut dyn Folder,
    entries: &[Entry],
    export: usize,
    mut references: References,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    let mut met = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        if index == export || is_junk(&entry.name) {
            continue;
        }
        let documents = references.take(&entry.name);
        let mut reader = Beside {
            folder: &mut *folder,
            index,
            sink: &mut *sink,
            met: &mut met,
        };
        if documents.is_empty() {
            reader.foreign(entry)?;
        } else {
            reader.referenced(documents)?;
        }
    }
    missing(references, &met, sink)
}

/// Tells which files were missing; what named them is kept without them. `met` are the nouns of
/// the files that were read.
pub(super) fn missing(
    references: References,
    met: &BTreeSet<Noun>,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    for noun in NOUNS.iter().filter(|noun| !met.contains(noun)) {
        sink(Item::Uncovered(*noun))?;
    }
    for document in references.rest() {
        let (line, noun) = (document.line, document.noun);
        // Some files were left behind, so others may have been, too.
        sink(Item::Uncovered(noun))?;
        sink(Item::Document(Box::new(document)))?;
        let reason = match noun {
            Noun::Route => "routes whose file is missing (kept without points)",
            _ => "clinical records whose file is missing (kept without it)",
        };
        skip(sink, line, 1, reason.into())?;
    }
    Ok(())
}

/// What macOS and others leave in archives and folders.
pub(super) fn is_junk(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("__MACOSX/")
        || file.starts_with("._")
        || matches!(file, "" | ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

fn skip(
    sink: &mut Sink<'_>,
    line: u64,
    count: u64,
    reason: Cow<'static, str>,
) -> Result<(), ReadError> {
    if count > 0 {
        sink(Item::Skipped {
            line,
            count,
            reason,
        })?;
    }
    Ok(())
}

/// One file.
struct Beside<'a, 's> {
    folder: &'a mut dyn Folder,
    index: usize,
    sink: &'a mut Sink<'s>,
    /// The nouns of the files that were read.
    met: &'a mut BTreeSet<Noun>,
}

impl Beside<'_, '_> {
    /// A file that elements of the export name.
    fn referenced(&mut self, documents: Vec<Document>) -> Result<(), ReadError> {
        let line = documents.first().map_or(0, |document| document.line);
        let is_route = documents.iter().any(|it| it.noun == Noun::Route);
        if is_route {
            let track = self.track()?;
            for mut document in documents {
                if let Some(track) = &track {
                    document.series = Some(track.series.clone());
                    if let Some(name) = &track.name {
                        document.body.set_printed("name", name);
                    }
                }
                (self.sink)(Item::Document(Box::new(document)))?;
            }
            if track.is_none() {
                let reason = "routes whose file is damaged (kept without points)";
                skip(self.sink, line, 1, reason.into())?;
            }
            return Ok(());
        }
        let resource = self.resource()?;
        if resource.is_some() {
            self.met.insert(Noun::ClinicalRecord);
        }
        for mut document in documents {
            let is_json = resource
                .as_ref()
                .is_some_and(|text| document.body.set_resource(text));
            (self.sink)(Item::Document(Box::new(document)))?;
            if !is_json {
                let reason = "clinical records whose file is damaged (kept without it)";
                skip(self.sink, line, 1, reason.into())?;
            }
        }
        Ok(())
    }

    /// A file that nothing names; its beginning says what it is.
    fn foreign(&mut self, entry: &Entry) -> Result<(), ReadError> {
        let Some(head) = self.head()? else {
            return self.damaged("files that cannot be read", &[Noun::Ecg, Noun::Route]);
        };
        if is_export(&head) {
            return skip(
                self.sink,
                0,
                1,
                "another export in the archive (not read)".into(),
            );
        }
        if is_document(&entry.name, &head) {
            return skip(
                self.sink,
                0,
                1,
                "export_cda.xml, which repeats records".into(),
            );
        }
        if gpx::is_gpx(&head) {
            return self.route();
        }
        if ecg::is_ecg(&head) {
            return self.ecg();
        }
        // A route or an electrocardiogram that is written in another way, perhaps.
        let nouns: &[Noun] = match extension(&entry.name).as_str() {
            "csv" => &[Noun::Ecg],
            "gpx" => &[Noun::Route],
            _ => &[],
        };
        self.damaged("other files (not read)", nouns)
    }

    /// A route of which no workout knows.
    fn route(&mut self) -> Result<(), ReadError> {
        let Some(track) = self.track()? else {
            return self.damaged("routes whose file is damaged", &[Noun::Route]);
        };
        let Some((start_ms, end_ms)) = track.times else {
            return skip(
                self.sink,
                0,
                1,
                "routes without a workout and without a time".into(),
            );
        };
        let mut document = Document::new(Noun::Route, start_ms, end_ms);
        if let Some(name) = &track.name {
            document.body.set_printed("name", name);
        }
        document.series = Some(track.series);
        (self.sink)(Item::Document(Box::new(document)))?;
        Ok(())
    }

    fn ecg(&mut self) -> Result<(), ReadError> {
        let read = match self.open()? {
            Some(mut file) => ecg::read(&mut file),
            None => Err(Failed::Damaged("it cannot be opened")),
        };
        let ecg = match read {
            Ok(ecg) => {
                self.met.insert(Noun::Ecg);
                ecg
            }
            Err(Failed::Read(error)) => return Err(ReadError::Read(error)),
            Err(Failed::Damaged(why)) => {
                let reason = format!("electrocardiograms that cannot be read: {why}");
                skip(self.sink, 0, 1, reason.into())?;
                return Ok((self.sink)(Item::Uncovered(Noun::Ecg))?);
            }
        };
        (self.sink)(Item::Document(Box::new(ecg.document)))?;
        let tell = [
            (
                ecg.strange,
                "lines of electrocardiograms that are no voltage",
            ),
            (
                ecg.beyond,
                "voltages of electrocardiograms beyond the limit",
            ),
            (
                u64::from(ecg.is_foreign_unit),
                "electrocardiograms in an unknown unit (kept as printed)",
            ),
        ];
        for (count, reason) in tell {
            skip(self.sink, 0, count, reason.into())?;
        }
        Ok(())
    }

    /// The points of a GPX file; what is wrong with single ones is told.
    fn track(&mut self) -> Result<Option<gpx::Track>, ReadError> {
        let read = match self.open()? {
            Some(mut file) => gpx::read(&mut file),
            None => return Ok(None),
        };
        let track = match read {
            Ok(track) => track,
            Err(Failed::Read(error)) => return Err(ReadError::Read(error)),
            Err(Failed::Damaged(_)) => return Ok(None),
        };
        self.met.insert(Noun::Route);
        let tell = [
            (track.placeless, "points of routes without a place"),
            (track.beyond, "points of routes beyond the limit"),
        ];
        for (count, reason) in tell {
            skip(self.sink, 0, count, reason.into())?;
        }
        Ok(Some(track))
    }

    /// The text of a resource.
    fn resource(&mut self) -> Result<Option<String>, ReadError> {
        let Some(mut file) = self.open()? else {
            return Ok(None);
        };
        let mut text = Vec::new();
        let read = Read::take(&mut file, limits::RESOURCE + 1).read_to_end(&mut text);
        let Some(length) = whole(read)? else {
            return Ok(None);
        };
        let is_whole = u64::try_from(length).is_ok_and(|length| length <= limits::RESOURCE);
        Ok(is_whole.then(|| String::from_utf8(text).ok()).flatten())
    }

    /// The first bytes of the file; `None` when it is damaged.
    fn head(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(mut file) = self.open()? else {
            return Ok(None);
        };
        let mut head = Vec::new();
        let read = Read::take(&mut file, super::HEAD).read_to_end(&mut head);
        Ok(whole(read)?.map(|_| head))
    }

    /// `None` when the archive is damaged here.
    fn open(&mut self) -> Result<Option<Box<dyn Read + Send + '_>>, ReadError> {
        match self.folder.open(self.index) {
            Ok(file) => Ok(Some(file)),
            Err(ReadError::Archive(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn damaged(&mut self, reason: &'static str, nouns: &[Noun]) -> Result<(), ReadError> {
        skip(self.sink, 0, 1, reason.into())?;
        for noun in nouns {
            (self.sink)(Item::Uncovered(*noun))?;
        }
        Ok(())
    }
}

/// What was read; `None` when the archive is damaged here.
fn whole(read: io::Result<usize>) -> Result<Option<usize>, ReadError> {
    match read.map_err(Failed::reading) {
        Ok(length) => Ok(Some(length)),
        Err(Failed::Damaged(_)) => Ok(None),
        Err(Failed::Read(error)) => Err(ReadError::Read(error)),
    }
}

/// What stands behind the last point of a name, in small letters.
fn extension(name: &str) -> String {
    let (_, behind) = name.rsplit_once('.').unwrap_or_default();
    behind.to_ascii_lowercase()
}

/// HL7's Clinical Document Architecture repeats a part of the vitals.
fn is_document(name: &str, head: &[u8]) -> bool {
    let mark = b"<ClinicalDocument";
    name.rsplit('/').next() == Some("export_cda.xml")
        || head.windows(mark.len()).any(|window| window == mark)
}
