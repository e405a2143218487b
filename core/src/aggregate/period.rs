//! Which hour, day, week, month or year an instant belongs to, in a zone.

use std::{fmt, str::FromStr};

use jiff::{
    Span, Timestamp, ToSpan as _,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use crate::time;

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// An hour of the clock.
    Hourly,
    /// A local day, of 23, 24 or 25 hours.
    Daily,
    /// Seven local days.
    Weekly,
    /// A month of the calendar.
    Monthly,
    /// A year of the calendar.
    Yearly,
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: &[Self] = &[
        Self::Hourly,
        Self::Daily,
        Self::Weekly,
        Self::Monthly,
        Self::Yearly,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a period is hourly, daily, weekly, monthly or yearly")]
pub struct UnknownPeriod;

impl FromStr for Period {
    type Err = UnknownPeriod;

    fn from_str(text: &str) -> Result<Self, UnknownPeriod> {
        Self::ALL
            .iter()
            .copied()
            .find(|period| period.as_str() == text)
            .ok_or(UnknownPeriod)
    }
}

/// Not a zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone {name:?}")]
pub struct UnknownZone {
    /// What was asked for.
    pub name: String,
}

/// The zone of an IANA name (`Europe/Vienna`); `UTC` needs no database.
pub fn zone(name: &str) -> Result<TimeZone, UnknownZone> {
    if name.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| UnknownZone {
        name: name.to_owned(),
    })
}

/// Instants from `start_ms` up to, but not with, `end_ms`; milliseconds UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// The first instant.
    pub start_ms: i64,
    /// The first instant behind it.
    pub end_ms: i64,
}

/// Cuts time into buckets.
#[derive(Clone, Debug)]
pub struct Calendar {
    period: Period,
    zone: TimeZone,
    week_start: Weekday,
    /// Only what lies from here ..
    from_ms: Option<i64>,
    /// .. up to here is cut.
    until_ms: Option<i64>,
}

impl Calendar {
    /// Weeks begin on `week_start` (Monday in ISO 8601).
    pub const fn new(period: Period, zone: TimeZone, week_start: Weekday) -> Self {
        Self {
            period,
            zone,
            week_start,
            from_ms: None,
            until_ms: None,
        }
    }

    /// The same, with one bucket for all that lies before a range of whole buckets and one for all
    /// behind it: nobody walks through the centuries of a sample of which a day is asked for.
    #[must_use]
    pub fn within(self, from_ms: Option<i64>, until_ms: Option<i64>) -> Self {
        Self {
            from_ms,
            until_ms,
            ..self
        }
    }

    /// Whose days it means.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// How long its buckets are.
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Name of its zone (`Europe/Vienna`); that of a zone without one is its offset.
    pub fn zone_name(&self) -> String {
        match self.zone.iana_name() {
            Some(name) => name.to_owned(),
            None => self
                .zone
                .to_fixed_offset()
                .map_or_else(|_| "local".to_owned(), |offset| offset.to_string()),
        }
    }

    /// The bucket that holds an instant. Beyond the years that calendars know there is one long
    /// bucket on either side.
    pub fn bucket(&self, ms: i64) -> Bucket {
        if let Some(from_ms) = self.from_ms.filter(|from_ms| ms < *from_ms) {
            return Bucket {
                start_ms: i64::MIN,
                end_ms: from_ms,
            };
        }
        if let Some(until_ms) = self.until_ms.filter(|until_ms| *until_ms <= ms) {
            return Bucket {
                start_ms: until_ms,
                end_ms: i64::MAX,
            };
        }
        let found = match self.period {
            Period::Hourly => self.hour(ms),
            Period::Daily | Period::Weekly | Period::Monthly | Period::Yearly => self.days(ms),
        };
        let found = found.unwrap_or(Bucket {
            start_ms: ms,
            end_ms: i64::MAX,
        });
        // Whatever a zone does, the instant is in its bucket and time goes on.
        Bucket {
            start_ms: found.start_ms.min(ms),
            end_ms: found.end_ms.max(ms.saturating_add(1)),
        }
    }

