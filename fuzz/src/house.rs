//! A server with one paired device and some samples, all in memory but for two small databases.

use std::{io::Cursor, net::SocketAddr, sync::Arc};

use healthsync_core::store::{ImportOptions, Store};
use healthsync_pairing::{
    certificate::Certificate,
    credentials::ClientCredentials,
    device::DeviceKey,
    enroll::{
        client::enroll,
        host::{Approval, WindowOptions},
    },
    environment::Environment,
    invite::Invite,
    keystore::{KeyStore, KeyStoreError, StoreKind, memory::MemoryStore},
    secret::Secret,
    trust::{Peer, Scope, Trust},
};
use healthsync_server::{
    app::{App, Parts},
    config::DataFolder,
    limits::Limits,
    listen,
    settings::ListenSettings,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::server_config::in_memory;

/// It stands until it is dropped; nobody listens any more.
#[derive(Debug)]
pub struct House {
    /// The server.
    pub app: Arc<App>,
    /// Its keys.
    pub keys: Keys,
    /// The device's side of the pair.
    pub credentials: ClientCredentials,
    /// The device, as a handshake would have shown it.
    pub peer: Peer,
    /// For what is asked of the server.
    pub runtime: Runtime,
    _folder: TempDir,
}

/// A key store in memory that two can look into.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<MemoryStore>);

impl KeyStore for Keys {
    fn kind(&self) -> StoreKind {
        self.0.kind()
    }
    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        self.0.read(item)
    }
    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        self.0.write(item, value)
    }
    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        self.0.delete(item)
    }
}

impl House {
    /// Pairs a device over loopback, as programs do.
    pub fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let folder = in_memory();
        let data = DataFolder::at(folder.path().join("data"));
        data.prepare().expect("a folder");
        fill(&data);
        let keys = Keys::default();
        let environment = Environment::system();
        let store = Box::new(keys.clone());
        let trust =
            Trust::open(&data.trust_db(), store, environment.clone()).expect("device records");
        let (app, credentials) = runtime.block_on(async {
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
                environment,
                limits: Limits::standard(),
            });
            let stop = CancellationToken::new();
            let until = stop.clone().cancelled_owned();
            let running = tokio::spawn(listen::run(listeners, Arc::clone(&app), until));
            let credentials = pair(&app, address).await;
            stop.cancel();
            running.await.expect("the server ends");
            // From here on time passes when there is nothing to do.
            tokio::time::pause();
            (app, credentials)
        });
        let leaf = Certificate::from_der(&credentials.leaf).expect("a certificate");
        let peer = Peer {
            pair: credentials.pair,
            key: leaf.key,
            not_after: leaf.not_after,
            serial: leaf.serial,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        app.trust().acknowledge(&peer).expect("acknowledged");
        Self {
            app,
            keys,
            credentials,
            peer,
            runtime,
            _folder: folder,
        }
    }
}

async fn pair(app: &Arc<App>, address: SocketAddr) -> ClientCredentials {
    let window = app
        .trust()
        .open_window(WindowOptions {
            seconds: 300,
            addresses: vec![address],
            server_name: "Test house".to_owned(),
            approval: Approval::None,
            leaf_days: 365,
            scope: Scope::default(),
        })
        .expect("a window");
    let text = std::str::from_utf8(window.text.expose()).expect("a text");
    let invite = Invite::parse(text).expect("an invitation");
    let key = DeviceKey::generate().expect("a key");
    let environment = Environment::system();
    let enrolled = enroll(&invite, key, "Fuzz", &environment, &mut |_| {}).await;
    enrolled.expect("enrolled").credentials
}

fn fill(data: &DataFolder) {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HealthData locale=\"en_US\">\n\
         <ExportDate value=\"2026-02-01 08:00:00 +0100\"/>\n",
    );
    for minute in 10..40 {
        text.push_str(&format!(
            "<Record type=\"HKQuantityTypeIdentifierStepCount\" sourceName=\"iPhone\" unit=\"count\" \
             creationDate=\"2026-01-01 08:{minute}:30 +0000\" startDate=\"2026-01-01 08:{minute}:00 +0000\" \
             endDate=\"2026-01-01 08:{minute}:30 +0000\" value=\"{minute}\"/>\n"
        ));
    }
    for (kind, value) in [
        ("QuantityTypeIdentifierHeartRate", "61.5\" unit=\"count/min"),
        (
            "CategoryTypeIdentifierSleepAnalysis",
            "HKCategoryValueSleepAnalysisAsleepREM",
        ),
    ] {
        text.push_str(&format!(
            "<Record type=\"HK{kind}\" sourceName=\"Watch\" value=\"{value}\" \
             startDate=\"2026-01-01 01:00:00 +0000\" endDate=\"2026-01-01 05:00:30 +0000\"/>\n"
        ));
    }
    text.push_str("</HealthData>\n");
    let length = u64::try_from(text.len()).ok();
    Store::open(&data.health_db())
        .expect("a store")
        .import(
            "default",
            &mut Cursor::new(text.into_bytes()),
            length,
            &ImportOptions::default(),
            &mut |_| {},
        )
        .expect("imported");
}
