//! Nothing older than TLS 1.3, and no version of the exchange that was not offered.

use std::net::SocketAddr;

use healthsync_pairing::{
    enroll::{
        frame::{Abort, Hello, Mode, Share, hello_without_tag, kind},
        host::Approval,
    },
    environment::Environment,
    invite::Invite,
    tls::client::{configuration, look},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    fake::{FakeHost, connect},
    host::{Host, again},
    misbehaving_server::{PAIRING, run},
};

#[tokio::test]
async fn no_downgrade() {
    // A client that speaks TLS 1.2 comes to neither port of the server: alert protocol_version.
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let (window, invite) = host.window(Approval::None);
    let name = credentials.pair.server_name();
    for hello in [
        old_hello(Some(&name), "http/1.1"),
        old_hello(None, "healthsync-pair/1"),
    ] {
        assert_eq!(answer(host.address, &hello).await, [21, 3, 3, 0, 2, 2, 70]);
    }

    // And the client offers nothing else to the server, neither with a pair nor before it.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let paired = configuration(&credentials, &host.environment()).expect("one");
    let data = look(
        paired,
        &credentials.pair,
        address,
        std::time::Duration::from_secs(5),
    );
    let (outcome, hello) = tokio::join!(data, first_record(&listener));
    assert!(outcome.is_err());
    offers_tls13_alone(&hello);
    let diverted = Invite {
        addresses: vec![address],
        ..again(&window)
    };
    let ((outcome, _), hello) = tokio::join!(run(&diverted), first_record(&listener));
    assert_eq!(outcome.code(), "ECONNRESET");
    offers_tls13_alone(&hello);

    // Versions of the exchange: the highest in common, and the tag covers what was offered.
    let mut device = connect(&invite).await;
    let offer = |versions: &[u16], tag: [u8; 32]| {
        let hello = Hello {
            versions: versions.to_vec(),
            mode: Mode::Qr,
            session: invite.session,
            share: Vec::new(),
            tag,
        };
        hello.write().expect("F1")
    };
    let both = offer(&[1, 2], [0; 32]);
    let covered = hello_without_tag(&both).expect("F1");
    let tag = device.transcript.hello_tag(covered).expect("a tag");
    device.send(&offer(&[1, 2], tag)).await;
    let f2 = device.receive().await.expect("F2");
    assert_eq!((f2[0], &f2[3..5]), (kind::SHARE, &[0, 1][..]));
    let mut device = connect(&invite).await;
    let covered = hello_without_tag(&both).expect("F1");
    let tag = device.transcript.hello_tag(covered).expect("a tag");
    device.send(&offer(&[1], tag)).await;
    assert_eq!(device.receive().await, None, "somebody took a version out");

    // A server that answers with a version that the client did not offer.
    let fake = FakeHost::new(PAIRING, &Environment::system()).await;
    let invite = fake.invite();
    let (outcome, ()) = tokio::join!(run(&invite), async {
        let mut end = fake.accept().await.expect("a device");
        end.receive().await.expect("F1");
        let share = Share {
            version: 2,
            share: Vec::new(),
            commit: end.transcript.commit(&[7; 32]),
        };
        end.send(&share.write().expect("F2")).await;
        assert_eq!(end.abort().await, Some(Abort::Refused));
    });
    assert_eq!(outcome.0.code(), "PAIRING_PROTOCOL");
}

/// A `ClientHello` of TLS 1.2, written by hand.
fn old_hello(name: Option<&str>, protocol: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("short").to_be_bytes();
        [&length[..], bytes].concat()
    };
    let short = |text: &str| {
        let length = u8::try_from(text.len()).expect("short");
        [&[length], text.as_bytes()].concat()
    };
    let server_name = |name: &str| {
        let names = sized(&[&[0][..], &sized(name.as_bytes())].concat());
        [&[0, 0][..], &sized(&names)].concat()
    };
    let extensions = [
        name.map(server_name).unwrap_or_default(),
        [&[0, 16][..], &sized(&sized(&short(protocol)))].concat(),
        // supported_groups: secp256r1; ec_point_formats: uncompressed; signature_algorithms.
        vec![0, 10, 0, 4, 0, 2, 0, 23],
        vec![0, 11, 0, 2, 1, 0],
        vec![0, 13, 0, 4, 0, 2, 4, 3],
    ]
    .concat();
    let hello = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &[0, 2, 0xc0, 0x2b],
        &[1, 0],
        &sized(&extensions),
    ]
    .concat();
    let length = u32::try_from(hello.len()).expect("short").to_be_bytes();
    let message = [&[1][..], &length[1..], &hello].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

/// What a server answers before it closes.
async fn answer(address: SocketAddr, hello: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    // More than the server reads before it refuses: closing now would reset the connection, and a
    // slower network would lose the alert.
    let sent = [hello, &vec![0; 32 * 1024]].concat();
    stream.write_all(&sent).await.expect("sent");
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer).await;
    ended.expect("an end without a reset");
    answer
}

async fn first_record(listener: &TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let mut record = vec![0; 5];
    stream.read_exact(&mut record).await.expect("a record");
    record.resize(
        5 + usize::from(u16::from_be_bytes([record[3], record[4]])),
        0,
    );
    stream.read_exact(&mut record[5..]).await.expect("a record");
    record
}

/// `supported_versions` (RFC 8446 §4.2.1) holds 0x0304 and nothing else.
fn offers_tls13_alone(hello: &[u8]) {
    let extension = [0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04];
    let found = hello
        .windows(extension.len())
        .filter(|part| **part == extension);
    assert_eq!(found.count(), 1, "another version is offered");
}
