//! A host on loopback with a key store in memory and a clock that tests turn, and devices for it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

use healthsync_pairing::{
    credentials::ClientCredentials,
    device::DeviceKey,
    enroll::{
        client::{EnrollError, Enrolled, Event, enroll},
        host::{Approval, HostEvent, Window, WindowOptions},
    },
    environment::{Clock, Environment, SystemEntropy},
    id::KeyDigest,
    invite::Invite,
    keystore::{KeyStore, KeyStoreError, StoreKind, memory::MemoryStore},
    renewal,
    secret::Secret,
    tls::door::{Entered, enter},
    trust::{DeviceRecord, Peer, Trust},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::server::TlsStream;

pub(crate) const START: i64 = 1_800_000_000;
pub(crate) const DAY: i64 = 86_400;

/// A clock that stands until it is turned.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) const fn at(now: i64) -> Self {
        Self(AtomicI64::new(now))
    }

    pub(crate) fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A key store that the test can look into, and be told of before and after each change.
#[derive(Clone, Default)]
pub(crate) struct Keys(pub(crate) Arc<MemoryStore>, pub(crate) Arc<Mutex<Watch>>);

/// Is told what happens.
pub(crate) type Watch = Option<Box<dyn Fn(&str) + Send>>;

impl Keys {
    fn tell(&self, what: &str) {
        if let Some(watch) = self.1.lock().expect("whole").as_ref() {
            watch(what);
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Keys {
    /// The names of all items but the key of the audit log.
    pub(crate) fn of_pairs(&self) -> Vec<String> {
        let mut items = self.0.items();
        items.retain(|item| item != "audit");
        items
    }
}

impl KeyStore for Keys {
    fn kind(&self) -> StoreKind {
        self.0.kind()
    }
    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        self.0.read(item)
    }
    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        self.tell("before a key is written");
        self.0.write(item, value)?;
        self.tell("after a key was written");
        Ok(())
    }
    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        self.tell("before a key is deleted");
        let deleted = self.0.delete(item)?;
        self.tell("after a key was deleted");
        Ok(deleted)
    }
}

pub(crate) struct Host {
    pub(crate) trust: Arc<Trust>,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) keys: Keys,
    /// Who came in on the data port, or why not.
    pub(crate) visits: mpsc::UnboundedReceiver<Result<Peer, &'static str>>,
    pub(crate) folder: tempfile::TempDir,
    server: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Host {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(TestClock::at(START));
        Self::start_in(folder, Keys::default(), clock).await
    }

    /// The same host after a restart.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// The same, with something done to its folder while it is down.
    pub(crate) async fn restart_after(mut self, change: impl FnOnce(&Path)) -> Self {
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder"));
        let (keys, clock) = (self.keys.clone(), Arc::clone(&self.clock));
        drop(self);
        change(folder.path());
        Self::start_in(folder, keys, clock).await
    }

    /// A host with what is in this folder and this key store.
    pub(crate) async fn start_in(
        folder: tempfile::TempDir,
        keys: Keys,
        clock: Arc<TestClock>,
    ) -> Self {
        let trust = open(folder.path(), &keys, &clock);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, visits) = mpsc::unbounded_channel();
        let server = tokio::spawn({
            let trust = Arc::clone(&trust);
            async move {
                while let Ok((stream, from)) = listener.accept().await {
                    let (trust, seen) = (Arc::clone(&trust), seen.clone());
                    tokio::spawn(async move {
                        match enter(&trust, stream, from).await {
                            Ok(Entered::Pairing(exchange)) => {
                                if let Err(turned) = exchange.run().await {
                                    seen.send(Err(turned.reason)).unwrap_or(());
                                }
                            }
                            Err(turned) => seen.send(Err(turned.reason)).unwrap_or(()),
                            Ok(Entered::Renewal { stream, peer }) => {
                                seen.send(Ok(peer.clone())).unwrap_or(());
                                renew_late(trust, *stream, peer).await;
                            }
                            Ok(Entered::Data { mut stream, peer }) => {
                                seen.send(Ok(peer)).unwrap_or(());
                                let mut bytes = [0; 64];
                                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                                    if stream.write_all(&bytes[..count]).await.is_err() {
                                        break;
                                    }
                                }
                            }
                        }
                    });
                }
            }
        });
        Self {
            trust,
            address,
            clock,
            keys,
            visits,
            folder,
            server,
        }
    }

    pub(crate) fn environment(&self) -> Environment {
        environment(&self.clock)
    }

    pub(crate) fn options(&self, approval: Approval) -> WindowOptions {
        WindowOptions {
            seconds: 300,
            addresses: vec![self.address],
            server_name: "Home server".to_owned(),
            approval,
            leaf_days: 365,
            scope: healthsync_pairing::trust::Scope::default(),
        }
    }

    pub(crate) fn window(&self, approval: Approval) -> (Window, Invite) {
        let window = self
            .trust
            .open_window(self.options(approval))
            .expect("a window");
        let text = String::from_utf8(window.text.expose().to_vec()).expect("text");
        (window, Invite::parse(&text).expect("an invitation"))
    }

    /// A device that pairs in a task of its own; digits come out of the channel.
    pub(crate) fn device(&self, invite: Invite, name: &str) -> Device {
        self.device_with(invite, name, DeviceKey::generate().expect("a key"))
    }

    pub(crate) fn device_with(&self, invite: Invite, name: &str, key: DeviceKey) -> Device {
        let (seen, events) = mpsc::unbounded_channel();
        let (environment, name) = (self.environment(), name.to_owned());
        let digest = key.digest();
        let outcome = tokio::spawn(async move {
            enroll(&invite, key, &name, &environment, &mut |event| {
                seen.send(event).unwrap_or(());
            })
            .await
        });
        Device {
            key: digest,
            events,
            outcome,
        }
    }

    /// A device that is paired and acknowledged, without questions.
    pub(crate) async fn paired(&self, name: &str) -> ClientCredentials {
        let (mut window, invite) = self.window(Approval::None);
        let enrolled = self.device(invite, name).outcome.await.expect("runs");
        let credentials = enrolled.expect("enrolled").credentials;
        let record = self.acknowledge(&credentials).expect("acknowledged");
        let event = window.events.recv().await;
        assert_eq!(
            event,
            Some(HostEvent::Paired {
                pair: record.pair,
                name: record.name.clone(),
            })
        );
        credentials
    }

    pub(crate) fn acknowledge(
        &self,
        credentials: &ClientCredentials,
    ) -> Result<DeviceRecord, healthsync_pairing::trust::TrustError> {
        self.trust.acknowledge(&peer(credentials))
    }
}

