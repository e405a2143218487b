//! `GET /api/v1/health/types`.

use std::sync::Arc;

use axum::{Json, extract::State};
use healthsync_core::{
    api::{TypeInfo, Types},
    store::Store,
    time::rfc3339,
};

use crate::{app::App, refusal::ApiError};

/// The types that the store holds, with counts and dates.
pub(super) async fn types(State(app): State<Arc<App>>) -> Result<Json<Types>, ApiError> {
    let types: Vec<TypeInfo> = app
        .with_store(Store::types)
        .await?
        .into_iter()
        .map(|summary| TypeInfo {
            name: summary.kind,
            unit: summary.unit,
            count: summary.count,
            first_date: rfc3339(summary.first_ms),
            last_date: rfc3339(summary.last_ms),
        })
        .collect();
    let enabled_types = types.iter().map(|info| info.name.clone()).collect();
    Ok(Json(Types {
        enabled_types,
        types,
    }))
}
