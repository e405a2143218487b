//! `healthsync fetch workouts`, `routes`, `ecg`, `activity` and the like: lines from the server to
//! stdout or a file. What travels is NDJSON whatever is written in the end.

use healthsync_core::{
    api::{Code, Collection, CorrelationRecord},
    format::{self, CollectionEncoder, End, Pressure, Shape},
    report::Hint as _,
    time,
};

use super::{
    ask, end_of,
    format::{chosen_format, options},
    incomplete, opened,
    sink::{Sink, told, write_full},
    tell_end,
};
use crate::{
    args::{Fetch, OutputFormat},
    client::{Answer, Link},
    commands::request::Request,
    error::CliError,
    output::Output,
    printer::grouped,
    range::Stretch,
    settings::{Settings, zone},
};

/// No object of the server is longer: a route has at most 400,000 points.
const LONGEST_LINE: usize = 128 << 20;

/// Fetches one collection.
pub(super) async fn run(
    fetch: &Fetch,
    collection: Collection,
    settings: &Settings,
) -> Result<(), CliError> {
    let printer = settings.printer;
    refuse_options_of_samples(fetch, collection)?;
    let stretch = Stretch::new(fetch, &zone(), settings.now_ms())?;
    let chosen = chosen_format(fetch, settings)?;
    let delimiter = options(fetch, chosen)?.delimiter;
    let mut encoder = shape(chosen, delimiter)
        .and_then(|shape| CollectionEncoder::new(collection, shape))
        .ok_or_else(|| {
            CliError::usage(format!(
                "{collection} cannot be written as {}",
                chosen.name()
            ))
            .with_hint(format!("choose one with {}", choices(collection)))
        })?;
    let types = (!fetch.types.is_empty()).then(|| fetch.types.join(","));
    let request = request(collection, types, fetch, stretch);
    if fetch.dry_run {
        return request.show(settings);
    }
    let mut output = opened(fetch, chosen, settings)?;
    let is_file = matches!(output, Output::File { .. });
    let asking = async |link: &mut Link| request.send(link).await;
    let (mut answer, link) = ask(None, fetch, settings, asking).await?;
    let head = end_of(&answer);
    let mut full = Vec::new();
    encoder.start(&mut full);
    let mut write = |line: &[u8]| {
        encoder.line(line, &mut full).map_err(told)?;
        write_full(&mut full, &mut output)
    };
    let read = lines(&mut answer, &link, &mut write).await;
    read.map_err(|error| incomplete(error, is_file))?;
    encoder.finish(&head, &mut full);
    output.write(&full)?;
    output.commit()?;

    let end = End {
        count: encoder.count(),
        ..head
    };
    if end.count == 0 {
        printer.note(&format!("No {} {}.", many(collection), stretch.describe()));
    }
    if encoder.passed_over() > 0 {
        printer.note(&format!(
            "Left out {} points that have no place.",
            grouped(encoder.passed_over())
        ));
    }
    let count = counted(collection, end.count);
    tell_end(&end, &count, fetch, is_file, settings)
}

