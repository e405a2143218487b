mod moments;

use std::{collections::BTreeMap, io::Cursor};

use arrow_array::{
    Array as _, BooleanArray, DictionaryArray, Int64Array, StringArray, types::Int32Type,
};

use super::*;
use crate::{kind::Kind, store::ImportOptions};

/// What a replica keeps: noun and category by id.
type Kept = BTreeMap<String, (String, Option<String>)>;

/// A record of an export: day of January, type, value.
type Row = (u32, &'static str, &'static str);

fn import(store: &mut Store, origin: &str, rows: &[Row]) {
    import_with(store, origin, rows, &ImportOptions::default());
}

fn import_with(store: &mut Store, origin: &str, rows: &[Row], options: &ImportOptions) {
    let mut export = "<HealthData><ExportDate value=\"2026-02-01 08:00:00 +0000\"/>".to_owned();
    for (day, kind, value) in rows {
        let (kind, value) = match *kind {
            "steps" => (
                "HKQuantityTypeIdentifierStepCount\" unit=\"count",
                (*value).to_owned(),
            ),
            _ => (
                "HKCategoryTypeIdentifierSleepAnalysis",
                format!("HKCategoryValueSleepAnalysis{value}"),
            ),
        };
        let record = format!(
            "<Record type=\"{kind}\" sourceName=\"x\" creationDate=\"2026-01-{day:02} 09:00:00 +0000\" \
             startDate=\"2026-01-{day:02} 08:00:00 +0000\" \
             endDate=\"2026-01-{day:02} 09:00:00 +0000\" value=\"{value}\"/>"
        );
        export.push_str(&record);
    }
    export.push_str(
        "<Workout workoutActivityType=\"HKWorkoutActivityTypeRunning\" duration=\"30\" \
         durationUnit=\"min\" sourceName=\"x\" creationDate=\"2026-01-01 09:00:00 +0000\" \
         startDate=\"2026-01-01 08:00:00 +0000\" endDate=\"2026-01-01 08:30:00 +0000\">\
         <WorkoutEvent type=\"HKWorkoutEventTypePause\" date=\"2026-01-01 08:10:00 +0000\"/>\
         </Workout></HealthData>",
    );
    store
        .import(origin, &mut Cursor::new(export), None, options, &mut |_| ())
        .unwrap();
}

fn query(types: &[&str], origins: &[&str]) -> ChangesQuery {
    let words: Vec<String> = types.iter().map(|&text| text.to_owned()).collect();
    let origins: Vec<String> = origins.iter().map(|&text| text.to_owned()).collect();
    let given = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
    ChangesQuery {
        after: None,
        types: types
            .iter()
            .map(|text| match *text {
                "workouts" => Selector {
                    kind: Kind::stored("workouts"),
                    category: None,
                },
                text => Kind::parse(text).unwrap(),
            })
            .collect(),
        scope: ScopeDigest::of(given(&words).as_deref(), given(&origins).as_deref()),
        origins,
        limit: 1000,
        series: false,
    }
}

fn names(batch: &ChangeBatch, column: usize) -> Vec<Option<String>> {
    let column = batch.columns().column(column);
    let names: &DictionaryArray<Int32Type> = column.as_any().downcast_ref().unwrap();
    let names = names.downcast_dict::<StringArray>().unwrap();
    names
        .into_iter()
        .map(|name| name.map(str::to_owned))
        .collect()
}

fn column<A: arrow_array::Array + Clone + 'static>(batch: &ChangeBatch, column: usize) -> A {
    let column = batch.columns().column(column).as_any();
    column.downcast_ref::<A>().unwrap().clone()
}

/// Takes a page into what is kept.
fn apply(kept: &mut Kept, batch: &ChangeBatch) {
    let (nouns, categories) = (names(batch, 1), names(batch, 10));
    let deleted: BooleanArray = column(batch, 2);
    let ids: StringArray = column(batch, 3);
    let seqs: Int64Array = column(batch, 0);
    assert!(seqs.values().is_sorted());
    for row in 0..batch.len() {
        let id = ids.value(row).to_owned();
        if deleted.value(row) {
            kept.remove(&id);
        } else {
            let noun = nouns[row].clone().unwrap();
            kept.insert(id, (noun, categories[row].clone()));
        }
    }
}

