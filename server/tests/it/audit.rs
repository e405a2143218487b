//! Who read what stands in the audit log, whatever became of the answer.

use healthsync_core::api::{AUDIT_ENTRY, AUDIT_HEAD, AUDIT_SEEN, ErrorBody, Status};
use healthsync_pairing::audit::{Entry, Head, Seen, Verdict};
use healthsync_server::limits::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::house::{Device, House};

async fn entries(house: &House) -> Vec<Entry> {
    let audit = house.app.audit();
    audit.settle().await.expect("written");
    audit.entries(0, 0, 1000).expect("entries")
}

/// The reads as words: event, result, types, rows, how often.
async fn reads(house: &House) -> Vec<String> {
    let entries = entries(house).await.into_iter();
    let reads = entries.filter(|entry| entry.event.starts_with("read-"));
    let words = reads.map(|entry| {
        let mut words = format!("{} {}", entry.event, entry.result);
        for part in [
            entry.types,
            entry.rows.map(|rows| rows.to_string()),
            entry.count.map(|count| format!("{count}x")),
        ]
        .into_iter()
        .flatten()
        {
            words = format!("{words} {part}");
        }
        words
    });
    words.collect()
}

async fn post(device: &Device, types: &[&str]) -> u16 {
    let body = json!({
        "startDate": "2026-01-01T00:00:00Z",
        "endDate": "2026-02-01T00:00:00Z",
        "types": types,
    });
    let request = device
        .client()
        .post(device.url("/api/v1/health/data"))
        .json(&body);
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn every_read_is_in_the_log_before_its_answer_ends() {
    let house = House::open();
    house.fill(10);
    let device = house.pair("Anna").await;
    for path in ["samples", "samples?types=steps", "health/types", "status"] {
        let answer = device.get(&format!("/api/v1/{path}")).await;
        assert_eq!(answer.status(), 200, "{path}");
        let id = answer.headers()["healthsync-request-id"].clone();
        answer.bytes().await.expect("whole");
        // Without a word from here on: what was answered was written.
        let log = house.app.audit().entries(0, 0, 1000).expect("entries");
        let last = log.last().expect("an entry");
        let is_logged = last.request.as_deref() == id.to_str().ok();
        assert_eq!(is_logged, path != "status", "{path}: {last:?}");
    }
    assert_eq!(post(&device, &["steps"]).await, 200);
    house
        .app
        .trust()
        .allow("Anna", |scope| scope.types = Some(vec!["steps".to_owned()]))
        .expect("changed");
    assert_eq!(post(&device, &["all"]).await, 200);
    assert_eq!(post(&device, &["sleepAnalysis", "steps"]).await, 403);
    // What names no type is no read.
    assert_eq!(post(&device, &["nonsense"]).await, 400);
    house.app.set_paused(true);
    for _ in 0..3 {
        assert_eq!(device.get("/api/v1/samples").await.status(), 423);
    }
    house.app.audit().note_counted();
    assert_eq!(
        reads(&house).await,
        [
            "read-samples OK all 11",
            "read-samples OK steps 10",
            "read-types OK 2",
            "read-data OK steps 10",
            "read-data OK steps 10",
            "read-data TYPE_NOT_ALLOWED sleepAnalysis,steps 0",
            "read-samples LOCKED 1x",
            "read-samples LOCKED 2x"
        ]
    );
    let log = entries(&house).await;
    assert!(
        log.iter().any(|entry| entry.event == "server-started"),
        "{log:?}"
    );
    assert!(
        log.iter()
            .filter(|entry| entry.event.starts_with("read-"))
            .all(|entry| entry.pair == Some(device.pair)),
        "{log:?}"
    );
    let audit = house.app.audit().clone();
    let verdict = tokio::task::spawn_blocking(move || audit.verify());
    let verdict = verdict.await.expect("runs").expect("checked");
    assert!(matches!(verdict, Verdict::Intact { .. }), "{verdict:?}");
    house.close().await;
}

#[tokio::test]
async fn refusals_of_a_rate_are_counted() {
    let house = House::with(Limits {
        rate: "2/h".parse().ok(),
        ..Limits::standard()
    });
    house.fill(10);
    let device = house.pair("Anna").await;
    for status in [200, 200, 429, 429, 429, 429] {
        let answer = device.get("/api/v1/samples?types=steps").await;
        assert_eq!(answer.status(), status);
        answer.bytes().await.expect("whole");
    }
    // What reads nothing is no read, refused or not.
    assert_eq!(device.get("/api/v1/status").await.status(), 429);
    house.app.audit().note_counted();
    assert_eq!(
        reads(&house).await,
        [
            "read-samples OK steps 10",
            "read-samples OK steps 10",
            "read-samples RATE_LIMITED 1x",
            "read-samples RATE_LIMITED 3x"
        ]
    );
    house.close().await;
}

#[tokio::test]
async fn a_long_answer_is_in_the_log_before_it_begins_and_when_it_is_cut() {
    let house = House::open();
    house.fill(20_000);
    let device = house.pair("Anna").await;
    let whole = device.get("/api/v1/samples").await;
    whole.bytes().await.expect("whole");
    assert_eq!(
        reads(&house).await,
        ["read-samples BEGUN all", "read-samples OK all 20001"]
    );

    let mut stream = device.connect_narrowly().await;
    let host = device.pair.server_name();
    let request = format!("GET /api/v1/samples HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    stream.read_u8().await.expect("an answer");
    drop(stream);
    let cut = loop {
        let log = entries(&house).await;
        if let Some(entry) = log.into_iter().find(|entry| entry.result == "CUT") {
            break entry;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(cut.types.as_deref(), Some("all"));
    let rows = cut.rows.expect("a count");
    assert!((1..20_001).contains(&rows), "{rows}");
    assert_eq!(reads(&house).await[2], "read-samples BEGUN all");
    house.close().await;
}

#[tokio::test]
async fn nobody_reads_while_the_log_cannot_be_written() {
    let house = House::open();
    house.fill(10);
    let device = house.pair("Anna").await;
    entries(&house).await;
    let database = house.app.folder().trust_db();
    let sql = |text: &str| {
        let done = std::process::Command::new("sqlite3")
            .arg(&database)
            .arg(text)
            .status()
            .expect("sqlite3 (Debian package sqlite3)");
        assert!(done.success());
    };
    sql("ALTER TABLE audit RENAME TO away");
    for path in ["/api/v1/samples", "/api/v1/health/types"] {
        let answer = device.get(path).await;
        assert_eq!(answer.status(), 503, "{path}");
        let error: ErrorBody = answer.json().await.expect("an error");
        assert_eq!(error.code, "AUDIT_FAILED");
    }
    sql("ALTER TABLE away RENAME TO audit");
    assert_eq!(device.get("/api/v1/samples").await.status(), 200);
    house.close().await;
}

#[tokio::test]
async fn every_answer_makes_a_witness() {
    let house = House::open();
    let device = house.pair("Anna").await;
    let head = |answer: &reqwest::Response| -> Head {
        let text = answer.headers()[AUDIT_HEAD].to_str().expect("text");
        text.parse().expect("a head")
    };
    let answer = device.get("/api/v1/status").await;
    let first = head(&answer);
    assert!(answer.headers().get(AUDIT_ENTRY).is_none());
    let status: Status = answer.json().await.expect("JSON");
    let told = status.audit.expect("a head");
    assert_eq!(
        (told.sequence, told.hash),
        (first.sequence, first.hash.to_string())
    );
    for (seen, expected) in [
        (first.sequence.to_string(), Some(Seen::Entry(first.hash))),
        ("1000000".to_owned(), Some(Seen::Missing)),
        ("-1".to_owned(), None),
        ("x".to_owned(), None),
        (u64::MAX.to_string(), Some(Seen::Missing)),
    ] {
        let request = device.client().get(device.url("/api/v1/whoami"));
        let answer = request.header(AUDIT_SEEN, &seen).send().await;
        let answer = answer.expect("an answer");
        assert!(head(&answer).sequence >= first.sequence);
        let entry = answer.headers().get(AUDIT_ENTRY);
        let entry = entry.map(|value| value.to_str().expect("text").parse().expect("one"));
        assert_eq!(entry, expected, "{seen}");
    }
    // Who is refused learns nothing.
    house.app.trust().revoke("Anna").expect("revoked");
    house.close().await;
}
