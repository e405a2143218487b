//! Peers that take too much, too long, or say nonsense.

use std::time::Duration;

use healthsync_server::limits::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::house::{Device, House};

/// Sends `head` (`HOST` is the pair's name) and reads to the end of the connection.
async fn exchange(device: &Device, head: &str) -> String {
    let mut stream = device.connect().await;
    let head = head.replace("HOST", &device.pair.server_name());
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    // A connection that is cut may end without close_notify.
    drop(
        timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("closed"),
    );
    String::from_utf8_lossy(&answer).into_owned()
}

/// The same, with more that is sent once `heard` has come.
async fn conversation(device: &Device, head: &str, heard: &str, more: &str) -> String {
    let mut stream = device.connect().await;
    let with_host = |text: &str| text.replace("HOST", &device.pair.server_name());
    let sent = stream.write_all(with_host(head).as_bytes()).await;
    sent.expect("written");
    let mut answer = Vec::new();
    let talk = async {
        while !String::from_utf8_lossy(&answer).contains(heard) {
            assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0);
        }
        // It may be closed by then.
        drop(stream.write_all(with_host(more).as_bytes()).await);
        drop(stream.read_to_end(&mut answer).await);
    };
    timeout(Duration::from_secs(10), talk)
        .await
        .expect("closed");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The body of a refusal, whose request id is that of the header.
fn refusal(answer: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let id = body["requestId"].as_str().expect("an id");
    assert!(
        head.contains(&format!("healthsync-request-id: {id}")),
        "{head}"
    );
    body
}

fn short() -> Limits {
    Limits {
        header: Duration::from_millis(200),
        body: Duration::from_millis(200),
        idle: Duration::from_millis(400),
        ..Limits::standard()
    }
}

#[tokio::test]
async fn absurd_requests_are_refused_at_once() {
    let house = House::with(short());
    let device = house.pair("Anna").await;
    let post =
        "POST /api/v1/health/data HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n";
    let long = "x".repeat(20_000);
    for (head, status, code) in [
        (
            format!("{post}Content-Length: 2147483648\r\n\r\n{{"),
            "413",
            "PAYLOAD_TOO_LARGE",
        ),
        (
            format!("{post}Content-Length: -1\r\n\r\n"),
            "400",
            "BAD_REQUEST",
        ),
        (
            format!("{post}Content-Length: 99999999999999999999999\r\n\r\n"),
            "400",
            "BAD_REQUEST",
        ),
        (
            format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
            "400",
            "BAD_REQUEST",
        ),
        (
            format!("{post}Transfer-Encoding: gzip\r\n\r\n"),
            "400",
            "BAD_REQUEST",
        ),
        (
            format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "400",
            "BAD_REQUEST",
        ),
        (
            "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n".to_owned(),
            "421",
            "MISDIRECTED_REQUEST",
        ),
        (
            "GET /api/v1/status HTTP/1.1\r\n\r\n".to_owned(),
            "421",
            "MISDIRECTED_REQUEST",
        ),
        (
            format!("GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\nX: {long}\r\n\r\n"),
            "431",
            "HEADERS_TOO_LARGE",
        ),
        (
            format!(
                "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\n{}\r\n",
                "A: b\r\n".repeat(100)
            ),
            "431",
            "HEADERS_TOO_LARGE",
        ),
        (
            "\u{16}\u{3}\u{1} nonsense\r\n\r\n".to_owned(),
            "400",
            "BAD_REQUEST",
        ),
    ] {
        let answer = exchange(&device, &head).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head:.120} -> {answer:.120}"
        );
        let body = refusal(&answer);
        assert_eq!(body["code"], code, "{head:.120} -> {answer}");
        assert!(body["hint"].is_string(), "{answer}");
    }
    assert_eq!(device.get("/api/v1/status").await.status(), 200);
    house.close().await;
}

#[tokio::test]
async fn slow_peers_are_let_go() {
    let house = House::with(short());
    let device = house.pair("Anna").await;
    // A header without an end.
    let answer = exchange(
        &device,
        "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\nX-Slow: ",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(refusal(&answer)["code"], "REQUEST_TIMEOUT");
    // The same after a request that was answered.
    let answer = exchange(
        &device,
        "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\n\r\nGET /api/v1/status HTTP/1.1\r\nX: ",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("HTTP/1.1 408"), "{answer}");
    // Nothing at all.
    assert_eq!(exchange(&device, "").await, "");
    // A body that does not come.
    let answer = exchange(
        &device,
        "POST /api/v1/health/data HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n\
         Content-Length: 50\r\n\r\n{",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("REQUEST_TIMEOUT"));
    // What then comes is the rest of that body, never a request.
    let body = "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\n\r\n";
    let answer = conversation(
        &device,
        "POST /api/v1/health/data HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n\
         Content-Length: 500\r\n\r\n{",
        "REQUEST_TIMEOUT",
        body,
    )
    .await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    // An answer that nobody asks a second question after.
    let answer = exchange(&device, "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    house.close().await;
}

#[tokio::test]
async fn body_beyond_the_limit_is_refused_while_it_comes() {
    let house = House::with(Limits {
        body_bytes: 2048,
        ..Limits::standard()
    });
    let device = house.pair("Anna").await;
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024)).repeat(4);
    let head = format!(
        "POST /api/v1/health/data HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunk}"
    );
    let answer = exchange(&device, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    house.close().await;
}

#[tokio::test]
async fn crowd_at_the_door_does_not_keep_a_device_out() {
    let limits = Limits {
        strangers: 8,
        strangers_per_address: 4,
        ..Limits::standard()
    };
    let house = House::with(limits);
    let device = house.pair("Anna").await;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(TcpStream::connect(house.address).await.expect("connected"));
    }
    let asked = timeout(Duration::from_secs(3), device.get("/api/v1/status")).await;
    assert_eq!(asked.expect("in time").status(), 200);
    // The first of the crowd had to make room.
    let mut byte = [0; 1];
    let read = timeout(Duration::from_secs(3), crowd[0].read(&mut byte))
        .await
        .expect("cut");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    house.close().await;
}