/// Follows to the end; gives the cursor and how many pages there were.
fn follow(store: &Store, query: &ChangesQuery, kept: &mut Kept) -> (Position, usize) {
    let mut query = query.clone();
    for pages in 1.. {
        let page = store.changes(&query).unwrap();
        apply(kept, &page.batch);
        query.after = Some(page.next);
        if !page.has_more {
            return (page.next, pages);
        }
        assert!(pages < 1000, "no end");
    }
    unreachable!("it ends")
}

fn count(kept: &Kept, noun: &str) -> usize {
    kept.values().filter(|(found, _)| found == noun).count()
}

const WEEK: &[Row] = &[
    (1, "steps", "10"),
    (1, "sleep", "AsleepREM"),
    (2, "steps", "20"),
    (2, "sleep", "InBed"),
    (3, "steps", "30"),
];

#[test]
fn pages_of_any_size_hold_everything_once() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    import(&mut store, "ben", WEEK);
    for limit in [1, 2, 5, 1000] {
        let mut kept = Kept::new();
        let query = ChangesQuery {
            limit,
            ..query(&[], &[])
        };
        let (_, pages) = follow(&store, &query, &mut kept);
        assert_eq!((count(&kept, "sample"), count(&kept, "workout")), (10, 2));
        assert_eq!(pages, 12_usize.div_ceil(usize::try_from(limit).unwrap()));
    }
}

#[test]
fn later_pages_hold_only_what_was_written_since() {
    let mut store = Store::in_memory().unwrap();
    let mut query = query(&[], &[]);
    let mut kept = Kept::new();
    let empty = store.changes(&query).unwrap();
    assert!(empty.batch.is_empty() && !empty.has_more);
    query.after = Some(empty.next);
    import(&mut store, "ana", WEEK);
    let (position, _) = follow(&store, &query, &mut kept);
    assert_eq!(kept.len(), 6);
    query.after = Some(position);
    // The same export again writes nothing.
    import(&mut store, "ana", WEEK);
    let page = store.changes(&query).unwrap();
    assert!(page.batch.is_empty() && page.next == position);
    // One is changed, one is new, and it lies before all others in time.
    import(
        &mut store,
        "ana",
        &[(1, "steps", "11"), (1, "sleep", "AsleepREM")],
    );
    import(&mut store, "ana", &[(31, "steps", "5")]);
    let page = store.changes(&query).unwrap();
    assert_eq!(page.batch.len(), 2);
    assert_eq!(
        names(&page.batch, 1),
        [Some("sample".to_owned()), Some("sample".to_owned())]
    );
}

#[test]
fn deletions_are_told_to_those_who_saw() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let scopes = [
        (query(&[], &[]), 6),
        (query(&["sleepREM"], &[]), 1),
        (query(&["steps"], &["ana"]), 3),
        (query(&[], &["ben"]), 0),
        (query(&["workouts"], &[]), 1),
    ];
    let mut replicas: Vec<_> = scopes
        .iter()
        .map(|(query, rows)| {
            let mut kept = Kept::new();
            let (position, _) = follow(&store, query, &mut kept);
            assert_eq!(kept.len(), *rows);
            (query, kept, position)
        })
        .collect();
    // As an import with `--prune` does it.
    for kind in ["steps", "sleepAnalysis"] {
        store
            .connection
            .execute_batch(&format!(
                "UPDATE counter SET seq = seq + 1;
                 INSERT INTO tombstone
                 SELECT counter.seq, kind_id, sample.id, 'sample', origin_id, start_ms, category_id
                 FROM sample, counter WHERE kind_id = (SELECT id FROM kind WHERE name = '{kind}')
                 ORDER BY start_ms LIMIT 1;
                 DELETE FROM sample WHERE id IN (SELECT id FROM tombstone);"
            ))
            .unwrap();
    }
    store
        .connection
        .execute_batch(
            "UPDATE counter SET seq = seq + 1;
             INSERT INTO tombstone (seq, id, noun, origin_id)
             SELECT counter.seq, workout.id, 'workout', origin_id FROM workout, counter;
             DELETE FROM workout;",
        )
        .unwrap();
    let left = [3, 0, 2, 0, 0];
    let told = [3, 1, 1, 0, 1];
    for (index, (query, kept, position)) in replicas.iter_mut().enumerate() {
        let query = ChangesQuery {
            after: Some(*position),
            ..(*query).clone()
        };
        let page = store.changes(&query).unwrap();
        assert_eq!(page.batch.len(), told[index], "{index}");
        apply(kept, &page.batch);
        assert_eq!(kept.len(), left[index], "{index}");
    }
}

