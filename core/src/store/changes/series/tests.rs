use std::path::Path;

use rusqlite::{Connection, params};

use crate::{
    change::{ChangeBatch, Position, ScopeDigest},
    document::Noun,
    kind::{Kind, Selector},
    replica::Mirror,
    series::{CHUNK, Series, SeriesBuilder},
    store::{Changes, ChangesQuery, Store},
};

/// A store with an origin and nothing else.
fn store() -> Store {
    let store = Store::in_memory().unwrap();
    store
        .connection
        .execute_batch("INSERT INTO origin (id, name) VALUES (1, 'ana')")
        .unwrap();
    store
}

/// Numbers with many digits, so that the text of each is long.
fn points(columns: usize, count: u32, salt: f64) -> Vec<Vec<f64>> {
    (0..count)
        .map(|at| {
            let odd = (f64::from(at) + salt).sqrt() / 7.0;
            let mut point = vec![odd; columns];
            if columns > 1 {
                point[0] = 1_560_290_442_000.0 + f64::from(at) * 500.0;
                point[3] = if at % 3 == 0 { f64::NAN } else { -odd };
                point[5] = f64::NAN;
            }
            point
        })
        .collect()
}

fn series(points: &[Vec<f64>]) -> Series {
    let mut builder = SeriesBuilder::new(points.first().map_or(1, Vec::len));
    for point in points {
        builder.push(point);
    }
    builder.finish()
}

/// Puts a document there, or another series into the one of this id, as an import does.
fn put(store: &Store, noun: Noun, id: u8, points: &[Vec<f64>]) {
    let series = series(points);
    let connection = &store.connection;
    let next = "UPDATE counter SET seq = seq + 1";
    connection.execute_batch(next).unwrap();
    let sql =
        "INSERT INTO document (noun, id, seq, origin_id, format_id, start_ms, end_ms, body, points)
               SELECT ?1, ?2, seq, 1, 1, 0, 0, '{}', ?3 FROM counter WHERE true
               ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, points = excluded.points";
    let count = i64::try_from(series.points()).unwrap();
    connection
        .execute(sql, params![noun.as_str(), [id; 16], count])
        .unwrap();
    let row: i64 = connection
        .query_row(
            "SELECT document_id FROM document WHERE id = ?1",
            [[id; 16]],
            |row| row.get(0),
        )
        .unwrap();
    connection
        .execute("DELETE FROM series WHERE document_id = ?1", [row])
        .unwrap();
    for (at, chunk) in (0_i64..).zip(&series.chunks) {
        let sql =
            "INSERT INTO series (document_id, position, points, data) VALUES (?1, ?2, ?3, ?4)";
        let length = i64::try_from(chunk.points).unwrap();
        connection
            .execute(sql, params![row, at, length, chunk.data])
            .unwrap();
    }
}

fn delete(store: &Store, noun: Noun, id: u8) {
    let next = "UPDATE counter SET seq = seq + 1";
    store.connection.execute_batch(next).unwrap();
    let sql = "INSERT INTO tombstone (seq, id, noun, origin_id) SELECT seq, ?1, ?2, 1 FROM counter";
    store
        .connection
        .execute(sql, params![[id; 16], noun.as_str()])
        .unwrap();
    store
        .connection
        .execute("DELETE FROM document WHERE id = ?1", [[id; 16]])
        .unwrap();
}

fn page(store: &Store, after: Option<Position>, series: bool) -> Changes {
    let query = ChangesQuery {
        after,
        types: Vec::new(),
        origins: Vec::new(),
        scope: ScopeDigest::of(None, None),
        limit: 1000,
        series,
    };
    store.changes(&query).unwrap()
}

/// Takes one page; whether there is more.
fn take(store: &Store, path: &Path) -> bool {
    // Each time anew, as after a kill.
    let mut mirror = Mirror::open(path).unwrap();
    let standing = mirror.standing().unwrap();
    let after = standing.after().map(|text| text.parse().unwrap());
    let page = page(store, after, true);
    let next = page.next.to_string();
    let batch = [page.batch];
    mirror
        .apply("pair", &standing, &batch, (&next, page.has_more))
        .unwrap();
    page.has_more
}