/// Hands the blood pressures of this time to `sink`. Who may not read which numbers belong together
/// is told so, and gets them one by one.
pub(super) async fn pressures(
    open: &mut Option<Link>,
    fetch: &Fetch,
    stretch: Stretch,
    settings: &Settings,
    sink: &mut Sink,
) -> Result<(), CliError> {
    let types = Some("bloodPressure".to_owned());
    let request = request(Collection::Correlations, types, fetch, stretch);
    let mut refused = None;
    let asking = async |link: &mut Link| request.send(link).await;
    let asked = ask(open.take(), fetch, settings, asking).await;
    match asked {
        Ok((mut answer, link)) => {
            lines(&mut answer, &link, &mut |line| {
                let record: CorrelationRecord = serde_json::from_slice(line).map_err(damaged)?;
                match pressure(record) {
                    Some(pressure) => sink.pressure(&pressure),
                    // One number alone stays an observation of its own.
                    None => Ok(()),
                }
            })
            .await?;
            *open = Some(link);
        }
        Err(error) => refused = Some(error),
    }
    match refused {
        Some(error)
            if error.code() == Code::TypeNotAllowed.as_str()
                || error.code() == Code::NotFound.as_str() =>
        {
            settings.printer.note(
                "The server does not tell which blood pressures belong together: each number is \
                 an observation of its own.",
            );
            Ok(())
        }
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Both numbers of a blood pressure, in mmHg. What else the pair has, and a number in a unit that nobody
/// knows, stay samples of their own.
fn pressure(record: CorrelationRecord) -> Option<Pressure> {
    let number = |kind: &str| {
        let mut members = record.members.iter();
        members.find_map(|member| {
            let is_ours = member.kind == kind && member.unit.as_deref() == Some("mmHg");
            let value = member.value.filter(|_| is_ours)?;
            Some((member.id.clone(), value))
        })
    };
    let instant = |text: &str| time::parse(text, &jiff::tz::TimeZone::UTC, 0).ok();
    let (systolic_id, systolic) = number("bloodPressureSystolic")?;
    let (diastolic_id, diastolic) = number("bloodPressureDiastolic")?;
    Some(Pressure {
        systolic,
        diastolic,
        start_ms: instant(&record.start_date)?,
        end_ms: instant(&record.end_date)?,
        created_ms: record.creation_date.as_deref().and_then(instant),
        members: [systolic_id, diastolic_id],
        id: record.id,
        source: record.source_name,
        device: record.device,
    })
}

fn request(
    collection: Collection,
    types: Option<String>,
    fetch: &Fetch,
    stretch: Stretch,
) -> Request {
    let media_type = format::by_name("ndjson").map(|format| format.media_type);
    let origins = (!fetch.origin.is_empty()).then(|| fetch.origin.join(","));
    Request::get(collection.path(), media_type)
        .with("types", types)
        .with("origin", origins)
        .with("start", stretch.start_ms.map(time::rfc3339))
        .with("end", stretch.end_ms.map(time::rfc3339))
        .with("limit", fetch.limit.map(|limit| limit.to_string()))
}

/// Hands each line of an answer to `each`, without its line feed; the last one must have one.
async fn lines(
    answer: &mut Answer,
    link: &Link,
    each: &mut dyn FnMut(&[u8]) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let address = answer.address;
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let bytes = match answer.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) => return Err(link.broken(error, address).await),
        };
        let mut rest: &[u8] = &bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(at);
            if pending.is_empty() {
                each(line)?;
            } else {
                pending.extend_from_slice(line);
                each(&pending)?;
                pending.clear();
            }
            rest = behind.get(1..).unwrap_or_default();
        }
        pending.extend_from_slice(rest);
        if pending.len() > LONGEST_LINE {
            return Err(CliError::new(
                Code::AnswerDamaged,
                "a line of the answer has no end",
            ));
        }
    }
    if pending.is_empty() {
        Ok(())
    } else {
        Err(CliError::new(Code::AnswerDamaged, "the answer was cut off"))
    }
}

fn damaged(error: serde_json::Error) -> CliError {
    CliError::new(Code::AnswerDamaged, "the answer is damaged or was cut off").because(error)
}

/// What only samples have.
fn refuse_options_of_samples(fetch: &Fetch, collection: Collection) -> Result<(), CliError> {
    let has_types = collection == Collection::Correlations;
    for (is_given, option) in [
        (!fetch.types.is_empty() && !has_types, "--types"),
        (!fetch.category.is_empty(), "--category"),
        (fetch.offset.is_some(), "--offset"),
        (fetch.include_metadata, "--include-metadata"),
    ] {
        if is_given {
            return Err(
                CliError::usage(format!("{option} is for samples, not for {collection}"))
                    .with_hint(format!("leave it out: {collection} always come whole")),
            );
        }
    }
    Ok(())
}

