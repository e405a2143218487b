//! Ends of the exchange that do what they should not: raw frames over real TLS.

use std::{net::SocketAddr, sync::Arc};

use healthsync_pairing::{
    ca,
    certificate::Certificate,
    device::DeviceKey,
    enroll::{
        frame::{
            Abort, Enrol, HEADER, Hello, Issued, Mode, Pending, Share, hello_without_tag, kind,
            write_proof,
        },
        transcript::{EXPORTER_LABEL, Transcript},
    },
    environment::Environment,
    id::KeyDigest,
    invite::Invite,
    secret::Secret,
};
use rustls::{
    ClientConfig, ServerConfig,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub(crate) const SESSION: [u8; 8] = [9; 8];
pub(crate) const SECRET: [u8; 16] = [5; 16];

pub(crate) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(crate) fn private(key: &DeviceKey) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().expose().to_vec()))
}

/// Takes any certificate.
#[derive(Debug)]
pub(crate) struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A TLS client that trusts anybody, offers `alpn` and, if given, shows a certificate.
pub(crate) fn client(
    alpn: &[&str],
    identity: Option<(Vec<u8>, PrivateKeyDer<'static>)>,
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything));
    let mut configuration = match identity {
        None => builder.with_no_client_auth(),
        Some((leaf, key)) => builder
            .with_client_auth_cert(vec![CertificateDer::from(leaf)], key)
            .expect("an identity"),
    };
    configuration.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    configuration
}

/// A host of the test's own making: its key and the invitation to it.
pub(crate) struct FakeHost {
    listener: TcpListener,
    configuration: Arc<ServerConfig>,
    key: KeyDigest,
    certificate: Vec<u8>,
    pub(crate) address: SocketAddr,
}

impl FakeHost {
    pub(crate) async fn new(alpn: &[&str], environment: &Environment) -> Self {
        let key = DeviceKey::generate().expect("a key");
        let certificate = ca::window_certificate(&key, environment).expect("a certificate");
        Self::with(alpn, &key, certificate).await
    }

    /// Shows a certificate whose key it does not have.
    pub(crate) async fn showing(alpn: &[&str], certificate: Vec<u8>) -> Self {
        let key = DeviceKey::generate().expect("a key");
        Self::with(alpn, &key, certificate).await
    }

    /// What anybody who connects gets to see.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    /// The invitation of another host, with the way to this one.
    pub(crate) fn invite_for(&self, other: &Self) -> Invite {
        Invite {
            addresses: vec![self.address],
            ..other.invite()
        }
    }

    async fn with(alpn: &[&str], key: &DeviceKey, certificate: Vec<u8>) -> Self {
        let signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&private(key));
        // Nobody compares the certificate with the key here.
        let identity = rustls::sign::CertifiedKey::new(
            vec![CertificateDer::from(certificate.clone())],
            signer.expect("a key"),
        );
        let mut configuration = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)));
        configuration.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self {
            address: listener.local_addr().expect("an address"),
            listener,
            configuration: Arc::new(configuration),
            key: Certificate::from_der(&certificate).expect("one").key,
            certificate,
        }
    }

    pub(crate) fn invite(&self) -> Invite {
        Invite {
            session: SESSION,
            key: self.key,
            secret: Secret::new(SECRET.to_vec()),
            addresses: vec![self.address],
            expires_at: 2_000_000_000,
        }
    }

    pub(crate) async fn accept(&self) -> std::io::Result<End<server::TlsStream<TcpStream>>> {
        let (tcp, _) = self.listener.accept().await?;
        let stream = TlsAcceptor::from(Arc::clone(&self.configuration))
            .accept(tcp)
            .await?;
        let mut exporter = [0; 32];
        let connection = stream.get_ref().1;
        connection
            .export_keying_material(&mut exporter, EXPORTER_LABEL, None)
            .expect("an exporter");
        Ok(End {
            transcript: Transcript::new(exporter, &self.key, &Secret::new(SECRET.to_vec())),
            stream,
            exporter,
            key: self.key,
        })
    }
}

