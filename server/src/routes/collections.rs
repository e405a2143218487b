//! `GET /api/v1/workouts`, `routes`, `ecg`, `activity` and the like: NDJSON, one object a line.
//!
//! Which word of a device's scope stands for which collection, [`Collection`] says. Correlations
//! have no word: who may read `bloodPressure`, or both of its numbers, may read those.

use std::{ops::ControlFlow, sync::Arc};

use axum::{
    Extension,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::{HeaderMap, Uri, header},
    response::Response,
};
use healthsync_core::{
    api::{Code, Collection, CollectionParams},
    format::{self, LineError, correlation_line, document_line, workout_line},
    store::{Paged, Range, Store, StoreError},
};
use healthsync_pairing::audit::Event;

use super::{
    reading::Reading,
    samples::list,
    stream::{self, Broken, Outlet, instant},
};
use crate::{
    app::App,
    gate::RequestId,
    permit::{CORRELATIONS, Permit},
    refusal::ApiError,
};

/// What a device wants, as far as it may.
#[derive(Clone, Debug)]
struct Wanted {
    collection: Collection,
    /// Of correlations.
    types: Vec<String>,
    range: Range,
}

/// One collection in the order (start, id), streamed.
pub(super) async fn collection(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(permit): Extension<Arc<Permit>>,
    uri: Uri,
    headers: HeaderMap,
    params: Result<QueryString<CollectionParams>, QueryRejection>,
) -> Result<Response, ApiError> {
    let collection = Collection::of_path(uri.path())
        .ok_or_else(|| ApiError::new(Code::NotFound, "there is no such path"))?;
    let QueryString(params) =
        params.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let media_type = accepted(&headers)?;
    let wanted = wanted(collection, &params, app.now_ms())?;
    let reading = Reading::new(&app, Event::ReadCollection, &permit, &id);
    let begun = move |store: &Store, reading: &mut Reading| begin(store, wanted, &permit, reading);
    let written =
        |store: &Store, wanted: Wanted, outlet: &mut Outlet| write(store, &wanted, outlet);
    stream::respond(app, reading, media_type, begun, written).await
}

/// NDJSON, unless the client takes that as nothing.
fn accepted(headers: &HeaderMap) -> Result<&'static str, ApiError> {
    let values = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    format::by_name("ndjson")
        .filter(|format| accept.trim().is_empty() || format.is_accepted(&accept))
        .map(|format| format.media_type)
        .ok_or_else(|| {
            ApiError::new(
                Code::NotAcceptable,
                "collections are made as application/x-ndjson alone",
            )
            .with_hint("accept application/x-ndjson")
        })
}

fn wanted(
    collection: Collection,
    params: &CollectionParams,
    now_ms: i64,
) -> Result<Wanted, ApiError> {
    let types: Vec<String> = list(params.types.as_deref())
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !types.is_empty() && collection != Collection::Correlations {
        return Err(ApiError::new(
            Code::BadRequest,
            format!("{collection} have no types"),
        ));
    }
    if let Some(name) = types
        .iter()
        .find(|name| !CORRELATIONS.contains(&name.as_str()))
    {
        return Err(ApiError::new(
            Code::UnknownType,
            format!("there is no correlation of the type {name:?}"),
        )
        .with_hint(format!("the types are {}", CORRELATIONS.join(" and "))));
    }
    if params.limit == Some(0) {
        return Err(ApiError::new(Code::BadRequest, "a limit is at least 1"));
    }
    let range = Range {
        start_ms: instant(params.start.as_deref(), now_ms)?,
        end_ms: instant(params.end.as_deref(), now_ms)?,
        origins: list(params.origin.as_deref())
            .into_iter()
            .map(str::to_owned)
            .collect(),
        after: params
            .cursor
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: healthsync_core::query::InvalidCursor| {
                ApiError::new(Code::InvalidCursor, error.to_string())
            })?,
        limit: params.limit,
    };
    match (range.start_ms, range.end_ms) {
        (Some(start), Some(end)) if end <= start => Err(ApiError::new(
            Code::InvalidRange,
            "the end of the range is not after its start",
        )),
        _ => Ok(Wanted {
            collection,
            types,
            range,
        }),
    }
}