/// What needs no waiting: so a test that sees an attack fails at once.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(10);
    let done = tokio::time::timeout(limit, work).await;
    done.expect("done within ten seconds")
}

/// The invitation of a window once more: somebody photographed it.
pub(crate) fn again(window: &Window) -> Invite {
    let text = String::from_utf8(window.text.expose().to_vec()).expect("text");
    Invite::parse(&text).expect("an invitation")
}

/// Answers one request as the server does, without HTTP around it: a byte 0 and the answer, or a
/// byte 1 and why not.
async fn renew_late(trust: Arc<Trust>, mut stream: TlsStream<TcpStream>, peer: Peer) {
    let exporter = renewal::exporter(stream.get_ref().1).expect("an exporter");
    let mut body = [0; renewal::REQUEST_LENGTH];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let request = renewal::Request::read(&body).expect("a request");
    let answer = match trust.renew_late(&peer, &request, &exporter) {
        Ok(reissued) => [&[0][..], &reissued.write()].concat(),
        Err(error) => [&[1][..], error.to_string().as_bytes()].concat(),
    };
    stream.write_all(&answer).await.expect("written");
    stream.shutdown().await.expect("ended");
}

pub(crate) struct Device {
    pub(crate) key: KeyDigest,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
    pub(crate) outcome: JoinHandle<Result<Enrolled, EnrollError>>,
}

impl Device {
    /// The digits that this device shows.
    pub(crate) async fn digits(&mut self) -> String {
        loop {
            match self.events.recv().await {
                Some(Event::Digits { digits, seconds }) => {
                    assert_eq!(seconds, 60);
                    return digits;
                }
                Some(Event::Connected(_)) => {}
                None => panic!("no digits"),
            }
        }
    }

    /// The code of its failure.
    pub(crate) async fn failure(self) -> &'static str {
        let outcome = self.outcome.await.expect("runs");
        outcome.expect_err("a failure").code()
    }
}

pub(crate) fn open(folder: &Path, keys: &Keys, clock: &Arc<TestClock>) -> Arc<Trust> {
    let database = folder.join("trust.db");
    Trust::open(&database, Box::new(keys.clone()), environment(clock)).expect("opens")
}

pub(crate) fn environment(clock: &Arc<TestClock>) -> Environment {
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    Environment {
        clock,
        entropy: Arc::new(SystemEntropy),
    }
}

/// The peer that a handshake with these credentials gives.
pub(crate) fn peer(credentials: &ClientCredentials) -> Peer {
    let leaf = healthsync_pairing::certificate::Certificate::from_der(&credentials.leaf)
        .expect("a certificate");
    Peer {
        pair: credentials.pair,
        key: credentials.key.digest(),
        not_after: leaf.not_after,
        serial: leaf.serial,
        address: Ipv4Addr::LOCALHOST.into(),
    }
}