/// One end of an exchange, driven by hand.
pub(crate) struct End<S> {
    pub(crate) stream: S,
    pub(crate) transcript: Transcript,
    /// What binds the exchange to the channel.
    #[cfg_attr(not(feature = "typed-code"), expect(dead_code, reason = "for SPAKE2"))]
    pub(crate) exporter: [u8; 32],
    /// The host's.
    #[cfg_attr(not(feature = "typed-code"), expect(dead_code, reason = "for SPAKE2"))]
    pub(crate) key: KeyDigest,
}

impl<S: AsyncRead + AsyncWrite + Unpin> End<S> {
    pub(crate) async fn send(&mut self, frame: &[u8]) {
        assert!(self.try_send(frame).await, "the other end is gone");
    }

    /// Whether it went out.
    pub(crate) async fn try_send(&mut self, frame: &[u8]) -> bool {
        self.transcript.add(frame);
        self.stream.write_all(frame).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// The next frame; `None` when the other end closes.
    pub(crate) async fn receive(&mut self) -> Option<Vec<u8>> {
        let frame = self.read().await?;
        self.transcript.add(&frame);
        Some(frame)
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header).await.ok()?;
        let length = usize::from(u16::from_be_bytes([header[1], header[2]]));
        let mut frame = header.to_vec();
        frame.resize(HEADER + length, 0);
        self.stream.read_exact(&mut frame[HEADER..]).await.ok()?;
        Some(frame)
    }

    /// What the other end says instead of going on.
    pub(crate) async fn abort(&mut self) -> Option<Abort> {
        let frame = self.receive().await?;
        assert_eq!(frame[0], kind::ABORT, "not an Abort: {frame:?}");
        Some(Abort::read(&frame[HEADER..]).expect("an Abort"))
    }
}

impl End<server::TlsStream<TcpStream>> {
    /// F1 to F5, properly; gives the nonce that was committed to.
    pub(crate) async fn up_to_enrol(&mut self) -> [u8; 32] {
        self.enrolment().await.0
    }

    /// F1 to F7, properly but for what `change` does to F7.
    pub(crate) async fn up_to_issued(
        &mut self,
        environment: &Environment,
        change: impl FnOnce(&mut Issued),
    ) {
        let (nonce, enrol) = self.enrolment().await;
        self.pending(nonce).await;
        let pair = self.transcript.pair_id().expect("an id");
        let authority = ca::authority(&pair, environment).expect("a CA");
        let (key, certificate) = (&authority.key, &authority.certificate);
        let leaf = ca::client_leaf(key, certificate, &pair, &enrol.spki, 30, environment);
        let mut issued = Issued {
            leaf: leaf.expect("a leaf"),
            ca: authority.certificate,
            renew_after: 0,
            addresses: Vec::new(),
            server_name: b"Fake".to_vec(),
        };
        change(&mut issued);
        self.send(&issued.write().expect("F7")).await;
    }

    async fn enrolment(&mut self) -> ([u8; 32], Enrol) {
        let nonce = [7; 32];
        assert_eq!(self.receive().await.expect("F1")[0], kind::HELLO);
        self.share(&nonce).await;
        assert_eq!(self.receive().await.expect("F3")[0], kind::PROOF);
        let proof = self.transcript.server_proof().expect("a proof");
        self.send(&write_proof(kind::CONFIRM, &proof).expect("F4"))
            .await;
        let f5 = self.receive().await.expect("F5");
        assert_eq!(f5[0], kind::ENROL);
        (nonce, Enrol::read(&f5[HEADER..]).expect("F5"))
    }

    pub(crate) async fn share(&mut self, nonce: &[u8; 32]) {
        let share = Share {
            version: 1,
            share: Vec::new(),
            commit: self.transcript.commit(nonce),
        };
        self.send(&share.write().expect("F2")).await;
    }

