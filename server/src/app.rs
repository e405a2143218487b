//! What the server shares: device records, data folder, limits. Handlers take it; functions take
//! what they need.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use healthsync_core::store::{KeptTotals, Store, StoreError};
use healthsync_pairing::{audit::Audit, environment::Environment, trust::Trust};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{config::DataFolder, error::ServerError, limits::Limits, news::News, rate::Limiter};

/// The server's state.
#[derive(Debug)]
pub struct App {
    parts: Parts,
    rate: Limiter,
    scans: Arc<Semaphore>,
    packing: Arc<Semaphore>,
    news: Arc<News>,
    kept: KeptTotals,
    stop: CancellationToken,
    connections: AtomicU64,
    windows: watch::Sender<usize>,
    paused: AtomicBool,
}

/// What a server is made of.
#[derive(Debug)]
pub struct Parts {
    /// Device records and keys.
    pub trust: Arc<Trust>,
    /// Where the samples are.
    pub folder: DataFolder,
    /// Name that paired devices show.
    pub name: String,
    /// Name of the key store in use.
    pub key_store: String,
    /// Where the server listens, with real ports.
    pub listening: Vec<SocketAddr>,
    /// Clock and randomness.
    pub environment: Environment,
    /// What a peer can take.
    pub limits: Limits,
}

/// Counts something for as long as it lives.
#[derive(Debug)]
pub struct Counted<'a>(Counter<'a>);

#[derive(Debug)]
enum Counter<'a> {
    Connection(&'a AtomicU64),
    Window(&'a watch::Sender<usize>),
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        match self.0 {
            Counter::Connection(counter) => {
                counter.fetch_sub(1, Ordering::Relaxed);
            }
            Counter::Window(counter) => {
                counter.send_modify(|open| *open = open.saturating_sub(1));
            }
        }
    }
}

impl App {
    /// Puts a server together.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            scans: Arc::new(Semaphore::new(parts.limits.scans)),
            packing: Arc::new(Semaphore::new(1)),
            rate: Limiter::new(parts.limits.rate),
            news: News::new(parts.folder.health_db(), &parts.limits),
            kept: KeptTotals::default(),
            stop: CancellationToken::new(),
            parts,
            connections: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            windows: watch::Sender::new(0),
        })
    }

    /// Device records and keys.
    pub const fn trust(&self) -> &Arc<Trust> {
        &self.parts.trust
    }

    /// The audit log.
    pub fn audit(&self) -> &Audit {
        self.parts.trust.audit()
    }

    /// Where the samples are.
    pub const fn folder(&self) -> &DataFolder {
        &self.parts.folder
    }

    /// Name that paired devices show.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Name of the key store in use.
    pub fn key_store(&self) -> &str {
        &self.parts.key_store
    }

    /// Where the server listens.
    pub fn listening(&self) -> &[SocketAddr] {
        &self.parts.listening
    }

    /// Clock and randomness.
    pub const fn environment(&self) -> &Environment {
        &self.parts.environment
    }

    /// What a peer can take.
    pub const fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    /// How often devices may ask.
    pub const fn rate(&self) -> &Limiter {
        &self.rate
    }

    /// Who waits for a change.
    pub const fn news(&self) -> &Arc<News> {
        &self.news
    }

    /// What is kept of totals between requests.
    pub const fn kept_totals(&self) -> &KeptTotals {
        &self.kept
    }

    /// Cancelled when the server stops.
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        self.parts.environment.clock.now().saturating_mul(1000)
    }

    /// Connections of paired devices now.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts a connection of a paired device.
    pub fn connected(&self) -> Counted<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted(Counter::Connection(&self.connections))
    }

    /// Whether the owner has paused the server: nothing is read then.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Pauses or resumes, from the next request on.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Whether a pairing window is open.
    pub fn is_window_open(&self) -> bool {
        *self.windows.borrow() > 0
    }

    /// Changes when a pairing window opens or closes.
    pub fn windows_changed(&self) -> watch::Receiver<usize> {
        self.windows.subscribe()
    }

    /// Counts a pairing window.
    pub fn window_opened(&self) -> Counted<'_> {
        self.windows.send_modify(|open| *open += 1);
        Counted(Counter::Window(&self.windows))
    }

    /// Runs what may wait for a disk, a key store or a lock, away from the tasks.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServerError> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| ServerError::Runtime(error.into()))
    }

    /// Runs `work` on a connection of its own to the store.
    pub async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ServerError> {
        let path = self.folder().health_db();
        let outcome = self
            .blocking({
                let path = path.clone();
                move || Store::open(&path).and_then(|store| work(&store))
            })
            .await?;
        outcome.map_err(|error| ServerError::Store(path, error))
    }

    /// Whether somebody reads the store at length.
    pub fn is_scanned(&self) -> bool {
        self.scans.available_permits() < self.parts.limits.scans
    }

    /// A turn to make packs, unless somebody does so already.
    pub fn packing_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.packing).try_acquire_owned().ok()
    }

    /// Waits for a turn to read the store at length; `None` when the server stops.
    pub async fn scan_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.scans).acquire_owned().await.ok()
    }
}
