//! Batches that are encoded already (`healthsync_core::store::Packs`): used by long answers, made behind those
//! that found too few. They cost room on the disk, and save most of the server's work the next time.

use std::{fs, path::Path, sync::Arc, thread, time::Duration};

use healthsync_core::{
    format::Encoder,
    query::Query,
    store::{Packs, Scanned, Store, StoreError},
};

use crate::{app::App, config::DataFolder};

/// Rows that an answer must have gone through one by one, for want of packs, before some are made.
const WORTH: u64 = 100_000;
/// Answers that can hold no more rows do without: opening another file is not worth it.
const FEW: u64 = 8192;
/// Nor is it for shorter ranges: a week.
const SHORT_MS: i64 = 7 * 86_400_000;

/// How often is looked whether there is time to make packs.
const PAUSE: Duration = Duration::from_millis(50);
/// And how many times: five minutes.
const PATIENCE: u32 = 6000;

/// The packs, if this answer may be long and can hold them.
pub fn packs_for(app: &App, query: &Query, encoder: &dyn Encoder) -> Option<Packs> {
    let is_long = query.limit.is_none_or(|limit| limit >= FEW) && query.length_ms() > SHORT_MS;
    if !is_long || !encoder.takes_packs() {
        return None;
    }
    let path = app.folder().packs_db();
    Packs::open_to_read(&path).unwrap_or_else(|error| {
        give_up(app, &error);
        None
    })
}

/// What an answer tells of the packs: whether they are damaged, and whether more of them would have helped.
pub fn answered(app: &Arc<App>, packs: Option<Packs>, scanned: &Scanned) {
    if let Some(failure) = packs.and_then(|packs| packs.failure()) {
        give_up(app, &failure);
    }
    if scanned.loose >= WORTH {
        in_background(app, |app, packs, store| {
            while is_quiet(app) && has_room(app.folder()) && packs.fill(store)? {}
            Ok(())
        });
    }
}

/// The server starts: what was deleted meanwhile, by whomever, is dropped here as well.
pub fn started(app: &Arc<App>) {
    if app.folder().packs_db().exists() {
        in_background(app, |_, packs, store| packs.sweep(store));
    }
}

/// Drops the packs of what an import changed or deleted.
pub fn imported(folder: &DataFolder, store: &Store) {
    let path = folder.packs_db();
    if !path.exists() {
        return;
    }
    let swept = Packs::open(&path).and_then(|mut packs| packs.sweep(store));
    if let Err(error) = swept {
        tracing::warn!(file = %path.display(), %error, "packed samples could not be renewed");
        // A server that packs just now sweeps with its next step.
        if !matches!(error, StoreError::Busy(_)) {
            remove(&path);
        }
    }
}

/// Works on the packs in a thread of its own, unless somebody does so already.
fn in_background(
    app: &Arc<App>,
    work: impl FnOnce(&App, &mut Packs, &Store) -> Result<(), StoreError> + Send + 'static,
) {
    let Some(turn) = app.packing_turn() else {
        return;
    };
    let app = Arc::clone(app);
    drop(tokio::task::spawn_blocking(move || {
        let path = app.folder().packs_db();
        let done = Packs::open(&path).and_then(|mut packs| {
            let store = Store::open_to_walk(&app.folder().health_db())?;
            work(&app, &mut packs, &store)
        });
        if let Err(error) = done {
            tracing::warn!(file = %path.display(), %error, "samples could not be packed");
            if error.is_about_content() || matches!(error, StoreError::Full(_)) {
                remove(&path);
            }
        }
        drop(turn);
    }));
}

/// Waits until nobody is answered at length: answers come first, and the memory of both would add up. `false`:
/// the server stops, or there is no such moment; the next long answer asks again.
fn is_quiet(app: &App) -> bool {
    for _ in 0..PATIENCE {
        if app.stop().is_cancelled() {
            return false;
        }
        if !app.is_scanned() {
            return true;
        }
        thread::sleep(PAUSE);
    }
    false
}

/// Whether the disk has more room than the samples take themselves: nobody else is to meet a full one.
fn has_room(folder: &DataFolder) -> bool {
    let free = rustix::fs::statvfs(folder.path())
        .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
        .unwrap_or_default();
    fs::metadata(folder.health_db()).is_ok_and(|store| store.len() < free)
}

/// The samples are all in the store: without packs an answer only takes longer. Whoever makes packs just now
/// meets what is wrong with them, too, and nobody takes the file from under him.
fn give_up(app: &App, error: &StoreError) {
    let path = app.folder().packs_db();
    tracing::warn!(file = %path.display(), %error, "packed samples could not be used");
    if error.is_about_content()
        && let Some(_turn) = app.packing_turn()
    {
        remove(&path);
    }
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // It may not be there.
        drop(fs::remove_file(name));
    }
}
