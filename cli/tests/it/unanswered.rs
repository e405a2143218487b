//! Connections that come to nothing, and answers that refuse: what is told of each.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

use serde_json::Value;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{
    lab::{Lab, http, serve, serve_tls},
    misbehaving::{failed, status},
};

#[test]
fn silence_is_told_by_where_it_begins() {
    let lab = Lab::new();
    // TCP and no TLS.
    let silent = serve(|_, mut tcp| {
        // Listens until the client gives up.
        drop(io::copy(&mut tcp, &mut io::sink()));
    });
    let outcome = lab
        .at(silent)
        .run(&["status", "--no-mdns", "--timeout", "400"]);
    let parts = ["accepted the connection, but no TLS handshake"];
    failed(
        &outcome,
        4,
        "ETIMEDOUT",
        "server",
        &parts,
        "--timeout 30000",
    );

    // TLS and no HTTP.
    let outcome =
        lab.at(serve_tls(lab.good_tls(), ""))
            .run(&["status", "--no-mdns", "--timeout", "400"]);
    let parts = ["did not answer in time (HTTP)"];
    failed(
        &outcome,
        4,
        "ETIMEDOUT",
        "server",
        &parts,
        "--timeout 60000",
    );
}

/// Serves one request of HTTP/2, whose answer has begun: `more` says the rest.
fn serve_h2(tls: Arc<ServerConfig>, more: fn(&mut Tls) -> io::Result<()>) -> SocketAddr {
    let speak = move |tcp| -> io::Result<()> {
        let connection = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, tcp);
        stream.write_all(&frame(4, 0, 0, 0))?;
        // The preface, and frames up to the request (RFC 9113, sections 3.4 and 4.1).
        stream.read_exact(&mut [0; 24])?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            io::copy(&mut (&mut stream).take(length.into()), &mut io::sink())?;
            if head[3] == 1 {
                break;
            }
        }
        // `:status: 200`
        stream.write_all(&[&frame(1, 4, 1, 1)[..], &[0x88]].concat())?;
        more(&mut stream)
    };
    serve(move |_, tcp| drop(speak(tcp)))
}

type Tls = StreamOwned<ServerConnection, TcpStream>;

fn frame(kind: u8, flags: u8, stream: u8, length: u32) -> [u8; 9] {
    let [_, a, b, c] = length.to_be_bytes();
    [a, b, c, kind, flags, 0, 0, 0, stream]
}

#[test]
fn a_frame_that_takes_long_is_no_silence_and_pings_are() {
    let lab = Lab::new();
    let tls = || lab.tls(&[lab.leaf(0)], None, &["h2"]);
    // Three seconds for one frame of the body, which is no answer.
    let slow = serve_h2(tls(), |stream| {
        stream.write_all(&frame(0, 1, 1, 60_000))?;
        for _ in 0..10 {
            sleep(Duration::from_millis(300));
            stream.write_all(&[b'x'; 6000])?;
        }
        Ok(())
    });
    let outcome = lab
        .at(slow)
        .run(&["status", "--no-mdns", "--timeout", "2000"]);
    outcome.failed(1, &["ANSWER_DAMAGED"]);
    let error: Value = outcome.last();
    assert!(!error["message"].to_string().contains("in time"), "{error}");

    let stuck = serve_h2(tls(), |stream| {
        loop {
            stream.write_all(&[&frame(6, 0, 0, 8)[..], &[0; 8]].concat())?;
            sleep(Duration::from_millis(100));
        }
    });
    let outcome = lab
        .at(stuck)
        .run(&["status", "--no-mdns", "--timeout", "400"]);
    outcome.failed(1, &["ANSWER_DAMAGED"]);
    let error: Value = outcome.last();
    assert!(error["message"].to_string().contains("in time"), "{error}");
}

/// A full queue of connections is the one silence below TLS that loopback has.
#[cfg(target_os = "linux")]
#[test]
fn silence_below_tls() {
    use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};

    let lab = Lab::new();
    let queue = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(
        &queue,
        &"127.0.0.1:0".parse::<SocketAddr>().expect("an address"),
    )
    .expect("bound");
    listen(&queue, 0).expect("listens");
    let address: SocketAddr = getsockname(&queue)
        .expect("bound")
        .try_into()
        .expect("IPv4");
    let mut waiting = Vec::new();
    // The queue takes one more than its length; the next one waits for ever.
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 64, "the queue has no end");
    }
    let outcome = lab
        .at(address)
        .run(&["status", "--no-mdns", "--timeout", "400"]);
    let parts = ["did not answer in time (TCP connection)"];
    failed(&outcome, 4, "ETIMEDOUT", "server", &parts, "awake");
}

#[test]
fn other_services_are_called_by_their_names() {
    let lab = Lab::new();
    for (banner, name) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "a web server without TLS",
        ),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "an SSH server"),
        (b"220 mail.example ESMTP\r\n", "a mail or FTP server"),
    ] {
        let address = serve(move |_, mut tcp| {
            let mut hello = [0; 64];
            drop(tcp.read(&mut hello));
            drop(tcp.write_all(banner));
            // Its bytes must arrive before the end does.
            drop(tcp.shutdown(std::net::Shutdown::Write));
            drop(tcp.read(&mut [0; 4096]));
        });
        let outcome = status(&lab, address);
        failed(
            &outcome,
            4,
            "NOT_TLS",
            "server",
            &[name],
            "--host ADDRESS:PORT",
        );
    }
    // Whoever hangs up without a word is no TLS server either, but nobody can say what it is.
    let outcome = status(&lab, serve(|_, tcp| drop(tcp)));
    failed(&outcome, 4, "ECONNRESET", "server", &[], "healthsync");
}

#[test]
fn nobody_and_nowhere() {
    let lab = Lab::new();
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port that is free again");
    let outcome = status(&lab, address);
    let parts = ["nothing listens there"];
    failed(
        &outcome,
        4,
        "ECONNREFUSED",
        "server",
        &parts,
        "healthsync-server start",
    );

    // A label that no resolver sends out.
    let name = format!("{}.invalid", "a".repeat(64));
    let outcome = lab.device.run(&["status", "--host", &name]);
    outcome.failed(4, &["ENOTFOUND"]);
    assert!(outcome.last()["hint"].to_string().contains("--host"));
}

#[test]
fn answers_that_refuse() {
    let lab = Lab::new();
    let body = |code: &str| {
        format!(r#"{{"code":"{code}","message":"m","hint":"evil hint","requestId":"r-1"}}"#)
    };
    for (status_line, headers, code, cure) in [
        (
            "429 Too Many Requests",
            &["Retry-After: 7"][..],
            "RATE_LIMITED",
            "wait 7 s",
        ),
        ("429 Too Many Requests", &[], "RATE_LIMITED", "wait"),
        ("423 Locked", &[], "LOCKED", "healthsync-server resume"),
        ("403 Forbidden", &[], "TYPE_NOT_ALLOWED", "healthsync types"),
        (
            "403 Forbidden",
            &[],
            "PAIR_PENDING",
            "healthsync-server approve",
        ),
    ] {
        let address = serve_tls(lab.good_tls(), http(status_line, headers, &body(code)));
        let outcome = status(&lab, address);
        outcome.failed(if code == "PAIR_PENDING" { 3 } else { 1 }, &[code]);
        let error: Value = outcome.last();
        assert!(error["hint"].to_string().contains(cure), "{error}");
        assert!(!error.to_string().contains("evil"), "{error}");
        assert!(error["message"].to_string().contains("r-1"), "{error}");
    }
}