/// The second life of a sample says nothing of the first: each deletion is told to those who saw what
/// was deleted then.
#[test]
fn each_deletion_is_judged_by_what_was_deleted() {
    let mut store = Store::in_memory().unwrap();
    let scopes = [query(&["sleepREM"], &[]), query(&["sleepInBed"], &[])];
    import(&mut store, "ana", WEEK);
    let mut replicas = scopes.map(|query| {
        let mut kept = Kept::new();
        let (position, _) = follow(&store, &query, &mut kept);
        assert_eq!(count(&kept, "sample"), 1);
        (query, kept, position)
    });
    let prune = ImportOptions {
        prune: Some(crate::store::Consent::new(|_| true)),
        ..ImportOptions::default()
    };
    let steps: Vec<Row> = WEEK
        .iter()
        .copied()
        .filter(|row| row.1 == "steps")
        .collect();
    import_with(&mut store, "ana", &steps, &prune);
    import(&mut store, "ana", &[(1, "sleep", "InBed")]);
    import_with(&mut store, "ana", &steps, &prune);
    for (query, kept, position) in &mut replicas {
        query.after = Some(*position);
        follow(&store, query, kept);
        assert!(kept.is_empty(), "{kept:?}");
    }
}

#[test]
fn the_end_of_a_correlation_is_told() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let sql = "INSERT INTO kind (name, unit) VALUES ('bloodPressure', '');
               UPDATE counter SET seq = seq + 1;
               INSERT INTO correlation (id, seq, origin_id, kind_id, start_ms, end_ms, source_id)
               SELECT randomblob(16), seq, 1, kind.id, 0, 0, 1 FROM counter, kind
               WHERE kind.name = 'bloodPressure'";
    store.connection.execute_batch(sql).unwrap();
    let numbers = ["bloodPressureSystolic", "bloodPressureDiastolic"];
    let scopes = [query(&[], &[]), query(&numbers, &[])];
    let mut replicas = scopes.map(|query| {
        let mut kept = Kept::new();
        let (position, _) = follow(&store, &query, &mut kept);
        assert_eq!(count(&kept, "correlation"), 1);
        (query, kept, position)
    });
    let prune = ImportOptions {
        prune: Some(crate::store::Consent::new(|_| true)),
        ..ImportOptions::default()
    };
    import_with(&mut store, "ana", WEEK, &prune);
    for (query, kept, position) in &mut replicas {
        query.after = Some(*position);
        follow(&store, query, kept);
        assert_eq!(count(kept, "correlation"), 0);
    }
}

/// A sample that becomes another category leaves those who saw the former and may not see the new.
#[test]
fn what_becomes_invisible_is_taken_away() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let rem = query(&["sleepREM"], &[]);
    let bed = query(&["sleepInBed"], &[]);
    let both = query(&["sleepREM", "sleepInBed"], &[]);
    let all = query(&[], &[]);
    let mut replicas: Vec<_> = [rem, bed, both, all]
        .into_iter()
        .map(|query| {
            let mut kept = Kept::new();
            let (position, _) = follow(&store, &query, &mut kept);
            (query, kept, position)
        })
        .collect();
    let sizes = |replicas: &[(ChangesQuery, Kept, Position)]| -> Vec<usize> {
        replicas.iter().map(|(_, kept, _)| kept.len()).collect()
    };
    assert_eq!(sizes(&replicas), [1, 1, 2, 6]);
    // REM becomes InBed; then the same sample becomes Awake, before anybody looks.
    let changed: &[(&str, &[usize])] = &[("InBed", &[0, 2, 2, 6]), ("Awake", &[0, 1, 1, 6])];
    for (value, expected) in changed {
        import(
            &mut store,
            "ana",
            &[(1, "steps", "10"), (1, "sleep", value)],
        );
        for (query, kept, position) in &mut replicas {
            let query = ChangesQuery {
                after: Some(*position),
                ..query.clone()
            };
            let (next, _) = follow(&store, &query, kept);
            *position = next;
        }
        assert_eq!(sizes(&replicas), *expected, "{value}");
    }
    // In one go, as seen by somebody who slept through the first change.
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let rem = query(&["sleepREM"], &[]);
    let mut kept = Kept::new();
    let (position, _) = follow(&store, &rem, &mut kept);
    for value in ["InBed", "Awake"] {
        import(&mut store, "ana", &[(1, "sleep", value)]);
    }
    let rem = ChangesQuery {
        after: Some(position),
        limit: 1,
        ..rem
    };
    follow(&store, &rem, &mut kept);
    assert!(kept.is_empty());
}

