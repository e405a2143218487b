//! `GET /api/v1/changes`: what was written since a cursor, page by page, in the order of writing.
//!
//! With `wait` an answer without changes is held back until there are some; see [`crate::news`].

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use healthsync_core::{
    api::{CHANGES_LIMIT, CHANGES_WAIT, ChangesParams, Code, HAS_MORE, NEXT_CURSOR},
    change::{Position, ScopeDigest, changes_schema},
    format::{Format, Options, TableEncoder},
    query::Query,
    report::Hint as _,
    store::{Changes, ChangesError, ChangesQuery, Store},
};
use healthsync_pairing::audit::Event;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::{reading::Reading, samples::accepted};
use crate::{
    app::App, error::ServerError, gate::RequestId, guest::Guest, news::Place, permit::Permit,
    refusal::ApiError,
};

/// One page.
pub(super) async fn changes(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(guest): Extension<Arc<Guest>>,
    Extension(permit): Extension<Arc<Permit>>,
    headers: HeaderMap,
    params: Result<QueryString<ChangesParams>, QueryRejection>,
) -> Result<Response, ApiError> {
    let QueryString(params) =
        params.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let format = accepted(&headers)?;
    if table(format).is_none() {
        return Err(ApiError::new(
            Code::NotAcceptable,
            "changes are not made in the accepted format",
        ));
    }
    let asked = Asked::new(&params)?;
    let deadline = Instant::now() + asked.wait;
    let mut permit = permit;
    let mut place: Option<Place> = None;
    loop {
        let query = asked.query(&permit, &app, &id)?;
        // Before the look: what is written while it looks rings again.
        if let Some(place) = &mut place {
            place.looks();
        }
        let page = look(&app, query).await?;
        let has_news = !page.batch.is_empty() || page.has_more;
        if has_news || asked.wait.is_zero() || Instant::now() >= deadline {
            return answer(&app, &permit, &id, format, page).await;
        }
        let Some(place) = &mut place else {
            // Only who finds nothing takes a place. What was written since the look rings no more in
            // it, so it looks again before it waits.
            place = Some(app.news().wait(guest.peer.pair)?);
            continue;
        };
        tokio::select! {
            () = place.rings() => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = app.stop().cancelled() => return answer(&app, &permit, &id, format, page).await,
        }
        // Who waits has the rights of the moment in which it is answered.
        permit = Arc::new(renewed(&app, &guest).await?);
    }
}

struct Asked {
    after: Option<Position>,
    limit: u32,
    wait: Duration,
    series: bool,
}

impl Asked {
    fn new(params: &ChangesParams) -> Result<Self, ApiError> {
        let refused = |message: String| ApiError::new(Code::BadRequest, message);
        let limit = params.limit.unwrap_or(CHANGES_LIMIT);
        if !(1..=CHANGES_LIMIT).contains(&limit) {
            return Err(refused(format!("a limit is 1 to {CHANGES_LIMIT}")));
        }
        let wait = params.wait.unwrap_or(0);
        if wait > CHANGES_WAIT {
            return Err(refused(format!("a wait is at most {CHANGES_WAIT} seconds")));
        }
        let after = params.after.as_deref().map(str::parse::<Position>);
        Ok(Self {
            after: after
                .transpose()
                .map_err(|error| ApiError::new(Code::InvalidCursor, error.to_string()))?,
            limit,
            wait: Duration::from_secs(wait.into()),
            series: params.series.unwrap_or(false),
        })
    }

    /// What this device may see of it.
    fn query(&self, permit: &Permit, app: &App, id: &RequestId) -> Result<ChangesQuery, ApiError> {
        let everything = match permit.narrow(Query::default()) {
            Ok(query) => query,
            Err(refusal) => {
                Reading::new(app, Event::ReadChanges, permit, id).refuse_soon(refusal.code);
                return Err(refusal);
            }
        };
        let scope = &permit.record().scope;
        Ok(ChangesQuery {
            after: self.after,
            types: everything.types,
            origins: everything.origins,
            scope: ScopeDigest::of(scope.types.as_deref(), scope.origins.as_deref()),
            limit: self.limit,
            series: self.series,
        })
    }
}

/// Looks once, away from the tasks, on a connection that is closed again.
async fn look(app: &App, query: ChangesQuery) -> Result<Changes, ApiError> {
    let Some(turn) = app.scan_turn().await else {
        return Err(ApiError::new(Code::StoreUnavailable, "the server stops"));
    };
    let path = app.folder().health_db();
    let looked = app.blocking(move || {
        let _turn = turn;
        Store::open(&path).map(|store| store.changes(&query))
    });
    let page = looked
        .await?
        .map_err(|error| ServerError::Store(app.folder().health_db(), error))?;
    page.map_err(|error| refused(&error))
}

/// The device's record as it is now.
async fn renewed(app: &App, guest: &Guest) -> Result<Permit, ApiError> {
    if app.is_paused() {
        return Err(ApiError::new(
            Code::Locked,
            "the owner has paused this server",
        ));
    }
    let (trust, peer) = (Arc::clone(app.trust()), guest.peer.clone());
    let record = app.blocking(move || trust.authorize(&peer)).await?;
    Ok(Permit::new(record?))
}

fn refused(error: &ChangesError) -> ApiError {
    match error {
        ChangesError::Gone | ChangesError::ScopeChanged => {
            let code = error.code().parse().unwrap_or(Code::Internal);
            ApiError::new(code, error.to_string())
        }
        ChangesError::Store(error) => ApiError::internal(error),
    }
}

fn table(format: &Format) -> Option<TableEncoder> {
    TableEncoder::new(format, &Options::default(), changes_schema(), "changes")
}

async fn answer(
    app: &App,
    permit: &Permit,
    id: &RequestId,
    format: &'static Format,
    page: Changes,
) -> Result<Response, ApiError> {
    let rows = page.batch.len();
    let next = page.next.to_string();
    let body = encode(format, &page, &next)?;
    // A look that found nothing gave nothing away; a client that follows looks all day.
    if rows > 0 {
        let mut reading = Reading::new(app, Event::ReadChanges, permit, id);
        if let Ok(query) = permit.narrow(Query::default()) {
            reading.about(&query);
        }
        reading.record(rows).await?;
    }
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.media_type),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    let has_more = if page.has_more { "true" } else { "false" };
    headers.insert(HAS_MORE, HeaderValue::from_static(has_more));
    if let Ok(next) = HeaderValue::from_str(&next) {
        headers.insert(NEXT_CURSOR, next);
    }
    Ok(response)
}

fn encode(format: &'static Format, page: &Changes, next: &str) -> Result<Vec<u8>, ApiError> {
    let failed = |error| ApiError::internal(&error);
    let mut encoder =
        table(format).ok_or_else(|| ApiError::new(Code::NotAcceptable, "there is no encoder"))?;
    let mut body = Vec::new();
    encoder.start(&mut body).map_err(failed)?;
    encoder
        .batch(page.batch.columns(), &mut body)
        .map_err(failed)?;
    let tail = Map::from_iter([
        ("hasMore".to_owned(), Value::from(page.has_more)),
        ("nextCursor".to_owned(), Value::from(next)),
    ]);
    encoder.finish(tail, &mut body).map_err(failed)?;
    Ok(body)
}
