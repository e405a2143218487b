//! The TLS configuration of each pair: made when the pair is first dialled, made anew when its
//! server leaf is due.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::ServerConfig;
use tokio::sync::MutexGuard as AsyncGuard;

use super::{Registry, TrustError};
use crate::{
    ca,
    certificate::Certificate,
    credentials::HostCredentials,
    environment::Environment,
    id::PairId,
    tls::{self, seen::Seen, server::Errand},
};

#[derive(Debug)]
pub(crate) struct Served {
    configurations: Mutex<HashMap<PairId, Ready>>,
    /// The key store is asked by one connection at a time; the others find its answer.
    loading: tokio::sync::Mutex<()>,
    registry: Arc<Registry>,
    environment: Environment,
}

/// What a handshake with one pair's client needs.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    pub(crate) configuration: Arc<ServerConfig>,
    /// Has read the client's certificate when the handshake is over.
    pub(crate) seen: Arc<Seen>,
}

/// Both errands' configurations of one pair.
#[derive(Debug)]
struct Ready {
    data: Arc<ServerConfig>,
    renewal: Arc<ServerConfig>,
    seen: Arc<Seen>,
    /// Look into the key store again from then on, Unix seconds.
    until: i64,
}

impl Served {
    pub(crate) fn new(registry: Arc<Registry>, environment: Environment) -> Self {
        Self {
            configurations: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            registry,
            environment,
        }
    }

    /// A configuration that is there and not due.
    pub(crate) fn ready(&self, pair: &PairId, errand: Errand) -> Option<Serving> {
        let now = self.environment.clock.now();
        let configurations = self.lock();
        let ready = configurations.get(pair)?;
        (now < ready.until).then(|| ready.of(errand))
    }

    pub(crate) async fn loading(&self) -> AsyncGuard<'_, ()> {
        self.loading.lock().await
    }

    /// Makes and keeps a pair's configurations; gives the one that is asked for.
    pub(crate) fn make(
        &self,
        credentials: &HostCredentials,
        errand: Errand,
    ) -> Result<Serving, TrustError> {
        let leaf = Certificate::from_der(&credentials.leaf)
            .map_err(|error| TrustError::Issuing(error.into()))?;
        let until = if credentials.ca_key.is_some() {
            // Where a new leaf could not be made it is tried again, but not at every connection.
            let due = leaf.not_after - ca::SERVER_LEAF_SECONDS / 3;
            due.max(self.environment.clock.now() + RETRY_SECONDS)
        } else {
            leaf.not_after
        };
        let seen = Arc::<Seen>::default();
        let made = |errand| {
            let (registry, seen) = (Arc::clone(&self.registry), Arc::clone(&seen));
            tls::server::paired(credentials, errand, registry, seen, &self.environment)
                .map_err(|error| TrustError::Issuing(error.into()))
        };
        let ready = Ready {
            data: made(Errand::Data)?,
            renewal: made(Errand::Renewal)?,
            seen: Arc::clone(&seen),
            until,
        };
        let wanted = ready.of(errand);
        self.lock().insert(credentials.pair, ready);
        Ok(wanted)
    }

    /// The pair is gone.
    pub(crate) fn forget(&self, pair: &PairId) {
        self.lock().remove(pair);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PairId, Ready>> {
        self.configurations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    fn of(&self, errand: Errand) -> Serving {
        let configuration = match errand {
            Errand::Data => &self.data,
            Errand::Renewal => &self.renewal,
        };
        Serving {
            configuration: Arc::clone(configuration),
            seen: Arc::clone(&self.seen),
        }
    }
}

const RETRY_SECONDS: i64 = 60;
