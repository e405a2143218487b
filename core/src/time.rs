//! Instants: milliseconds since 1970-01-01T00:00:00Z, and the words people use for them.

use jiff::{
    Span, Timestamp, Zoned,
    civil::{self, Date},
    tz::TimeZone,
};

use crate::{api::Code, report::Hint};

const DAY_MS: i64 = 86_400_000;

/// RFC 3339 in UTC, milliseconds only when there are any (`2026-01-10T05:00:00Z`).
pub fn rfc3339(ms: i64) -> String {
    let mut text = Vec::with_capacity(24);
    push_rfc3339(ms, &mut text);
    // Only ASCII was pushed.
    String::from_utf8(text).unwrap_or_default()
}

/// Appends what [`rfc3339`] says; it divides instead of asking a calendar library. Years outside
/// 0000..9999, which RFC 3339 cannot say, get a sign and all their digits.
pub(crate) fn push_rfc3339(ms: i64, out: &mut Vec<u8>) {
    push_day(ms.div_euclid(DAY_MS), out);
    push_time(ms.rem_euclid(DAY_MS), out);
}

/// Appends what [`push_rfc3339`] does, for writers of millions of rows: dates that come one after the
/// other are mostly of one day, which is worked out when it changes.
#[derive(Debug, Default)]
pub(crate) struct Dates {
    day: Option<i64>,
    /// `2026-01-10T`.
    text: Vec<u8>,
}

impl Dates {
    /// Appends a date.
    pub(crate) fn push(&mut self, ms: i64, out: &mut Vec<u8>) {
        let day = ms.div_euclid(DAY_MS);
        if self.day != Some(day) {
            self.text.clear();
            push_day(day, &mut self.text);
            self.day = Some(day);
        }
        out.extend_from_slice(&self.text);
        push_time(ms.rem_euclid(DAY_MS), out);
    }
}

/// A day counted from 1970-01-01, and what divides it from the time.
fn push_day(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    if (0..=9999).contains(&year) {
        let [century, in_century] = [year / 100, year % 100].map(two);
        out.extend_from_slice(&[century[0], century[1], in_century[0], in_century[1]]);
    } else {
        out.extend_from_slice(format!("{year:+07}").as_bytes());
    }
    let [month, day] = [month, day].map(two);
    out.extend_from_slice(&[b'-', month[0], month[1], b'-', day[0], day[1], b'T']);
}

/// The time of a day, milliseconds only when there are any.
fn push_time(in_day: i64, out: &mut Vec<u8>) {
    let in_day = u32::try_from(in_day).unwrap_or_default();
    let (seconds, millis) = (in_day / 1000, in_day % 1000);
    let (minutes, second) = (seconds / 60, seconds % 60);
    let [hour, minute, second] = [minutes / 60, minutes % 60, second].map(digits);
    let time = [
        hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1],
    ];
    out.extend_from_slice(&time);
    if millis != 0 {
        let (hundreds, rest) = (digits(millis / 100), digits(millis % 100));
        out.extend_from_slice(&[b'.', hundreds[1], rest[0], rest[1]]);
    }
    out.push(b'Z');
}

/// The two digits of a number below 100, by a table.
fn digits(number: u32) -> [u8; 2] {
    const TABLE: [[u8; 2]; 100] = digit_table();
    let place = usize::try_from(number).unwrap_or(usize::MAX);
    TABLE.get(place).copied().unwrap_or([b'0'; 2])
}

#[expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; a wrong index is a build error"
)]
const fn digit_table() -> [[u8; 2]; 100] {
    let mut table = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        table[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    table
}

/// Reads what [`rfc3339`] says, with milliseconds or without.
pub(crate) fn from_rfc3339(text: &str) -> Option<i64> {
    let number = |text: &str| text.parse::<i64>().ok();
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (date, day) = date.rsplit_once('-')?;
    let (year, month) = date.rsplit_once('-')?;
    let (time, millis) = time.split_once('.').unwrap_or((time, "0"));
    let (time, second) = time.rsplit_once(':')?;
    let (hour, minute) = time.split_once(':')?;
    let days = days_from_civil(number(year)?, number(month)?, number(day)?)?;
    let fields = [(hour, 24), (minute, 60), (second, 60), (millis, 1000)];
    fields.into_iter().try_fold(days, |so_far, (text, size)| {
        let field = number(text).filter(|field| (0..size).contains(field))?;
        so_far.checked_mul(size)?.checked_add(field)
    })
}

/// The other way of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month_from_march) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = year.div_euclid(400).checked_mul(146_097)?;
    days.checked_add(day_of_era - 719_468)
}

/// The two digits of a number below 100.
fn two(number: i64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or_default();
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian calendar).
///
/// Years are counted from March, so that the leap day is the last of its year, within eras of 400
/// years, which all have 146,097 days. 719,468 days lie between 0000-03-01 and 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) = if month_from_march < 10 {
        (month_from_march + 3, 0)
    } else {
        (month_from_march - 9, 1)
    };
    (era * 400 + year_of_era + next_year, month, day)
}

