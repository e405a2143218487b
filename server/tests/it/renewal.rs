//! `POST /api/v1/pair/renew` over real connections.

use healthsync_core::api;
use healthsync_pairing::{
    certificate::Certificate,
    renewal::{self, NewKey, Reissued},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::house::{Device, House};

/// Asks on a connection of its own; the body may be bound to it. Gives status and body.
async fn ask(device: &Device, body: impl FnOnce([u8; 32]) -> Vec<u8>) -> (u16, Vec<u8>) {
    let mut stream = device.connect().await;
    let body = body(renewal::exporter(stream.get_ref().1).expect("an exporter"));
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        api::PAIR_RENEW,
        device.pair.server_name(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    stream.write_all(&body).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let status = String::from_utf8_lossy(&answer[9..12]).parse();
    (status.expect("a status"), body)
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
