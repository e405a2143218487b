//! Which time a `fetch` means.

use healthsync_core::{
    api::Code,
    time::{self, Calendar, Range, day_start},
};
use jiff::tz::TimeZone;

use crate::{args::Fetch, error::CliError};

/// Samples that start in this stretch of time; `None` is without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// From here on, milliseconds UTC.
    pub(crate) start_ms: Option<i64>,
    /// Up to here, exclusive.
    pub(crate) end_ms: Option<i64>,
}

impl Stretch {
    /// What the arguments mean: no range is today, `--start` alone runs to now, `--all` without a
    /// range is all time. A bare date as the end includes that day.
    pub(crate) fn new(fetch: &Fetch, zone: &TimeZone, now_ms: i64) -> Result<Self, CliError> {
        if let Some(days) = fetch.days {
            return Ok(Range::days(days, zone, now_ms).into());
        }
        if let Some(hours) = fetch.hours {
            return Ok(Range::hours(hours, now_ms).into());
        }
        if fetch.today {
            return Ok(Range::today(zone, now_ms).into());
        }
        for (is_meant, calendar) in [
            (fetch.week, Calendar::Week),
            (fetch.month, Calendar::Month),
            (fetch.year, Calendar::Year),
        ] {
            if is_meant {
                return Ok(Range::so_far(calendar, zone, now_ms).into());
            }
        }
        if fetch.yesterday {
            return Ok(Self {
                start_ms: Some(day_start(zone, now_ms, 1)),
                end_ms: Some(day_start(zone, now_ms, 0)),
            });
        }
        if fetch.start.is_none() && fetch.end.is_none() {
            return Ok(if fetch.all {
                Self {
                    start_ms: None,
                    end_ms: None,
                }
            } else {
                Range::today(zone, now_ms).into()
            });
        }
        let start_ms = fetch
            .start
            .as_deref()
            .map(|text| instant("--start", text, zone, now_ms))
            .transpose()?;
        let end_ms = match fetch.end.as_deref() {
            Some(text) => end(text, zone, now_ms)?,
            None => now_ms,
        };
        if let Some(start_ms) = start_ms
            && end_ms <= start_ms
        {
            return Err(CliError::new(
                Code::InvalidRange,
                match &fetch.end {
                    Some(_) => "the end is not after the start",
                    None => "the start is not in the past",
                },
            ));
        }
        Ok(Self {
            start_ms,
            end_ms: Some(end_ms),
        })
    }

    /// For people, in UTC: it shows which instants the local days were.
    pub(crate) fn describe(self) -> String {
        match (self.start_ms, self.end_ms) {
            (None, None) => "at any time".to_owned(),
            (Some(start), None) => format!("from {} on", time::rfc3339(start)),
            (None, Some(end)) => format!("before {}", time::rfc3339(end)),
            (Some(start), Some(end)) => {
                format!("from {} to {}", time::rfc3339(start), time::rfc3339(end))
            }
        }
    }
}

impl From<Range> for Stretch {
    fn from(range: Range) -> Self {
        Self {
            start_ms: Some(range.start_ms),
            end_ms: Some(range.end_ms),
        }
    }
}

fn instant(flag: &str, text: &str, zone: &TimeZone, now_ms: i64) -> Result<i64, CliError> {
    time::parse(text, zone, now_ms).map_err(|error| {
        CliError::new(Code::InvalidRange, format!("{flag} is not a time"))
            .because(error)
            .with_hint(
                "write 2026-01-10, 2026-01-10T08:00, 2026-01-10T08:00:00Z, now, today or yesterday",
            )
    })
}

