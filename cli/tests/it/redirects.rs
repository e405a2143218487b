//! A server that sends its client elsewhere, and an environment that does.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use bytes::Bytes;
use healthsync_pairing::{
    environment::Environment,
    keystore::{self, OpenOptions, StoreKind},
    secret::Secret,
    tls::door::{Entered, enter},
    trust::Trust,
};
use http_body_util::Empty;
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::{device::Device, host::Host, program};

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

/// The server's own keys in the hands of somebody who answers everything with a redirect.
fn redirecting(host: &Host, status: u16, location: &str) -> SocketAddr {
    let store = keystore::open(
        StoreKind::File,
        OpenOptions {
            folder: host.path("server/keys"),
            passphrase: &mut || Ok(Secret::new(b"correct horse battery staple".to_vec())),
            environment: Environment::system(),
        },
    )
    .expect("the key store opens");
    let records = host.path("server/trust.db");
    let trust = Trust::open(&records, store, Environment::system()).expect("it opens");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("ours");
    let location = location.to_owned();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("ours");
            while let Ok((stream, from)) = listener.accept().await {
                let (trust, location) = (Arc::clone(&trust), location.clone());
                tokio::spawn(async move {
                    let Ok(Entered::Data { stream, .. }) = enter(&trust, stream, from).await else {
                        return;
                    };
                    let service = service_fn(move |_: Request<Incoming>| {
                        let answer = Response::builder()
                            .status(status)
                            .header("location", &location)
                            .body(Empty::<Bytes>::new());
                        async move { answer }
                    });
                    let connection = http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(*stream), service);
                    drop(connection.await);
                });
            }
        });
    });
    address
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
    let location = format!("https://{}/api/v1/health/types", trap.address());
    let output = device.path("out.csv");
    let output = output.to_str().expect("a plain path");
    for (status, command) in [
        (301, &["types"][..]),
        (302, &["fetch", "--all", "--output", output]),
        (307, &["status"]),
        (308, &["fetch", "--all"]),
    ] {
        let at = redirecting(&host, status, &location).to_string();
        device
            .run(&[command, &["--host", &at]].concat())
            .failed(1, &["REDIRECT_REFUSED"]);
        assert!(!device.path("out.csv").exists());
        trap.was_not_called();
    }
}
