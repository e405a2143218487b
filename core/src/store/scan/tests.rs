use super::*;
use crate::{
    format,
    kind::{Kind, Selector},
};

/// Kinds out of the order of their names, so that numbers and names disagree.
const KINDS: [&str; 4] = ["steps", "heartRate", "sleepAnalysis", "bodyMass"];
const CATEGORIES: [&str; 3] = ["asleepCore", "asleepREM", "awake"];

/// One row as the test knows it.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    kind: &'static str,
    start_ms: i64,
    id: [u8; 16],
    value: Option<f64>,
    category: Option<&'static str>,
    origin: &'static str,
    source: String,
    device: Option<String>,
    metadata: Option<String>,
}

/// A store with `count` samples, many of them at equal times, and what is in it, in order.
fn filled(count: u32) -> (Store, Vec<Known>) {
    let store = Store::in_memory().unwrap();
    let connection = &store.connection;
    connection
        .execute_batch(
            "INSERT INTO origin VALUES (1, 'default'), (2, 'ana');
             INSERT INTO kind VALUES (1, 'steps', 'count'), (2, 'heartRate', 'count/min'),
                                     (3, 'sleepAnalysis', ''), (4, 'bodyMass', 'kg');
             INSERT INTO unit VALUES (1, 'count'), (2, 'count/min'), (3, ''), (4, 'kg');
             INSERT INTO category VALUES (1, 'asleepCore'), (2, 'asleepREM'), (3, 'awake');
             INSERT INTO source VALUES (1, 'Phone', '17'), (2, 'Watch', ''), (3, 'Phone', '18');
             INSERT INTO device VALUES (1, 'Apple Watch', 'Watch7,2');
             INSERT INTO metadata VALUES (1, '{\"HKWasUserEntered\":\"1\"}');",
        )
        .unwrap();
    let mut known = Vec::new();
    for n in 0..count {
        let kind_id = if n % 7 == 0 { 3 } else { i64::from(n % 2) + 1 };
        let kind = KINDS[usize::try_from(kind_id).unwrap() - 1];
        // Not in the order of time; several share an instant.
        let start_ms = i64::from(n * 7919 % (count / 3 + 1)) * 1000 - 5000;
        let id = u128::from(n)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
            .to_be_bytes();
        let category = (kind_id == 3).then(|| i64::from(n % 3) + 1);
        let value = (kind_id != 3).then(|| f64::from(n) / 4.0);
        let origin = 1 + i64::from(n % 5 == 0);
        let source = 1 + i64::from(n % 3);
        let device = (n % 2 == 0).then_some(1);
        let (shared, text) = match n % 4 {
            0 => (Some(1), None),
            1 => (None, Some(format!("{{\"n\":\"{n}\"}}"))),
            _ => (None, None),
        };
        connection
            .prepare_cached(
                "INSERT INTO sample VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, NULL, ?9, ?10, ?11, ?12, ?13, ?14, 1)",
            )
            .unwrap()
            .execute(rusqlite::params![
                kind_id, start_ms, id, start_ms + 500, n, origin, source, kind_id, value, category,
                device, device.map(|_| start_ms + 900), shared, text
            ])
            .unwrap();
        known.push(Known {
            kind,
            start_ms,
            id,
            value,
            category: category.map(|id| CATEGORIES[usize::try_from(id).unwrap() - 1]),
            origin: ["default", "ana"][usize::try_from(origin).unwrap() - 1],
            source: ["Phone", "Watch", "Phone"][usize::try_from(source).unwrap() - 1].to_owned(),
            device: device.map(|_| "Apple Watch".to_owned()),
            metadata: shared
                .map(|_| "{\"HKWasUserEntered\":\"1\"}".to_owned())
                .or(text),
        });
    }
    connection
        .execute_batch(
            "INSERT INTO tally SELECT kind_id, origin_id, count(*), 500 FROM sample
             GROUP BY kind_id, origin_id",
        )
        .unwrap();
    known.sort_by(|a, b| (a.kind, a.start_ms, a.id).cmp(&(b.kind, b.start_ms, b.id)));
    (store, known)
}

