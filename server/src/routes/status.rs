//! `GET /api/v1/status`.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use healthsync_core::{
    api::{AuditHead, Status},
    time::rfc3339,
};

use crate::{app::App, permit::Permit, refusal::ApiError};

/// What the server is, and holds for this device.
pub(super) async fn status(
    State(app): State<Arc<App>>,
    Extension(permit): Extension<Arc<Permit>>,
) -> Result<Json<Status>, ApiError> {
    // Not the head of a second ago: who asks for it wants to be a witness of what was just done.
    let head = app.audit().settle().await?;
    let types = app.with_store(move |store| permit.summaries(store)).await?;
    Ok(Json(Status {
        status: if app.is_paused() { "paused" } else { "ok" }.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device_name: app.name().to_owned(),
        samples: types.iter().map(|summary| summary.count).sum(),
        enabled_types: types.into_iter().map(|summary| summary.kind).collect(),
        server_time: rfc3339(app.now_ms()),
        audit: Some(AuditHead {
            sequence: head.sequence,
            hash: head.hash.to_string(),
            time: rfc3339(head.time.saturating_mul(1000)),
        }),
    }))
}
