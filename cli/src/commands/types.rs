//! `healthsync types`: what the server holds.

use std::borrow::Cow;

use healthsync_core::api::{self, TypeInfo, Types};

use super::request::Request;
use crate::{
    args::{self, ListFormat},
    client::Link,
    error::CliError,
    printer::{Look, foreign, grouped},
    settings::Settings,
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
    let printer = settings.printer;
    let header = ["TYPE", "UNIT", "SAMPLES", "FIRST", "LAST"].map(str::to_owned);
    let rows: Vec<[String; 5]> = types
        .iter()
        .map(|info| {
            [
                foreign(&info.name).into_owned(),
                foreign(&info.unit).into_owned(),
                grouped(info.count),
                foreign(day(&info.first_date)).into_owned(),
                foreign(day(&info.last_date)).into_owned(),
            ]
        })
        .collect();
    let lines = table(&header, &rows);
    for (index, line) in lines.iter().enumerate() {
        if index == 0 {
            printer.line(&printer.paint(line, Look::Bold))?;
        } else {
            printer.line(line)?;
        }
    }
    Ok(())
}

/// The date of an RFC 3339 time.
fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}

/// Columns side by side; the third one, a count, stands to the right.
fn table(header: &[String; 5], rows: &[[String; 5]]) -> Vec<String> {
    let mut widths = [0_usize; 5];
    for row in rows.iter().chain([header]) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    [header]
        .into_iter()
        .chain(rows)
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    2 => format!("{cell:>width$}"),
                    _ => format!("{cell:<width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 5]| cells.map(str::to_owned);
        let lines = table(
            &row(["TYPE", "UNIT", "SAMPLES", "FIRST", "LAST"]),
            &[
                row(["steps", "count", "1,234", "2026-01-01", "2026-01-02"]),
                row(["sleepAnalysis", "", "5", "2026-01-01", "2026-01-02"]),
            ],
        );
        assert_eq!(
            lines,
            [
                "TYPE           UNIT   SAMPLES  FIRST       LAST",
                "steps          count    1,234  2026-01-01  2026-01-02",
                "sleepAnalysis               5  2026-01-01  2026-01-02",
            ]
        );
    }

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
