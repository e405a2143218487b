//! `watch`, with the real binary.

use std::fs;

use rustix::process::Signal;

use crate::{
    binary::{Home, Running},
    house::export,
};

fn watch(home: &Home) -> Running {
    let folder = home.path("in");
    let mut running = home.start(&format!("watch --json --interval 1 {}", folder.display()));
    assert_eq!(running.event()["event"], "watching");
    running
}

/// Another export than those with other numbers of records.
fn put(home: &Home, name: &str, records: u32) {
    fs::write(home.path("in").join(name), export(records)).expect("a file");
}

#[test]
fn what_appears_is_imported_once_and_what_is_bad_is_told_once() {
    let home = Home::new();
    fs::create_dir(home.path("in")).expect("a folder");
    put(&home, "first.xml", 20);
    put(&home, "later.xml.part", 10);
    let mut running = watch(&home);
    let first = running.event();
    assert_eq!(
        (&first["event"], &first["new"]),
        (&"imported".into(), &21.into())
    );
    assert_eq!(
        first["file"],
        home.path("in/first.xml").display().to_string()
    );
    // A bad one is told and does not stop the watch.
    fs::write(home.path("in/bad.xml"), "not an export").expect("a file");
    let bad = running.event();
    assert_eq!(
        (&bad["event"], &bad["code"]),
        (&"failed".into(), &"NOT_AN_EXPORT".into())
    );
    assert!(bad["hint"].is_string());
    // An unfinished one gets its name when it is whole.
    fs::rename(home.path("in/later.xml.part"), home.path("in/later.xml")).expect("renamed");
    let later = running.event();
    assert_eq!(
        (&later["event"], &later["read"]),
        (&"imported".into(), &11.into())
    );
    assert_eq!(running.signal(Signal::INT), 0);

    // After a restart only what is new is told; a copy of what was done is not.
    fs::copy(home.path("in/first.xml"), home.path("in/a copy.xml")).expect("a copy");
    let mut running = watch(&home);
    put(&home, "new.xml", 30);
    let new = running.event();
    assert_eq!(new["file"], home.path("in/new.xml").display().to_string());
    assert_eq!(
        (&new["event"], &new["read"]),
        (&"imported".into(), &31.into())
    );
    // One that has changed is looked at again.
    put(&home, "bad.xml", 5);
    assert_eq!(
        running.event()["file"],
        home.path("in/bad.xml").display().to_string()
    );
    assert_eq!(running.signal(Signal::TERM), 0);
}

#[test]
fn a_folder_that_goes_and_comes_back_is_told() {
    let home = Home::new();
    let none = home.run(&format!("watch --json {}", home.path("in").display()));
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stdout).contains("FOLDER_NOT_READ"));
    fs::create_dir(home.path("in")).expect("a folder");
    let mut running = watch(&home);
    fs::remove_dir(home.path("in")).expect("removed");
    assert_eq!(running.event()["code"], "FOLDER_NOT_READ");
    fs::create_dir(home.path("in")).expect("a folder");
    assert_eq!(running.event()["event"], "folderBack");
    put(&home, "a.xml", 3);
    assert_eq!(running.event()["new"], 4);
    assert_eq!(running.signal(Signal::INT), 0);
}

/// What fails only now is told once, tried again, and not written down as done.
#[test]
fn what_fails_only_now_is_tried_again() {
    let home = Home::new();
    fs::create_dir(home.path("in")).expect("a folder");
    // It is copied to a temporary folder, and there is none yet.
    let mut database = b"SQLite format 3\0".to_vec();
    database.resize(4096, 0);
    fs::write(home.path("in/a.db"), &database).expect("a file");
    let line = format!("watch --json --interval 1 {}", home.path("in").display());
    let mut command = home.command(&line);
    command.env("TMPDIR", home.path("later"));
    let mut running = Running::of(&mut command);
    assert_eq!(running.event()["event"], "watching");
    assert_eq!(running.event()["code"], "READ_FAILED");
    let remembered = fs::read_to_string(home.path("data/watched.json")).unwrap_or_default();
    assert!(!remembered.contains("a.db"), "{remembered}");
    fs::create_dir(home.path("later")).expect("a folder");
    let bad = running.event();
    assert_eq!(bad["code"], "DAMAGED_ARCHIVE", "{bad}");
    assert_eq!(running.signal(Signal::INT), 0);
    let remembered = fs::read_to_string(home.path("data/watched.json")).expect("a memory");
    assert!(remembered.contains("a.db"), "{remembered}");
}

/// A fault of the program is one of that file: told once, and not tried again until it changes.
#[test]
fn a_panic_is_told_once_and_the_watch_goes_on() {
    let home = Home::new();
    fs::create_dir(home.path("in")).expect("a folder");
    put(&home, "a.xml", 20);
    let line = format!("watch --json --interval 1 {}", home.path("in").display());
    let mut command = home.command(&line);
    command.env("HEALTHSYNC_PANIC_AT", "1");
    let mut running = Running::of(&mut command);
    assert_eq!(running.event()["event"], "watching");
    let bad = running.event();
    assert_eq!(bad["code"], "IMPORT_PANICKED", "{bad}");
    // The store takes the next one, and the first is not tried again.
    put(&home, "b.xml", 10);
    let good = running.event();
    assert_eq!(
        (&good["event"], &good["new"]),
        (&"imported".into(), &11.into())
    );
    put(&home, "a.xml", 21);
    let changed = running.event();
    assert_eq!(changed["event"], "imported", "{changed}");
    assert_eq!(changed["file"], home.path("in/a.xml").display().to_string());
    assert_eq!(running.signal(Signal::INT), 0);
}
