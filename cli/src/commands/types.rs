//! `healthsync types`: what the server holds.

use std::borrow::Cow;

use healthsync_core::api::{self, TypeInfo, Types};

use super::request::Request;
use crate::{
    args::{self, ListFormat},
    client::Link,
    error::CliError,
    known,
    printer::{foreign, grouped},
    settings::Settings,
    table,
};

/// Prints a table, names, CSV or JSON.
pub(crate) async fn run(args: &args::Types, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let format = match args.format {
        Some(format @ (ListFormat::Table | ListFormat::Csv)) if printer.json => {
            return Err(CliError::usage(format!(
                "--json writes JSON, --format {} does not fit",
                if format == ListFormat::Csv {
                    "csv"
                } else {
                    "table"
                }
            ))
            .with_hint("leave one of them out"));
        }
        Some(format) => format,
        None if printer.json => ListFormat::Ndjson,
        None => ListFormat::Table,
    };
    if args.dry_run {
        return Request::json(api::TYPES).show(settings);
    }
    let mut link = Link::open(settings).await?;
    let (held, _): (Types, _) = link.get(api::TYPES).await?;
    known::note(settings, &link.server.pair, &held.enabled_types);
    let types: Vec<TypeInfo> = held
        .types
        .into_iter()
        .filter(|info| !args.with_data || info.count > 0)
        .collect();
    match format {
        ListFormat::Ndjson => types.iter().try_for_each(|info| printer.object(info)),
        ListFormat::Json => printer.object(&types),
        ListFormat::Csv => {
            printer.line("type,unit,samples,first,last")?;
            types.iter().try_for_each(|info| printer.line(&csv(info)))
        }
        ListFormat::Table if types.is_empty() => {
            printer.note(
                "The server holds no samples yet. Import an export there: healthsync-server import export.zip",
            );
            Ok(())
        }
        ListFormat::Table if args.list => types
            .iter()
            .try_for_each(|info| printer.line(&foreign(&info.name))),
        ListFormat::Table => show(&types, settings),
    }
}

/// A line of CSV.
fn csv(info: &TypeInfo) -> String {
    let count = info.count.to_string();
    let fields = [
        info.name.as_str(),
        &info.unit,
        &count,
        &info.first_date,
        &info.last_date,
    ];
    let quoted: Vec<Cow<'_, str>> = fields
        .into_iter()
        .map(|field| {
            if field.contains([',', '"', '\n', '\r']) {
                Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
            } else {
                Cow::Borrowed(field)
            }
        })
        .collect();
    quoted.join(",")
}

fn show(types: &[TypeInfo], settings: &Settings) -> Result<(), CliError> {
    let mut rows = vec![["TYPE", "UNIT", "SAMPLES", "FIRST", "LAST"].map(str::to_owned)];
    rows.extend(types.iter().map(|info| {
        [
            foreign(&info.name).into_owned(),
            foreign(&info.unit).into_owned(),
            grouped(info.count),
            foreign(day(&info.first_date)).into_owned(),
            foreign(day(&info.last_date)).into_owned(),
        ]
    }));
    table::print(settings.printer, &rows, &[2])
}

/// The date of an RFC 3339 time.
fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_are_quoted() {
        let info = TypeInfo {
            name: "a,\"b\"".to_owned(),
            unit: "count".to_owned(),
            count: 1234,
            first_date: "2026-01-01T00:00:00Z".to_owned(),
            last_date: "2026-01-02T00:00:00Z".to_owned(),
        };
        assert_eq!(
            csv(&info),
            "\"a,\"\"b\"\"\",count,1234,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z"
        );
    }
}