#[test]
fn a_store_with_another_history_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("health.db");
    let copy = folder.path().join("copy.db");
    let mut store = Store::open(&path).unwrap();
    import(&mut store, "ana", &WEEK[..2]);
    store
        .connection
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    let mut query = query(&[], &[]);
    let before = store.changes(&query).unwrap().next;
    import(&mut store, "ana", WEEK);
    query.limit = 1;
    query.after = Some(before);
    let between = store.changes(&query).unwrap().next;
    assert!(between.seq > before.seq);

    // A copy from before: what lies behind it is not known there, also after it has grown.
    let mut restored = Store::open(&copy).unwrap();
    let gone = |store: &Store, position: Position| {
        let query = ChangesQuery {
            after: Some(position),
            ..query.clone()
        };
        matches!(store.changes(&query), Err(ChangesError::Gone))
    };
    assert!(!gone(&restored, before) && gone(&restored, between));
    import(&mut restored, "ben", WEEK);
    assert!(!gone(&restored, before) && gone(&restored, between));
    assert!(!gone(&store, between));
    // Another store altogether.
    let mut other = Store::in_memory().unwrap();
    import(&mut other, "ana", WEEK);
    assert!(gone(&other, before) && gone(&other, between));
    // The same one, opened again.
    drop(store);
    assert!(!gone(&Store::open(&path).unwrap(), between));
}

#[test]
fn other_rights_are_another_history() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let position = store.changes(&query(&["steps"], &[])).unwrap().next;
    for (types, origins) in [
        (&[][..], &[][..]),
        (&["steps"], &["ana"]),
        (&["sleep"], &[]),
    ] {
        let query = ChangesQuery {
            after: Some(position),
            ..query(types, origins)
        };
        let outcome = store.changes(&query);
        assert!(
            matches!(outcome, Err(ChangesError::ScopeChanged)),
            "{types:?}"
        );
    }
}

#[test]
fn workouts_have_a_body() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let page = store.changes(&query(&["workouts"], &[])).unwrap();
    assert_eq!(names(&page.batch, 4), [Some("running".to_owned())]);
    let bodies: StringArray = column(&page.batch, 15);
    assert!(bodies.is_valid(0));
    let body: serde_json::Value = serde_json::from_str(bodies.value(0)).unwrap();
    assert_eq!(body["durationS"], 1800.0);
    assert_eq!(body["events"][0]["event"], "pause");
    assert_eq!(body["events"][0]["date"], "2026-01-01T08:10:00Z");
}