    pub(crate) async fn pending(&mut self, nonce: [u8; 32]) {
        let pending = Pending { nonce, seconds: 60 };
        self.send(&pending.write().expect("F6")).await;
    }
}

/// A device of the test's own making, connected to a real window.
pub(crate) async fn connect(invite: &Invite) -> End<client::TlsStream<TcpStream>> {
    try_connect(invite).await.expect("a handshake")
}

/// The same, if the window is still open.
pub(crate) async fn try_connect(invite: &Invite) -> Option<End<client::TlsStream<TcpStream>>> {
    connect_to(invite.addresses[0], &invite.secret).await
}

/// The same, for a device that has this secret.
pub(crate) async fn connect_to(
    address: SocketAddr,
    secret: &Secret,
) -> Option<End<client::TlsStream<TcpStream>>> {
    let tcp = TcpStream::connect(address).await.ok()?;
    let configuration = Arc::new(client(&["healthsync-pair/1"], None));
    let name = ServerName::IpAddress(address.ip().into());
    let connected = TlsConnector::from(configuration).connect(name, tcp).await;
    let stream = connected.ok()?;
    let mut exporter = [0; 32];
    let connection = stream.get_ref().1;
    connection
        .export_keying_material(&mut exporter, EXPORTER_LABEL, None)
        .expect("an exporter");
    let chain = connection.peer_certificates().expect("a certificate");
    let key = Certificate::from_der(&chain[0]).expect("a certificate").key;
    Some(End {
        transcript: Transcript::new(exporter, &key, secret),
        stream,
        exporter,
        key,
    })
}

impl End<client::TlsStream<TcpStream>> {
    /// A hello with a right tag.
    pub(crate) fn hello(&self, invite: &Invite) -> Vec<u8> {
        let mut hello = Hello {
            versions: vec![1],
            mode: Mode::Qr,
            session: invite.session,
            share: Vec::new(),
            tag: [0; 32],
        };
        let unsigned = hello.write().expect("F1");
        let covered = hello_without_tag(&unsigned).expect("F1");
        hello.tag = self.transcript.hello_tag(covered).expect("a tag");
        hello.write().expect("F1")
    }

    /// F1 and F2.
    pub(crate) async fn up_to_share(&mut self, invite: &Invite) {
        let hello = self.hello(invite);
        self.send(&hello).await;
        assert_eq!(self.receive().await.expect("F2")[0], kind::SHARE);
    }

    /// F3 and F4.
    pub(crate) async fn proved(&mut self) {
        let proof = self.transcript.client_proof().expect("a proof");
        self.send(&write_proof(kind::PROOF, &proof).expect("F3"))
            .await;
        assert_eq!(self.receive().await.expect("F4")[0], kind::CONFIRM);
    }

    /// F1 to F4.
    pub(crate) async fn up_to_confirm(&mut self, invite: &Invite) {
        self.up_to_share(invite).await;
        self.proved().await;
    }

    /// F6, and the digits that a device shows then.
    pub(crate) async fn pending_digits(&mut self) -> String {
        let f6 = self.read().await.expect("F6");
        assert_eq!(f6[0], kind::PENDING);
        let pending = Pending::read(&f6[HEADER..]).expect("F6");
        let digits = self.transcript.digits(&pending.nonce).expect("digits");
        self.transcript.add(&f6);
        digits
    }

    /// An F5 for this key, signed.
    pub(crate) fn enrol(&self, key: &DeviceKey, name: &[u8]) -> Enrol {
        let mut enrol = Enrol {
            nonce: [1; 32],
            spki: key.spki(),
            name: name.to_vec(),
            replaces: None,
            signature: [0; 64],
        };
        self.sign(&mut enrol, key);
        enrol
    }

    pub(crate) fn sign(&self, enrol: &mut Enrol, key: &DeviceKey) {
        let body = enrol.body_before_signature().expect("F5");
        let message = self.transcript.enrol_message(&body).expect("a message");
        enrol.signature = key.sign(&message).expect("a signature");
    }
}