#[tokio::test]
async fn a_rate_bounds_each_device_by_itself() {
    let house = House::with(Limits {
        rate: "3/h".parse().ok(),
        ..Limits::standard()
    });
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    for _ in 0..3 {
        assert_eq!(anna.get("/api/v1/status").await.status(), 200);
    }
    for path in ["/api/v1/status", "/api/v1/samples", "/api/v1/whoami"] {
        // On a connection of its own: it is the device that is counted.
        let answer = anna.get(path).await;
        assert_eq!(answer.status(), 429, "{path}");
        let wait = answer.headers()["retry-after"].to_str().expect("text");
        let wait: u32 = wait.parse().expect("seconds");
        assert!((1190..=1200).contains(&wait), "{wait}");
        let told: healthsync_core::api::ErrorBody = answer.json().await.expect("JSON");
        assert_eq!(told.code, "RATE_LIMITED");
        assert!(
            told.hint
                .is_some_and(|hint| hint.contains(&wait.to_string()))
        );
    }
    assert_eq!(ben.get("/api/v1/status").await.status(), 200);
    // It may still leave.
    let client = anna.client();
    let left = client.delete(anna.url("/api/v1/pair")).send().await;
    assert_eq!(left.expect("an answer").status(), 204);
    house.close().await;
}

#[tokio::test]
async fn one_device_does_not_keep_another_out() {
    let house = House::with(Limits {
        guests: 4,
        ..Limits::standard()
    });
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    // From here on nobody else is connected.
    while house.app.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut early = anna.connect().await;
    ask(&mut early, &anna).await;
    let mut crowd = Vec::new();
    for _ in 0..8 {
        let mut stream = ben.connect().await;
        ask(&mut stream, &ben).await;
        crowd.push(stream);
    }
    // Ben's oldest made room for his newest, and Anna's stayed.
    ask(&mut early, &anna).await;
    let (gone, here) = crowd.split_at_mut(5);
    for stream in gone {
        let mut byte = [0; 1];
        let read = timeout(Duration::from_secs(3), stream.read(&mut byte));
        let read = read.await.expect("cut");
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    for stream in here {
        ask(stream, &ben).await;
    }
    assert_eq!(anna.get("/api/v1/status").await.status(), 200);
    house.close().await;
}

/// One request that must be answered, on a connection that goes on.
async fn ask(stream: &mut TlsStream<TcpStream>, device: &Device) {
    let name = device.pair.server_name();
    let head = format!("GET /api/v1/status HTTP/1.1\r\nHost: {name}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = stream.read_buf(&mut answer).await.expect("an answer");
        assert!(read > 0, "closed after {} bytes", answer.len());
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

/// A connection that rests outside of hyper between two requests misses nothing of them.
#[tokio::test]
async fn requests_come_in_any_pieces() {
    let house = House::open();
    let device = house.pair("Anna").await;
    let mut stream = device.connect().await;
    let name = device.pair.server_name();
    let body = r#"{"startDate":"2026-01-01T00:00:00Z","endDate":"2026-01-02T00:00:00Z","types":["steps"]}"#;
    let get = format!("GET /api/v1/status HTTP/1.1\r\nHost: {name}\r\n\r\n");
    let post = format!(
        "POST /api/v1/health/data HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answers = 0;
    let mut read = Vec::new();
    let sent = [&get, &post, &get, &get, &post, &post, &get]
        .map(String::as_str)
        .concat();
    // Cut at every kind of place: within a head, within a body, and between two requests.
    let mut rest = sent.as_bytes();
    for length in [
        1,
        3,
        get.len() - 4,
        40,
        post.len() - 43,
        2 * get.len() + 9,
        1,
        usize::MAX,
    ] {
        let (piece, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        stream.write_all(piece).await.expect("written");
        stream.flush().await.expect("sent");
        let whole = sent.len() - rest.len();
        let asked = ends(&[&get, &post, &get, &get, &post, &post, &get], whole);
        while answers < asked {
            let count = stream.read_buf(&mut read).await.expect("an answer");
            assert!(count > 0, "closed after {answers} answers");
            answers = String::from_utf8_lossy(&read)
                .matches("HTTP/1.1 200 OK")
                .count();
        }
        assert_eq!(answers, asked);
        // Every answer ends its body; then the connection is at rest.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(answers, 7);
    house.close().await;
}

/// How many of the requests end within the first `length` bytes.
fn ends(requests: &[&String], length: usize) -> usize {
    let mut end = 0;
    requests
        .iter()
        .filter(|request| {
            end += request.len();
            end <= length
        })
        .count()
}
