//! Copies that follow a server: equal to a fetch of everything, whatever happens on the way.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    device::Device,
    host::{Host, demo_export},
    interrupted::write_export,
    program::{self, Running},
};

/// Reads a copy with the program `sqlite3`.
#[track_caller]
pub(crate) fn read(copy: &Path, sql: &str) -> Vec<Value> {
    let output = Command::new("sqlite3")
        .args(["-readonly", "-json"])
        .arg(copy)
        .arg(sql)
        .output()
        .expect("sqlite3 is installed by scripts/test");
    assert!(output.status.success(), "{output:?}");
    if output.stdout.is_empty() {
        return Vec::new();
    }
    serde_json::from_slice(&output.stdout).expect("rows")
}

/// What `fetch` gives, in the order of the ids.
#[track_caller]
fn fetched(device: &Device) -> Vec<Value> {
    let fetched = device.run(&["fetch", "--all"]).good();
    let mut rows: Vec<Value> = fetched
        .events()
        .into_iter()
        .map(|row| {
            json!({
                "id": row["id"], "type": row["type"], "value": row["value"].as_f64(),
                "category": row["category"], "source": row["sourceName"],
                "start": row["startDate"].as_str().expect("a date").replace('Z', ".000Z"),
            })
        })
        .collect();
    rows.sort_by_key(|row| row["id"].to_string());
    rows
}

#[track_caller]
fn assert_equal(device: &Device, copy: &Path) {
    let rows = read(
        copy,
        "SELECT id, type, value, category, sourceName AS source, startDate AS start
         FROM samples ORDER BY id",
    );
    let expected = fetched(device);
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        for (name, cell) in expected.as_object().expect("a row") {
            // The program prints the last digit of a number as it likes.
            let is_equal = match (row[name].as_f64(), cell.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= b.abs() * 1e-13,
                _ => row[name] == *cell,
            };
            assert!(is_equal, "{name} of {row} is not that of {expected}");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[test]
fn a_copy_is_what_a_fetch_gives_and_asks_once_when_nothing_is_new() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let copy = device.path("copy.db");
    let first = device.run(&["sync", "--to", text(&copy)]).good().last();
    assert_eq!(
        (&first["samples"], &first["deleted"]),
        (&1990.into(), &0.into()),
        "{first}"
    );
    assert_equal(&device, &copy);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for name in ["copy.db", ".copy.db.lock"] {
            let mode = fs::metadata(device.path(name))
                .expect("it is there")
                .permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
        }
    }
    let again = device
        .run(&["sync", "--to", text(&copy), "--debug-tls"])
        .good();
    let asked = again.stderr.matches("http-request").count();
    assert_eq!(asked, 1, "{}", again.stderr);
    assert_eq!(again.last()["written"], 0);

    // The totals are those of `fetch --aggregate`, and the views read them.
    let totals = device.run(&["fetch", "--all", "--types", "steps", "--aggregate", "daily"]);
    let expected: Vec<Value> = totals
        .good()
        .events()
        .iter()
        .map(|row| {
            let steps = row["total"].as_f64().map(f64::round);
            json!({"date": row["date"], "steps": steps, "origin": row["origin"]})
        })
        .collect();
    assert!(expected.len() > 5);
    assert_eq!(
        read(
            &copy,
            "SELECT date, round(steps) AS steps, origin FROM daily_steps ORDER BY date"
        ),
        expected
    );
    let nights = read(&copy, "SELECT * FROM sleep_nights");
    assert!(
        nights
            .iter()
            .any(|night| night["asleepMinutes"].as_f64() > Some(60.0)),
        "{nights:?}"
    );
    let workouts = read(&copy, "SELECT activity, minutes FROM workout_totals");
    assert!(!workouts.is_empty() && workouts.iter().all(|it| it["minutes"].is_number()));
}

/// Dies at more than fifty places, each time without a word, and goes on.
#[test]
fn a_sync_that_is_killed_again_and_again_ends_with_the_same_copy() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let copy = device.path("copy.db");
    let mut deaths = 0;
    loop {
        // Pages of 40 places; dead before a page is asked for, before it is kept, behind it, ..
        let trial = format!("40:{}", deaths % 5);
        let mut command = device.command(&["sync", "--to", text(&copy), "--json"]);
        let outcome = program::run(command.env("HEALTHSYNC_TRIAL", trial), b"");
        if outcome.exit == Some(0) {
            break;
        }
        assert_eq!(outcome.exit, None, "killed by a signal: {outcome:?}");
        deaths += 1;
        assert!(deaths < 300, "no end");
        if copy.exists() && deaths % 10 == 0 {
            assert_eq!(
                read(&copy, "PRAGMA integrity_check")[0]["integrity_check"],
                "ok"
            );
        }
    }
    assert!(deaths >= 50, "only {deaths} deaths");
    assert_equal(&device, &copy);
    assert_eq!(
        device.run(&["sync", "--to", text(&copy)]).good().last()["written"],
        0
    );
}

