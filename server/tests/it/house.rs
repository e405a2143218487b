//! A server of one test: loopback, a memory key store, a folder that vanishes.

use std::{
    io::Cursor,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use healthsync_core::store::{ImportOptions, Store};
use healthsync_pairing::{
    certificate::Certificate,
    credentials::ClientCredentials,
    device::DeviceKey,
    enroll::{
        client::enroll,
        host::{Approval, WindowOptions},
    },
    environment::{Clock, Environment, SystemClock, SystemEntropy},
    id::PairId,
    invite::Invite,
    keystore::memory::MemoryStore,
    tls,
    trust::{Scope, Trust},
};
use healthsync_server::{
    app::{App, Parts},
    config::DataFolder,
    limits::Limits,
    listen,
    settings::ListenSettings,
};
use tempfile::TempDir;
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};
use tokio_util::sync::CancellationToken;

/// A running server; made in a runtime.
pub(crate) struct House {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    clock: Arc<Hands>,
    environment: Environment,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

/// The system's clock, which a test may put forward.
#[derive(Debug, Default)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> i64 {
        SystemClock.now() + self.0.load(Ordering::SeqCst)
    }
}

/// A device that was paired with it.
pub(crate) struct Device {
    pub(crate) pair: PairId,
    configuration: tokio_rustls::rustls::ClientConfig,
    late: Arc<tokio_rustls::rustls::ClientConfig>,
    address: SocketAddr,
    leaf: Vec<u8>,
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(Limits::standard())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::at(folder.path().join("data"));
        data.prepare().expect("a data folder");
        let clock = Arc::new(Hands::default());
        let environment = Environment {
            clock: Arc::<Hands>::clone(&clock),
            entropy: Arc::new(SystemEntropy),
        };
        let trust = Trust::open(
            &data.trust_db(),
            Box::new(MemoryStore::default()),
            environment.clone(),
        )
        .expect("device records");
        let listeners = listen::bind(&ListenSettings {
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            ipv6_is_optional: false,
        })
        .expect("a port");
        let address = listeners[0].local_addr().expect("an address");
        let app = App::new(Parts {
            trust,
            folder: data,
            name: "Test house".to_owned(),
            key_store: "file".to_owned(),
            listening: vec![address],
            environment: environment.clone(),
            limits,
        });
        let stop = CancellationToken::new();
        let running = tokio::spawn(listen::run(
            listeners,
            Arc::clone(&app),
            stop.clone().cancelled_owned(),
        ));
        Self {
            app,
            address,
            folder,
            clock,
            environment,
            stop,
            running,
        }
    }

    /// Puts the clock of the server, and of the devices that are made from now on, forward.
    pub(crate) fn turn(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Stops it and waits until it is gone.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.running.await.expect("the server ends");
    }

    /// Enrols a device without digits; it is PENDING.
    pub(crate) async fn enroll(&self, name: &str) -> Device {
        let window = self
            .app
            .trust()
            .open_window(WindowOptions {
                seconds: 300,
                addresses: vec![self.address],
                server_name: "Test house".to_owned(),
                approval: Approval::None,
                leaf_days: 365,
                scope: Scope::default(),
            })
            .expect("a window");
        let text = String::from_utf8(window.text.expose().to_vec()).expect("a text");
        let invite = Invite::parse(&text).expect("an invitation");
        let key = DeviceKey::generate().expect("a key");
        let enrolled = enroll(&invite, key, name, &self.environment, &mut |_| {})
            .await
            .expect("enrolled");
        Device::new(enrolled.credentials, self.address, &self.environment)
    }

    /// Enrols a device and acknowledges the pair: it is ACTIVE.
    pub(crate) async fn pair(&self, name: &str) -> Device {
        let device = self.enroll(name).await;
        let answer = device
            .client()
            .post(device.url("/api/v1/pair/ack"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 204);
        device
    }

    /// Imports `count` step records, a minute apart, and one hour of sleep.
    pub(crate) fn fill(&self, count: u32) {
        fill(&self.app.folder().health_db(), count);
    }
}

impl Device {
    fn new(credentials: ClientCredentials, address: SocketAddr, environment: &Environment) -> Self {
        let configuration =
            tls::client::configuration(&credentials, environment).expect("a configuration");
        let late = tls::client::late_renewal(&credentials, environment).expect("a configuration");
        Self {
            pair: credentials.pair,
            configuration: Arc::unwrap_or_clone(configuration),
            late,
            address,
            leaf: credentials.leaf,
        }
    }