    /// The range, grown to whole buckets.
    pub fn widen(&self, start_ms: Option<i64>, end_ms: Option<i64>) -> (Option<i64>, Option<i64>) {
        (
            start_ms.map(|start| self.bucket(start).start_ms),
            end_ms.map(|end| {
                let bucket = self.bucket(end);
                if bucket.start_ms == end {
                    end
                } else {
                    bucket.end_ms
                }
            }),
        )
    }

    /// What people call the bucket: the local date on which it begins, for hours the local time with
    /// its offset (`2026-10-25T02:00:00+01:00`).
    pub fn label(&self, bucket: Bucket) -> String {
        let Ok(start) = Timestamp::from_millisecond(bucket.start_ms) else {
            return time::rfc3339(bucket.start_ms);
        };
        let local = start.to_zoned(self.zone.clone());
        match self.period {
            Period::Hourly => local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            Period::Daily | Period::Weekly | Period::Monthly | Period::Yearly => {
                local.date().to_string()
            }
        }
    }

    /// An hour of the local clock. Where the clock is changed within one, the hour ends there and
    /// another begins, so that the hour that comes twice is two hours.
    fn hour(&self, ms: i64) -> Option<Bucket> {
        const HOUR_MS: i64 = 3_600_000;
        let instant = Timestamp::from_millisecond(ms).ok()?;
        let offset_ms = i64::from(self.zone.to_offset(instant).seconds()) * 1000;
        let start_ms = (ms + offset_ms).div_euclid(HOUR_MS) * HOUR_MS - offset_ms;
        let mut bucket = Bucket {
            start_ms,
            end_ms: start_ms + HOUR_MS,
        };
        if let Some(next) = self.zone.following(instant).next() {
            bucket.end_ms = bucket.end_ms.min(next.timestamp().as_millisecond());
        }
        // The change at the instant itself counts as one before it.
        let after = instant.checked_add(1.nanosecond()).ok()?;
        if let Some(last) = self.zone.preceding(after).next() {
            bucket.start_ms = bucket.start_ms.max(last.timestamp().as_millisecond());
        }
        Some(bucket)
    }

    fn days(&self, ms: i64) -> Option<Bucket> {
        let instant = Timestamp::from_millisecond(ms).ok()?;
        let date = self.zone.to_datetime(instant).date();
        let first = self.first_day(date)?;
        let next = first.checked_add(self.span()).ok()?;
        Some(Bucket {
            start_ms: self.midnight(first)?,
            end_ms: self.midnight(next)?,
        })
    }

    fn first_day(&self, date: Date) -> Option<Date> {
        match self.period {
            Period::Hourly | Period::Daily => Some(date),
            Period::Weekly => {
                let back = self.week_start.until(date.weekday());
                date.checked_sub(i32::from(back).days()).ok()
            }
            Period::Monthly => Some(date.first_of_month()),
            Period::Yearly => Some(date.first_of_year()),
        }
    }

    fn span(&self) -> Span {
        match self.period {
            Period::Hourly | Period::Daily => 1.day(),
            Period::Weekly => 1.week(),
            Period::Monthly => 1.month(),
            Period::Yearly => 1.year(),
        }
    }

