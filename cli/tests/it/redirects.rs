//! A server that sends its client elsewhere, and an environment that does.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;

use crate::{device::Device, host::Host, impostor::answering, program};

/// Somebody listens here whom nobody may call.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("ours");
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    #[track_caller]
    fn was_not_called(&self) {
        let called = self.0.accept();
        let nobody = matches!(&called, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        assert!(nobody, "{called:?}");
    }
}

/// `word` is the status and the place, with a space between.
fn redirect(_: &str, word: &str) -> Response<Full<Bytes>> {
    let (status, place) = word.split_once(' ').expect("two");
    Response::builder()
        .status(status)
        .header("location", place)
        .body(Full::default())
        .expect("an answer")
}

#[test]
fn no_redirect_no_proxy() {
    let mut host = Host::with_data();
    let (device, _) = Device::paired(&host, "laptop");
    let trap = Trap::new();

    let mut types = device.command(&["types", "--json"]);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let proxy = format!("http://{}", trap.address());
        types
            .env(variable, &proxy)
            .env(variable.to_lowercase(), &proxy);
    }
    types.env_remove("NO_PROXY").env_remove("no_proxy");
    program::run(&mut types, b"").good();
    trap.was_not_called();

    host.kill();
    let output = device.path("out.csv");
    let output = output.to_str().expect("a plain path");
    for (status, command) in [
        (301, &["types"][..]),
        (302, &["fetch", "--all", "--output", output]),
        (307, &["status"]),
        (308, &["fetch", "--all"]),
    ] {
        let place = format!("{status} https://{}/api/v1/health/types", trap.address());
        let at = answering(&host, &place, redirect).to_string();
        device
            .run(&[command, &["--host", &at]].concat())
            .failed(1, &["REDIRECT_REFUSED"]);
        assert!(!device.path("out.csv").exists());
        trap.was_not_called();
    }
}
