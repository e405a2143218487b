//! A computer whose clock is slow, and whose certificate has run out by the server's clock alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use healthsync_core::api;
use healthsync_pairing::{
    environment::{Clock, Environment, SystemClock, SystemEntropy},
    renewal,
    tls::door::{self, Entered},
    trust::{Peer, Trust},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::server::TlsStream;

use crate::{
    device::Device,
    expired::{DAY, Past, pair_in_the_past, store},
    host::Host,
};

/// Serves the pairs of `trust`: renews what comes through the door for it, and nothing else.
async fn serve(trust: Arc<Trust>, listener: TcpListener) {
    loop {
        let (stream, from) = listener.accept().await.expect("a connection");
        let (stream, peer, late) = match door::enter(&trust, stream, from).await {
            Ok(Entered::Data { stream, peer }) => (stream, peer, false),
            Ok(Entered::Renewal { stream, peer }) => (stream, peer, true),
            Ok(Entered::Pairing(_)) => panic!("nobody pairs"),
            Err(_) => continue,
        };
        tokio::spawn(converse(Arc::clone(&trust), stream, peer, late));
    }
}

async fn converse(trust: Arc<Trust>, stream: Box<TlsStream<TcpStream>>, peer: Peer, late: bool) {
    let exporter = renewal::exporter(stream.get_ref().1).expect("an exporter");
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request: Request<Incoming>| {
        let (trust, peer) = (Arc::clone(&trust), peer.clone());
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await?.to_bytes();
            let mut response = Response::new(Full::<Bytes>::default());
            if late && path == api::PAIR_RENEW {
                let request = renewal::Request::read(&body).expect("a request");
                let renewed = trust.renew_late(&peer, &request, &exporter);
                *response.body_mut() = Bytes::from(renewed.expect("renewed").write()).into();
            } else {
                *response.status_mut() = StatusCode::FORBIDDEN;
            }
            Ok::<_, hyper::Error>(response)
        }
    });
    let io = TokioIo::new(stream);
    // The client may hang up whenever it likes.
    if is_h2 {
        let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        drop(http.serve_connection(io, service).await);
    } else {
        let http = hyper::server::conn::http1::Builder::new();
        drop(http.serve_connection(io, service).await);
    }
}

/// A server with this clock and a device whose certificate is good for another 100 s by the true one.
fn late(clock: Arc<dyn Clock>) -> (Host, Device, Runtime) {
    let mut host = Host::with_data();
    let (device, old) = Device::paired(&host, "Anna's laptop");
    host.run(&["revoke", &old]).good();
    host.kill();
    let runtime = Runtime::new().expect("a runtime");
    let port = host.port;
    runtime.block_on(async {
        pair_in_the_past(&host, &device, &old, 365 * DAY - 100).await;
        let keys = store(host.path("server/keys"), "correct horse battery staple");
        let environment = Environment {
            clock,
            entropy: Arc::new(SystemEntropy),
        };
        let trust = Trust::open(&host.path("server/trust.db"), keys, environment);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("ours");
        tokio::spawn(serve(trust.expect("opens"), listener));
    });
    (host, device, runtime)
}

/// The server's clock is 200 s ahead.
#[test]
fn a_certificate_that_only_the_server_takes_for_ended_is_renewed() {
    let (host, device, runtime) = late(Arc::new(Past(-200)));
    let due = device.run(&["cert", "renew", "--check"]).good().last();
    assert_eq!(due["due"], true, "by a third of the life: {due}");
    let address = format!("127.0.0.1:{}", host.port);
    let renewed = device.run(&["cert", "renew", "--host", &address]).good();
    assert_eq!(renewed.last()["event"], "renewed", "{renewed:?}");
    // The new one is good for both.
    let check = device.run(&["cert", "renew", "--check"]);
    assert_eq!((check.exit, &check.last()["due"]), (Some(1), &false.into()));
    let records = Trust::recorded(&host.path("server/trust.db")).expect("records");
    let states: Vec<_> = records.iter().map(|record| record.state.as_str()).collect();
    // Oldest first: the pair of a year ago, then the one that it replaced on the device.
    assert_eq!(states, ["active", "revoked"]);
    runtime.shutdown_timeout(Duration::from_secs(5));
}

/// A clock that somebody sets.
#[derive(Debug, Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> i64 {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }
}

/// The certificate that ended by the server's clock alone is renewed into one that begins only later by
/// this computer's, which the server takes: nobody is shut out for an hour, when the next may be asked.
#[test]
fn a_certificate_that_begins_later_is_taken() {
    let ahead = Arc::new(Ahead::default());
    let clock: Arc<Ahead> = Arc::clone(&ahead);
    let (host, device, runtime) = late(clock);
    let address = format!("127.0.0.1:{}", host.port);
    let run = |words: &[&str]| device.run(&[words, &["--host", &address]].concat());
    // While the clocks agree the server gets a leaf of today; then its clock goes ahead.
    run(&["status"]).failed(1, &["SERVER_ERROR"]);
    ahead.0.store(600, Ordering::SeqCst);
    let renewed = run(&["cert", "renew"]).good();
    assert_eq!(renewed.last()["event"], "renewed", "{renewed:?}");
    let info = device.run(&["cert", "info"]).good().last();
    assert_eq!(info["client"]["status"], "Not yet valid", "{info}");
    // The server takes it, and says no to the path alone.
    run(&["status"]).failed(1, &["SERVER_ERROR"]);
    runtime.shutdown_timeout(Duration::from_secs(5));
}