    /// First instant of a local day; that is not midnight where the clock skips it.
    fn midnight(&self, date: Date) -> Option<i64> {
        let start = date.to_zoned(self.zone.clone()).ok()?;
        Some(start.timestamp().as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn calendar(period: Period, name: &str) -> Calendar {
        Calendar::new(period, zone(name).unwrap(), Weekday::Monday)
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[track_caller]
    fn check(period: Period, name: &str, at: &str, label: &str, hours: i64) {
        let calendar = calendar(period, name);
        let bucket = calendar.bucket(ms(at));
        assert!(bucket.start_ms <= ms(at) && ms(at) < bucket.end_ms, "{at}");
        assert_eq!(calendar.label(bucket), label, "{at}");
        assert_eq!((bucket.end_ms - bucket.start_ms) / HOUR, hours, "{at}");
        // Every instant of a bucket has the same one, and the next begins where it ends.
        assert_eq!(calendar.bucket(bucket.start_ms), bucket);
        assert_eq!(calendar.bucket(bucket.end_ms - 1), bucket);
        assert_eq!(calendar.bucket(bucket.end_ms).start_ms, bucket.end_ms);
    }

    #[test]
    fn days_are_as_long_as_the_zone_makes_them() {
        let day = Period::Daily;
        check(
            day,
            "Europe/Vienna",
            "2026-01-10T12:00:00Z",
            "2026-01-10",
            24,
        );
        check(
            day,
            "Europe/Vienna",
            "2026-01-10T23:00:00Z",
            "2026-01-11",
            24,
        );
        check(
            day,
            "Europe/Vienna",
            "2026-03-29T05:00:00Z",
            "2026-03-29",
            23,
        );
        check(
            day,
            "Europe/Vienna",
            "2026-10-25T05:00:00Z",
            "2026-10-25",
            25,
        );
        // Midnight itself was skipped: the day began at one.
        check(
            day,
            "America/Sao_Paulo",
            "2018-11-04T12:00:00Z",
            "2018-11-04",
            23,
        );
        check(
            day,
            "Asia/Kolkata",
            "2026-01-10T18:30:00Z",
            "2026-01-11",
            24,
        );
        check(day, "UTC", "2026-01-10T18:30:00Z", "2026-01-10", 24);
    }

    #[test]
    fn an_hour_that_comes_twice_is_two() {
        let hour = Period::Hourly;
        let name = "Europe/Vienna";
        check(
            hour,
            name,
            "2026-10-25T00:10:00Z",
            "2026-10-25T02:00:00+02:00",
            1,
        );
        check(
            hour,
            name,
            "2026-10-25T01:10:00Z",
            "2026-10-25T02:00:00+01:00",
            1,
        );
        check(
            hour,
            name,
            "2026-03-29T01:10:00Z",
            "2026-03-29T03:00:00+02:00",
            1,
        );
        check(
            hour,
            "Asia/Kolkata",
            "2026-01-10T18:20:00Z",
            "2026-01-10T23:00:00+05:30",
            1,
        );
        // Lord Howe's clocks go back by half an hour, from 02:00 to 01:30.
        let calendar = calendar(hour, "Australia/Lord_Howe");
        let first = calendar.bucket(ms("2026-04-04T14:10:00Z"));
        let second = calendar.bucket(first.end_ms);
        assert_eq!((first.end_ms - first.start_ms) / 60_000, 60);
        assert_eq!((second.end_ms - second.start_ms) / 60_000, 30);
    }

    #[test]
    fn weeks_months_and_years() {
        let name = "Europe/Vienna";
        let sunday = "2026-03-29T12:00:00Z";
        check(Period::Weekly, name, sunday, "2026-03-23", 7 * 24 - 1);
        check(Period::Monthly, name, sunday, "2026-03-01", 31 * 24 - 1);
        check(Period::Yearly, name, sunday, "2026-01-01", 365 * 24);
        let from_sunday = Calendar::new(Period::Weekly, zone(name).unwrap(), Weekday::Sunday);
        assert_eq!(
            from_sunday.label(from_sunday.bucket(ms(sunday))),
            "2026-03-29"
        );
    }

    #[test]
    fn ranges_grow_to_whole_buckets() {
        let calendar = calendar(Period::Daily, "UTC");
        let widened = calendar.widen(
            Some(ms("2026-01-10T05:00:00Z")),
            Some(ms("2026-01-12T00:00:00Z")),
        );
        let expected = (
            Some(ms("2026-01-10T00:00:00Z")),
            Some(ms("2026-01-12T00:00:00Z")),
        );
        assert_eq!(widened, expected);
        let (_, end) = calendar.widen(None, Some(ms("2026-01-12T00:00:01Z")));
        assert_eq!(end, Some(ms("2026-01-13T00:00:00Z")));
    }

    #[test]
    fn no_instant_is_without_a_bucket() {
        for period in Period::ALL {
            assert_eq!(period.as_str().parse(), Ok(*period));
            let calendar = calendar(*period, "Europe/Vienna");
            for at in [
                i64::MIN,
                -400_000_000_000_000,
                0,
                253_402_300_799_999,
                i64::MAX - 1,
            ] {
                let bucket = calendar.bucket(at);
                assert!(bucket.start_ms <= at && at < bucket.end_ms, "{period} {at}");
            }
        }
        assert_eq!("fortnightly".parse::<Period>(), Err(UnknownPeriod));
        assert!(zone("Mars/Olympus").is_err());
    }
}