/// What is read, narrowed to what the device may read, and where the next page begins.
fn begin(
    store: &Store,
    wanted: Wanted,
    permit: &Permit,
    reading: &mut Reading,
) -> Result<(Wanted, Option<String>), ApiError> {
    reading.about_words(&words(&wanted));
    let narrowed = narrow(wanted, permit);
    let wanted = match narrowed {
        Ok(wanted) => wanted,
        Err(refused) => {
            reading.refuse(refused.code)?;
            return Err(refused);
        }
    };
    reading.about_words(&words(&wanted));
    if wanted.range.limit.is_none() {
        return Ok((wanted, None));
    }
    // Looked for in the same state of the store; nothing is made of what is passed by.
    let next = scan(store, &wanted, &mut |_| Ok(()))
        .map_err(|error| ApiError::internal(&error))?
        .next;
    Ok((wanted, next.map(|place| place.to_string())))
}

/// How the audit log calls it.
fn words(wanted: &Wanted) -> Vec<String> {
    if wanted.types.is_empty() {
        vec![wanted.collection.to_string()]
    } else {
        wanted.types.clone()
    }
}

fn narrow(mut wanted: Wanted, permit: &Permit) -> Result<Wanted, ApiError> {
    if wanted.collection == Collection::Correlations {
        wanted.types = permit.correlations(wanted.types)?;
    } else {
        permit.collection(wanted.collection)?;
    }
    wanted.range.origins = permit.origins(wanted.range.origins)?;
    Ok(wanted)
}

/// One object on its way to a line.
enum Found {
    Workout(healthsync_core::store::StoredWorkout),
    Correlation(healthsync_core::store::StoredCorrelation),
    Document(healthsync_core::store::StoredDocument),
}

/// Walks over what is wanted; a sink that fails ends the walk.
fn scan(
    store: &Store,
    wanted: &Wanted,
    sink: &mut dyn FnMut(Found) -> Result<(), Broken>,
) -> Result<Paged, Broken> {
    let mut broken = None;
    let mut hand_on = |found| match sink(found) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            broken = Some(error);
            ControlFlow::Break(())
        }
    };
    let range = &wanted.range;
    let paged: Result<Paged, StoreError> = match (wanted.collection, wanted.collection.noun()) {
        (_, Some(noun)) => {
            store.documents(noun, range, &mut |found| hand_on(Found::Document(found)))
        }
        (Collection::Correlations, None) => {
            let types = &wanted.types;
            store.correlations(types, range, &mut |found| {
                hand_on(Found::Correlation(found))
            })
        }
        (_, None) => store.workouts(range, &mut |found| hand_on(Found::Workout(found))),
    };
    let paged = paged?;
    broken.map_or(Ok(paged), Err)
}

fn write(store: &Store, wanted: &Wanted, outlet: &mut Outlet) -> Result<(), Broken> {
    let mut out = Vec::new();
    scan(store, wanted, &mut |found| {
        outlet.add(1);
        match found {
            Found::Workout(workout) => workout_line(workout, &mut out)?,
            Found::Correlation(correlation) => correlation_line(correlation, &mut out)?,
            Found::Document(document) => {
                let mut broken = None;
                let line = document_line(store, document, &mut out, &mut |out| match outlet
                    .send_full(out)
                {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        broken = Some(error);
                        ControlFlow::Break(())
                    }
                });
                match (line, broken) {
                    (Err(LineError::Stopped), Some(error)) => return Err(error),
                    (line, _) => line?,
                }
            }
        }
        outlet.send_full(&mut out)
    })?;
    outlet.finish(out)
}
