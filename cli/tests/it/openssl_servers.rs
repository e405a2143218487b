//! `openssl s_server` as the server: errors that our own TLS library would not make.

use std::{
    io::{BufRead as _, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

use healthsync_pairing::certificate::to_pem;

use crate::{host::write_private, lab::Lab};

/// One that runs until it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    #[track_caller]
    fn start(lab: &Lab, args: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port that is free again");
        let (certificate, key, ca) = (
            lab.device.path("server.crt"),
            lab.device.path("server.key"),
            lab.device.path("ca.crt"),
        );
        std::fs::write(&certificate, to_pem(&lab.leaf(0))).expect("ours");
        std::fs::write(&ca, to_pem(&lab.authority.certificate)).expect("ours");
        let pem = to_pem(lab.key.pkcs8().expose()).replace("CERTIFICATE", "PRIVATE KEY");
        write_private(&key, &pem);
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", &address.to_string()])
            .arg("-cert")
            .arg(certificate)
            .arg("-key")
            .arg(key)
            .arg("-CAfile")
            .arg(ca)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        assert!(
            lines.any(|line| line.is_ok_and(|line| line.starts_with("ACCEPT"))),
            "it does not listen"
        );
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.count());
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_server_without_tls_1_3() {
    let lab = Lab::new();
    let server = Server::start(&lab, &["-tls1_2"]);
    let outcome = lab.at(server.address).run(&["status", "--no-mdns"]);
    outcome.failed(3, &["UNSUPPORTED_PROTOCOL"]);
    let error = outcome.last();
    assert!(
        error["message"].to_string().contains("TLS 1.3 alone"),
        "{error}"
    );
    assert!(
        error["hint"]
            .to_string()
            .contains("healthsync-server --version"),
        "{error}"
    );
}

/// It asks for a signature that our key cannot make, and so gets no certificate.
#[test]
fn a_server_that_got_no_certificate() {
    let lab = Lab::new();
    let server = Server::start(
        &lab,
        &[
            "-tls1_3",
            "-Verify",
            "1",
            "-client_sigalgs",
            "RSA-PSS+SHA256",
        ],
    );
    let outcome = lab.at(server.address).run(&["status", "--no-mdns"]);
    outcome.failed(3, &["NO_CLIENT_CERTIFICATE"]);
    let error = outcome.last();
    assert_eq!(error["subject"], "client");
    assert!(
        error["message"].to_string().contains("got no certificate"),
        "{error}"
    );
    assert!(
        error["hint"].to_string().contains("healthsync scan"),
        "{error}"
    );
}

/// A web server with TLS and this pair's certificate: it lets us in, and is no healthsync server.
#[test]
fn a_web_server_behind_the_right_certificate() {
    let lab = Lab::new();
    let server = Server::start(
        &lab,
        &["-tls1_3", "-Verify", "1", "-www", "-alpn", "http/1.1"],
    );
    let outcome = lab.at(server.address).run(&["status", "--no-mdns"]);
    outcome.failed(1, &["ANSWER_DAMAGED"]);
}
