//! `GET /api/v1/whoami`: a device about itself.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use healthsync_core::{
    api::{CertificateInfo, WhoAmI},
    time::rfc3339,
};
use healthsync_pairing::ca::CLIENT_SUBJECT;

use crate::{
    app::App,
    guest::Guest,
    permit::{self, Permit},
};

const DAY_SECONDS: i64 = 86_400;

/// Who the caller is to this server, and what it may read.
pub(super) async fn whoami(
    State(app): State<Arc<App>>,
    Extension(guest): Extension<Arc<Guest>>,
    Extension(permit): Extension<Arc<Permit>>,
) -> Json<WhoAmI> {
    let record = permit.record();
    let not_after = guest.peer.not_after;
    let left = not_after.saturating_sub(app.environment().clock.now());
    Json(WhoAmI {
        pair: record.pair.to_string(),
        name: record.name.clone(),
        role: "read".to_owned(),
        scope: permit::info(&record.scope),
        certificate: CertificateInfo {
            subject: format!("CN={CLIENT_SUBJECT}"),
            serial: guest.peer.serial.clone(),
            not_after: rfc3339(not_after.saturating_mul(1000)),
        },
        days_left: left.max(0) / DAY_SECONDS,
    })
}
