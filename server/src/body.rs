//! The body of a request, whole, within the limits. It is read before anything is answered: an HTTP/2
//! stream that ends while its sender is still busy is a failure for curl 7.88, which then has no answer.

use axum::body::{Body, Bytes};
use healthsync_core::api::Code;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::{app::App, gate, refusal::ApiError};

/// Reads it to its end; what may be read is judged afterwards, as of then.
pub async fn read(app: &App, body: Body) -> Result<Bytes, ApiError> {
    let limited = Limited::new(body, app.limits().body_bytes);
    let collected = tokio::time::timeout(app.limits().body, limited.collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(gate::too_large_body(app)),
        Ok(Err(_)) => Err(ApiError::new(Code::BadRequest, "the body broke off")),
        Err(_) => Err(ApiError::new(
            Code::RequestTimeout,
            "the body took too long",
        )),
    }
}

/// Lets the sender of what nobody reads finish, within the same limits, and keeps nothing.
pub async fn discard(app: &App, body: Body) {
    let mut limited = Limited::new(body, app.limits().body_bytes);
    let all = async { while let Some(Ok(_)) = limited.frame().await {} };
    // However it ends, the request is answered.
    drop(tokio::time::timeout(app.limits().body, all).await);
}