/// The end of a day that is named as a whole, else the instant.
fn end(text: &str, zone: &TimeZone, now_ms: i64) -> Result<i64, CliError> {
    let start = instant("--end", text, zone, now_ms)?;
    let word = text.trim();
    let whole_day = word.eq_ignore_ascii_case("today")
        || word.eq_ignore_ascii_case("yesterday")
        || (word.len() == "2026-01-10".len() && word.parse::<jiff::civil::Date>().is_ok());
    Ok(if whole_day {
        // From the day's own first instant: a day is not always 24 hours long.
        day_start(zone, start, -1)
    } else {
        start
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use healthsync_core::report::Hint as _;

    use super::*;
    use crate::args::{Cli, Command};

    /// 2026-03-29T12:30:00Z, the day on which Vienna skips an hour.
    const NOW: i64 = 1_774_787_400_000;

    fn fetch(words: &[&str]) -> Fetch {
        let cli = Cli::try_parse_from([&["healthsync", "fetch"], words].concat()).unwrap();
        let Command::Fetch(fetch) = cli.command else {
            panic!("not a fetch")
        };
        fetch
    }

    fn stretch(words: &[&str]) -> Result<Stretch, CliError> {
        let zone = TimeZone::get("Europe/Vienna").unwrap_or(TimeZone::UTC);
        Stretch::new(&fetch(words), &zone, NOW)
    }

    #[test]
    fn ranges_mean_what_people_mean() {
        let today = "from 2026-03-28T23:00:00Z to 2026-03-29T22:00:00Z";
        let cases: &[(&[&str], &str)] = &[
            (&[], today),
            (&["--today"], today),
            (&["--days", "1"], today),
            (&["--types", "all"], today),
            (
                &["--hours", "2"],
                "from 2026-03-29T10:30:00Z to 2026-03-29T12:30:00Z",
            ),
            // Sunday the 29th ends the week that began on Monday the 23rd.
            (
                &["--week"],
                "from 2026-03-22T23:00:00Z to 2026-03-29T22:00:00Z",
            ),
            (
                &["--month"],
                "from 2026-02-28T23:00:00Z to 2026-03-29T22:00:00Z",
            ),
            (
                &["--all", "--year"],
                "from 2025-12-31T23:00:00Z to 2026-03-29T22:00:00Z",
            ),
            (&["--all"], "at any time"),
            (&["--all", "--today"], today),
            (
                &["--yesterday"],
                "from 2026-03-27T23:00:00Z to 2026-03-28T23:00:00Z",
            ),
            (
                &["--days", "3"],
                "from 2026-03-26T23:00:00Z to 2026-03-29T22:00:00Z",
            ),
            (
                &["--start", "2026-01-01"],
                "from 2025-12-31T23:00:00Z to 2026-03-29T12:30:00Z",
            ),
            (
                &["--all", "--start", "2026-01-01"],
                "from 2025-12-31T23:00:00Z to 2026-03-29T12:30:00Z",
            ),
            (
                &["--end", "2026-01-01T00:00:00Z"],
                "before 2026-01-01T00:00:00Z",
            ),
            // The day of the end belongs to it.
            (
                &["--start", "2026-01-10", "--end", "2026-01-10"],
                "from 2026-01-09T23:00:00Z to 2026-01-10T23:00:00Z",
            ),
            // A day of 23 hours.
            (&["--start", "2026-03-29", "--end", "2026-03-29"], today),
            (
                &["--start", "yesterday", "--end", "now"],
                "from 2026-03-27T23:00:00Z to 2026-03-29T12:30:00Z",
            ),
            (
                &["--start", "yesterday", "--end", "yesterday"],
                "from 2026-03-27T23:00:00Z to 2026-03-28T23:00:00Z",
            ),
            // An instant is an instant.
            (
                &[
                    "--start",
                    "2026-01-10T08:00",
                    "--end",
                    "2026-01-10T09:00:00Z",
                ],
                "from 2026-01-10T07:00:00Z to 2026-01-10T09:00:00Z",
            ),
        ];
        for (words, expected) in cases {
            assert_eq!(stretch(words).unwrap().describe(), *expected, "{words:?}");
        }
    }

    #[test]
    fn nonsense_is_refused_before_connecting() {
        let cases: &[&[&str]] = &[
            &["--start", "2026-02-01", "--end", "2026-01-01"],
            &["--start", "2026-01-01T08:00", "--end", "2026-01-01T08:00"],
            &["--start", "2027-01-01"],
            &["--start", "noon"],
            &["--end", "2026-13-01"],
            &["--start", ""],
        ];
        for words in cases {
            let error = stretch(words).unwrap_err();
            assert_eq!(
                (error.code(), error.exit()),
                ("INVALID_RANGE", 2),
                "{words:?}"
            );
        }
    }
}