#[test]
fn a_copy_follows_imports_and_a_server_that_comes_back() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let copy = device.path("copy.db");
    let words = [
        "sync",
        "--to",
        text(&copy),
        "--follow",
        "--json",
        "--no-mdns",
    ];
    let mut following = Running::start(&mut device.command(&words));
    assert_eq!(following.event("synced")["samples"], 1990);
    device
        .run(&["sync", "--to", text(&copy)])
        .failed(1, &["SYNC_RUNNING"]);
    let more = host.path("more.xml");
    write_export(&more, 10);
    host.import(&more).good();
    let imported = Instant::now();
    let told = following.event("synced");
    assert_eq!(
        (&told["written"], &told["samples"]),
        (&10.into(), &2000.into()),
        "{told}"
    );
    // A second on a machine that does nothing else; here other tests run.
    assert!(
        imported.elapsed() < Duration::from_secs(5),
        "{:?}",
        imported.elapsed()
    );

    host.kill();
    write_export(&more, 15);
    host.import(&more).good();
    host.start();
    assert_eq!(following.event("synced")["samples"], 2005);
    following.kill();
    assert_equal(&device, &copy);
}

#[test]
fn a_store_that_was_replaced_is_copied_anew() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let copy = device.path("copy.db");
    device.run(&["sync", "--to", text(&copy)]).good();
    host.kill();
    for ending in ["", "-wal", "-shm"] {
        drop(fs::remove_file(
            host.path("server").join(format!("health.db{ending}")),
        ));
    }
    let other = host.path("other.xml");
    write_export(&other, 300);
    host.import(&other).good();
    host.start();
    // Dies while the new rows are gathered: the old ones are still there.
    let mut command = device.command(&["sync", "--to", text(&copy)]);
    let outcome = program::run(command.env("HEALTHSYNC_TRIAL", "100:6"), b"");
    assert_eq!(outcome.exit, None, "{outcome:?}");
    assert_eq!(
        read(&copy, "SELECT count(*) AS n FROM samples")[0]["n"],
        1990
    );
    let again = device.run(&["sync", "--to", text(&copy)]).good().last();
    assert_eq!(again["samples"], 300, "{again}");
    assert_equal(&device, &copy);
    assert!(read(&copy, "SELECT * FROM daily_steps").is_empty());
}

#[test]
fn what_a_device_may_not_read_any_more_leaves_its_copy() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let copy = device.path("copy.db");
    device.run(&["sync", "--to", text(&copy)]).good();
    host.run(&["allow", "laptop", "--types", "heartRate"])
        .good();
    let synced = device.run(&["sync", "--to", text(&copy)]).good().last();
    assert_eq!(synced["beganAnew"], true);
    let types = read(
        &copy,
        "SELECT DISTINCT type FROM samples UNION SELECT type FROM daily_totals",
    );
    assert_eq!(types, [json!({"type": "heartRate"})]);
    assert!(read(&copy, "SELECT id FROM workouts").is_empty());
    host.run(&["allow", "laptop", "--all"]).good();
    device.run(&["sync", "--to", text(&copy)]).good();
    assert_equal(&device, &copy);
}

#[test]
fn a_target_is_a_file_of_this_copy_alone() {
    let host = Host::with_data();
    let (device, pair) = Device::paired(&host, "laptop");
    let default = device.run(&["sync"]).good().last();
    let path = device
        .path("home")
        .join("copies")
        .join(format!("{pair}.db"));
    assert_eq!(default["path"], text(&path));
    let notes = device.path("notes.txt");
    fs::write(&notes, "mine\n").expect("ours");
    device
        .run(&["sync", "--to", text(&notes)])
        .failed(1, &["NOT_A_COPY"]);
    assert_eq!(fs::read(&notes).expect("still there"), b"mine\n");
    #[cfg(unix)]
    {
        let link = device.path("link.db");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        device
            .run(&["sync", "--to", text(&link)])
            .failed(1, &["OUTPUT_EXISTS"]);
    }
    device
        .run(&["sync", "--to", text(&device.path(""))])
        .failed(1, &["NOT_A_COPY"]);
    device
        .run(&["sync", "--timezone", "Mars/Olympus"])
        .failed(2, &["INVALID_PERIOD"]);
    let other = Host::with_data();
    let (stranger, _) = Device::paired(&other, "stranger");
    stranger
        .run(&["sync", "--to", text(&path)])
        .failed(1, &["OTHER_COPY"]);
    assert!(demo_export().exists());
}

#[test]
fn the_owner_says_which_source_totals_believe() {
    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let order = || -> Vec<String> {
        let listed = host.run(&["sources", "list", "--type", "steps"]).good();
        let names = listed.events().into_iter().map(|line| line["name"].clone());
        names
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    };
    let steps = || -> f64 {
        let words = [
            "fetch",
            "--all",
            "--types",
            "steps",
            "--aggregate",
            "yearly",
        ];
        let totals = device.run(&words).good().events();
        totals.iter().filter_map(|row| row["total"].as_f64()).sum()
    };
    let (usual, before) = (order(), steps());
    assert!(usual.len() > 1, "{usual:?}");
    let last = usual.last().expect("a source").as_str();
    host.run(&["sources", "prefer", last, "--type", "steps"])
        .good();
    assert_eq!(order()[0], last);
    assert!(
        (steps() - before).abs() > 1.0,
        "another source, another total"
    );
    host.run(&["sources", "prefer", "--usual", "--type", "steps"])
        .good();
    assert_eq!((order(), steps()), (usual, before));
    host.run(&["sources", "list", "--type", "stps"])
        .failed(1, &["UNKNOWN_TYPE"]);
}