/// A clinic's digits, and the order in which it wrote, are the clinic's.
#[test]
fn a_document_is_told_as_it_stands() {
    let mut store = Store::in_memory().unwrap();
    import(&mut store, "ana", WEEK);
    let stored = "{\"z\": 1.10,\n \"a\": 18446744073709551616, \"z\": -0}";
    let sql = "UPDATE counter SET seq = seq + 1;
               INSERT INTO document (noun, id, seq, origin_id, format_id, start_ms, end_ms, body,
                                     points)
               SELECT 'clinicalRecord', randomblob(16), seq, 1, 1, 0, 0, :body, 0 FROM counter;
               UPDATE workout_event SET metadata = '{\"b\":2.50,\"a\":1}'";
    let sql = sql.replace(":body", &format!("'{stored}'"));
    store.connection.execute_batch(&sql).unwrap();
    let page = store.changes(&query(&["workouts"], &[])).unwrap();
    let bodies: StringArray = column(&page.batch, 15);
    assert!(
        bodies.value(0).contains(r#""metadata":{"b":2.50,"a":1}"#),
        "{}",
        bodies.value(0)
    );
    let page = store.changes(&query(&[], &[])).unwrap();
    let bodies: StringArray = column(&page.batch, 15);
    let content = stored.replace('\n', " ");
    assert_eq!(
        bodies.value(page.batch.len() - 1),
        format!(r#"{{"content":{content},"localDate":null,"points":0,"workout":null}}"#)
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

/// Id, type, value, category of every sample, by two ways.
fn stored(store: &Store) -> Vec<String> {
    let sql = "SELECT lower(hex(sample.id)) || ' ' || kind.name || ' ' || coalesce(value, '-')
                      || ' ' || coalesce(category.name, '-')
               FROM sample JOIN kind ON kind.id = kind_id
               LEFT JOIN category ON category.id = category_id ORDER BY 1";
    texts(&store.connection, sql)
}

fn copied(path: &std::path::Path) -> Vec<String> {
    let sql = "SELECT replace(id, '-', '') || ' ' || type || ' ' || coalesce(value, '-') || ' '
                      || coalesce(category, '-')
               FROM samples ORDER BY 1";
    texts(&Connection::open(path).unwrap(), sql)
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Imports, changes and deletions in any order, a copy that takes pages of any size, is closed in
/// the middle and begins anew now and then: whenever it has reached the end it is what the store is.
#[test]
fn copies_follow_random_histories() {
    for seed in 0..12 {
        let mut numbers = Numbers(seed);
        let mut store = Store::in_memory().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut mirror = crate::replica::Mirror::open(file.path()).unwrap();
        for _ in 0..25 {
            match numbers.below(5) {
                0 | 1 => {
                    let rows: Vec<Row> = (0..=numbers.below(6))
                        .map(|_| {
                            let day = 1 + numbers.below(12);
                            match numbers.below(5) {
                                0 => (day, "sleep", "AsleepREM"),
                                1 => (day, "sleep", "InBed"),
                                2 => (day, "steps", "10"),
                                3 => (day, "steps", "20"),
                                _ => (day, "steps", "30"),
                            }
                        })
                        .collect();
                    let origin = ["ana", "ben"][usize::try_from(numbers.below(2)).unwrap()];
                    import(&mut store, origin, &rows);
                }
                2 => {
                    let sql = format!(
                        "UPDATE counter SET seq = seq + 1;
                         INSERT INTO tombstone
                         SELECT counter.seq, kind_id, sample.id, 'sample', origin_id, start_ms,
                                category_id
                         FROM sample, counter ORDER BY sample.id DESC LIMIT 1 OFFSET {0};
                         DELETE FROM sample WHERE id IN
                           (SELECT tombstone.id FROM tombstone JOIN counter USING (seq));",
                        numbers.below(4)
                    );
                    store.connection.execute_batch(&sql).unwrap();
                }
                3 => {
                    drop(mirror);
                    mirror = crate::replica::Mirror::open(file.path()).unwrap();
                }
                _ if numbers.below(3) == 0 => mirror.begin_anew().unwrap(),
                _ => {}
            }
            let pages = numbers.below(4);
            for _ in 0..pages {
                take(&store, &mut mirror, 1 + numbers.below(7));
            }
        }
        while take(&store, &mut mirror, 5) {}
        assert_eq!(copied(file.path()), stored(&store), "seed {seed}");
    }
}

/// Takes one page; whether there is more.
fn take(store: &Store, mirror: &mut crate::replica::Mirror, limit: u32) -> bool {
    let standing = mirror.standing().unwrap();
    let query = ChangesQuery {
        after: standing.after().map(|text| text.parse().unwrap()),
        limit,
        ..query(&[], &[])
    };
    let page = store.changes(&query).unwrap();
    let next = page.next.to_string();
    mirror
        .apply("pair", &standing, &[page.batch], (&next, page.has_more))
        .unwrap();
    page.has_more
}
