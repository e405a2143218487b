use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Weekday};

use super::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

fn calendar(period: Period) -> Calendar {
    Calendar::new(period, zone("Europe/Vienna").unwrap(), Weekday::Monday)
}

fn quantity(start_ms: i64, length_ms: i64, rank: u32, value: f64) -> Entry {
    Entry {
        start_ms,
        end_ms: start_ms + length_ms,
        series: 0,
        rank,
        content: Content::Quantity(value),
    }
}

fn figures(mut aggregator: Aggregator, mut entries: Vec<Entry>) -> Vec<Figure> {
    entries.sort_by_key(|entry| entry.start_ms);
    let mut figures = Vec::new();
    for entry in &entries {
        aggregator
            .push(entry, &mut |figure| {
                figures.push(figure);
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    aggregator.finish(&mut |figure| {
        figures.push(figure);
        ControlFlow::Continue(())
    });
    let starts = figures.iter().map(|figure| figure.bucket.start_ms);
    assert!(starts.is_sorted(), "figures leave in the order of time");
    figures
}

/// Label, total and count of each bucket.
fn totals(period: Period, entries: Vec<Entry>) -> Vec<(String, f64, u64)> {
    let calendar = calendar(period);
    figures(
        Aggregator::new(Style::Cumulative, false, &calendar),
        entries,
    )
    .into_iter()
    .map(|figure| match figure.value {
        Value::Total(total) => (calendar.label(figure.bucket), total, figure.count),
        other => panic!("{other:?}"),
    })
    .collect()
}

/// the-momentum/open-wearables#1287: the watch alone counted 4,157 steps of the day, the Health app
/// showed 14,079. The watch was worn from 7 to 9 and from 20 to 21; the phone was carried all day.
#[test]
fn gaps_of_the_preferred_source_are_filled() {
    let day = ms("2026-01-10T00:00:00+01:00");
    let (watch, phone) = (0, 1);
    let mut entries = Vec::new();
    let mut alone = [0.0, 0.0];
    let mut add = |hour: i64, rank: u32, value: f64| {
        alone[usize::try_from(rank).unwrap()] += value;
        entries.push(quantity(day + hour * HOUR, HOUR, rank, value));
    };
    for (hour, steps) in [(7, 2_200.0), (8, 1_457.0), (20, 500.0)] {
        add(hour, watch, steps);
    }
    for (hour, steps) in [(9, 1_922.0), (12, 4_000.0), (15, 3_000.0), (18, 1_000.0)] {
        add(hour, phone, steps);
    }
    // The same walks once more, as the phone in the pocket saw them.
    for (hour, steps) in [(7, 2_050.0), (8, 1_390.0), (20, 480.0)] {
        add(hour, phone, steps);
    }
    assert_eq!((alone[0], alone[1]), (4_157.0, 13_842.0));
    assert_eq!(
        totals(Period::Daily, entries),
        [("2026-01-10".to_owned(), 14_079.0, 7)]
    );
}

#[test]
fn partial_overlaps_count_in_part() {
    let start = ms("2026-01-10T10:00:00+01:00");
    // The watch covers 10:00 to 10:20; of the phone's half hour two thirds are hidden.
    let entries = vec![
        quantity(start, 20 * MINUTE, 0, 1_000.0),
        quantity(start, 30 * MINUTE, 1, 900.0),
    ];
    assert_eq!(
        totals(Period::Daily, entries),
        [("2026-01-10".to_owned(), 1_300.0, 2)]
    );
    // One that is hidden in its middle keeps both ends.
    let entries = vec![
        quantity(start, 30 * MINUTE, 1, 900.0),
        quantity(start + 10 * MINUTE, 10 * MINUTE, 0, 500.0),
    ];
    assert_eq!(
        totals(Period::Daily, entries),
        [("2026-01-10".to_owned(), 1_100.0, 2)]
    );
}

#[test]
fn one_source_is_added_up_and_instants_count() {
    let start = ms("2026-01-10T10:00:00+01:00");
    let entries = vec![
        quantity(start, 0, 0, 250.0),
        quantity(start, 0, 0, 250.0),
        // The same instant by another source, and one within a sample of the better one.
        quantity(start, 0, 1, 250.0),
        quantity(start + HOUR, HOUR, 0, 10.0),
        quantity(start + HOUR + 1, 0, 1, 99.0),
        quantity(start + 2 * HOUR, 0, 1, 7.0),
    ];
    assert_eq!(
        totals(Period::Daily, entries),
        [("2026-01-10".to_owned(), 517.0, 4)]
    );
}

#[test]
fn samples_are_shared_out_over_midnight() {
    let start = ms("2026-01-10T23:30:00+01:00");
    let entries = vec![quantity(start, 2 * HOUR, 0, 400.0)];
    assert_eq!(
        totals(Period::Daily, entries.clone()),
        [
            ("2026-01-10".to_owned(), 100.0, 1),
            ("2026-01-11".to_owned(), 300.0, 0)
        ]
    );
    assert_eq!(
        totals(Period::Hourly, entries),
        [
            ("2026-01-10T23:00:00+01:00".to_owned(), 100.0, 1),
            ("2026-01-11T00:00:00+01:00".to_owned(), 200.0, 0),
            ("2026-01-11T01:00:00+01:00".to_owned(), 100.0, 0),
        ]
    );
}

#[test]
fn days_of_23_and_25_hours_lose_and_double_nothing() {
    for (date, hours) in [
        ("2026-03-29", 23_u32),
        ("2026-10-25", 25),
        ("2026-01-10", 24),
    ] {
        let noon = ms(&format!("{date}T12:00:00Z"));
        let day = calendar(Period::Daily).bucket(noon);
        // One step a minute, from a day before to a day behind.
        let minutes = (day.start_ms - 24 * HOUR) / MINUTE..(day.end_ms + 24 * HOUR) / MINUTE;
        let entries: Vec<_> = minutes
            .map(|minute| quantity(minute * MINUTE, MINUTE, 0, 1.0))
            .collect();
        let found = totals(Period::Daily, entries.clone());
        let of_day = found.iter().find(|(label, ..)| label == date).unwrap();
        assert_eq!(
            (of_day.1, of_day.2),
            (f64::from(hours) * 60.0, u64::from(hours) * 60)
        );
        let by_hour = totals(Period::Hourly, entries);
        let of_day = by_hour.iter().filter(|(label, ..)| label.starts_with(date));
        let of_day: Vec<_> = of_day.collect();
        assert_eq!(of_day.len(), usize::try_from(hours).unwrap(), "{date}");
        assert!(
            of_day
                .iter()
                .all(|(_, total, count)| (*total, *count) == (60.0, 60))
        );
    }
}

#[test]
fn series_are_kept_apart_and_in_order() {
    let start = ms("2026-01-10T10:00:00Z");
    let mut other = quantity(start, HOUR, 0, 5.0);
    other.series = 3;
    let entries = vec![other, quantity(start, HOUR, 1, 7.0)];
    let aggregator = Aggregator::new(Style::Cumulative, false, &calendar(Period::Daily));
    let found: Vec<_> = figures(aggregator, entries)
        .iter()
        .map(|figure| (figure.series, figure.value))
        .collect();
    assert_eq!(found, [(0, Value::Total(7.0)), (3, Value::Total(5.0))]);
}

#[test]
fn discrete_values_have_a_spread() {
    let start = ms("2026-01-10T10:00:00Z");
    let entries = vec![
        quantity(start, 0, 0, 60.0),
        quantity(start, 0, 1, 90.0),
        quantity(start + HOUR, 24 * HOUR, 0, 72.0),
        quantity(start + 24 * HOUR, 0, 0, 55.0),
    ];
    let aggregator = Aggregator::new(Style::Discrete, false, &calendar(Period::Daily));
    let found: Vec<_> = figures(aggregator, entries)
        .iter()
        .map(|figure| (figure.count, figure.value))
        .collect();
    let spread = |average, min, max| Value::Spread { average, min, max };
    assert_eq!(
        found,
        [(3, spread(74.0, 60.0, 90.0)), (1, spread(55.0, 55.0, 55.0))]
    );
}

#[test]
fn levels_have_the_mean_of_their_energy() {
    let start = ms("2026-01-10T10:00:00Z");
    // An hour at 90 dB and nine at 60 dB: 10 lg((10^9 + 9 * 10^6) / 10) = 80.04.
    let entries = vec![
        quantity(start, HOUR, 0, 90.0),
        quantity(start + HOUR, 9 * HOUR, 0, 60.0),
    ];
    let aggregator = Aggregator::new(Style::Level, false, &calendar(Period::Daily));
    let Value::Spread { average, min, max } = figures(aggregator, entries)[0].value else {
        panic!("no spread")
    };
    assert!((average - 80.0389).abs() < 0.0001, "{average}");
    assert_eq!((min, max), (60.0, 90.0));
}

const VALUES: [&str; 6] = [
    "inBed",
    "awake",
    "asleepCore",
    "asleepDeep",
    "asleepREM",
    "asleepUnspecified",
];

/// From and to (minutes behind `from`), source, value.
type Sleep = (i64, i64, u32, &'static str);

/// Minutes by bucket and value.
fn sleep(period: Period, from: &str, samples: &[Sleep]) -> BTreeMap<(String, &'static str), i64> {
    let calendar = calendar(period);
    let mut aggregator = Aggregator::new(Style::Discrete, true, &calendar);
    for (number, value) in (0..).zip(VALUES) {
        aggregator.stage(number, Stage::of(value));
    }
    let entries = samples.iter().map(|(start, end, rank, value)| {
        let position = VALUES.iter().position(|known| known == value).unwrap();
        Entry {
            start_ms: ms(from) + start * MINUTE,
            end_ms: ms(from) + end * MINUTE,
            series: 0,
            rank: *rank,
            content: Content::Category(u32::try_from(position).unwrap()),
        }
    });
    figures(aggregator, entries.collect())
        .iter()
        .map(|figure| {
            let Value::Duration(duration_ms) = figure.value else {
                panic!("no duration")
            };
            let value = VALUES[usize::try_from(figure.category.unwrap()).unwrap()];
            ((calendar.label(figure.bucket), value), duration_ms / MINUTE)
        })
        .collect()
}

#[track_caller]
fn check_sleep(period: Period, from: &str, samples: &[Sleep], expected: &[(&str, &str, i64)]) {
    let found = sleep(period, from, samples);
    let found: Vec<_> = found
        .iter()
        .map(|((label, value), minutes)| (label.as_str(), *value, *minutes))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_night_belongs_to_its_morning() {
    // In bed at 22:30 by the phone; the watch knows the stages; an app knows "asleep" only, and
    // longer than the watch.
    let night: &[Sleep] = &[
        (0, 510, 1, "inBed"),
        (20, 80, 0, "asleepCore"),
        (80, 140, 0, "asleepDeep"),
        (140, 150, 0, "awake"),
        (150, 420, 0, "asleepREM"),
        (10, 450, 2, "asleepUnspecified"),
    ];
    check_sleep(
        Period::Daily,
        "2026-01-09T22:30:00+01:00",
        night,
        &[
            ("2026-01-10", "asleepCore", 60),
            ("2026-01-10", "asleepDeep", 60),
            ("2026-01-10", "asleepREM", 270),
            ("2026-01-10", "asleepUnspecified", 40),
            ("2026-01-10", "awake", 10),
            ("2026-01-10", "inBed", 510),
        ],
    );
    // By the hour it lies where it was.
    let hours = sleep(Period::Hourly, "2026-01-09T22:30:00+01:00", night);
    let in_first = hours[&("2026-01-09T22:00:00+01:00".to_owned(), "inBed")];
    assert_eq!(in_first, 30);
}

#[test]
fn three_hours_part_two_sleeps() {
    // Up at 23:50 for less than three hours: one night. For three hours: two days.
    for (up, expected) in [
        (179, &[("2026-01-10", "asleepCore", 170)][..]),
        (
            180,
            &[
                ("2026-01-09", "asleepCore", 110),
                ("2026-01-10", "asleepCore", 60),
            ],
        ),
    ] {
        check_sleep(
            Period::Daily,
            "2026-01-09T22:00:00+01:00",
            &[
                (0, 110, 0, "asleepCore"),
                (110 + up, 170 + up, 0, "asleepCore"),
            ],
            expected,
        );
    }
    // A nap is added to the day, and a sleep that ends at midnight is of the day before.
    check_sleep(
        Period::Daily,
        "2026-01-09T02:00:00+01:00",
        &[
            (0, 300, 0, "asleepCore"),
            (720, 750, 0, "asleepCore"),
            (21 * 60, 22 * 60, 0, "asleepCore"),
        ],
        &[("2026-01-09", "asleepCore", 390)],
    );
}

#[test]
fn a_night_is_as_long_as_it_was_when_clocks_change() {
    // 23:00 to 07:00 by the clock are seven hours in March, nine in October.
    for (from, hours, label) in [
        ("2026-03-28T23:00:00+01:00", 7, "2026-03-29"),
        ("2026-10-24T23:00:00+02:00", 9, "2026-10-25"),
    ] {
        check_sleep(
            Period::Daily,
            from,
            &[(0, hours * 60, 0, "asleepCore")],
            &[(label, "asleepCore", hours * 60)],
        );
    }
}

#[test]
fn values_of_other_categories_do_not_hide_each_other() {
    let start = ms("2026-01-10T10:00:00+01:00");
    let entry = |start_ms, length_ms, rank, value| Entry {
        content: Content::Category(value),
        ..quantity(start_ms, length_ms, rank, 0.0)
    };
    let entries = vec![
        entry(start, HOUR, 0, 0),
        entry(start + HOUR / 2, HOUR, 1, 0),
        entry(start, 2 * HOUR, 1, 1),
        // Wholly hidden: it does not count.
        entry(start + MINUTE, MINUTE, 1, 0),
    ];
    let aggregator = Aggregator::new(Style::Discrete, false, &calendar(Period::Daily));
    let found: Vec<_> = figures(aggregator, entries)
        .iter()
        .map(|figure| (figure.category, figure.count, figure.value))
        .collect();
    assert_eq!(
        found,
        [
            (Some(0), 2, Value::Duration(3 * HOUR / 2)),
            (Some(1), 1, Value::Duration(2 * HOUR)),
        ]
    );
}

/// A generator of small numbers that is the same everywhere (Knuth's MMIX constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound)).unwrap()
    }
}

/// Millisecond by millisecond, as the rule is written down.
fn by_hand(entries: &[Entry], cuts: &[i64]) -> Vec<f64> {
    let mut totals = vec![0.0; cuts.len() + 1];
    let span = |entry: &Entry| entry.start_ms..entry.end_ms.max(entry.start_ms + 1);
    for entry in entries {
        let Content::Quantity(value) = entry.content else {
            panic!("a quantity")
        };
        let length = f64::from(u32::try_from(span(entry).count()).unwrap());
        for instant in span(entry) {
            let is_hidden = entries
                .iter()
                .any(|other| other.rank < entry.rank && span(other).contains(&instant));
            if !is_hidden {
                let bucket = cuts.iter().filter(|cut| **cut <= instant).count();
                totals[bucket] += value / length;
            }
        }
    }
    totals
}

#[test]
fn random_samples_are_merged_as_the_rule_says() {
    let midnight = ms("2026-01-11T00:00:00+01:00");
    let next = midnight + 24 * HOUR;
    for seed in 0..300 {
        let mut numbers = Numbers(seed);
        let count = 1 + numbers.below(12);
        let mut entries: Vec<_> = (0..count)
            .map(|_| {
                // Around a midnight, and a few around the next one.
                let base = if numbers.below(5) == 0 {
                    next
                } else {
                    midnight
                };
                let start_ms = base - 30 + i64::from(numbers.below(60));
                let (length, rank) = (numbers.below(25), numbers.below(4));
                let value = f64::from(numbers.below(100));
                quantity(start_ms, i64::from(length), rank, value)
            })
            .collect();
        entries.sort_by_key(|entry| entry.start_ms);
        let expected = by_hand(&entries, &[midnight, next]);
        let mut found = [0.0; 3];
        let calendar = calendar(Period::Daily);
        for (label, total, _) in totals(Period::Daily, entries.clone()) {
            let starts = [midnight - 1, midnight, next];
            let bucket = starts
                .iter()
                .position(|start| calendar.label(calendar.bucket(*start)) == label);
            found[bucket.unwrap()] = total;
        }
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-6,
                "seed {seed}: {found} is not {expected}: {entries:#?}"
            );
        }
    }
}

#[test]
fn what_cannot_be_merged_in_bounded_memory_is_an_error() {
    let mut aggregator = Aggregator::new(Style::Cumulative, false, &calendar(Period::Daily));
    let entry = quantity(0, HOUR, 0, 1.0);
    let mut outcome = Ok(());
    for _ in 0..=sweep::MOST {
        outcome = aggregator.push(&entry, &mut |_| ControlFlow::Continue(()));
    }
    assert_eq!(outcome, Err(TooManyOverlaps));
}

/// A record of 1,975 years, in hours: whoever has enough after one figure gets no other, and a range
/// costs what it is long.
#[test]
fn time_is_walked_as_far_as_somebody_wants_to_know() {
    let start = ms("2026-01-10T00:00:00Z");
    let long = Entry {
        end_ms: ms("4001-01-10T00:00:00Z"),
        ..quantity(start, HOUR, 0, 1e9)
    };
    let nap = Entry {
        content: Content::Category(1),
        ..long
    };
    for entry in [long, nap] {
        let calendar = calendar(Period::Hourly);
        let aggregator = |calendar| Aggregator::new(Style::Cumulative, false, &calendar);
        let mut stopped = aggregator(calendar.clone());
        let mut figures = 0;
        let sink = &mut |_| {
            figures += 1;
            ControlFlow::Break(())
        };
        stopped.push(&entry, sink).unwrap();
        stopped.finish(sink);
        assert_eq!(figures, 1);
        let later = ms("3000-06-01T12:00:00Z");
        let day = aggregator(calendar.within(Some(later), Some(later + 24 * HOUR)));
        let figures = self::figures(day, vec![entry]);
        // One bucket before, one behind.
        assert_eq!(figures.len(), 26);
        assert_eq!(figures[1].bucket.start_ms, later);
    }
}