fn shape(chosen: OutputFormat, delimiter: u8) -> Option<Shape> {
    match chosen {
        OutputFormat::Csv => Some(Shape::Csv { delimiter }),
        OutputFormat::Tsv => Some(Shape::Tsv),
        OutputFormat::Json => Some(Shape::Json),
        OutputFormat::Ndjson => Some(Shape::Ndjson),
        OutputFormat::Gpx => Some(Shape::Gpx),
        OutputFormat::Arrow
        | OutputFormat::Parquet
        | OutputFormat::Sqlite
        | OutputFormat::Fhir
        | OutputFormat::FhirNdjson
        | OutputFormat::Omh => None,
    }
}

fn choices(collection: Collection) -> &'static str {
    if CollectionEncoder::new(collection, Shape::Gpx).is_some() {
        "`--format csv`, `tsv`, `json`, `ndjson` or `gpx`"
    } else if CollectionEncoder::new(collection, Shape::Tsv).is_some() {
        "`--format csv`, `tsv`, `json` or `ndjson`"
    } else {
        "`--format json` or `ndjson`"
    }
}

/// What it holds, one and many.
const fn nouns(collection: Collection) -> (&'static str, &'static str) {
    match collection {
        Collection::Activity => ("day of rings", "days of rings"),
        Collection::Audiograms => ("audiogram", "audiograms"),
        Collection::Clinical => ("clinical record", "clinical records"),
        Collection::Correlations => ("correlation", "correlations"),
        Collection::Ecg => ("electrocardiogram", "electrocardiograms"),
        Collection::Medications => ("dose of a medication", "doses of medications"),
        Collection::Moods => ("state of mind", "states of mind"),
        Collection::Prescriptions => ("prescription", "prescriptions"),
        Collection::Routes => ("route", "routes"),
        Collection::Workouts => ("workout", "workouts"),
    }
}

fn many(collection: Collection) -> &'static str {
    nouns(collection).1
}

fn counted(collection: Collection, count: u64) -> String {
    let (one, many) = nouns(collection);
    let noun = if count == 1 { one } else { many };
    format!("{} {noun}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A correlation of members: kind, value and unit.
    fn correlation(members: &[(&str, f64, &str)]) -> CorrelationRecord {
        let members: Vec<_> = members
            .iter()
            .enumerate()
            .map(|(index, (kind, value, unit))| {
                serde_json::json!({"type": kind, "id": format!("id {index}"), "value": value, "unit": unit})
            })
            .collect();
        let record = serde_json::json!({
            "id": "pair", "type": "bloodPressure", "sourceName": "Cuff", "origin": "ana",
            "startDate": "2026-01-10T05:00:00Z", "endDate": "2026-01-10T05:00:00Z",
            "members": members,
        });
        serde_json::from_value(record).unwrap()
    }

    fn said(pressure: &Pressure) -> String {
        format!("{}/{}", pressure.systolic, pressure.diastolic)
    }

    #[test]
    fn a_pair_takes_the_two_records_whose_numbers_it_says() {
        let found = pressure(correlation(&[
            ("heartRate", 61.0, "count/min"),
            ("bloodPressureSystolic", 120.0, "mmHg"),
            ("bloodPressureDiastolic", 79.5, "mmHg"),
            ("bloodPressureSystolic", 133.0, "mmHg"),
        ]))
        .unwrap();
        assert_eq!(said(&found), "120/79.5");
        // The others stay observations of their own.
        assert_eq!(found.members, ["id 1", "id 2"]);
    }

    #[test]
    fn a_pressure_in_another_unit_is_none() {
        let systolic = ("bloodPressureSystolic", 120.0, "mmHg");
        let foreign = ("bloodPressureDiastolic", 10.5, "kPa?");
        assert_eq!(pressure(correlation(&[systolic, foreign])), None);
        let ours = ("bloodPressureDiastolic", 79.5, "mmHg");
        let found = pressure(correlation(&[foreign, systolic, ours])).unwrap();
        assert_eq!(said(&found), "120/79.5");
    }
}
