//! `sources list` and `sources prefer`: which source totals believe first. Opens the store itself,
//! whether or not a server runs.

use healthsync_core::{
    kind::Kind,
    report::inert,
    store::{Preference, Store, StoreError},
};
use serde_json::json;

use crate::{
    args::{Prefer, Sources, Which},
    error::{ExitStatus, ServerError},
    log,
    settings::Settings,
};

/// Shows or changes the order.
pub(super) async fn sources(settings: &Settings, args: Sources) -> Result<ExitStatus, ServerError> {
    log::init(&settings.log);
    settings.folder.prepare()?;
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || run(&settings, args))
        .await
        .map_err(|error| ServerError::Runtime(error.into()))?
}

fn run(settings: &Settings, args: Sources) -> Result<ExitStatus, ServerError> {
    let path = settings.folder.health_db();
    let failed = |error: StoreError| ServerError::Store(path.clone(), error);
    let mut store = Store::open(&path).map_err(failed)?;
    match args {
        Sources::List(which) => list(settings, &store, &which),
        Sources::Prefer(prefer) => change(settings, &mut store, prefer),
    }
}

/// The name of a type as the store keeps it.
fn kind(settings: &Settings, store: &Store, which: &Which) -> Result<Option<String>, ServerError> {
    let Some(text) = &which.kind else {
        return Ok(None);
    };
    let held = store
        .types()
        .map_err(|error| ServerError::Store(settings.folder.health_db(), error))?;
    let names = held.iter().map(|summary| summary.kind.as_str());
    Ok(Some(Kind::parse_among(text, names)?.kind.to_string()))
}

fn list(settings: &Settings, store: &Store, which: &Which) -> Result<ExitStatus, ServerError> {
    let kind = kind(settings, store, which)?;
    let sources = store
        .sources(kind.as_deref(), which.origin.as_deref())
        .map_err(|error| ServerError::Store(settings.folder.health_db(), error))?;
    let printer = settings.printer;
    if sources.is_empty() {
        printer.note("No source has written such samples.");
    }
    for (place, source) in (1_u64..).zip(&sources) {
        let line = json!({
            "event": "source",
            "place": place,
            "name": source.name,
            "is": source.class.as_str(),
            "preferred": source.preferred.is_some(),
        });
        printer.event(&line, || {
            let why = match source.preferred {
                Some(_) => "preferred",
                None => source.class.as_str(),
            };
            format!("{place:>3}  {}  ({why})", inert(&source.name))
        })?;
    }
    Ok(ExitStatus::Success)
}

fn change(
    settings: &Settings,
    store: &mut Store,
    prefer: Prefer,
) -> Result<ExitStatus, ServerError> {
    let kind = kind(settings, store, &prefer.which)?;
    let list = Preference {
        kind,
        origin: prefer.which.origin,
        sources: prefer.sources,
    };
    store
        .prefer(&list)
        .map_err(|error| ServerError::Store(settings.folder.health_db(), error))?;
    let printer = settings.printer;
    printer.event(
        &json!({
            "event": "preferred",
            "type": list.kind,
            "origin": list.origin,
            "sources": list.sources,
        }),
        || {
            let kind = list.kind.as_deref().unwrap_or("every type");
            if list.sources.is_empty() {
                return format!("For {}: the usual order.", inert(kind));
            }
            let names = list.sources.join(", then ");
            format!(
                "For {}: {}, then the usual order.",
                inert(kind),
                inert(&names)
            )
        },
    )?;
    Ok(ExitStatus::Success)
}
