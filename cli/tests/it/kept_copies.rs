//! Copies whose file is not as it should be, and whose server cannot do all.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use healthsync_core::{
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

/// A server that has no changes and cannot make totals; the sixth page is refused.
fn without_totals(lab: &Lab, asked: &Arc<[AtomicUsize; 2]>) -> SocketAddr {
    let arrow = by_name("arrow").expect("a format");
    let mut encoder = TableEncoder::new(arrow, &Options::default(), changes_schema(), "changes")
        .expect("an encoder");
    let mut page = Vec::new();
    encoder.start(&mut page).expect("written");
    encoder.finish(Map::new(), &mut page).expect("written");
    let (tls, asked) = (lab.good_tls(), Arc::clone(asked));
    serve(move |_, tcp| {
        let ended = converse(&tls, tcp, |head| {
            let refused = |status: &str, code: &str| {
                let body = json!({"code": code, "message": "no", "hint": null, "requestId": "1"});
                http(status, &[], &body.to_string()).into_bytes()
            };
            if head.contains("/api/v1/aggregates") {
                asked[1].fetch_add(1, Ordering::SeqCst);
                return refused("422 Unprocessable Entity", "TOO_MANY_OVERLAPS");
            }
            if asked[0].fetch_add(1, Ordering::SeqCst) == 5 {
                return refused("403 Forbidden", "CERT_REVOKED");
            }
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nHealthsync-Has-More: false\r\n\
                 Healthsync-Next-Cursor: 00\r\nContent-Length: {}\r\n\r\n",
                arrow.media_type,
                page.len()
            );
            [head.as_bytes(), &page].concat()
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
