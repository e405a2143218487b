//! A server with the keys of a pair in the hands of somebody who answers what he likes.

use std::{
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
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::host::Host;

/// Answers requests for a path.
type Answer = fn(&str, &str) -> Response<Full<Bytes>>;

/// Takes the place of `host`, which must not run; `word` is given to `answer` with each path.
#[track_caller]
pub(crate) fn answering(host: &Host, word: &str, answer: Answer) -> SocketAddr {
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
    let word: Arc<str> = word.into();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("ours");
            while let Ok((stream, from)) = listener.accept().await {
                tokio::spawn(serve(
                    Arc::clone(&trust),
                    stream,
                    from,
                    Arc::clone(&word),
                    answer,
                ));
            }
        });
    });
    address
}

async fn serve(
    trust: Arc<Trust>,
    stream: tokio::net::TcpStream,
    from: SocketAddr,
    word: Arc<str>,
    answer: Answer,
) {
    let Ok(Entered::Data { stream, .. }) = enter(&trust, stream, from).await else {
        return;
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.uri().path(), &word);
        async move { Ok::<_, hyper::Error>(answer) }
    });
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(*stream), service);
    drop(connection.await);
}
