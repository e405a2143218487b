//! `GET /api/v1/samples`: the bulk endpoint, in whatever format `Accept` names.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::Response,
};
use healthsync_core::{
    api::{Code, SamplesParams},
    format::{self, Format, Options},
    query::Query,
};
use healthsync_pairing::audit::Event;

use super::{
    reading::Reading,
    stream::{self, Wanted},
};
use crate::{app::App, gate::RequestId, permit::Permit, refusal::ApiError};

/// Samples in the order (type, start, id), streamed.
pub(super) async fn samples(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(permit): Extension<Arc<Permit>>,
    headers: HeaderMap,
    params: Result<QueryString<SamplesParams>, QueryRejection>,
) -> Result<Response, ApiError> {
    let QueryString(params) =
        params.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let format = accepted(&headers)?;
    let options = Options {
        include_metadata: params.metadata.unwrap_or(false),
        ..Options::default()
    };
    let now_ms = app.now_ms();
    let reading = Reading::new(&app, Event::ReadSamples, &permit, &id);
    stream::answer(app, reading, permit, format, options, move |held| {
        query(&params, held, now_ms)
    })
    .await
}

/// The format that the header `Accept` names.
pub(super) fn accepted(headers: &HeaderMap) -> Result<&'static Format, ApiError> {
    let accept: Vec<&str> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let accept = accept.join(",");
    format::by_accept(Some(accept.as_str()).filter(|text| !text.is_empty())).ok_or_else(|| {
        ApiError::new(
            Code::NotAcceptable,
            "none of the accepted formats can be made",
        )
    })
}

/// Reads the query string against what the store holds.
fn query(params: &SamplesParams, held: &[String], now_ms: i64) -> Result<Query, ApiError> {
    let names: Vec<&str> = list(params.types.as_deref());
    Wanted {
        types: &names,
        start: params.start.as_deref(),
        end: params.end.as_deref(),
        limit: params.limit,
        offset: params.offset.unwrap_or(0),
        cursor: params.cursor.as_deref(),
        origins: &list(params.origin.as_deref()),
        include_metadata: params.metadata.unwrap_or(false),
    }
    .query(held, now_ms)
}

/// Names that are joined by commas.
pub(super) fn list(text: Option<&str>) -> Vec<&str> {
    text.into_iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    fn check(query_string: &str) -> Result<Query, Code> {
        let uri: Uri = format!("/api/v1/samples?{query_string}")
            .parse()
            .map_err(|_| Code::BadRequest)?;
        let QueryString(params) = QueryString::try_from_uri(&uri).map_err(|_| Code::BadRequest)?;
        query(&params, &[], 1_768_021_200_000).map_err(|error| error.code)
    }

    #[test]
    fn nothing_means_everything() {
        assert_eq!(check(""), Ok(Query::default()));
        assert_eq!(check("types=all"), Ok(Query::default()));
        assert_eq!(check("types="), Ok(Query::default()));
    }

    #[test]
    fn names_ranges_and_limits_are_read() {
        let query = check(
            "types=steps,heart_rate&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00%2B01:00\
             &limit=5&offset=7&metadata=true&origin=ana",
        )
        .unwrap();
        let names: Vec<_> = query
            .types
            .iter()
            .map(|selector| selector.kind.as_str())
            .collect();
        assert_eq!(names, ["steps", "heartRate"]);
        assert_eq!(query.start_ms, Some(1_767_225_600_000));
        assert_eq!(query.end_ms, Some(1_767_225_600_000 + 23 * 3_600_000));
        assert_eq!((query.limit, query.offset), (Some(5), 7));
        assert!(query.include_metadata);
        assert_eq!(query.origins, ["ana"]);
    }

    #[test]
    fn mistakes_are_refused() {
        for (query_string, expected) in [
            ("types=stpes", Code::UnknownType),
            ("types=steps,nothing", Code::UnknownType),
            ("start=2026-01-02&end=2026-01-01", Code::InvalidRange),
            ("start=2026-01-01&end=2026-01-01", Code::InvalidRange),
            ("start=whenever", Code::InvalidRange),
            ("limit=-1", Code::BadRequest),
            ("limit=0", Code::BadRequest),
            ("offset=-1", Code::BadRequest),
            ("limit=99999999999999999999", Code::BadRequest),
            ("cursor=../../etc/passwd", Code::InvalidCursor),
            ("type=steps", Code::BadRequest),
            ("types=steps&types=heartRate", Code::BadRequest),
        ] {
            assert_eq!(check(query_string), Err(expected), "{query_string}");
        }
    }

    #[test]
    fn nearest_name_is_named() {
        let params = SamplesParams {
            types: Some("stepz".to_owned()),
            ..SamplesParams::default()
        };
        let error = query(&params, &[], 0).unwrap_err();
        assert!(error.hint.unwrap().contains("steps"));
    }
}
