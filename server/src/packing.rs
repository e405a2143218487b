//! Batches that are encoded already (`healthsync_core::store::Packs`): used by long answers, made behind those
//! that found too few. They cost room on the disk, and save most of the server's work the next time.

use std::{fs, path::Path, sync::Arc};

use healthsync_core::{
    format::Encoder,
    query::Query,
    store::{Packs, Scanned, Store, StoreError},
};

use crate::{app::App, config::DataFolder};

/// Rows that an answer must have gone through one by one before packs are made of them.
const WORTH: u64 = 100_000;
/// Answers that can hold no more rows do without: opening another file is not worth it.
const FEW: u64 = 8192;
/// Nor is it for shorter ranges: a week.
const SHORT_MS: i64 = 7 * 86_400_000;

/// The packs, if this answer may be long and can hold them.
pub fn packs_for(app: &App, query: &Query, encoder: &dyn Encoder) -> Option<Packs> {
    let path = app.folder().packs_db();
    let is_long = query.limit.is_none_or(|limit| limit >= FEW) && length_ms(query) > SHORT_MS;
    if !is_long || !encoder.takes_packs() || !path.exists() {
        return None;
    }
    opened(&path)
}

/// Makes packs in the background, if an answer was long and found too few.
pub fn answered(app: &Arc<App>, scanned: &Scanned) {
    if scanned.count.saturating_sub(scanned.packed) < WORTH {
        return;
    }
    let Some(turn) = app.packing_turn() else {
        return;
    };
    let app = Arc::clone(app);
    drop(tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let path = app.folder().packs_db();
        let Some(mut packs) = opened(&path) else {
            return;
        };
        let made = Store::open(&app.folder().health_db()).and_then(|store| {
            while !app.stop().is_cancelled() && packs.fill(&store)? {}
            Ok(())
        });
        drop(packs);
        if let Err(error) = made {
            give_up(&path, &error);
        }
    }));
}

/// Drops the packs of what an import changed or deleted.
pub fn imported(folder: &DataFolder, store: &Store) {
    let path = folder.packs_db();
    if !path.exists() {
        return;
    }
    let swept = Packs::open(&path).and_then(|mut packs| packs.sweep(store));
    if let Err(error) = swept {
        give_up(&path, &error);
    }
}

fn length_ms(query: &Query) -> i64 {
    match (query.start_ms, query.end_ms) {
        (Some(start), Some(end)) => end.saturating_sub(start),
        (Some(_) | None, Some(_) | None) => i64::MAX,
    }
}

fn opened(path: &Path) -> Option<Packs> {
    Packs::open(path)
        .map_err(|error| give_up(path, &error))
        .ok()
}

/// The samples are all in the store: without packs an answer only takes longer. What is damaged is made anew.
pub fn give_up(path: &Path, error: &StoreError) {
    tracing::warn!(file = %path.display(), %error, "packed samples could not be used");
    if matches!(error, StoreError::Damaged(_) | StoreError::NotAStore { .. }) {
        for ending in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            // It may not be there.
            drop(fs::remove_file(name));
        }
    }
}