/// Reads RFC 3339, or a local date, or a local date-time without offset (in `zone`), or `now`,
/// `today`, `yesterday`. A bare date is its first instant, and so are `today` and `yesterday`.
///
/// A local time that a change of clocks skips is moved on by the gap, one that occurs twice means
/// the first (RFC 5545). Digits beyond the millisecond are dropped.
pub fn parse(text: &str, zone: &TimeZone, now_ms: i64) -> Result<i64, InvalidTime> {
    let invalid = || InvalidTime {
        text: text.to_owned(),
    };
    let word = text.trim();
    if word.eq_ignore_ascii_case("now") {
        return Ok(now_ms);
    }
    if word.eq_ignore_ascii_case("today") {
        return Ok(day_start(zone, now_ms, 0));
    }
    if word.eq_ignore_ascii_case("yesterday") {
        return Ok(day_start(zone, now_ms, 1));
    }
    // An annotation such as `[Europe/Vienna]` would be passed over in silence by what follows.
    if word.contains('[') {
        return Err(invalid());
    }
    if let Ok(instant) = word.parse::<Timestamp>() {
        return Ok(floor_ms(instant));
    }
    // The local reader would drop an offset that the first one did not like.
    let (_, time) = word.split_at_checked(10).ok_or_else(invalid)?;
    if time.contains(['+', '-', 'Z', 'z']) {
        return Err(invalid());
    }
    let local: civil::DateTime = word.parse().map_err(|_| invalid())?;
    let instant = zone.to_ambiguous_timestamp(local).compatible();
    Ok(floor_ms(instant.map_err(|_| invalid())?))
}

fn floor_ms(instant: Timestamp) -> i64 {
    let nanos = instant.as_nanosecond().div_euclid(1_000_000);
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

/// Instants from `start_ms` up to, but not with, `end_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first instant.
    pub start_ms: i64,
    /// The first instant behind it.
    pub end_ms: i64,
}

impl Range {
    /// The local day of `now_ms`: what `fetch` means when it names no range.
    pub fn today(zone: &TimeZone, now_ms: i64) -> Self {
        Self::days(1, zone, now_ms)
    }

    /// The last `days` local days, today as the last of them: `--days 7` on a Sunday starts on
    /// Monday at midnight. A day is as long as the zone makes it; 0 counts as 1.
    pub fn days(days: u32, zone: &TimeZone, now_ms: i64) -> Self {
        Self {
            start_ms: day_start(zone, now_ms, i64::from(days.max(1)) - 1),
            end_ms: day_start(zone, now_ms, -1),
        }
    }

    /// The local week (from Monday on), month or year so far, today included as a whole.
    pub fn so_far(calendar: Calendar, zone: &TimeZone, now_ms: i64) -> Self {
        let day = local_day(zone, now_ms);
        let before = match calendar {
            Calendar::Week => i64::from(day.weekday().to_monday_zero_offset()),
            Calendar::Month => i64::from(day.day()) - 1,
            Calendar::Year => i64::from(day.day_of_year()) - 1,
        };
        Self {
            start_ms: day_start(zone, now_ms, before),
            end_ms: day_start(zone, now_ms, -1),
        }
    }

    /// The last `hours` hours, up to now.
    pub fn hours(hours: u32, now_ms: i64) -> Self {
        Self {
            start_ms: now_ms.saturating_sub(i64::from(hours) * 3_600_000),
            end_ms: now_ms,
        }
    }
}

/// A unit of the calendar of which today is a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// Monday to Sunday (ISO 8601).
    Week,
    /// From the first on.
    Month,
    /// From January 1 on.
    Year,
}

fn local_day(zone: &TimeZone, now_ms: i64) -> Date {
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(if now_ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    Zoned::new(now, zone.clone()).date()
}

/// The local date of an instant (`2026-01-10`).
pub fn local_date(ms: i64, zone: &TimeZone) -> String {
    local_day(zone, ms).to_string()
}

/// First instant of the local day that lies `days_back` days before the day of `now_ms`. A day
/// beyond the calendar gives the calendar's first (or last) instant.
pub fn day_start(zone: &TimeZone, now_ms: i64, days_back: i64) -> i64 {
    let day = local_day(zone, now_ms);
    let start = 0_i64
        .checked_sub(days_back)
        .and_then(|days| Span::new().try_days(days).ok())
        .and_then(|days| day.checked_add(days).ok())
        .and_then(|day| day.to_zoned(zone.clone()).ok())
        .map(|start| start.timestamp());
    floor_ms(start.unwrap_or(if days_back > 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    }))
}

/// Not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date or time: {text:?}")]
pub struct InvalidTime {
    /// What was written.
    pub text: String,
}

impl Hint for InvalidTime {
    fn code(&self) -> &'static str {
        Code::InvalidRange.as_str()
    }

    fn hint(&self) -> Option<String> {
        Some(
            "write a date (`2026-01-10`), a local time (`2026-01-10T05:00`), RFC 3339 \
             (`2026-01-10T05:00:00Z`), `now`, `today` or `yesterday`"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests;
