//! `POST /api/v1/health/data`: the documented shape. `hasMore` is never dropped.

use std::sync::Arc;

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use healthsync_core::{
    api::{Code, DataRequest},
    format::{self, Options},
    query::Query,
};
use healthsync_pairing::audit::Event;

use super::{
    reading::Reading,
    stream::{self, Wanted},
};
use crate::{app::App, gate::RequestId, permit::Permit, refusal::ApiError};

/// As the documents have it: a request without a limit gets at most so many samples.
const USUAL_LIMIT: u64 = 1000;

/// Samples of some types in a range, as JSON.
pub(super) async fn data(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(permit): Extension<Arc<Permit>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    if !is_json(&headers) {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            "the body is not JSON",
        ));
    }
    let request: DataRequest = serde_json::from_slice(&body).map_err(|error| {
        ApiError::new(
            Code::BadRequest,
            format!("the body is not a request for data: {error}"),
        )
    })?;
    let format = format::by_name("json")
        .ok_or_else(|| ApiError::new(Code::NotAcceptable, "there is no JSON"))?;
    let now_ms = app.now_ms();
    let reading = Reading::new(&app, Event::ReadData, &permit, &id);
    stream::answer(
        app,
        reading,
        permit,
        format,
        Options::default(),
        move |held| query(&request, held, now_ms),
    )
    .await
}

/// `application/json` with any parameters; no type at all is taken for JSON, as the documents do.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_none_or(|value| {
        value
            .to_str()
            .ok()
            .and_then(|text| text.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
    })
}

fn query(request: &DataRequest, held: &[String], now_ms: i64) -> Result<Query, ApiError> {
    let names: Vec<&str> = request.types.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Err(ApiError::new(Code::BadRequest, "the request names no type")
            .with_hint("name some in `types`, or `[\"all\"]`"));
    }
    Wanted {
        types: &names,
        start: Some(&request.start_date),
        end: Some(&request.end_date),
        limit: Some(request.limit.unwrap_or(USUAL_LIMIT)),
        offset: request.offset.unwrap_or(0),
        cursor: request.cursor.as_deref(),
        origins: &[],
        include_metadata: false,
    }
    .query(held, now_ms)
}
