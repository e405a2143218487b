//! A server that misbehaves as it is told, and a device that is paired with it.
//!
//! The device is the real program with a real key store; its pair is written there directly, so that
//! every key and certificate of both ends is ours to choose.

use std::{
    fmt,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use healthsync_pairing::{
    ca::{self, Authority},
    credentials::ClientCredentials,
    device::DeviceKey,
    environment::{Clock, Environment, SystemClock},
    id::PairId,
    keystore::{self, OpenOptions, StoreKind},
    secret::Secret,
};
use tokio_rustls::rustls::{
    self, DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use crate::device::Device;

pub(crate) const DAY: i64 = 86_400;

/// The system's clock, turned by so many seconds.
#[derive(Debug)]
struct Turned(i64);

impl Clock for Turned {
    fn now(&self) -> i64 {
        SystemClock.now() + self.0
    }
}

/// The system, with its clock turned.
pub(crate) fn turned(seconds: i64) -> Environment {
    Environment {
        clock: Arc::new(Turned(seconds)),
        ..Environment::system()
    }
}

/// The CA of a pair, the device, and the leaf that a good server would show.
pub(crate) struct Lab {
    pub(crate) pair: PairId,
    pub(crate) authority: Authority,
    pub(crate) device: Device,
    pub(crate) key: DeviceKey,
}

impl Lab {
    /// A pair made now.
    pub(crate) fn new() -> Self {
        Self::made(0, 0)
    }

    /// A pair whose CA and whose client leaf were made so many seconds from now.
    pub(crate) fn made(ca_at: i64, leaf_at: i64) -> Self {
        let pair = PairId([7; 16]);
        let authority = ca::authority(&pair, &turned(ca_at)).expect("a CA");
        let key = DeviceKey::generate().expect("a key");
        let leaf = ca::client_leaf(
            &authority.key,
            &authority.certificate,
            &pair,
            &key.spki(),
            365,
            &turned(leaf_at),
        )
        .expect("a leaf");
        let device = Device::new("device");
        let credentials = ClientCredentials {
            pair,
            key,
            leaf,
            ca: authority.certificate.clone(),
            discovery_key: Secret::new(vec![9; 32]),
        };
        let options = OpenOptions {
            folder: device.path("home").join("keys"),
            passphrase: &mut || Ok(Secret::new(b"another passphrase".to_vec())),
            environment: Environment::system(),
        };
        std::fs::create_dir_all(device.path("home")).expect("a home");
        keystore::open(StoreKind::File, options)
            .expect("opens")
            .write(
                &ClientCredentials::item(&pair),
                &credentials.encode().expect("encodes"),
            )
            .expect("written");
        Self {
            pair,
            authority,
            device,
            key: DeviceKey::generate().expect("a key"),
        }
    }

    /// Lets the device believe that its server is at this address.
    pub(crate) fn at(&self, address: SocketAddr) -> &Device {
        let config = serde_json::json!({
            "version": 1, "keyStore": "file",
            "servers": [{
                "pair": self.pair.to_string(), "name": "lab", "state": "active",
                "addresses": [address.to_string()], "keyStore": "file",
                "pairedAt": "2026-01-07T10:00:00Z",
            }],
        });
        std::fs::write(self.device.path("home/config.json"), config.to_string())
            .expect("a configuration");
        &self.device
    }

    /// The server's leaf, made so many seconds from now.
    pub(crate) fn leaf(&self, at: i64) -> Vec<u8> {
        self.leaf_of(&self.authority, &self.pair, at)
    }

    /// A leaf of some CA for some pair.
    pub(crate) fn leaf_of(&self, authority: &Authority, pair: &PairId, at: i64) -> Vec<u8> {
        ca::server_leaf(
            &authority.key,
            &authority.certificate,
            pair,
            &self.key.spki(),
            &turned(at),
        )
        .expect("a leaf")
    }

    /// A configuration of a server that shows these certificates and judges its client so.
    pub(crate) fn tls(
        &self,
        chain: &[Vec<u8>],
        verdict: Option<rustls::Error>,
        alpn: &[&str],
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let certificates = chain
            .iter()
            .map(|der| CertificateDer::from(der.clone()))
            .collect();
        let key = PrivatePkcs8KeyDer::from(self.key.pkcs8().expose().to_vec());
        let mut configuration = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(Arc::new(Judge { verdict }))
            .with_single_cert(certificates, PrivateKeyDer::Pkcs8(key))
            .expect("a configuration");
        configuration.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        configuration.send_tls13_tickets = 0;
        Arc::new(configuration)
    }

    /// What a good server would be.
    pub(crate) fn good_tls(&self) -> Arc<ServerConfig> {
        self.tls(&[self.leaf(0)], None, &["http/1.1"])
    }
}

/// A port whose connections are served by a script; the number counts them from 0.
pub(crate) fn serve(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let (script, count) = (Arc::new(script), AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (script, number) = (Arc::clone(&script), count.fetch_add(1, Ordering::SeqCst));
            thread::spawn(move || script(number, stream));
        }
    });
    address
}

/// A TLS server: shakes hands, answers each request with `answer`, says goodbye.
pub(crate) fn serve_tls(tls: Arc<ServerConfig>, answer: impl Into<String>) -> SocketAddr {
    let answer = answer.into();
    serve(move |_, stream| drop(speak(&tls, stream, &answer)))
}

/// One connection of it.
pub(crate) fn speak(tls: &Arc<ServerConfig>, tcp: TcpStream, answer: &str) -> std::io::Result<()> {
    converse(tls, tcp, |_| answer.as_bytes().to_vec())
}

/// One connection of a server that answers by the head of each request.
pub(crate) fn converse(
    tls: &Arc<ServerConfig>,
    tcp: TcpStream,
    answer: impl Fn(&str) -> Vec<u8>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(Arc::clone(tls)).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, tcp);
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    loop {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
        if head.ends_with(b"\r\n\r\n") {
            stream.write_all(&answer(&String::from_utf8_lossy(&head)))?;
            head.clear();
            stream.flush()?;
        }
    }
}

/// An answer of HTTP/1.1.
pub(crate) fn http(status: &str, headers: &[&str], body: &str) -> String {
    let headers = [headers, &[""]].concat().join("\r\n");
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Takes every client, or none.
struct Judge {
    verdict: Option<rustls::Error>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl ClientCertVerifier for Judge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match &self.verdict {
            None => Ok(ClientCertVerified::assertion()),
            Some(error) => Err(error.clone()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
