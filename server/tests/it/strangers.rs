//! Connections that have shown no certificate: how long they may stay, and whom they disturb.

use std::time::Duration;

use healthsync_pairing::{
    device::DeviceKey,
    enroll::{
        client::{Event, enroll},
        host::{Approval, WindowOptions},
    },
    environment::Environment,
    invite::Invite,
    trust::Scope,
};
use healthsync_server::limits::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    task::yield_now,
    time::{Instant, advance, pause, resume},
};

use crate::house::House;

/// Longer than anything takes that is not waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Does the work while the runtime's clock stands still: a runtime that never rests does not move it
/// on. `None`: it did not come to an end.
async fn at_this_moment<T>(work: impl Future<Output = T>) -> Option<T> {
    let began = std::time::Instant::now();
    let busy = async {
        while began.elapsed() < PATIENCE {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = busy => None,
    }
}

fn is_open(stream: &TcpStream) -> bool {
    let read = stream.try_read(&mut [0; 1]);
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn handshake_and_header_have_five_seconds() {
    let house = House::open();
    let device = house.pair("Anna").await;
    let opened = Instant::now();
    let mut silent = TcpStream::connect(house.address).await.expect("connected");
    let mut slow = TcpStream::connect(house.address).await.expect("connected");
    // A record of 512 bytes that holds a ClientHello begins.
    slow.write_all(&[22, 3, 1, 2, 0, 1]).await.expect("written");
    let mut asking = device.connect().await;
    // A whole request and the beginning of another in one record: whoever answers has read both.
    let host = format!("{}:{}", device.pair.server_name(), house.address.port());
    let whole = format!("GET /api/v1/status HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let both = format!("{whole}GET /api/v1/status HTTP/1.1\r\n");
    asking.write_all(both.as_bytes()).await.expect("written");
    let mut first = Vec::new();
    while !first.ends_with(b"}") {
        let read = asking.read_buf(&mut first).await.expect("an answer");
        assert!(read > 0, "{}", String::from_utf8_lossy(&first));
    }
    assert!(first.starts_with(b"HTTP/1.1 200"), "{first:?}");
    // Connections are taken in their order: all those before this one have begun.
    assert_eq!(device.get("/api/v1/status").await.status(), 200);

    pause();
    let begun = Instant::now();
    advance(Duration::from_millis(4900).saturating_sub(opened.elapsed())).await;
    for _ in 0..100 {
        yield_now().await;
    }
    assert!(is_open(&silent) && is_open(&slow), "too early");
    advance(Duration::from_millis(5100).saturating_sub(begun.elapsed())).await;
    let mut byte = [0; 1];
    for stream in [&mut silent, &mut slow] {
        let read = at_this_moment(stream.read(&mut byte)).await;
        assert!(matches!(read, Some(Ok(0) | Err(_))), "a handshake goes on");
    }
    let mut answer = Vec::new();
    let read = at_this_moment(asking.read_to_end(&mut answer)).await;
    assert!(read.is_some(), "a header goes on");
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
    resume();
    house.close().await;
}

#[tokio::test]
async fn flood_does_not_end_a_pairing() {
    let house = House::with(Limits {
        strangers: 8,
        strangers_per_address: 4,
        ..Limits::standard()
    });
    let window = house
        .app
        .trust()
        .open_window(WindowOptions {
            seconds: 300,
            addresses: vec![house.address],
            server_name: "Test house".to_owned(),
            approval: Approval::Digits,
            leaf_days: 365,
            scope: Scope::default(),
        })
        .expect("a window");
    let text = String::from_utf8(window.text.expose().to_vec()).expect("a text");
    let invite = Invite::parse(&text).expect("an invitation");
    let (send, mut shown) = mpsc::unbounded_channel();
    let enrolling = tokio::spawn(async move {
        let key = DeviceKey::generate().expect("a key");
        let mut events = |event| {
            if let Event::Digits { digits, .. } = event {
                send.send(digits).expect("the test waits");
            }
        };
        enroll(&invite, key, "Anna", &Environment::system(), &mut events).await
    });
    let digits = shown.recv().await.expect("digits");

    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(TcpStream::connect(house.address).await.expect("connected"));
    }
    // So many that the first of them had to make room.
    let read = crowd[0].read(&mut [0; 1]).await;
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    house.app.trust().approve(&digits).expect("approved");
    let enrolled = enrolling.await.expect("no panic");
    assert!(enrolled.is_ok(), "{enrolled:?}");
    house.close().await;
}
