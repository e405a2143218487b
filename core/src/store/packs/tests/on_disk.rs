//! The file: what is left of what was deleted, what is wrong with it, who made it.

use super::*;

/// Pieces of the packs that nothing else looks like: the ids of their rows are in them.
fn pieces(packs: &Packs) -> Vec<Vec<u8>> {
    let mut bodies = packs
        .connection
        .prepare("SELECT messages FROM body")
        .unwrap();
    let bodies = bodies.query_map([], |row| row.get::<_, Vec<u8>>(0));
    let bodies = bodies.unwrap().map(Result::unwrap);
    bodies
        .map(|body| {
            let body = &body[900..];
            body[body.len() / 2..][..48].to_vec()
        })
        .collect()
}

/// How many of them are in the file or its log.
fn found(pieces: &[Vec<u8>], folder: &tempfile::TempDir) -> usize {
    let mut bytes = Vec::new();
    for name in ["packs.db", "packs.db-wal"] {
        let path = folder.path().join(name);
        let file = std::fs::OpenOptions::new().read(true).open(path);
        // Without a connection there is no log.
        if let Ok(mut file) = file {
            std::io::copy(&mut file, &mut bytes).unwrap();
        }
    }
    let is_there = |piece: &&Vec<u8>| memchr::memmem::find(&bytes, piece).is_some();
    pieces.iter().filter(is_there).count()
}

/// Not its row alone: the bytes are written over, in the file and in the log.
#[test]
fn of_what_was_deleted_no_byte_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut packs) = packed_steps(&folder);
    let gone = pieces(&packs);
    assert_eq!(found(&gone, &folder), 13);
    let pruned = File {
        prunes: true,
        ..of_ana(records(98..99, 50))
    };
    import(&mut store, 1, &pruned);
    packs.sweep(&store).unwrap();
    assert_eq!(found(&gone, &folder), 0);
}

/// Whatever is wrong with the file, the answer is that of the rows.
#[test]
fn packs_that_cannot_be_read_are_done_without() {
    for damage in [
        "DELETE FROM body WHERE pack_id = 5",
        "UPDATE body SET messages = zeroblob(length(messages)) WHERE pack_id = 1",
        "UPDATE pack SET last_id = x'01' WHERE pack_id = 3",
        "UPDATE pack SET last_ms = last_ms + 1 WHERE pack_id = 3",
        "UPDATE pack SET rows = 7 WHERE pack_id = 2",
        "UPDATE as_of SET token = x'01'",
        "DROP TABLE body",
        "DROP TABLE pack",
        "DROP TABLE as_of",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, packs) = packed_steps(&folder);
        packs.connection.execute_batch(damage).unwrap();
        assert!(check(&store, &packs, &Query::default()) < 100, "{damage}");
        let failure = packs.failure();
        assert!(
            failure.is_some_and(|error| error.is_about_content()),
            "{damage}"
        );
        assert!(packs.failure().is_none(), "{damage}");
    }
}

#[test]
fn packs_of_other_columns_or_tables_are_not_taken() {
    for (column, value) in [("tables", "0"), ("schema", "'0'")] {
        let folder = tempfile::tempdir().unwrap();
        let (store, mut packs) = packed_steps(&folder);
        let sql = format!("UPDATE as_of SET {column} = {value}");
        packs.connection.execute_batch(&sql).unwrap();
        assert_eq!(check(&store, &packs, &Query::default()), 0, "{column}");
        fill(&mut packs, &store);
        assert_eq!(check(&store, &packs, &Query::default()), 100, "{column}");
    }
}

#[test]
fn who_reads_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packs.db");
    assert!(Packs::open_to_read(&path).unwrap().is_none());
    assert!(!path.exists());
    let (store, packs) = packed_steps(&folder);
    let reader = Packs::open_to_read(&path).unwrap().unwrap();
    assert_eq!(check(&store, &reader, &Query::default()), 100);
    let later = packs
        .connection
        .pragma_update(None, "user_version", file::VERSION + 1);
    later.unwrap();
    assert!(Packs::open_to_read(&path).unwrap().is_none());
}

#[test]
fn a_file_of_another_version_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (store, packs) = packed_steps(&folder);
    packs
        .connection
        .pragma_update(None, "user_version", file::VERSION + 1)
        .unwrap();
    let gone = pieces(&packs);
    drop(packs);
    assert_eq!(found(&gone, &folder), 13);
    drop(small(&folder));
    assert_eq!(found(&gone, &folder), 0);
    let mut packs = small(&folder);
    assert_eq!(check(&store, &packs, &Query::default()), 0);
    fill(&mut packs, &store);
    assert_eq!(check(&store, &packs, &Query::default()), 100);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join("packs.db");
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
