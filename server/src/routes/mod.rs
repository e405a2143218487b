//! Every path of the server, once. Handlers see no SQL and no TLS.

mod aggregates;
mod changes;
mod collections;
mod data;
mod pair;
mod reading;
mod samples;
mod status;
mod stream;
mod types;
mod whoami;

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, get, post},
};
use healthsync_core::api::{self, Code, Collection};

use crate::{app::App, refusal::ApiError};

/// The router; [`crate::gate::pass`] stands before it.
pub fn router(app: Arc<App>) -> Router {
    let collections = Collection::ALL.iter().fold(Router::new(), |router, one| {
        router.route(one.path(), get(collections::collection))
    });
    Router::new()
        .merge(collections)
        .route(api::STATUS, get(status::status))
        .route(api::TYPES, get(types::types))
        .route(api::WHOAMI, get(whoami::whoami))
        .route(api::DATA, post(data::data))
        .route(api::SAMPLES, get(samples::samples))
        .route(api::AGGREGATES, get(aggregates::aggregates))
        .route(api::CHANGES, get(changes::changes))
        .route(api::PAIR_ACK, post(pair::acknowledge))
        .route(api::PAIR_RENEW, post(pair::renew))
        .route(api::PAIR, delete(pair::revoke))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

/// All that a client reaches whose certificate has run out.
pub fn renewals(app: Arc<App>) -> Router {
    Router::new()
        .route(api::PAIR_RENEW, post(pair::renew))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "there is no such path")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(Code::MethodNotAllowed, "the path does not take this method")
}