    /// The serial number of its certificate.
    pub(crate) fn serial(&self) -> String {
        let leaf = Certificate::from_der(&self.leaf).expect("a certificate");
        leaf.serial
    }

    /// The address of a path under the pair's name.
    pub(crate) fn url(&self, path: &str) -> String {
        format!(
            "https://{}:{}{path}",
            self.pair.server_name(),
            self.address.port()
        )
    }

    /// A client with connections of its own.
    pub(crate) fn client(&self) -> reqwest::Client {
        self.builder().build().expect("a client")
    }

    /// The same, HTTP/1.1 alone.
    pub(crate) fn old_client(&self) -> reqwest::Client {
        self.builder().http1_only().build().expect("a client")
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.configuration.clone())
            .resolve(&self.pair.server_name(), self.address)
            .no_proxy()
            .timeout(Duration::from_secs(20))
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.client()
            .get(self.url(path))
            .send()
            .await
            .expect("an answer")
    }

    /// A bare TLS connection, HTTP/1.1 without ALPN, under the name of `pair`.
    pub(crate) async fn connect_as(&self, pair: &PairId) -> std::io::Result<TlsStream<TcpStream>> {
        self.handshake(TcpStream::connect(self.address).await?, pair)
            .await
    }

    pub(crate) async fn connect(&self) -> TlsStream<TcpStream> {
        self.connect_as(&self.pair).await.expect("connected")
    }

    /// A connection to the door for certificates that have run out.
    pub(crate) async fn connect_late(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.expect("connected");
        let name = ServerName::try_from(self.pair.server_name()).expect("a name");
        let connector = TlsConnector::from(Arc::clone(&self.late));
        connector.connect(name, tcp).await.expect("a handshake")
    }

    /// The same with room for little that was not read yet.
    pub(crate) async fn connect_narrowly(&self) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a buffer");
        let tcp = socket.connect(self.address).await.expect("connected");
        self.handshake(tcp, &self.pair).await.expect("a handshake")
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        pair: &PairId,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut configuration = self.configuration.clone();
        configuration.alpn_protocols.clear();
        let name = ServerName::try_from(pair.server_name()).expect("a name");
        TlsConnector::from(Arc::new(configuration))
            .connect(name, tcp)
            .await
    }
}

/// Writes an export and imports it.
pub(crate) fn fill(database: &Path, count: u32) {
    fill_as(database, "default", count);
}

/// The same as somebody else's.
pub(crate) fn fill_as(database: &Path, origin: &str, count: u32) {
    let mut store = Store::open(database).expect("a store");
    let text = export(count);
    let length = u64::try_from(text.len()).ok();
    store
        .import(
            origin,
            &mut Cursor::new(text.into_bytes()),
            length,
            &ImportOptions::default(),
            &mut |_| {},
        )
        .expect("imported");
}

/// An export as the Health app writes it.
pub(crate) fn export(count: u32) -> String {
    use std::fmt::Write as _;

    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HealthData locale=\"en_US\">\n \
         <ExportDate value=\"2026-02-01 08:00:00 +0100\"/>\n",
    );
    let midnight: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    for minute in 0..count {
        let start = midnight + jiff::SignedDuration::from_mins(minute.into());
        let end = start + jiff::SignedDuration::from_secs(30);
        let format =
            |instant: jiff::Timestamp| instant.strftime("%Y-%m-%d %H:%M:%S +0000").to_string();
        writeln!(
            text,
            " <Record type=\"HKQuantityTypeIdentifierStepCount\" sourceName=\"iPhone\" \
             unit=\"count\" creationDate=\"{end}\" startDate=\"{start}\" endDate=\"{end}\" \
             value=\"{value}\"/>",
            start = format(start),
            end = format(end),
            value = minute % 90 + 1,
        )
        .expect("a line");
    }
    text.push_str(
        " <Record type=\"HKCategoryTypeIdentifierSleepAnalysis\" sourceName=\"Watch\" \
         creationDate=\"2026-01-02 07:00:00 +0000\" startDate=\"2026-01-02 05:00:00 +0000\" \
         endDate=\"2026-01-02 06:00:00 +0000\" value=\"HKCategoryValueSleepAnalysisAsleepCore\"/>\n\
         </HealthData>\n",
    );
    text
}
