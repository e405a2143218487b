//! Dates with an offset: Apple's `2020-01-01 08:00:00 -0500`, RFC 3339.
//!
//! The offset in an Apple export is that of the phone on the day of the export, the same in the
//! whole file, summer and winter; only the instant means something.

/// Milliseconds since 1970-01-01T00:00:00Z; also reads the compact form of iOS 8
/// (`20140114084347-0800`), fractions of a second, `Z` and `+01:00`.
pub(super) fn parse(text: &str) -> Option<i64> {
    if let Some(ms) = usual(text) {
        return Some(ms);
    }
    let text = text.trim().as_bytes();
    let (date, clock, rest) = match text {
        [
            y1,
            y2,
            y3,
            y4,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b' ' | b'T',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
            rest @ ..,
        ]
        | [
            y1,
            y2,
            y3,
            y4,
            m1,
            m2,
            d1,
            d2,
            h1,
            h2,
            n1,
            n2,
            s1,
            s2,
            rest @ ..,
        ] => (
            (
                number(&[*y1, *y2, *y3, *y4])?,
                number(&[*m1, *m2])?,
                number(&[*d1, *d2])?,
            ),
            (
                number(&[*h1, *h2])?,
                number(&[*n1, *n2])?,
                number(&[*s1, *s2])?,
            ),
            rest,
        ),
        _ => return None,
    };
    let (millis, rest) = fraction(rest)?;
    let offset = offset(rest.trim_ascii())?;
    let (year, month, day) = date;
    let (hour, minute, second) = clock;
    // A leap second is written 60.
    if hour > 23 || minute > 59 || second > 60 || !(1..=days_in(year, month)?).contains(&day) {
        return None;
    }
    let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset;
    YEARS.contains(&seconds).then_some(seconds * 1000 + millis)
}

/// Reads dates of which most are of the day of the one before, with the same offset.
#[derive(Debug, Default)]
pub(super) struct Dates {
    /// Day and offset as they are printed, and when that day begins.
    last: Option<(Day, Offset, i64)>,
}

impl Dates {
    /// As [`parse`].
    pub(super) fn parse(&mut self, text: &str) -> Option<i64> {
        let Some((day, clock, offset)) = parts(text) else {
            return parse(text);
        };
        if let Some((last_day, last_offset, begins_ms)) = &self.last
            && (day, offset) == (last_day, last_offset)
            && let Some(ms) = clock_ms(*clock)
        {
            return Some(begins_ms + ms);
        }
        // All times of such a day are dates.
        self.last = begins_ms(day, *offset).map(|begins_ms| (*day, *offset, begins_ms));
        parse(text)
    }
}

/// `2020-01-01 `
type Day = [u8; 11];
/// `08:00:00`
type Clock = [u8; 8];
/// ` -0500`
type Offset = [u8; 6];

/// The parts of `2020-01-01 08:00:00 -0500`, of which an export has three a record, if it is as long as that.
fn parts(text: &str) -> Option<(&Day, &Clock, &Offset)> {
    let (day, rest) = text.as_bytes().split_first_chunk()?;
    let (clock, rest) = rest.split_first_chunk()?;
    Some((day, clock, rest.try_into().ok()?))
}

/// Of what is quite as usual; `None` for all else.
fn usual(text: &str) -> Option<i64> {
    let (day, clock, offset) = parts(text)?;
    Some(begins_ms(day, *offset)? + clock_ms(*clock)?)
}

fn begins_ms(day: &Day, offset: Offset) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' '] = *day else {
        return None;
    };
    let [b' ', sign, h1, h2, n1, n2] = offset else {
        return None;
    };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    let (hours, minutes) = (two(h1, h2)?, two(n1, n2)?);
    let offset = match sign {
        b'+' => hours * 3600 + minutes * 60,
        b'-' => -(hours * 3600 + minutes * 60),
        _ => return None,
    };
    // A day that not every month has, and the first and the last year are left to others.
    let inside = (1..=12).contains(&month)
        && (1..=28).contains(&day)
        && (2..=9998).contains(&year)
        && hours < 24
        && minutes < 60;
    inside.then(|| (days(year, month, day) * 24 * 3600 - offset) * 1000)
}

