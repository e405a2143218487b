//! Who may do what: pending, active, revoked, somebody else's.

use std::time::Duration;

use healthsync_core::api::ErrorBody;
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

#[tokio::test]
async fn revocation_cuts_a_download_in_its_middle() {
    let house = House::open();
    // More than what fits into the buffers between the two ends.
    house.fill(25_000);
    let device = house.pair("Anna").await;
    let mut stream = device.connect_narrowly().await;
    let head = format!(
        "GET /api/v1/samples?metadata=true HTTP/1.1\r\nHost: {}\r\nAccept: application/x-ndjson\r\n\r\n",
        device.pair.server_name()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut start = [0; 512];
    stream.read_exact(&mut start).await.expect("a start");
    assert!(start.starts_with(b"HTTP/1.1 200"));

    house
        .app
        .trust()
        .revoke(&device.pair.to_string())
        .expect("revoked");
    let mut rest = Vec::new();
    // What was in the buffers still comes; the end does not.
    drop(
        timeout(Duration::from_secs(5), stream.read_to_end(&mut rest))
            .await
            .expect("cut"),
    );
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the whole answer came");
    assert_eq!(house.app.connections(), 0);
    house.close().await;
}

#[tokio::test]
async fn idle_connection_of_a_revoked_pair_is_cut_others_are_not() {
    let house = House::open();
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    let (mut annas, mut bens) = (anna.connect().await, ben.connect().await);
    for (stream, device) in [(&mut annas, &anna), (&mut bens, &ben)] {
        let request = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: {}\r\n\r\n",
            device.pair.server_name()
        );
        stream.write_all(request.as_bytes()).await.expect("written");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'H');
    }
    house.app.trust().revoke("Anna").expect("revoked");
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(1), annas.read_to_end(&mut rest)).await;
    drop(ended.expect("cut within a second"));
    assert_eq!(ben.get("/api/v1/status").await.status(), 200);
    let mut more = [0; 64];
    assert!(bens.read(&mut more).await.expect("still open") > 0);
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

#[tokio::test]
async fn pairs_do_not_pass_for_one_another() {
    let house = House::open();
    let (anna, ben) = (house.pair("Anna").await, house.pair("Ben").await);
    // Anna's configuration does not even take Ben's server certificate.
    assert!(anna.connect_as(&ben.pair).await.is_err());
    // Her own connection cannot ask for his.
    let mut stream = anna.connect().await;
    let request = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: {}\r\n\r\n",
        ben.pair.server_name()
    );
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    assert_eq!(&start, b"HTTP/1.1 421");
    house.close().await;
}