type Row = Vec<Option<u64>>;

/// The bits of the points of a copy, without their times.
fn copied(path: &Path, sql: &str) -> Vec<Row> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..columns)
            .map(|at| Ok(row.get::<_, Option<f64>>(at)?.map(f64::to_bits)))
            .collect::<rusqlite::Result<Row>>()
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn expected(points: &[Vec<f64>], from: usize) -> Vec<Row> {
    let bits = |number: &f64| (!number.is_nan()).then(|| number.to_bits());
    let row = |point: &Vec<f64>| point[from..].iter().map(bits).collect();
    points.iter().map(row).collect()
}

const ROUTE: &str = "SELECT latitude, longitude, elevation, speed, course, horizontalAccuracy,
                            verticalAccuracy
                     FROM route_point ORDER BY route, position";
const VOLTAGES: &str = "SELECT voltage FROM ecg_voltage ORDER BY ecg, position";

#[test]
fn a_long_series_goes_over_several_pages_and_comes_to_the_bit() {
    let store = store();
    let route = points(8, 50_000, 2.0);
    let ecg = points(1, 15_360, 3.0);
    put(&store, Noun::Route, 7, &route);
    put(&store, Noun::Ecg, 8, &ecg);
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut pages = 1;
    while take(&store, file.path()) {
        pages += 1;
        assert!(pages < 20, "no end");
    }
    assert!(pages > 1, "a page is longer than its limit");
    assert_eq!(copied(file.path(), ROUTE), expected(&route, 1));
    assert_eq!(copied(file.path(), VOLTAGES), expected(&ecg, 0));
    let connection = Connection::open(file.path()).unwrap();
    let dates: (String, String, i64) = connection
        .query_row(
            "SELECT min(date), max(date), count(DISTINCT date) FROM route_point",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    let (first, last) = ("2019-06-11T22:00:42.000Z", "2019-06-12T04:57:21.500Z");
    assert_eq!(dates, (first.to_owned(), last.to_owned(), 50_000));
    let owners: i64 = connection
        .query_row(
            "SELECT count(*) FROM documents WHERE noun = 'route'
             AND id = (SELECT DISTINCT route FROM route_point)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(owners, 1);
}

#[test]
fn no_page_is_much_longer_than_its_bound() {
    let store = store();
    put(&store, Noun::Route, 7, &points(8, 50_000, 2.0));
    let (mut after, mut blocks) = (None, 0);
    loop {
        let page = page(&store, after, true);
        let bodies = page.batch.columns().column(15);
        let bodies: &arrow_array::StringArray = bodies.as_any().downcast_ref().unwrap();
        assert!(bodies.value_data().len() < super::PAGE_BYTES + (1 << 20));
        blocks += page.batch.len();
        after = Some(page.next);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(blocks, 1 + 50_000_usize.div_ceil(CHUNK));
}

#[test]
fn points_follow_their_document() {
    let store = store();
    let file = tempfile::NamedTempFile::new().unwrap();
    put(&store, Noun::Route, 7, &points(8, 5000, 2.0));
    put(&store, Noun::Route, 8, &points(8, 10, 2.0));
    put(&store, Noun::Ecg, 9, &points(1, 10, 2.0));
    while take(&store, file.path()) {}
    let shorter = points(8, 20, 4.0);
    put(&store, Noun::Route, 7, &shorter);
    delete(&store, Noun::Route, 8);
    delete(&store, Noun::Ecg, 9);
    while take(&store, file.path()) {}
    assert_eq!(copied(file.path(), ROUTE), expected(&shorter, 1));
    assert!(copied(file.path(), VOLTAGES).is_empty());
}

#[test]
fn a_series_that_changes_between_two_of_its_pages_is_told_again() {
    let store = store();
    let file = tempfile::NamedTempFile::new().unwrap();
    put(&store, Noun::Route, 7, &points(8, 50_000, 2.0));
    assert!(take(&store, file.path()), "it goes over several pages");
    let shorter = points(8, 20, 4.0);
    put(&store, Noun::Route, 7, &shorter);
    while take(&store, file.path()) {}
    assert_eq!(copied(file.path(), ROUTE), expected(&shorter, 1));

    put(&store, Noun::Route, 7, &points(8, 50_000, 2.0));
    assert!(take(&store, file.path()), "it goes over several pages");
    delete(&store, Noun::Route, 7);
    while take(&store, file.path()) {}
    assert!(copied(file.path(), ROUTE).is_empty());
}

#[test]
fn series_are_for_those_who_ask_and_may_see_them() {
    let store = store();
    put(&store, Noun::Route, 7, &points(8, 5000, 2.0));
    put(&store, Noun::Ecg, 9, &points(1, 10, 2.0));
    assert_eq!(page(&store, None, false).batch.len(), 2);
    assert_eq!(page(&store, None, true).batch.len(), 2 + 2 + 1);
    let query = ChangesQuery {
        after: None,
        types: vec![Selector {
            kind: Kind::stored("ecg"),
            category: None,
        }],
        origins: Vec::new(),
        scope: ScopeDigest::of(Some(&["ecg".to_owned()]), None),
        limit: 1000,
        series: true,
    };
    assert_eq!(store.changes(&query).unwrap().batch.len(), 2);
}

/// What a copy of the version before had is readable until the new one is whole.
#[test]
fn a_copy_without_series_is_made_again() {
    let store = store();
    let ecg = points(1, 10, 2.0);
    put(&store, Noun::Ecg, 9, &ecg);
    let file = tempfile::NamedTempFile::new().unwrap();
    while take(&store, file.path()) {}
    Connection::open(file.path())
        .unwrap()
        .execute_batch(
            "DROP TABLE ecg_voltage; DROP TABLE route_point;
             ALTER TABLE sync_state DROP COLUMN samples;
             ALTER TABLE sync_state DROP COLUMN staged_samples; PRAGMA user_version = 1;",
        )
        .unwrap();
    let standing = Mirror::open(file.path()).unwrap().standing().unwrap();
    assert_eq!((standing.after(), standing.is_staging), (None, true));
    let documents = "SELECT count(*) + 0.0 FROM documents";
    assert_eq!(copied(file.path(), documents), [[Some(1.0_f64.to_bits())]]);
    while take(&store, file.path()) {}
    assert_eq!(copied(file.path(), VOLTAGES), expected(&ecg, 0));
}

#[test]
fn a_block_that_is_none_changes_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let long = " ".repeat(4 << 20) + r#"{"columns":{"voltage":[1]},"first":0,"points":1}"#;
    for body in [
        long.as_str(),
        "",
        "{}",
        r#"{"columns":{"voltage":[1]},"first":0,"points":2}"#,
        r#"{"columns":{"voltage":[1e999]},"first":0,"points":1}"#,
        r#"{"columns":{"voltage":["1"]},"first":0,"points":1}"#,
        r#"{"columns":{},"first":18446744073709551615,"points":1}"#,
        r#"{"columns":{},"first":9223372036854775807,"points":1}"#,
        r#"{"columns":{},"first":0,"points":4097}"#,
    ] {
        let mut mirror = Mirror::open(file.path()).unwrap();
        let standing = mirror.standing().unwrap();
        let outcome = mirror.apply("pair", &standing, &[batch(body)], ("a", false));
        assert!(outcome.is_err(), "{}", body.trim());
        assert_eq!(mirror.standing().unwrap(), standing);
    }
}

fn batch(body: &str) -> ChangeBatch {
    let mut builder = crate::change::ChangeBuilder::default();
    builder.push(&crate::change::ChangeRow {
        seq: 1,
        noun: "ecgVoltages",
        id: [9; 16],
        body: Some(body),
        ..crate::change::ChangeRow::default()
    });
    builder.take().unwrap()
}