/// The ids of an answer, through the batches of the scan.
fn ids(store: &Store, query: &Query) -> (Vec<String>, Scanned) {
    let mut ids = Vec::new();
    let scanned = store
        .scan(query, &mut |batch| {
            let columns = batch.view().unwrap();
            ids.extend((0..batch.len()).map(|row| columns.id.value(row).to_owned()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(scanned.count, u64::try_from(ids.len()).unwrap());
    (ids, scanned)
}

fn uuid(id: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

fn selector(kind: &str, category: Option<&str>) -> Selector {
    Selector {
        kind: Kind::stored(kind),
        category: category.map(str::to_owned),
    }
}

type Keep = fn(&Known) -> bool;

#[test]
fn filters_choose_what_a_look_at_every_row_chooses() {
    let (store, known) = filled(500);
    let query = Query::default;
    let cases: &[(Query, Keep)] = &[
        (query(), |_| true),
        (
            Query {
                types: vec![selector("heartRate", None)],
                ..query()
            },
            |k| k.kind == "heartRate",
        ),
        (
            Query {
                types: vec![selector("steps", None), selector("heartRate", None)],
                ..query()
            },
            |k| k.kind != "sleepAnalysis",
        ),
        (
            Query {
                types: vec![selector("sleepAnalysis", Some("asleepREM"))],
                ..query()
            },
            |k| k.category == Some("asleepREM"),
        ),
        (
            Query {
                types: vec![
                    selector("sleepAnalysis", Some("asleepREM")),
                    selector("sleepAnalysis", Some("awake")),
                    selector("sleepAnalysis", Some("inBed")),
                ],
                ..query()
            },
            |k| matches!(k.category, Some("asleepREM" | "awake")),
        ),
        (
            Query {
                types: vec![
                    selector("sleepAnalysis", Some("awake")),
                    selector("sleepAnalysis", None),
                ],
                ..query()
            },
            |k| k.kind == "sleepAnalysis",
        ),
        (
            Query {
                types: vec![selector("sleepAnalysis", Some("inBed"))],
                ..query()
            },
            |_| false,
        ),
        // Known to the table of names, not held by the store; and held without a row.
        (
            Query {
                types: vec![selector("height", None)],
                ..query()
            },
            |_| false,
        ),
        (
            Query {
                types: vec![selector("bodyMass", None)],
                ..query()
            },
            |_| false,
        ),
        (
            Query {
                origins: vec!["ana".to_owned()],
                ..query()
            },
            |k| k.origin == "ana",
        ),
        (
            Query {
                origins: vec!["ana".to_owned(), "default".to_owned()],
                ..query()
            },
            |_| true,
        ),
        (
            Query {
                origins: vec!["nobody".to_owned()],
                ..query()
            },
            |_| false,
        ),
        (
            Query {
                start_ms: Some(2000),
                ..query()
            },
            |k| k.start_ms >= 2000,
        ),
        (
            Query {
                end_ms: Some(2000),
                ..query()
            },
            |k| k.start_ms < 2000,
        ),
        (
            Query {
                start_ms: Some(-5000),
                end_ms: Some(-4000),
                ..query()
            },
            |k| k.start_ms == -5000,
        ),
        (
            Query {
                start_ms: Some(5),
                end_ms: Some(5),
                ..query()
            },
            |_| false,
        ),
        (
            Query {
                types: vec![selector("sleepAnalysis", Some("awake"))],
                origins: vec!["default".to_owned()],
                start_ms: Some(0),
                end_ms: Some(90_000),
                ..query()
            },
            |k| {
                k.category == Some("awake")
                    && k.origin == "default"
                    && (0..90_000).contains(&k.start_ms)
            },
        ),
    ];
    for (query, keep) in cases {
        let expected: Vec<String> = known
            .iter()
            .filter(|k| keep(k))
            .map(|k| uuid(k.id))
            .collect();
        let (found, scanned) = ids(&store, query);
        assert_eq!(found, expected, "{query:?}");
        assert_eq!(scanned.next_cursor, None);
        assert_eq!(store.next_cursor(query).unwrap(), None);
    }
}

#[test]
fn pages_joined_are_the_whole_answer() {
    let (store, _) = filled(120);
    let queries = [
        Query::default(),
        Query {
            types: vec![
                selector("steps", None),
                selector("sleepAnalysis", Some("awake")),
            ],
            origins: vec!["default".to_owned()],
            start_ms: Some(-3000),
            end_ms: Some(30_000),
            ..Query::default()
        },
    ];
    for whole in queries {
        let (all, _) = ids(&store, &whole);
        assert!(all.len() > 20);
        for limit in [1, 2, 7, 20, u64::try_from(all.len()).unwrap() - 1] {
            let mut query = Query {
                limit: Some(limit),
                ..whole.clone()
            };
            let mut joined = Vec::new();
            loop {
                let (page, scanned) = ids(&store, &query);
                assert_eq!(store.next_cursor(&query).unwrap(), scanned.next_cursor);
                joined.extend(page);
                let Some(cursor) = scanned.next_cursor else {
                    break;
                };
                assert_eq!(scanned.count, limit);
                // As a client sends it.
                query.cursor = Some(cursor.to_string().parse().unwrap());
            }
            assert_eq!(joined, all, "pages of {limit}");
        }
    }
}

#[test]
fn offsets_count_rows_of_the_answer() {
    let (store, _) = filled(120);
    for types in [
        vec![],
        vec![
            selector("steps", None),
            selector("sleepAnalysis", Some("awake")),
        ],
    ] {
        let whole = Query {
            types,
            ..Query::default()
        };
        let (all, _) = ids(&store, &whole);
        for offset in [
            0,
            1,
            16,
            17,
            18,
            40,
            all.len() - 1,
            all.len(),
            all.len() + 5,
        ] {
            for limit in [None, Some(1), Some(5), Some(200)] {
                let query = Query {
                    offset: u64::try_from(offset).unwrap(),
                    limit,
                    ..whole.clone()
                };
                let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
                let expected: Vec<String> = all.iter().skip(offset).take(most).cloned().collect();
                let (found, scanned) = ids(&store, &query);
                assert_eq!(found, expected, "{offset} {limit:?}");
                assert_eq!(store.next_cursor(&query).unwrap(), scanned.next_cursor);
                let more = all.len() > offset.saturating_add(most);
                assert_eq!(scanned.next_cursor.is_some(), more, "{offset} {limit:?}");
            }
        }
    }
}

#[test]
fn a_limit_that_cuts_nothing_has_no_next_page() {
    let (store, known) = filled(100);
    let all = u64::try_from(known.len()).unwrap();
    for limit in [all, all + 1, u64::MAX, 0] {
        let query = Query {
            limit: Some(limit),
            ..Query::default()
        };
        let (found, scanned) = ids(&store, &query);
        assert_eq!(found.len(), if limit == 0 { 0 } else { known.len() });
        assert_eq!(scanned.next_cursor, None);
        assert_eq!(store.next_cursor(&query).unwrap(), None);
    }
}

#[test]
fn a_cursor_of_a_type_that_is_gone_still_has_its_place() {
    let (store, known) = filled(100);
    let cursor = |kind: &str, start_ms| Cursor {
        kind: kind.to_owned(),
        start_ms,
        id: [0xff; 16],
    };
    let rest = |cursor| {
        ids(
            &store,
            &Query {
                cursor: Some(cursor),
                ..Query::default()
            },
        )
        .0
    };
    let expected: Vec<String> = known
        .iter()
        .filter(|k| k.kind > "height")
        .map(|k| uuid(k.id))
        .collect();
    assert_eq!(rest(cursor("height", 0)), expected);
    assert!(rest(cursor("zzz", i64::MIN)).is_empty());
    assert_eq!(rest(cursor("", 0)).len(), known.len());
}

#[test]
fn a_sink_ends_the_scan() {
    let (store, _) = filled(100);
    let mut calls = 0;
    store
        .connection
        .execute_batch(&format!(
            "INSERT INTO sample SELECT 4, n.value, CAST(n.value AS BLOB), 0, 1000 + n.value, 0, 1, 1, 1,
                NULL, 1.0, NULL, NULL, NULL, NULL, NULL, 1
             FROM (WITH RECURSIVE n(value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM n
                WHERE value < {}) SELECT value FROM n) AS n;
             UPDATE sample SET id = randomblob(16) WHERE kind_id = 4",
            BATCH_ROWS * 2
        ))
        .unwrap();
    let scanned = store
        .scan(&Query::default(), &mut |batch| {
            calls += 1;
            assert_eq!(batch.len(), BATCH_ROWS);
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(
        (calls, scanned.count),
        (1, u64::try_from(BATCH_ROWS).unwrap())
    );
    // The connection is free for the next one.
    assert!(store.connection.is_autocommit());
}

#[test]
fn every_column_arrives() {
    let (store, known) = filled(60);
    let query = Query {
        include_metadata: true,
        ..Query::default()
    };
    let mut lines = Vec::new();
    let options = format::Options {
        include_metadata: true,
        ..format::Options::default()
    };
    let mut encoder = (format::by_name("ndjson").unwrap().encoder)(&options);
    let scanned = store
        .scan(&query, &mut |batch| {
            encoder.batch(&batch, &mut lines).unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(scanned.count, 60);
    let lines = str::from_utf8(&lines).unwrap().lines();
    assert_eq!(lines.clone().count(), 60);
    for (line, known) in lines.zip(&known) {
        let found: crate::api::SampleRecord = serde_json::from_str(line).unwrap();
        let at = |ms| crate::time::rfc3339(ms);
        let unit = match known.kind {
            "steps" => "count",
            "heartRate" => "count/min",
            _ => "",
        };
        let metadata = known
            .metadata
            .as_deref()
            .map(|text| serde_json::from_str(text).unwrap());
        let expected = crate::api::SampleRecord {
            id: uuid(known.id),
            kind: known.kind.to_owned(),
            value: known.value,
            unit: unit.to_owned(),
            start_date: at(known.start_ms),
            end_date: at(known.start_ms + 500),
            source_name: known.source.clone(),
            category: known.category.map(str::to_owned),
            origin: Some(known.origin.to_owned()),
            device: known.device.clone(),
            creation_date: known.device.as_ref().map(|_| at(known.start_ms + 900)),
            metadata,
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn a_scan_sees_one_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("health.db");
    let (reader, writer) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let insert = |n: i64| {
        writer
            .connection
            .execute(
                "INSERT INTO tally VALUES (?1, 1, 5, 500) ON CONFLICT DO UPDATE SET samples = samples + 5",
                [n],
            )
            .unwrap()
    };
    insert(1);
    let (before, after) = reader
        .snapshot(|store| {
            let before = store.count()?;
            insert(2);
            Ok::<_, StoreError>((before, store.count()?))
        })
        .unwrap();
    assert_eq!((before, after, reader.count().unwrap()), (5, 5, 10));
}

#[test]
fn types_are_counted_without_a_look_at_every_row() {
    let (store, known) = filled(200);
    let types = store.types().unwrap();
    let names: Vec<&str> = types.iter().map(|summary| summary.kind.as_str()).collect();
    assert_eq!(names, ["heartRate", "sleepAnalysis", "steps"]);
    for summary in types {
        let of = || known.iter().filter(|k| k.kind == summary.kind);
        assert_eq!(summary.count, u64::try_from(of().count()).unwrap());
        assert_eq!(Some(summary.first_ms), of().map(|k| k.start_ms).min());
        assert_eq!(Some(summary.last_ms), of().map(|k| k.start_ms).max());
    }
    assert_eq!(store.count().unwrap(), 200);
    assert!(Store::in_memory().unwrap().types().unwrap().is_empty());
}

#[test]
fn questions_walk_the_clustered_table() {
    let (store, _) = filled(50);
    let query = Query {
        types: vec![selector("sleepAnalysis", Some("awake"))],
        origins: vec!["default".to_owned()],
        start_ms: Some(0),
        end_ms: Some(9000),
        cursor: Some(Cursor {
            kind: "sleepAnalysis".to_owned(),
            start_ms: 5,
            id: [0; 16],
        }),
        ..Query::default()
    };
    let plan = Plan::new(&store.connection, &query).unwrap();
    let part = &plan.parts[0];
    let sql = format!(
        "EXPLAIN QUERY PLAN SELECT id FROM sample {} ORDER BY start_ms, id",
        part.condition
    );
    let mut statement = store.connection.prepare(&sql).unwrap();
    let steps: Vec<String> = statement
        .query_map(params_from_iter(&part.parameters), |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(steps.len(), 1, "{steps:?}");
    assert!(
        steps[0].starts_with("SEARCH sample USING PRIMARY KEY (kind_id=? AND"),
        "{steps:?}"
    );
}
