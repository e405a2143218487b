//! Who may do what: pending, active, revoked, somebody else's.

use std::time::{Duration, Instant};

use healthsync_core::api::{ErrorBody, WhoAmI};
use healthsync_pairing::trust::State;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::house::House;

const PATHS: [(&str, &str); 6] = [
    ("GET", "/api/v1/whoami"),
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/health/types"),
    ("POST", "/api/v1/health/data"),
    ("GET", "/api/v1/samples"),
    ("DELETE", "/api/v1/pair"),
];

#[tokio::test]
async fn pending_pair_reaches_the_ack_only() {
    let house = House::open();
    let device = house.enroll("Anna").await;
    let client = device.client();
    for (method, path) in PATHS {
        let method = method.parse().expect("a method");
        let answer = client
            .request(method, device.url(path))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 403, "{path}");
        assert_eq!(
            answer.json::<ErrorBody>().await.expect("JSON").code,
            "PAIR_PENDING"
        );
    }
    let ack = || client.post(device.url("/api/v1/pair/ack")).send();
    assert_eq!(ack().await.expect("an answer").status(), 204);
    assert_eq!(ack().await.expect("an answer").status(), 204);
    assert_eq!(device.get("/api/v1/status").await.status(), 200);
    house.close().await;
}

#[tokio::test]
async fn revoked_pair_is_refused_at_the_handshake() {
    let house = House::open();
    let device = house.pair("Anna").await;
    house.app.trust().revoke("Anna").expect("revoked");
    let error = device
        .client()
        .get(device.url("/api/v1/status"))
        .send()
        .await;
    assert!(error.is_err(), "a revoked device was answered");
    // Its alert says why.
    let mut stream = device.connect().await;
    let error = stream.read_u8().await.expect_err("an alert");
    assert!(
        format!("{error:?}").contains("CertificateRevoked"),
        "{error:?}"
    );
    house.close().await;
}

/// Within a second: a download in its middle, a connection at rest, and the next one.
#[tokio::test]
async fn revoke_live_in_the_house() {
    let house = House::open();
    // More than what fits into the buffers between the two ends.
    house.fill(25_000);
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    let mut downloads = Vec::new();
    for device in [&anna, &ben] {
        let mut stream = device.connect_narrowly().await;
        let head = format!(
            "GET /api/v1/samples?metadata=true HTTP/1.1\r\nHost: {}\r\nAccept: application/x-ndjson\r\n\r\n",
            device.pair.server_name()
        );
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut start = [0; 512];
        stream.read_exact(&mut start).await.expect("a start");
        assert!(start.starts_with(b"HTTP/1.1 200"));
        downloads.push(stream);
    }
    let (mut annas, mut bens) = (anna.connect().await, ben.connect().await);
    for (stream, device) in [(&mut annas, &anna), (&mut bens, &ben)] {
        let request = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: {}\r\n\r\n",
            device.pair.server_name()
        );
        stream.write_all(request.as_bytes()).await.expect("written");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'H');
    }
    let over_h2 = anna.client();
    let asked = over_h2.get(anna.url("/api/v1/status")).send().await;
    assert_eq!(asked.expect("an answer").status(), 200);

    house.app.trust().revoke("Anna").expect("revoked");
    let revoked = Instant::now();
    // Ben's two are left.
    while house.app.connections() > 2 {
        assert!(revoked.elapsed() < Duration::from_secs(1), "not cut");
        tokio::task::yield_now().await;
    }
    let again = over_h2.get(anna.url("/api/v1/status")).send().await;
    assert!(
        again.is_err(),
        "a connection that was kept open was answered"
    );
    let mut next = anna.connect().await;
    let error = next.read_u8().await.expect_err("an alert");
    assert!(
        format!("{error:?}").contains("CertificateRevoked"),
        "{error:?}"
    );
    assert!(revoked.elapsed() < Duration::from_secs(1));
    // What was on its way already still comes; the end does not.
    for stream in [&mut downloads[0], &mut annas] {
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        drop(ended.expect("cut"));
        assert!(!rest.ends_with(b"0\r\n\r\n"), "the whole answer came");
    }

    // The others go on, to the end.
    assert_eq!(ben.get("/api/v1/status").await.status(), 200);
    assert!(bens.read(&mut [0; 64]).await.expect("still open") > 0);
    let mut whole = Vec::new();
    let mut last = [0; 8192];
    while !whole.ends_with(b"0\r\n\r\n") {
        let count = downloads[1].read(&mut last).await.expect("more");
        assert!(count > 0, "cut");
        whole.extend_from_slice(&last[..count]);
        let keep = whole.len().saturating_sub(8);
        whole.drain(..keep);
    }
    house.close().await;
}

#[tokio::test]
async fn device_revokes_its_own_pair_and_hears_that_it_did() {
    let house = House::open();
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    for (device, client) in [(&anna, anna.client()), (&ben, ben.old_client())] {
        let answer = client
            .delete(device.url("/api/v1/pair"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 204);
        assert!(
            client
                .get(device.url("/api/v1/status"))
                .send()
                .await
                .is_err()
        );
    }
    let records = house.app.trust().pairs().expect("pairs");
    assert!(records.iter().all(|record| record.state == State::Revoked));
    house.close().await;
}

/// Who asks is said by the certificate of the connection. Nothing in a request changes it.
#[tokio::test]
async fn identity_comes_only_from_tls() {
    let house = House::open();
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    // Anna's configuration does not even take Ben's server certificate.
    assert!(anna.connect_as(&ben.pair).await.is_err());

    let bens = ben.pair.to_string();
    let client = anna.client();
    let whoami = || client.get(anna.url(&format!("/api/v1/whoami?pair={bens}&name=Ben")));
    let mut asked = vec![
        whoami(),
        whoami().body(format!(r#"{{"pair":"{bens}","name":"Ben"}}"#)),
    ];
    for header in [
        "pair",
        "x-pair",
        "healthsync-pair",
        "authorization",
        "cookie",
        "forwarded",
        "from",
        "x-forwarded-for",
        "x-forwarded-client-cert",
        "x-ssl-client-cert",
        "x-ssl-client-s-dn",
        "client-cert",
        "x-user",
        "remote-user",
    ] {
        for value in [
            &*bens,
            &*format!("urn:healthsync:pair:{bens}"),
            &*ben.serial(),
        ] {
            asked.push(whoami().header(header, value));
        }
    }
    for request in asked {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let told: WhoAmI = answer.json().await.expect("JSON");
        assert_eq!((told.pair, &*told.name), (anna.pair.to_string(), "Anna"));
        assert_eq!(told.certificate.serial, anna.serial());
    }
    // The one claim that is read must be that of the connection.
    let (own, other) = (anna.pair.server_name(), ben.pair.server_name());
    for (target, host) in [
        ("/api/v1/status".to_owned(), &other),
        (format!("https://{other}/api/v1/status"), &own),
        (format!("https://{other}/api/v1/status"), &other),
    ] {
        let mut stream = anna.connect().await;
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 421", "{target} {host}");
    }
    // What a device does to its pair it does to its own.
    let unpair = client.delete(anna.url(&format!("/api/v1/pair?pair={bens}")));
    let answer = unpair.header("pair", &bens).body(bens.clone()).send().await;
    assert_eq!(answer.expect("an answer").status(), 204);
    assert_eq!(ben.get("/api/v1/status").await.status(), 200);
    house.close().await;
}
