use super::*;

/// POSIX rules, so that the tests need no zone database.
fn zone(name: &str) -> TimeZone {
    TimeZone::posix(match name {
        "Europe/Vienna" => "CET-1CEST,M3.5.0,M10.5.0/3",
        // As in 2018, with its changes at midnight.
        "America/Sao_Paulo" => "<-03>3<-02>,M11.1.0/0,M2.3.0/0",
        "America/Havana" => "CST5CDT,M3.2.0/0,M11.1.0/1",
        _ => "UTC0",
    })
    .unwrap()
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

#[test]
fn rfc3339_says_milliseconds_only_when_there_are_any() {
    let cases = [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_768_021_200_000, "2026-01-10T05:00:00Z"),
        (1_709_210_096_007, "2024-02-29T12:34:56.007Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "+010000-01-01T00:00:00Z"),
        (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
    ];
    for (ms, expected) in cases {
        assert_eq!(rfc3339(ms), expected);
    }
    // The ends of the type are far outside any calendar, and still no panic.
    assert!(rfc3339(i64::MAX).ends_with('Z') && rfc3339(i64::MIN).starts_with('-'));
}

#[test]
fn what_rfc3339_says_is_read_back() {
    let days = (-3_000_000..4_000_000).step_by(977);
    for ms in days.map(|day: i64| day * DAY_MS + 45_296_007) {
        assert_eq!(from_rfc3339(&rfc3339(ms)), Some(ms));
    }
    for ms in [i64::MAX, i64::MIN + DAY_MS, 0, 1000, -1] {
        assert_eq!(from_rfc3339(&rfc3339(ms)), Some(ms));
    }
    assert_eq!(from_rfc3339("1970-01-01T00:00:01.000Z"), Some(1000));
    for text in [
        "",
        "Z",
        "1970-01-01",
        "1970-13-01T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.1000Z",
        "99999999999999999-01-01T00:00:00Z",
    ] {
        assert_eq!(from_rfc3339(text), None, "{text}");
    }
}

#[test]
fn rfc3339_agrees_with_a_calendar_library() {
    // Every month and some from year 1 to 9999, so that every month and leap rule is met.
    let mut at = ms("0001-01-01T00:00:00Z");
    while at < ms("9999-12-30T00:00:00Z") {
        let expected = Timestamp::from_millisecond(at).unwrap();
        let expected = if at % 1000 == 0 {
            format!("{expected:.0}")
        } else {
            format!("{expected:.3}")
        };
        assert_eq!(rfc3339(at), expected);
        at += 3_210_987_654;
    }
}

#[test]
fn people_write_times_in_many_ways() {
    let vienna = zone("Europe/Vienna");
    let now = ms("2026-07-05T22:30:00Z"); // already 6 July in Vienna
    let cases = [
        ("now", "2026-07-05T22:30:00Z"),
        (" Today ", "2026-07-05T22:00:00Z"),
        ("yesterday", "2026-07-04T22:00:00Z"),
        ("2026-01-10", "2026-01-09T23:00:00Z"),
        ("2026-07-10", "2026-07-09T22:00:00Z"),
        ("2026-01-10T05:00:00Z", "2026-01-10T05:00:00Z"),
        ("2026-01-10t05:00:00z", "2026-01-10T05:00:00Z"),
        ("2026-01-10T05:00:00.25Z", "2026-01-10T05:00:00.25Z"),
        ("2026-01-10T05:00:00+05:30", "2026-01-09T23:30:00Z"),
        ("2026-01-10 05:00:00 -0800", ""),
        ("2026-01-10T05:00", "2026-01-10T04:00:00Z"),
        ("2026-01-10 05:00:07", "2026-01-10T04:00:07Z"),
        // Clocks go forward at 02:00 on 29 March: 02:30 is 03:30.
        ("2026-03-29T02:30", "2026-03-29T01:30:00Z"),
        // Clocks go back at 03:00 on 25 October: the first 02:30.
        ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
        // Below a millisecond, also before 1970: downwards.
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ("", ""),
        ("tomorrow", ""),
        ("10.01.2026", ""),
        ("2026-02-30", ""),
        ("2026-13-01", ""),
        ("2026-01-10T25:00", ""),
        ("2026-01-10T05:00+99:00", ""),
        ("2026-01-10T05:00[Europe/Vienna]", ""),
        ("2026-01-10 Ümläut", ""),
        ("1768021200", ""),
    ];
    for (text, expected) in cases {
        let expected = if expected.is_empty() {
            Err(InvalidTime {
                text: text.to_owned(),
            })
        } else {
            Ok(ms(expected))
        };
        assert_eq!(parse(text, &vienna, now), expected, "{text}");
    }
}

#[test]
fn a_day_is_as_long_as_its_zone_makes_it() {
    // (zone, now, days, start, end)
    let cases = [
        (
            "UTC",
            "2026-01-10T12:00:00Z",
            1,
            "2026-01-10T00:00:00Z",
            "2026-01-11T00:00:00Z",
        ),
        (
            "UTC",
            "2026-01-10T12:00:00Z",
            0,
            "2026-01-10T00:00:00Z",
            "2026-01-11T00:00:00Z",
        ),
        (
            "UTC",
            "2026-01-10T12:00:00Z",
            7,
            "2026-01-04T00:00:00Z",
            "2026-01-11T00:00:00Z",
        ),
        // 23 and 25 hours.
        (
            "Europe/Vienna",
            "2026-03-29T10:00:00Z",
            1,
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        (
            "Europe/Vienna",
            "2026-10-25T10:00:00Z",
            1,
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
        ),
        // A week across the change of clocks still starts at midnight.
        (
            "Europe/Vienna",
            "2026-03-31T10:00:00Z",
            7,
            "2026-03-24T23:00:00Z",
            "2026-03-31T22:00:00Z",
        ),
        // Midnight itself was skipped: the day starts at 01:00.
        (
            "America/Sao_Paulo",
            "2018-11-04T12:00:00Z",
            1,
            "2018-11-04T03:00:00Z",
            "2018-11-05T02:00:00Z",
        ),
        // Midnight came twice: the day starts with the first.
        (
            "America/Havana",
            "2026-11-01T15:00:00Z",
            1,
            "2026-11-01T04:00:00Z",
            "2026-11-02T05:00:00Z",
        ),
    ];
    for (name, now, days, start, end) in cases {
        let range = Range::days(days, &zone(name), ms(now));
        let told = (rfc3339(range.start_ms), rfc3339(range.end_ms));
        assert_eq!(told, (start.to_owned(), end.to_owned()), "{name} {now}");
    }
    let utc = TimeZone::UTC;
    let now = ms("2026-01-10T12:00:00Z");
    assert_eq!(Range::today(&utc, now), Range::days(1, &utc, now));
    // Beyond the calendar: its ends, no panic.
    assert!(Range::days(u32::MAX, &utc, now).start_ms < ms("-009990-01-01T00:00:00Z"));
    assert!(day_start(&utc, i64::MAX, i64::MIN) > now);
}

#[test]
fn calendar_ranges_begin_on_monday_the_first_and_new_year() {
    use Calendar::{Month, Week, Year};
    for (calendar, name, now, start, end) in [
        // A Sunday still belongs to the week of the Monday before.
        (
            Week,
            "UTC",
            "2026-03-01T12:00:00Z",
            "2026-02-23T00:00:00Z",
            "2026-03-02T00:00:00Z",
        ),
        (
            Week,
            "UTC",
            "2026-03-02T00:00:00Z",
            "2026-03-02T00:00:00Z",
            "2026-03-03T00:00:00Z",
        ),
        (
            Month,
            "UTC",
            "2024-02-29T23:59:59Z",
            "2024-02-01T00:00:00Z",
            "2024-03-01T00:00:00Z",
        ),
        (
            Year,
            "UTC",
            "2024-12-31T23:59:59Z",
            "2024-01-01T00:00:00Z",
            "2025-01-01T00:00:00Z",
        ),
        // The local day counts, and its own offset.
        (
            Week,
            "Europe/Vienna",
            "2026-03-29T22:30:00Z",
            "2026-03-29T22:00:00Z",
            "2026-03-30T22:00:00Z",
        ),
        (
            Month,
            "Europe/Vienna",
            "2026-03-31T12:00:00Z",
            "2026-02-28T23:00:00Z",
            "2026-03-31T22:00:00Z",
        ),
        (
            Year,
            "America/Havana",
            "2026-01-01T03:00:00Z",
            "2025-01-01T05:00:00Z",
            "2026-01-01T05:00:00Z",
        ),
    ] {
        let range = Range::so_far(calendar, &zone(name), ms(now));
        assert_eq!(
            (rfc3339(range.start_ms), rfc3339(range.end_ms)),
            (start.to_owned(), end.to_owned()),
            "{calendar:?} {name} {now}"
        );
    }
    let now = ms("2026-03-29T01:30:00Z");
    assert_eq!(Range::hours(2, now).start_ms, now - 7_200_000);
    assert_eq!(Range::hours(u32::MAX, i64::MIN).start_ms, i64::MIN);
}

#[test]
fn dates_one_after_the_other_are_what_each_is() {
    let mut dates = Dates::default();
    let days = [0, 0, 20_463, 20_463, -1, -719_529, 20_463, 99_999_999];
    for (step, day) in (0..).zip(days) {
        for in_day in [0, 1, 999, 59_999, 3_599_100, 86_399_999 - step] {
            let ms = day * DAY_MS + in_day;
            let mut text = Vec::new();
            dates.push(ms, &mut text);
            assert_eq!(str::from_utf8(&text).unwrap(), rfc3339(ms));
        }
    }
}
