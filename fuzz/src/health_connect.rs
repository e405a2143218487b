//! The database of Health Connect, bare or in a zip.

use crate::exports;

/// A file is read to its end, or refused.
pub fn run(data: &[u8]) -> bool {
    exports::read("Health Connect", data)
}

/// A database with every table, one with other things in it, and damage.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const ROWS: &str = include_str!("../../core/tests/data/health_connect/plain.sql");
    const HOSTILE: &str = "
        CREATE TABLE application_info_table (row_id INTEGER PRIMARY KEY, package_name TEXT);
        CREATE VIEW steps_record_table AS SELECT 1 AS row_id, 2 AS time, 3 AS count;
        CREATE TABLE weight_record_table (time INTEGER, weight REAL AS (abs(time)));
        INSERT INTO weight_record_table VALUES (9);";
    let whole = database(ROWS);
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xa5);
    vec![
        ("rows", whole.clone()),
        ("hostile", database(HOSTILE)),
        ("other", database("CREATE TABLE notes (a)")),
        ("damaged", damaged),
        ("cut", whole[..middle].to_vec()),
    ]
}

/// The file that these statements make, in small pages.
fn database(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made.db");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection
        .execute_batch(&format!("PRAGMA page_size = 512; {sql}"))
        .expect("the statements");
    drop(connection);
    std::fs::read(&path).expect("the file")
}