/// Since midnight; a leap second is left to others.
fn clock_ms(clock: Clock) -> Option<i64> {
    let [h1, h2, b':', n1, n2, b':', s1, s2] = clock else {
        return None;
    };
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    let inside = hour < 24 && minute < 60 && second < 60;
    inside.then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

/// Two digits.
fn two(a: u8, b: u8) -> Option<i64> {
    let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
    (a <= 9 && b <= 9).then(|| i64::from(a) * 10 + i64::from(b))
}

/// The years 1 to 9999 in UTC, which every format can print.
const YEARS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;

/// Whether every format can print the instant, milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn is_printable(ms: i64) -> bool {
    YEARS.contains(&ms.div_euclid(1000))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.' | b',', rest @ ..] = text else {
        return Some((0, text));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(length)?;
    let digit = |place: usize| digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    (length > 0).then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), rest))
}

/// Seconds east of UTC.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'Z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970-01-01 of the proleptic Gregorian calendar, counted in years that begin in
/// March, so that the leap day comes last (Howard Hinnant's `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_instants() {
        let cases = [
            ("1970-01-01 00:00:00 +0000", Some(0)),
            ("2020-01-01 08:00:00 -0500", Some(1_577_883_600_000)),
            ("2020-01-01 14:00:00 +0100", Some(1_577_883_600_000)),
            ("2020-01-01T13:00:00Z", Some(1_577_883_600_000)),
            ("2020-01-01 18:30:00 +05:30", Some(1_577_883_600_000)),
            ("2020-01-01 13:00:00.25 +0000", Some(1_577_883_600_250)),
            ("20140114084347-0800", Some(1_389_717_827_000)),
            ("2024-02-29 12:00:00 +0000", Some(1_709_208_000_000)),
            ("2030-01-05 00:00:00 -0400", Some(1_893_816_000_000)),
            ("1900-03-01 00:00:00 +0000", Some(-2_203_891_200_000)),
            ("9999-12-31 23:59:59 +0000", Some(253_402_300_799_000)),
            ("9999-12-31 23:59:59 -0100", None),
            ("0001-01-01 00:00:00 +0100", None),
            ("2023-02-29 12:00:00 +0000", None),
            ("2020-13-01 08:00:00 -0500", None),
            ("2020-00-01 08:00:00 -0500", None),
            ("2020-01-01 24:00:00 -0500", None),
            ("2020-01-01 08:00:00", None),
            ("2020-01-01 08:00:00 -05", None),
            ("2020-01-01 08:00:00. -0500", None),
            ("2020-01-01", None),
            ("", None),
            ("two thousand and twenty, more or less", None),
            ("２０２０-01-01 08:00:00 -0500", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn agrees_with_jiff() {
        for day in (-30_000..30_000).step_by(37) {
            let second = day * 86_400 + 3723;
            let time = jiff::Timestamp::from_second(second).unwrap();
            let text = time.strftime("%Y-%m-%d %H:%M:%S +0000").to_string();
            assert_eq!(parse(&text), Some(second * 1000), "{text}");
        }
    }

    #[test]
    fn the_date_before_changes_nothing() {
        let texts = [
            "2020-01-01 08:00:00 -0500",
            "2020-01-01 23:59:59 -0500",
            "2020-01-01 08:00:60 -0500",
            "2020-01-01 24:00:00 -0500",
            "2020-01-01 0a:00:00 -0500",
            "2020-01-01 08:00:00 -0530",
            "2020-01-01 08:00:00 +0500",
            "2020-01-01T08:00:00-05:00",
            "2020-01-02 08:00:00 -0500",
            "2020-01-31 08:00:00 -0500",
            "2020-02-31 08:00:00 -0500",
            "9999-12-31 23:59:59 -0100",
            "9999-12-31 10:59:59 -0100",
            "0001-01-01 00:00:00 +0100",
            "2020-01-01",
        ];
        for first in texts {
            for second in texts {
                for third in texts {
                    let mut dates = Dates::default();
                    for text in [first, second, third] {
                        assert_eq!(dates.parse(text), parse(text), "{first} {second} {third}");
                    }
                }
            }
        }
    }
}
