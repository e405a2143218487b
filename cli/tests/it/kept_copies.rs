//! Copies whose file is not as it should be, and whose server cannot do all.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, new_null_array, types::Int32Type,
};
use healthsync_core::{
    aggregate::totals_schema,
    change::changes_schema,
    format::{Options, TableEncoder, by_name},
};
use serde_json::{Map, json};

use crate::{
    device::Device,
    host::Host,
    lab::{Lab, converse, http, serve},
    program,
};

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A file that is there already is made private like a new one; what is no copy is left as it is.
#[cfg(unix)]
#[test]
fn a_copy_is_private_whatever_the_file_was() {
    use std::os::unix::fs::PermissionsExt as _;

    let host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let mode = |path: &Path| {
        let found = fs::metadata(path).expect("it is there");
        found.permissions().mode() & 0o777
    };
    let open = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("ours");
    };
    let copy = device.path("copy.db");
    fs::write(&copy, "").expect("ours");
    open(&copy);
    for _ in 0..2 {
        device.run(&["sync", "--to", text(&copy)]).good();
        assert_eq!(mode(&copy), 0o600);
        open(&copy);
    }
    // What a killed sync leaves beside it is a part of it.
    let left = device.path("copy.db-wal");
    fs::write(&left, "").expect("ours");
    open(&left);
    let mut command = device.command(&["sync", "--to", text(&copy)]);
    let killed = program::run(command.env("HEALTHSYNC_TRIAL", "100:0"), b"");
    assert_eq!(killed.exit, None, "{killed:?}");
    assert_eq!(mode(&left), 0o600);
    let notes = device.path("notes.txt");
    fs::write(&notes, "mine\n").expect("ours");
    open(&notes);
    device
        .run(&["sync", "--to", text(&notes)])
        .failed(1, &["NOT_A_COPY"]);
    assert_eq!(mode(&notes), 0o644);
    // A folder may be a link; the file may not.
    let folder = device.path("folder");
    std::os::unix::fs::symlink(device.path(""), &folder).expect("a link");
    device
        .run(&["sync", "--to", text(&folder.join("copy.db"))])
        .good();
}

fn refused(status: &str, code: &str) -> Vec<u8> {
    let body = json!({"code": code, "message": "no", "hint": null, "requestId": "1"});
    http(status, &[], &body.to_string()).into_bytes()
}

