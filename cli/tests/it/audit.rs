//! The audit log as its people meet it: who read what, a log that was changed, and the client that
//! notices when its end is gone.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{device::Device, host::Host, schema::assert_lines};

fn database(host: &Host) -> PathBuf {
    host.path("server").join("trust.db")
}

/// What somebody with the file does to it.
#[track_caller]
fn sql(database: &Path, text: &str) -> String {
    let done = Command::new("sqlite3")
        .arg(database)
        .arg(text)
        .output()
        .expect("sqlite3 (Debian package sqlite3)");
    assert!(done.status.success(), "{done:?}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// The entries of one kind.
fn told(events: &[Value], what: &str) -> Vec<Value> {
    let mut told = events.to_vec();
    told.retain(|entry| entry["what"] == what);
    told
}

#[test]
fn the_owner_sees_who_read_what() {
    let mut host = Host::with_data();
    let (anna, pair) = Device::paired(&host, "Anna's laptop");
    let (ben, _) = Device::paired(&host, "Ben's laptop");
    let heart = anna.run(&["fetch", "--all", "--types", "heartRate"]).good();
    let rows = heart.stdout.lines().count();
    assert!(rows > 0, "{heart:?}");
    ben.run(&["types"]).good();
    host.run(&["allow", "Ben's laptop", "--types", "steps"])
        .good();
    ben.run(&["fetch", "--all", "--types", "heartRate"])
        .failed(1, &["TYPE_NOT_ALLOWED"]);

    let log = host.run(&["audit"]).good().events();
    assert_eq!(log[0]["what"], "server-started");
    let reads = told(&log, "read-samples");
    let of_anna: Vec<_> = reads.iter().filter(|read| read["pair"] == *pair).collect();
    let counted: u64 = of_anna
        .iter()
        .filter_map(|read| read["rows"].as_u64())
        .sum();
    assert_eq!(counted, u64::try_from(rows).expect("few"));
    assert!(
        of_anna.iter().all(|read| read["types"][0] == "heartRate"
            && read["name"] == "Anna's laptop"
            && read["result"] != "CUT"),
        "{of_anna:?}"
    );
    let refused = reads
        .iter()
        .find(|read| read["result"] == "TYPE_NOT_ALLOWED")
        .unwrap_or_else(|| panic!("{reads:?}"));
    assert_eq!(refused["name"], "Ben's laptop");
    assert_eq!(told(&log, "read-types").len(), 1);
    assert_eq!(told(&log, "scope-changed")[0]["types"][0], "steps");

    let of_ben = host.run(&["audit", "--pair", "Ben's laptop"]).good();
    assert!(
        of_ben
            .events()
            .iter()
            .all(|entry| entry["name"] == "Ben's laptop"),
        "{of_ben:?}"
    );
    assert!(told(&of_ben.events(), "read-samples").len() == 1);
    assert!(
        host.run(&["audit", "--since", "2999-01-01"])
            .good()
            .stdout
            .is_empty()
    );
    host.run(&["audit", "--pair", "nobody"])
        .failed(1, &["PAIR_NOT_FOUND"]);
    host.run(&["audit", "--since", "whenever"])
        .failed(2, &["INVALID_RANGE"]);

    let verdict = host.run(&["audit", "verify"]).good().last();
    assert_eq!(verdict["verdict"], "intact", "{verdict}");
    assert_eq!(verdict["entries"], verdict["last"]);

    // Without the server the file can be read, but not checked.
    host.kill();
    let offline = host.run(&["audit"]).good().events();
    assert!(offline.len() >= log.len());
    assert_eq!(offline[..log.len()], log[..]);
    host.run(&["audit", "verify"])
        .failed(4, &["SERVER_NOT_RUNNING"]);
}

#[test]
fn a_changed_log_does_not_verify() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    device
        .run(&["fetch", "--all", "--types", "heartRate"])
        .good();
    host.kill();
    sql(
        &database(&host),
        "DROP TRIGGER audit_stays; UPDATE audit SET types = 'steps' WHERE event = 'read-samples';",
    );
    let first = sql(
        &database(&host),
        "SELECT min(sequence) FROM audit WHERE event = 'read-samples'",
    );
    host.start();
    let outcome = host.run(&["audit", "verify"]);
    assert_eq!(outcome.exit, Some(1), "{outcome:?}");
    let verdict = outcome.last();
    assert_eq!(
        (&verdict["verdict"], &verdict["code"], &verdict["what"]),
        (&"broken".into(), &"AUDIT_BROKEN".into(), &"changed".into()),
    );
    assert_eq!(verdict["sequence"].to_string(), first.trim());
    assert_lines("audit-verify", &[verdict]);
}

/// The host alone cannot see it: the chain that is left is right. Also with a log that grew longer
/// again than the one that was seen.
#[test]
fn audit_tail_cut_seen_by_client() {
    for more_reads in [0, 8] {
        let mut host = Host::with_data();
        let (device, _) = Device::paired(&host, "Anna's laptop");
        let (other, _) = Device::paired(&host, "Ben's laptop");
        device
            .run(&["fetch", "--all", "--types", "heartRate"])
            .good();
        let status = device.run(&["status"]).good().last();
        let seen = status["audit"]["seen"].as_u64().expect("a place");
        let status = device.run(&["status"]).good().last();
        assert_eq!(status["audit"]["state"], "intact", "{status}");

        // The read of heart rates disappears with all that followed.
        host.kill();
        sql(
            &database(&host),
            "DROP TRIGGER audit_kept;
             DELETE FROM audit WHERE sequence >=
                 (SELECT min(sequence) FROM audit WHERE event = 'read-samples');",
        );
        host.start();
        for _ in 0..more_reads {
            other.run(&["types"]).good();
        }
        let verdict = host.run(&["audit", "verify"]).good().last();
        assert_eq!(verdict["verdict"], "intact");
        let last = verdict["last"].as_u64().expect("a place");
        assert_eq!(last > seen, more_reads > 0, "{last} and {seen}");

        // Every command says so, and goes on saying so; `status` fails with it.
        let fetched = device
            .run(&["fetch", "--all", "--types", "heartRate"])
            .good();
        assert!(fetched.stderr.contains("[AUDIT_REWRITTEN]"), "{fetched:?}");
        for _ in 0..2 {
            let outcome = device.run(&["status"]);
            assert_eq!(outcome.exit, Some(3), "{outcome:?}");
            assert!(outcome.stderr.contains("[AUDIT_REWRITTEN]"), "{outcome:?}");
            let status = outcome.last();
            assert_eq!(status["audit"]["state"], "rewritten", "{status}");
            assert_eq!(status["audit"]["code"], "AUDIT_REWRITTEN", "{status}");
        }
        // Who saw nothing that is gone has nothing to say.
        let calm = other.run(&["status"]).good();
        assert!(!calm.stderr.contains("AUDIT_REWRITTEN"), "{calm:?}");
    }
}

#[test]
fn a_killed_server_keeps_the_entry_of_every_answer_that_was_whole() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "Anna's laptop");
    for round in 1..=3 {
        let fetched = device.run(&["fetch", "--all", "--types", "steps"]).good();
        host.kill();
        let log = host.run(&["audit"]).good().events();
        let mut whole = told(&log, "read-samples");
        whole.retain(|read| read["result"] == "OK");
        assert_eq!(whole.len(), round, "{log:?}");
        let rows = u64::try_from(fetched.stdout.lines().count()).expect("few");
        assert_eq!(whole[round - 1]["rows"], rows);
        host.start();
    }
    let verdict = host.run(&["audit", "verify"]).good().last();
    assert_eq!(verdict["verdict"], "intact");
    let log = host.run(&["audit"]).good().events();
    assert_eq!(told(&log, "server-stopped"), Vec::<Value>::new());
}
