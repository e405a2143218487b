//! `POST /api/v1/pair/ack`, `POST /api/v1/pair/renew` and `DELETE /api/v1/pair`: a device about its
//! own pair.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};

use healthsync_pairing::{renewal, trust::TrustError};

use crate::{
    app::App,
    error::ServerError,
    guest::{Errand, Guest},
    refusal::ApiError,
};

/// The device has stored its certificate: the pair becomes ACTIVE.
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(guest): Extension<Arc<Guest>>,
) -> Result<StatusCode, ApiError> {
    let trust = Arc::clone(app.trust());
    app.blocking(move || trust.acknowledge(&guest.peer))
        .await?
        .map_err(ServerError::from)?;
    settle(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The device has a new key and wants a certificate for it.
pub(super) async fn renew(
    State(app): State<Arc<App>>,
    Extension(guest): Extension<Arc<Guest>>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let request = renewal::Request::read(&body)?;
    let trust = Arc::clone(app.trust());
    let renewed = app
        .blocking(move || {
            let (peer, exporter) = (&guest.peer, &guest.exporter);
            match guest.errand {
                Errand::Data => trust.renew(peer, &request, exporter),
                Errand::Renewal => trust.renew_late(peer, &request, exporter),
            }
        })
        .await?;
    let reissued = match renewed {
        Ok(reissued) => reissued,
        Err(TrustError::Refused(refusal)) => return Err(refusal.into()),
        Err(error) => return Err(ServerError::from(error).into()),
    };
    settle(&app).await;
    let octets = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((octets, reissued.write()).into_response())
}

/// The device unpairs itself.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Extension(guest): Extension<Arc<Guest>>,
) -> Result<StatusCode, ApiError> {
    // Its connections are cut as after any revocation, but this answer may leave first.
    guest.says_farewell.store(true, Ordering::Relaxed);
    let trust = Arc::clone(app.trust());
    match app.blocking(move || trust.unpair(&guest.peer)).await? {
        Ok(_) => {}
        // The device is revoked all the same; a later `revoke` deletes the key.
        Err(TrustError::KeyStore(error)) => {
            tracing::warn!(%error, "the CA key of a revoked pair is still in the key store");
        }
        Err(error) => return Err(ServerError::from(error).into()),
    }
    settle(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What happened stands in the audit log before it is confirmed. It happened all the same when the
/// log cannot be written: that is told to the server's log, and written later.
async fn settle(app: &App) {
    if let Err(error) = app.audit().settle().await {
        tracing::error!(%error, "an event waits for the audit log");
    }
}