/// An answer with these rows, and behind it the place 00.
fn answered(rows: &RecordBatch) -> Vec<u8> {
    let arrow = by_name("arrow").expect("a format");
    let mut encoder =
        TableEncoder::new(arrow, &Options::default(), rows.schema(), "rows").expect("an encoder");
    let mut body = Vec::new();
    encoder.start(&mut body).expect("written");
    encoder.batch(rows, &mut body).expect("written");
    encoder.finish(Map::new(), &mut body).expect("written");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nHealthsync-Has-More: false\r\n\
         Healthsync-Next-Cursor: 00\r\nContent-Length: {}\r\n\r\n",
        arrow.media_type,
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// A server that has no changes and cannot make totals; the sixth page is refused.
fn without_totals(lab: &Lab, asked: &Arc<[AtomicUsize; 2]>) -> SocketAddr {
    let (tls, asked) = (lab.good_tls(), Arc::clone(asked));
    serve(move |_, tcp| {
        let ended = converse(&tls, tcp, |head| {
            if head.contains("/api/v1/aggregates") {
                asked[1].fetch_add(1, Ordering::SeqCst);
                return refused("422 Unprocessable Entity", "TOO_MANY_OVERLAPS");
            }
            if asked[0].fetch_add(1, Ordering::SeqCst) == 5 {
                return refused("403 Forbidden", "CERT_REVOKED");
            }
            answered(&RecordBatch::new_empty(changes_schema()))
        });
        drop(ended);
    })
}

#[test]
fn totals_that_cannot_be_made_keep_no_copy_from_following() {
    let lab = Lab::new();
    let asked = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let address = without_totals(&lab, &asked);
    let device = lab.at(address);
    let copy = device.path("copy.db");
    for round in 1..=2 {
        let synced = device
            .run(&["sync", "--to", text(&copy), "--no-mdns"])
            .good();
        assert_eq!(synced.last()["event"], "synced");
        assert!(
            synced.stderr.contains("TOO_MANY_OVERLAPS"),
            "{}",
            synced.stderr
        );
        // They stay due.
        assert_eq!(asked[1].load(Ordering::SeqCst), round);
    }
    // Who follows does not ask again before something has changed.
    let following = device.run(&["sync", "--to", text(&copy), "--follow", "--no-mdns"]);
    following.failed(3, &["CERT_REVOKED"]);
    assert_eq!(following.stderr.matches("TOO_MANY_OVERLAPS").count(), 1);
    assert_eq!(asked[1].load(Ordering::SeqCst), 3);
}

/// A page with one sample.
fn one_sample() -> RecordBatch {
    let schema = changes_schema();
    let name = |text: &str| -> ArrayRef {
        let names: DictionaryArray<Int32Type> = [text].into_iter().collect();
        Arc::new(names)
    };
    let column = |field: &str| -> Option<ArrayRef> {
        Some(match field {
            "seq" => Arc::new(Int64Array::from(vec![1])),
            "noun" => name("sample"),
            "deleted" => Arc::new(BooleanArray::from(vec![false])),
            "id" => Arc::new(StringArray::from(vec![
                "01010101-0101-0101-0101-010101010101",
            ])),
            "type" => name("steps"),
            "startDate" | "endDate" => {
                Arc::new(TimestampMillisecondArray::from(vec![0]).with_timezone("UTC"))
            }
            "unit" | "sourceName" | "origin" => name("x"),
            _ => return None,
        })
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(field.name()).unwrap_or_else(|| new_null_array(field.data_type(), 1)));
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("a batch")
}

/// The first and third page have a sample; the totals behind each fail once.
fn with_totals_later(lab: &Lab, asked: &Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let (tls, asked) = (lab.good_tls(), Arc::clone(asked));
    serve(move |_, tcp| {
        let ended = converse(&tls, tcp, |head| {
            let mut asked = asked.lock().expect("not poisoned");
            asked.push(head.lines().next().unwrap_or_default().to_owned());
            match asked.len() {
                1 | 5 => answered(&one_sample()),
                2 | 6 => refused("503 Service Unavailable", "STORE_UNAVAILABLE"),
                3 | 7 => answered(&RecordBatch::new_empty(changes_schema())),
                4 | 8 => answered(&RecordBatch::new_empty(totals_schema())),
                _ => refused("403 Forbidden", "CERT_REVOKED"),
            }
        });
        drop(ended);
    })
}

#[test]
fn what_was_brought_is_told_and_in_files_though_the_totals_fail() {
    let lab = Lab::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let device = lab.at(with_totals_later(&lab, &asked));
    let folder = device.path("health");
    let words = [
        "sync",
        "--to",
        text(&folder),
        "--format",
        "csv",
        "--no-mdns",
    ];
    let file = folder.join("samples/steps/1970.csv");
    device.run(&words).failed(1, &["STORE_UNAVAILABLE"]);
    assert!(file.exists());
    fs::remove_file(&file).expect("ours");
    let following = device.run(&[&words[..], &["--follow"]].concat());
    following.failed(3, &["CERT_REVOKED"]);
    let events = following.events();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "synced")
        .map(|event| (event["written"].as_u64(), event["files"].as_u64()))
        .collect();
    assert_eq!(told, [(Some(0), Some(1)), (Some(1), Some(0))]);
    // Nobody waits for a change before the totals are tried again.
    let asked = asked.lock().expect("not poisoned");
    let waited = (1..).zip(asked.iter());
    let waited = waited.filter(|(_, head)| head.contains("wait="));
    let waited: Vec<usize> = waited.map(|(at, _)| at).collect();
    assert_eq!(waited, [5, 9], "{asked:?}");
}
