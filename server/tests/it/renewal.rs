//! `POST /api/v1/pair/renew` over real connections.

use healthsync_core::api;
use healthsync_pairing::{
    certificate::Certificate,
    renewal::{self, NewKey, Reissued},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::house::{Device, House};

/// Asks on a connection of its own; the body may be bound to it. Gives status and body.
async fn ask(device: &Device, body: impl FnOnce([u8; 32]) -> Vec<u8>) -> (u16, Vec<u8>) {
    let stream = device.connect().await;
    let (head, body) = ask_on(stream, device, "POST", api::PAIR_RENEW, body).await;
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    (status.expect("a status"), body)
}

/// The same on this connection; gives head and body.
async fn ask_on(
    mut stream: TlsStream<TcpStream>,
    device: &Device,
    method: &str,
    path: &str,
    body: impl FnOnce([u8; 32]) -> Vec<u8>,
) -> (String, Vec<u8>) {
    let body = body(renewal::exporter(stream.get_ref().1).expect("an exporter"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        device.pair.server_name(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(&body).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    (String::from_utf8(answer).expect("text"), body)
}

#[tokio::test]
async fn an_active_device_gets_a_certificate_for_its_new_key() {
    let house = House::open();
    let pending = house.enroll("Ben").await;
    let device = house.pair("Anna").await;
    let key = NewKey::generate().expect("a key");
    let (status, body) = ask(&device, |exporter| {
        key.request(&exporter, &device.pair).expect("a request")
    })
    .await;
    assert_eq!(status, 200);
    let reissued = Reissued::read(&body).expect("an answer");
    let leaf = Certificate::from_der(&reissued.leaf).expect("a certificate");
    assert_eq!(
        leaf.san,
        [format!("URI:urn:healthsync:pair:{}", device.pair)]
    );
    let renew_after = i64::try_from(reissued.renew_after).expect("a time");
    assert!(leaf.not_before < renew_after && renew_after < leaf.not_after);

    let bound_elsewhere = key.request(&[0; 32], &device.pair).expect("a request");
    for (what, body) in [
        ("another channel", bound_elsewhere),
        ("nothing", Vec::new()),
        ("too much", vec![0; 4096]),
    ] {
        let (status, _) = ask(&device, |_| body).await;
        assert_eq!(status, 400, "{what}");
    }
    let (status, _) = ask(&pending, |exporter| {
        key.request(&exporter, &pending.pair).expect("a request")
    })
    .await;
    assert_eq!(status, 403);
    house.close().await;
}

/// What has run out reaches one path, once an hour.
#[tokio::test]
async fn a_certificate_that_has_run_out_reaches_its_renewal_only() {
    const DAY: i64 = 86_400;
    let house = House::open();
    house.fill(3);
    let device = house.pair("Anna").await;
    house.turn(400 * DAY);
    let refused = device.client().get(device.url(api::STATUS)).send().await;
    assert!(refused.is_err(), "answered on the data port");

    for (method, path, status) in [
        ("GET", api::STATUS, "404"),
        ("GET", api::WHOAMI, "404"),
        ("GET", api::SAMPLES, "404"),
        ("GET", api::TYPES, "404"),
        ("POST", api::DATA, "404"),
        ("POST", api::PAIR_ACK, "404"),
        ("DELETE", api::PAIR, "404"),
        ("GET", api::PAIR_RENEW, "405"),
        ("POST", api::PAIR_RENEW, "400"),
    ] {
        let stream = device.connect_late().await;
        let (head, _) = ask_on(stream, &device, method, path, |_| Vec::new()).await;
        assert_eq!(head.get(9..12), Some(status), "{method} {path}");
    }
    // A pause keeps nobody from it.
    house.app.set_paused(true);
    let renew = async || {
        let key = NewKey::generate().expect("a key");
        let stream = device.connect_late().await;
        ask_on(stream, &device, "POST", api::PAIR_RENEW, |exporter| {
            key.request(&exporter, &device.pair).expect("a request")
        })
        .await
    };
    let (head, body) = renew().await;
    assert_eq!(head.get(9..12), Some("200"), "{head}");
    let reissued = Reissued::read(&body).expect("an answer");
    let leaf = Certificate::from_der(&reissued.leaf).expect("a certificate");
    assert!(leaf.not_after > house.app.environment().clock.now() + 364 * DAY);

    let (head, body) = renew().await;
    assert_eq!(head.get(9..12), Some("429"), "{head}");
    let wait = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    let wait: u32 = wait.expect("a header").parse().expect("seconds");
    assert!((3500..=3600).contains(&wait), "{wait}");
    let told: api::ErrorBody = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(told.code, "RATE_LIMITED");

    house.turn(100 * DAY);
    let mut stream = device.connect_late().await;
    let error = stream.read_u8().await.expect_err("an alert");
    assert!(
        format!("{error:?}").contains("CertificateExpired"),
        "{error:?}"
    );
    house.close().await;
}
