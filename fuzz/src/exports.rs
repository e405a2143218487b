//! What the targets of importers have in common.

use std::io::{Cursor, Read};

use healthsync_core::{
    document::Document,
    format::{End, Options, by_name},
    import::{Entry, Folder, IMPORTERS, Importer, Item, ReadError},
    query::Query,
    sample::Sample,
    series::{self, CHUNK},
    store::{ImportOptions, Store},
};

/// The importer of this name.
fn importer(name: &str) -> &'static dyn Importer {
    let found = IMPORTERS.iter().find(|importer| importer.name() == name);
    *found.expect("an importer of this name")
}

/// Reads a file with the importer of this name; whether it was one and was read to its end.
pub fn read(name: &str, data: &[u8]) -> bool {
    let importer = importer(name);
    let mut source = Cursor::new(data);
    if !matches!(importer.recognize(&mut source), Ok(true)) {
        return false;
    }
    let mut samples = 0_u64;
    let outcome = importer.read(&mut source, &mut |item| {
        let sample = match &item {
            Item::Sample(sample) => Some(sample),
            Item::Returning(row) => Some(&row.sample),
            Item::Document(document) => {
                check(document);
                None
            }
            _ => None,
        };
        if let Some(sample) = sample {
            judge(sample);
            samples += 1;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => samples > 0,
        Err(error) => {
            let _ = error.to_string();
            false
        }
    }
}

fn judge(sample: &Sample) {
    assert!(sample.end_ms >= sample.start_ms, "an end before its start");
}

/// Points of a document; every chunk of them must read back.
fn check(document: &Document) -> usize {
    assert!(
        document.end_ms >= document.start_ms,
        "an end before its start"
    );
    let columns = document.noun.columns().len();
    let Some(found) = &document.series else {
        return 0;
    };
    for chunk in &found.chunks {
        assert!(
            (1..=CHUNK).contains(&chunk.points),
            "a chunk of a wrong size"
        );
        let decoded = series::decode(chunk.points, columns, &chunk.data);
        let decoded = decoded.expect("what was encoded");
        let is_number = |number: &f64| number.is_nan() || number.is_finite();
        assert!(decoded.iter().flatten().all(is_number), "an endless number");
    }
    found.points()
}

/// An export with one workout, whose route stands in `workout-routes/route.gpx`.
const EXPORT: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?>
<HealthData locale="en_US">
 <ExportDate value="2026-01-10 08:00:00 +0100"/>
 <Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="30" durationUnit="min" sourceName="W"
  startDate="2024-06-15 06:00:00 +0000" endDate="2024-06-15 06:30:00 +0000">
  <WorkoutRoute sourceName="W" startDate="2024-06-15 06:00:00 +0000" endDate="2024-06-15 06:30:00 +0000">
   <FileReference path="/workout-routes/route.gpx"/>
  </WorkoutRoute>
 </Workout>
</HealthData>
"#;

/// Files of an export by their names.
struct Files<'a>([(&'static str, &'a [u8]); 2]);

impl Folder for Files<'_> {
    fn entries(&mut self) -> Result<Vec<Entry>, ReadError> {
        let entry = |(name, data): &(&str, &[u8])| Entry {
            name: format!("apple_health_export/{name}"),
            size: u64::try_from(data.len()).unwrap_or_default(),
        };
        Ok(self.0.iter().map(entry).collect())
    }

    fn open(&mut self, index: usize) -> Result<Box<dyn Read + Send + '_>, ReadError> {
        Ok(Box::new(self.0[index].1))
    }
}

/// Reads a file that stands under this name beside an export; whether it gave a document with a
/// series. Whatever it holds, the export is read to its end, and the workout in it is found.
pub fn beside(name: &'static str, data: &[u8]) -> bool {
    let mut folder = Files([("export.xml", EXPORT), (name, data)]);
    let (mut workouts, mut points) = (0, 0);
    let outcome = importer("Apple Health").read_folder(&mut folder, &mut |item| {
        match &item {
            Item::Workout(_) => workouts += 1,
            Item::Document(document) => points += check(document),
            _ => {}
        }
        Ok(())
    });
    // Only a second export beside the first makes it doubtful which one is meant.
    let is_export = data.windows(11).any(|window| window == b"<HealthData");
    assert!(outcome.is_ok() || is_export, "a file beside ends an import");
    assert!(workouts == 1 || is_export, "the workout is lost");
    points > 0
}

/// A store with some samples of each kind.
pub fn store() -> Store {
    const HEAD: &str = "<?xml version=\"1.0\"?><HealthData locale=\"en_US\">\
        <ExportDate value=\"2026-02-01 08:00:00 +0100\"/>";
    let mut text = HEAD.to_owned();
    for (kind, more) in [
        (
            "QuantityTypeIdentifierStepCount",
            "unit=\"count\" value=\"34\"",
        ),
        (
            "QuantityTypeIdentifierHeartRate",
            "unit=\"count/min\" value=\"61.5\" device=\"&lt;HKDevice: 0x1, name:W&gt;\"",
        ),
        (
            "CategoryTypeIdentifierSleepAnalysis",
            "value=\"HKCategoryValueSleepAnalysisAsleepREM\"",
        ),
    ] {
        for minute in 10..14 {
            text.push_str(&format!(
                "<Record type=\"HK{kind}\" sourceName=\"A, &quot;B&quot;\" {more} \
                 creationDate=\"2026-01-01 08:{minute}:30 +0000\" startDate=\"2026-01-01 08:{minute}:00 +0000\" \
                 endDate=\"2026-01-01 08:{minute}:30 +0000\"><MetadataEntry key=\"k\" value=\"v {minute}\"/></Record>"
            ));
        }
    }
    text.push_str("</HealthData>");
    let mut store = Store::in_memory().expect("a store");
    let length = u64::try_from(text.len()).ok();
    let options = ImportOptions::default();
    store
        .import(
            "default",
            &mut Cursor::new(text),
            length,
            &options,
            &mut |_| {},
        )
        .expect("imported");
    store
}

/// The same samples as one of our formats.
pub fn written(format: &str, include_metadata: bool) -> Vec<u8> {
    let options = Options {
        include_metadata,
        ..Options::default()
    };
    let mut encoder = (by_name(format).expect("a format").encoder)(&options);
    let mut out = Vec::new();
    encoder.start(&mut out).expect("begun");
    let query = Query {
        include_metadata,
        ..Query::default()
    };
    store()
        .scan(&query, &mut |batch| {
            encoder.batch(&batch, &mut out).expect("encoded");
            std::ops::ControlFlow::Continue(())
        })
        .expect("read");
    encoder.finish(&End::default(), &mut out).expect("ended");
    out
}
