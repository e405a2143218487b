//! `GET /api/v1/health/types`.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use healthsync_core::{
    api::{TypeInfo, Types},
    time::rfc3339,
};

use healthsync_pairing::audit::Event;

use super::reading::Reading;
use crate::{app::App, gate::RequestId, permit::Permit, refusal::ApiError};

/// The types that the store holds for this device, with counts and dates.
pub(super) async fn types(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(permit): Extension<Arc<Permit>>,
) -> Result<Json<Types>, ApiError> {
    let reading = Reading::new(&app, Event::ReadTypes, &permit, &id);
    let types: Vec<TypeInfo> = app
        .with_store(move |store| permit.summaries(store))
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
    reading.record(types.len()).await?;
    Ok(Json(Types {
        enabled_types,
        types,
    }))
}
