//! `GET /api/v1/aggregates`: totals over hours, days, weeks, months or years, streamed.

use std::{ops::ControlFlow, sync::Arc};

use axum::{
    Extension,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
};
use healthsync_core::{
    aggregate::{Calendar, Period, totals_schema, zone},
    api::{AggregatesParams, Code},
    format::{Options, TableEncoder},
    query::Query,
    store::{KeptTotals, Store},
    time,
};
use healthsync_pairing::audit::Event;
use jiff::{civil::Weekday, tz::TimeZone};
use serde_json::{Map, Value};

use super::{
    reading::Reading,
    samples::{accepted, list},
    stream::{self, Broken, Outlet, Wanted},
};
use crate::{app::App, gate::RequestId, permit::Permit, refusal::ApiError};

/// Totals in the order type, time.
pub(super) async fn aggregates(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(permit): Extension<Arc<Permit>>,
    headers: HeaderMap,
    params: Result<QueryString<AggregatesParams>, QueryRejection>,
) -> Result<Response, ApiError> {
    let QueryString(params) =
        params.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let format = accepted(&headers)?;
    let encoder = TableEncoder::new(format, &Options::default(), totals_schema(), "aggregations");
    let encoder = encoder.ok_or_else(|| {
        ApiError::new(
            Code::NotAcceptable,
            "totals are not made in the accepted format",
        )
    })?;
    let calendar = calendar(&params, &TimeZone::system())?;
    let now_ms = app.now_ms();
    let reading = Reading::new(&app, Event::ReadAggregates, &permit, &id);
    let begun = {
        let calendar = calendar.clone();
        move |store: &Store, reading: &mut Reading| {
            let build = |held: &[String]| query(&params, held, &calendar, now_ms);
            Ok((stream::narrowed(store, &permit, build, reading)?, None))
        }
    };
    let keeper = Arc::clone(&app);
    let written = move |store: &Store, query: Query, outlet: &mut Outlet| {
        let kept = keeper.kept_totals();
        write(store, &query, &calendar, kept, encoder, outlet)
    };
    stream::respond(app, reading, format.media_type, begun, written).await
}

fn write(
    store: &Store,
    query: &Query,
    calendar: &Calendar,
    kept: &KeptTotals,
    mut encoder: TableEncoder,
    outlet: &mut Outlet,
) -> Result<(), Broken> {
    let mut out = Vec::new();
    encoder.start(&mut out)?;
    let mut broken = None;
    store.totals(query, calendar, Some(kept), &mut |batch| {
        outlet.add(batch.len());
        let written = encoder
            .batch(batch.columns(), &mut out)
            .map_err(Broken::from)
            .and_then(|()| outlet.send_full(&mut out));
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = broken {
        return Err(error);
    }
    let tail = Map::from_iter([
        ("period".to_owned(), Value::from(calendar.period().as_str())),
        ("timezone".to_owned(), Value::from(calendar.zone_name())),
    ]);
    encoder.finish(tail, &mut out)?;
    outlet.finish(out)
}

/// What the days are.
fn calendar(params: &AggregatesParams, system: &TimeZone) -> Result<Calendar, ApiError> {
    let refused = |message: String| ApiError::new(Code::InvalidPeriod, message);
    let period = match params.period.as_deref() {
        None => Period::Daily,
        Some(name) => {
            name.parse()
                .map_err(|error: healthsync_core::aggregate::UnknownPeriod| {
                    refused(error.to_string())
                })?
        }
    };
    let zone = match params.timezone.as_deref() {
        None => system.clone(),
        Some(name) => zone(name).map_err(|error| refused(error.to_string()))?,
    };
    let week_start = match params.week_start.as_deref() {
        None => Weekday::Monday,
        Some(name) => {
            weekday(name).ok_or_else(|| refused(format!("{name:?} is no day of the week")))?
        }
    };
    Ok(Calendar::new(period, zone, week_start))
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// Reads the query string against what the store holds. Dates without an offset are those of the
/// calendar.
fn query(
    params: &AggregatesParams,
    held: &[String],
    calendar: &Calendar,
    now_ms: i64,
) -> Result<Query, ApiError> {
    let instant = |text: Option<&str>| {
        let read = text.map(|text| time::parse(text, calendar.zone(), now_ms).map(time::rfc3339));
        read.transpose()
            .map_err(|error| ApiError::new(Code::InvalidRange, error.to_string()))
    };
    Wanted {
        types: &list(params.types.as_deref()),
        start: instant(params.start.as_deref())?.as_deref(),
        end: instant(params.end.as_deref())?.as_deref(),
        limit: None,
        offset: 0,
        cursor: None,
        origins: &list(params.origin.as_deref()),
        include_metadata: false,
    }
    .query(held, now_ms)
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    fn check(query_string: &str) -> Result<(Query, Calendar), Code> {
        let uri: Uri = format!("/api/v1/aggregates?{query_string}")
            .parse()
            .map_err(|_| Code::BadRequest)?;
        let QueryString(params) = QueryString::try_from_uri(&uri).map_err(|_| Code::BadRequest)?;
        let told = |error: ApiError| error.code;
        let calendar = calendar(&params, &TimeZone::UTC).map_err(told)?;
        let query = query(&params, &[], &calendar, 1_768_021_200_000).map_err(told)?;
        Ok((query, calendar))
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let (query, calendar) =
            check("timezone=Europe/Vienna&start=2026-01-10&types=sleep").unwrap();
        assert_eq!(query.start_ms, Some(1_767_999_600_000));
        assert_eq!(calendar.period(), Period::Daily);
        assert_eq!(calendar.zone_name(), "Europe/Vienna");
        let (_, calendar) = check("period=weekly&weekStart=sunday").unwrap();
        assert_eq!(
            (calendar.period(), calendar.zone_name()),
            (Period::Weekly, "UTC".to_owned())
        );
    }

    #[test]
    fn mistakes_are_refused() {
        for (query_string, expected) in [
            ("period=fortnightly", Code::InvalidPeriod),
            ("timezone=Mars/Olympus", Code::InvalidPeriod),
            ("weekStart=today", Code::InvalidPeriod),
            ("types=stpes", Code::UnknownType),
            ("start=2026-01-02&end=2026-01-01", Code::InvalidRange),
            ("limit=5", Code::BadRequest),
        ] {
            assert_eq!(check(query_string).unwrap_err(), expected, "{query_string}");
        }
    }
}
