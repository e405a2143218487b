//! Rows side by side, as wide as the terminal at most. The first row is the header.
//!
//! What counts are the columns of a terminal (UAX #11): a character of an East Asian script takes two, a
//! combining mark none.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::{
    error::CliError,
    printer::{Look, Printer},
};

/// Between two columns.
const GAP: usize = 2;

/// No column is cut shorter.
const NARROWEST: usize = 8;

/// Prints the rows, the header in bold; numbers stand to the right in the columns `right`.
pub(crate) fn print<const N: usize>(
    printer: Printer,
    rows: &[[String; N]],
    right: &[usize],
) -> Result<(), CliError> {
    for (index, line) in lines(rows, right, printer.width).iter().enumerate() {
        match index {
            0 => printer.line(&printer.paint(line, Look::Bold))?,
            _ => printer.line(line)?,
        }
    }
    Ok(())
}

fn lines<const N: usize>(
    rows: &[[String; N]],
    right: &[usize],
    width: Option<usize>,
) -> Vec<String> {
    let mut widths = [0_usize; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    if let Some(width) = width {
        fit(&mut widths, width);
    }
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    let cell = cut(cell, width);
                    let space = " ".repeat(width.saturating_sub(cell.width()));
                    if right.contains(&column) {
                        space + &cell
                    } else {
                        cell + &space
                    }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// Takes from the widest columns until the row fits, or nothing more can be taken.
fn fit(widths: &mut [usize], total: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > total {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let mut kept = String::new();
    let mut room = width.saturating_sub(1);
    for symbol in cell.chars() {
        let Some(left) = room.checked_sub(symbol.width().unwrap_or(0)) else {
            break;
        };
        room = left;
        kept.push(symbol);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[String; 3]> {
        [
            ["TYPE", "SAMPLES", "FIRST"],
            ["steps", "1,234", "2026-01-01"],
            ["bloodPressureSystolic", "5", "2026-01-01"],
        ]
        .map(|row| row.map(str::to_owned))
        .to_vec()
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            lines(&rows(), &[1], None),
            [
                "TYPE                   SAMPLES  FIRST",
                "steps                    1,234  2026-01-01",
                "bloodPressureSystolic        5  2026-01-01",
            ]
        );
    }

    #[test]
    fn wide_characters_take_two_columns_and_marks_none() {
        let rows = [["SERVER", "N"], ["健康サーバー", "1"], ["Ane\u{301}", "22"]]
            .map(|row| row.map(str::to_owned));
        assert_eq!(
            lines(&rows, &[1], None),
            [
                "SERVER         N",
                "健康サーバー   1",
                "Ane\u{301}           22"
            ]
        );
        // Half of a character cannot be shown.
        assert_eq!(cut("健康サーバー", 8), "健康サ…");
        assert_eq!(cut("健康サーバー", 7), "健康サ…");
        assert_eq!(cut("e\u{301}e\u{301}e", 2), "e\u{301}…");
    }

    #[test]
    fn the_widest_gives_way() {
        assert_eq!(
            lines(&rows(), &[1], Some(34)),
            [
                "TYPE           SAMPLES  FIRST",
                "steps            1,234  2026-01-01",
                "bloodPressur…        5  2026-01-01",
            ]
        );
        // A terminal that is too narrow for anything gets what can be read.
        assert!(
            lines(&rows(), &[], Some(3))
                .iter()
                .all(|line| line.chars().count() <= 8 * 3 + 4)
        );
    }
}
