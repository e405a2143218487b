//! `healthsync types`: what the server holds.

use healthsync_core::{
    api::{self, Types},
    report::inert,
};

use crate::{
    client::Link,
    error::CliError,
    printer::{Look, grouped},
    settings::Settings,
};

/// Prints a table, or one JSON object a type.
pub(crate) async fn run(settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let mut link = Link::open(settings).await?;
    let (types, _): (Types, _) = link.get(api::TYPES).await?;
    if printer.json {
        return types.types.iter().try_for_each(|info| printer.object(info));
    }
    if types.types.is_empty() {
        printer.note(
            "The server holds no samples yet. Import an export there: healthsync-server import export.zip",
        );
        return Ok(());
    }
    let header = ["TYPE", "UNIT", "SAMPLES", "FIRST", "LAST"].map(str::to_owned);
    let rows: Vec<[String; 5]> = types
        .types
        .iter()
        .map(|info| {
            [
                inert(&info.name).into_owned(),
                inert(&info.unit).into_owned(),
                grouped(info.count),
                inert(day(&info.first_date)).into_owned(),
                inert(day(&info.last_date)).into_owned(),
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
}
