//! What a paired device may send: heads and bodies of HTTP/1.1, frames of HTTP/2, through the gate and
//! the routes of a real server. `PAIR` in the input stands for the pair's id.

use std::{
    cell::RefCell,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use healthsync_server::{
    connection::{Parts, converse},
    guest::{Errand, Guest},
    routes,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::house::House;

/// A connection that begins so speaks HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// By the virtual clock: more than a connection may wait for its next request.
const PATIENCE: Duration = Duration::from_secs(200);
/// The same for threads that are slow, by the real clock.
const THREADS: Duration = Duration::from_secs(20);

/// Sends the bytes, then the end, and reads the answers. None may be a fault of the server.
pub fn run(data: &[u8]) -> bool {
    thread_local! { static HOUSE: RefCell<Option<House>> = const { RefCell::new(None) }; }
    HOUSE.with(|house| {
        let mut house = house.borrow_mut();
        let open = house.get_or_insert_with(House::open);
        let sent = replace(data, open.peer.pair.to_string().as_bytes());
        let is_h2 = sent.starts_with(PREFACE);
        let answer = open.runtime.block_on(ask(open, &sent, is_h2));
        // The input may revoke its own pair.
        if open.app.trust().authorize(&open.peer).is_err() {
            *house = None;
        }
        if is_h2 {
            // The server's side begins with its settings (RFC 9113, section 3.4).
            return answer.get(3) == Some(&4);
        }
        judge(&answer)
    })
}

async fn ask(house: &House, sent: &[u8], is_h2: bool) -> Vec<u8> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let parts = Parts {
        app: Arc::clone(&house.app),
        router: routes::router(Arc::clone(&house.app)),
        revocations: house.app.trust().revocations(),
        stop: CancellationToken::new(),
    };
    let guest = Guest::new(house.peer.clone(), Errand::Data, [7; 32]);
    let served = tokio::spawn(converse(parts, far, guest, is_h2));
    let (mut reader, mut writer) = tokio::io::split(near);
    let write = async {
        // The server may close before it has read all.
        let _ = writer.write_all(sent).await;
        // By the virtual clock: when nothing else is left to be done. A request that is whole was
        // answered by then, and the end of the stream would cut one short.
        sleep(Duration::from_millis(1)).await;
        let _ = writer.shutdown().await;
    };
    let read = async {
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        answer
    };
    let talk = async {
        let ((), answer) = tokio::join!(write, read);
        served.await.expect("the connection's task");
        answer
    };
    let mut talk = pin!(talk);
    // The virtual clock runs on while threads that it does not know (the audit log has one) still work:
    // they get real time before this counts as waiting.
    let last = Instant::now() + THREADS;
    loop {
        if let Ok(answer) = timeout(PATIENCE, talk.as_mut()).await {
            return answer;
        }
        assert!(
            Instant::now() < last,
            "the server waits after the end of the stream"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the first answer is a success.
fn judge(answer: &[u8]) -> bool {
    if answer.is_empty() {
        return false;
    }
    let text = String::from_utf8_lossy(answer);
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| text.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|status| status.parse::<u16>().ok());
    let status = status.unwrap_or_else(|| panic!("not an answer: {text:.200}"));
    assert!(status < 500, "a fault of the server: {text:.800}");
    if status >= 200 {
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        assert!(
            head.to_ascii_lowercase()
                .contains("\r\nhealthsync-request-id: "),
            "an answer that was not ours: {head:.400}"
        );
    }
    (200..300).contains(&status)
}

fn replace(data: &[u8], id: &[u8]) -> Vec<u8> {
    const MARK: &[u8] = b"PAIR";
    let mut out = Vec::with_capacity(data.len() + 2 * id.len());
    let mut rest = data;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(MARK) {
            out.extend_from_slice(id);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// Every endpoint, and what goes wrong with heads.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    const HOST: &str = "Host: PAIR.healthsync.internal\r\n";
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{HOST}\r\n").into_bytes();
    let with = |more: &str| format!("GET /api/v1/status HTTP/1.1\r\n{HOST}{more}\r\n").into_bytes();
    let post = |body: &str, more: &str| {
        format!("POST /api/v1/health/data HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n{more}\r\n{body}")
            .into_bytes()
    };
    let range = r#"{"startDate":"2026-01-01T00:00:00Z","endDate":"2026-01-02T00:00:00Z","types":["steps"]}"#;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // HEADERS with END_STREAM and END_HEADERS: GET, https, a path and an authority, not indexed.
    let headers = {
        let mut block = vec![0x82, 0x87];
        for (index, text) in [
            (0x04, "/api/v1/status"),
            (0x01, "aaaaaaaaaaaaaaaaaaaaaaaaaa.healthsync.internal"),
        ] {
            block.push(index);
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend_from_slice(text.as_bytes());
        }
        let length = u8::try_from(block.len()).expect("short");
        [&[0, 0, length, 1, 5, 0, 0, 0, 1][..], &block].concat()
    };
    vec![
        ("status", get("/api/v1/status")),
        ("types", get("/api/v1/health/types")),
        ("whoami", get("/api/v1/whoami")),
        (
            "samples",
            get("/api/v1/samples?types=steps&start=2026-01-01&end=2026-01-02&limit=5"),
        ),
        ("samples-cursor", get("/api/v1/samples?limit=3&cursor=00")),
        ("samples-csv", with("Accept: text/csv;q=0.5, */*;q=0.1\r\n")),
        (
            "data",
            post(range, &format!("Content-Length: {}\r\n", range.len())),
        ),
        (
            "data-chunked",
            post(
                &format!("{:x}\r\n{range}\r\n0\r\n\r\n", range.len()),
                "Transfer-Encoding: chunked\r\n",
            ),
        ),
        (
            "both-lengths",
            post(range, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ),
        (
            "huge-length",
            post("", "Content-Length: 18446744073709551615\r\n"),
        ),
        (
            "two-lengths",
            post(range, "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ),
        (
            "renew",
            format!("POST /api/v1/pair/renew HTTP/1.1\r\n{HOST}Content-Length: 4\r\n\r\nabcd")
                .into_bytes(),
        ),
        (
            "unpair",
            format!("DELETE /api/v1/pair HTTP/1.1\r\n{HOST}\r\n").into_bytes(),
        ),
        (
            "ack",
            format!("POST /api/v1/pair/ack HTTP/1.1\r\n{HOST}\r\n").into_bytes(),
        ),
        (
            "pipelined",
            [
                get("/api/v1/status"),
                get("/nowhere"),
                get("/api/v1/whoami"),
            ]
            .concat(),
        ),
        ("no-host", b"GET /api/v1/status HTTP/1.1\r\n\r\n".to_vec()),
        (
            "other-host",
            b"GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(),
        ),
        ("two-hosts", with("Host: evil.example\r\n")),
        (
            "absolute",
            format!("GET https://PAIR.healthsync.internal/api/v1/status HTTP/1.1\r\n{HOST}\r\n")
                .into_bytes(),
        ),
        ("origin", with("Origin: https://evil.example\r\n")),
        ("upgrade", with("Connection: upgrade\r\nUpgrade: h2c\r\n")),
        (
            "expect",
            post("", "Expect: 100-continue\r\nContent-Length: 3\r\n"),
        ),
        (
            "old",
            format!("GET /api/v1/status HTTP/1.0\r\n{HOST}\r\n").into_bytes(),
        ),
        ("folded", with("X: a\r\n b\r\n")),
        (
            "bare-line-feeds",
            b"GET / HTTP/1.1\nHost: PAIR.healthsync.internal\n\n".to_vec(),
        ),
        ("many-fields", with(&"A: b\r\n".repeat(70))),
        (
            "long-field",
            with(&format!("A: {}\r\n", "b".repeat(17_000))),
        ),
        ("not-ascii", with("A: \u{1f600}\r\n")),
        ("nul", with("A: \0\r\n")),
        ("cut", b"GET /api/v1/sta".to_vec()),
        ("tls-in-tls", vec![22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("h2-request", [PREFACE, &settings, &headers].concat()),
        ("h2-settings", [PREFACE, &settings].concat()),
        (
            "h2-lies",
            [PREFACE, &settings, &[0xff, 0xff, 0xff, 1, 4, 0, 0, 0, 1]].concat(),
        ),
        ("nothing", vec![]),
    ]
}
