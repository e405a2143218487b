//! In which format a `fetch` writes, and how.

use std::path::Path;

use healthsync_core::{
    api::Collection,
    format::{CollectionEncoder, Options, Shape},
};

use crate::{
    args::{Fetch, OTHER_DATA, OutputFormat, What},
    error::CliError,
    settings::Settings,
};

/// `--format`, else what the ending of `--output` says, else CSV, or NDJSON with `--json`.
pub(super) fn chosen_format(fetch: &Fetch, settings: &Settings) -> Result<OutputFormat, CliError> {
    let to_file = fetch
        .output
        .as_deref()
        .is_some_and(|path| path != Path::new("-"));
    let json = settings.printer.json;
    if let Some(format) = fetch.format {
        let lines = matches!(
            format,
            OutputFormat::Json | OutputFormat::Ndjson | OutputFormat::FhirNdjson
        );
        if json && !to_file && !lines {
            return Err(CliError::usage(format!(
                "--json writes NDJSON to stdout, --format {} does not fit",
                format.name()
            ))
            .with_hint("leave one of them out, or name a file with `--output`"));
        }
        return Ok(format);
    }
    let ending = fetch
        .output
        .as_deref()
        .and_then(Path::extension)
        .and_then(|ending| ending.to_str())
        .map(str::to_ascii_lowercase);
    Ok(match ending.as_deref() {
        Some("csv") => OutputFormat::Csv,
        Some("tsv") => OutputFormat::Tsv,
        Some("json") => OutputFormat::Json,
        Some("ndjson" | "jsonl") => OutputFormat::Ndjson,
        Some("arrow" | "arrows") => OutputFormat::Arrow,
        Some("parquet") => OutputFormat::Parquet,
        Some("sqlite" | "sqlite3" | "db") => OutputFormat::Sqlite,
        Some("gpx") => OutputFormat::Gpx,
        Some(ending) if OTHER_DATA.contains(&ending) => {
            return Err(
                CliError::usage(format!("there is no format for .{ending}")).with_hint(
                    "choose one with `--format csv`, `tsv`, `json`, `ndjson`, `arrow`, `parquet` or `sqlite`",
                ),
            );
        }
        _ if json => OutputFormat::Ndjson,
        // What has no rows of the same columns is written as lines.
        _ => match fetch.what.and_then(What::collection) {
            Some(collection) if !is_table(collection) => OutputFormat::Ndjson,
            _ => OutputFormat::Csv,
        },
    })
}

fn is_table(collection: Collection) -> bool {
    CollectionEncoder::new(collection, Shape::Tsv).is_some()
}

/// What the encoder is told.
pub(super) fn options(fetch: &Fetch, format: OutputFormat) -> Result<Options, CliError> {
    let mut options = Options {
        // Clinical standards say the device and when a record was written.
        include_metadata: fetch.include_metadata || format.standard().is_some(),
        ..Options::default()
    };
    if let Some(text) = fetch.delimiter.as_deref() {
        if format != OutputFormat::Csv {
            return Err(CliError::usage(format!(
                "--delimiter is for CSV, not for {}",
                format.name()
            )));
        }
        let text = if text.eq_ignore_ascii_case("tab") {
            "\t"
        } else {
            text
        };
        options.delimiter = Options::parse_delimiter(text).ok_or_else(|| {
            CliError::usage("this character cannot separate fields")
                .with_hint("use one like , ; | or `tab`, no letter, digit, quote, sign or point")
        })?;
    }
    Ok(options)
}
