//! Who waits for something new in the store, and the one look-out for all of them.
//!
//! ```text
//! request with wait ──► Place (few a pair, few in all) ──► bell ──► looks into the store itself
//!                                                           ▲
//!              look-out, while there is a place: data_version, five times a second
//! ```
//!
//! Other processes import; that they have written is seen in SQLite's `data_version`. A place keeps
//! no file and no thread: the look-out has the only connection.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use healthsync_core::store::{Store, StoreError};
use healthsync_pairing::id::PairId;
use tokio::sync::watch;

use crate::{limits::Limits, refusal::ApiError};

/// How often the look-out looks: an import is told in less than a second.
const LOOK: Duration = Duration::from_millis(200);
/// After so many looks the store is opened anew: its file may have been replaced.
const LOOKS: u32 = 300;
/// Seconds after which a place may have come free.
const AGAIN: u32 = 5;

/// The bell that rings when the store was written to, and who listens.
#[derive(Debug)]
pub struct News {
    database: PathBuf,
    most: usize,
    most_each: usize,
    state: Mutex<State>,
    bell: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<PairId>,
    is_watched: bool,
}

/// A place among those who wait; given back when dropped.
#[derive(Debug)]
pub struct Place {
    news: Arc<News>,
    pair: PairId,
    bell: watch::Receiver<u64>,
}

impl Place {
    /// What was written until now is seen by a look that begins now.
    pub fn looks(&mut self) {
        self.bell.mark_unchanged();
    }

    /// Something may have been written since [`Place::looks`].
    pub async fn rings(&mut self) {
        // The sender lives as long as the place.
        drop(self.bell.changed().await);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.news.state();
        if let Some(at) = state.waiting.iter().position(|pair| *pair == self.pair) {
            state.waiting.swap_remove(at);
        }
    }
}

impl News {
    /// Of this store; nobody waits yet.
    pub fn new(database: PathBuf, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            database,
            most: limits.waits,
            most_each: limits.waits_per_pair,
            state: Mutex::default(),
            bell: watch::Sender::new(0),
        })
    }

    /// Takes a place, unless there are too many; in a runtime.
    pub fn wait(self: &Arc<Self>, pair: PairId) -> Result<Place, ApiError> {
        let mut state = self.state();
        let own = state.waiting.iter().filter(|other| **other == pair);
        if own.count() >= self.most_each {
            let message = format!("{} requests of this device wait already", self.most_each);
            return Err(ApiError::too_soon(message, AGAIN));
        }
        if state.waiting.len() >= self.most {
            return Err(ApiError::too_soon("too many requests wait already", AGAIN));
        }
        state.waiting.push(pair);
        if !state.is_watched {
            state.is_watched = true;
            tokio::spawn(Arc::clone(self).look_out());
        }
        Ok(Place {
            news: Arc::clone(self),
            pair,
            bell: self.bell.subscribe(),
        })
    }

    /// Rings when the store was written to, and once at the beginning: whoever looked before the
    /// first version was read may have missed what came between. Ends when nobody waits.
    async fn look_out(self: Arc<Self>) {
        let (mut store, mut known) = (None, None);
        for look in 0_u32.. {
            if look.is_multiple_of(LOOKS) {
                (store, known) = (None, None);
            }
            let news = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || version(&news.database, store)).await;
            // Those who wait look themselves, and say why they cannot.
            let (opened, found) = looked.ok().and_then(Result::ok).unzip();
            store = opened;
            if found.is_none() || found != known {
                self.bell.send_modify(|rung| *rung = rung.wrapping_add(1));
            }
            known = found;
            tokio::time::sleep(LOOK).await;
            let mut state = self.state();
            if state.waiting.is_empty() {
                state.is_watched = false;
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(database: &Path, store: Option<Store>) -> Result<(Store, i64), StoreError> {
    let store = match store {
        Some(store) => store,
        None => Store::open(database)?,
    };
    let version = store.data_version()?;
    Ok((store, version))
}

#[cfg(test)]
mod tests {
    use healthsync_core::api::Code;

    use super::*;

    #[tokio::test]
    async fn places_are_few_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            waits: 3,
            waits_per_pair: 2,
            ..Limits::standard()
        };
        let news = News::new(folder.path().join("health.db"), &limits);
        let [ana, ben] = [1, 2].map(|byte| PairId([byte; 16]));
        let first = news.wait(ana).unwrap();
        let mut others = vec![news.wait(ana).unwrap()];
        for (pair, expected) in [(ana, false), (ben, true), (ben, false)] {
            let place = news.wait(pair);
            assert_eq!(place.is_ok(), expected);
            match place {
                Ok(place) => others.push(place),
                Err(error) => {
                    assert_eq!(error.code, Code::RateLimited);
                    assert_eq!(error.retry_after, Some(AGAIN));
                }
            }
        }
        drop(first);
        assert!(news.wait(ben).is_ok());
    }

    #[tokio::test]
    async fn the_bell_rings_for_what_came_before_the_first_look() {
        let folder = tempfile::tempdir().unwrap();
        let news = News::new(folder.path().join("health.db"), &Limits::standard());
        let mut place = news.wait(PairId([1; 16])).unwrap();
        place.looks();
        let rung = tokio::time::timeout(Duration::from_secs(10), place.rings()).await;
        assert!(rung.is_ok());
    }
}
