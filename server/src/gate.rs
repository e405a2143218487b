//! What every request passes before a handler sees it. No handler runs without a
//! [`Peer`](healthsync_pairing::trust::Peer), which comes from the TLS handshake alone.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Uri, header, uri::Authority},
    response::{IntoResponse as _, Response},
};
use healthsync_core::api::{self, Code};
use healthsync_pairing::{
    audit::Event,
    defence::{Defence, holds},
    id::PairId,
    trust::Refusal,
};
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::{
    app::App,
    body,
    guest::{Errand, Guest, Watched},
    permit::Permit,
    refusal::ApiError,
    witness::Witness,
};

/// Header of every answer: finds its line in the server's log.
pub const REQUEST_ID: &str = "healthsync-request-id";

/// Checks the request, lets a handler answer it, and gives the answer its last touch.
pub async fn pass(
    app: Arc<App>,
    router: Router,
    guest: Arc<Guest>,
    request: Request,
) -> Response<Watched> {
    let in_flight = guest.asks(!request.body().is_end_stream());
    let id = request_id(&app);
    let method = request.method().clone();
    // Never the query: it says what somebody measures.
    let path = if holds(Defence::LogWithoutQuery) {
        request.uri().path().to_owned()
    } else {
        request.uri().to_string()
    };
    let claims = Claims::of(&request);
    let reads = claims.reads;
    let mut witness = Some(Witness::of(&app, request.headers()));
    let mut response = match admit(&app, &guest, claims, request).await {
        Ok(mut request) => {
            request.extensions_mut().insert(Arc::clone(&guest));
            request.extensions_mut().insert(RequestId(id.clone()));
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        Err(error) => {
            witness = None;
            error.into_response()
        }
    };
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        if let Some(event) = reads
            && matches!(error.code, Code::Locked | Code::RateLimited)
        {
            app.audit()
                .note_repeated(event, guest.peer.pair, error.code.as_str());
        }
        if let Some(reason) = &error.internal {
            tracing::error!(request = id, reason, "a request failed");
        }
        let headers = std::mem::take(response.headers_mut());
        response = error.answer(&id);
        keep(&headers, response.headers_mut());
    }
    tracing::info!(
        request = id,
        pair = %guest.peer.pair,
        %method,
        path,
        status = response.status().as_u16(),
        "request"
    );
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(witness) = witness {
        witness.testify(headers).await;
    }
    response.map(|body| in_flight.until_sent(body))
}

/// The request's id, for handlers that log.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// What the head of a request says that the gate judges.
struct Claims {
    uri: Uri,
    headers: HeaderMap,
    /// As the header promises.
    body_bytes: Option<u64>,
    is_ack: bool,
    /// It is about the caller's own pair.
    concerns_the_pair: bool,
    /// What the audit log calls it, if it reads samples.
    reads: Option<Event>,
    /// It reads no samples, so it is answered while the server is paused.
    reads_nothing: bool,
}

impl Claims {
    fn of(request: &Request) -> Self {
        let concerns_the_pair =
            [api::PAIR, api::PAIR_ACK, api::PAIR_RENEW].contains(&request.uri().path());
        Self {
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body_bytes: request.body().size_hint().exact(),
            concerns_the_pair,
            reads_nothing: concerns_the_pair
                || [api::STATUS, api::WHOAMI].contains(&request.uri().path()),
            reads: match request.uri().path() {
                api::DATA => Some(Event::ReadData),
                api::SAMPLES => Some(Event::ReadSamples),
                api::TYPES => Some(Event::ReadTypes),
                api::AGGREGATES => Some(Event::ReadAggregates),
                api::CHANGES => Some(Event::ReadChanges),
                path => api::Collection::of_path(path).map(|_| Event::ReadCollection),
            },
            is_ack: request.method() == Method::POST && request.uri().path() == api::PAIR_ACK,
        }
    }

    fn has_too_much(&self, app: &App) -> bool {
        let allowed = u64::try_from(app.limits().body_bytes).unwrap_or(u64::MAX);
        self.body_bytes.is_some_and(|promised| promised > allowed)
    }
}

/// The request with all of its body, and with what the peer may read when it has come.
async fn admit(
    app: &App,
    guest: &Guest,
    claims: Claims,
    request: Request,
) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    // What is asked stands in it.
    let is_read = [api::DATA, api::PAIR_RENEW].contains(&parts.uri.path());
    // One that is too large is refused unread.
    let body = if claims.has_too_much(app) {
        Ok(Bytes::new())
    } else if is_read {
        body::read(app, body).await
    } else {
        body::discard(app, body).await;
        Ok(Bytes::new())
    };
    let permit = check(app, guest, claims).await?;
    let mut request = Request::from_parts(parts, Body::from(body?));
    if let Some(permit) = permit {
        request.extensions_mut().insert(Arc::new(permit));
    }
    Ok(request)
}

/// What the peer may read; nobody who waits for the acknowledgement reads anything.
async fn check(app: &App, guest: &Guest, claims: Claims) -> Result<Option<Permit>, ApiError> {
    let peer = &guest.peer;
    let is_ours = names_pair(&peer.pair, &claims.uri, &claims.headers);
    if !is_ours && holds(Defence::AuthorityChecked) {
        return Err(ApiError::new(
            Code::MisdirectedRequest,
            "the request names another server than the certificate of this connection",
        ));
    }
    if claims.headers.contains_key(header::ORIGIN) {
        return Err(ApiError::new(
            Code::CrossOriginRefused,
            "requests of web pages are refused",
        ));
    }
    if claims.has_too_much(app) {
        return Err(too_large_body(app));
    }
    let (trust, peer, errand) = (Arc::clone(app.trust()), peer.clone(), guest.errand);
    let pair = peer.pair;
    let authorized = app.blocking(move || match errand {
        Errand::Data => trust.authorize(&peer),
        Errand::Renewal => trust.authorize_late(&peer),
    });
    let authorized = authorized.await?;
    // What concerns the pair itself is always answered: a device must be able to leave.
    if authorized.is_ok() && !claims.concerns_the_pair {
        app.rate().take(pair, Instant::now())?;
    }
    match authorized {
        Ok(_) if app.is_paused() && !claims.reads_nothing => Err(ApiError::new(
            Code::Locked,
            "the owner has paused this server",
        )),
        Ok(record) => Ok(Some(Permit::new(record))),
        Err(Refusal::Pending) if claims.is_ack => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The refusal of a body beyond the limit.
pub fn too_large_body(app: &App) -> ApiError {
    let kib = app.limits().body_bytes / 1024;
    ApiError::new(
        Code::PayloadTooLarge,
        format!("the body of a request has at most {kib} KiB"),
    )
}

/// Whether the request is meant for this pair's server: its authority (RFC 9110, section 7.2) is
/// one of the two names in the server's certificate, with any port. Of several claims all must be.
fn names_pair(pair: &PairId, uri: &Uri, headers: &HeaderMap) -> bool {
    let is_ours = |authority: &Authority| {
        let host = authority.host();
        !authority.as_str().contains('@')
            && (host.eq_ignore_ascii_case(&pair.server_name())
                || host.eq_ignore_ascii_case(&pair.local_name()))
    };
    let mut claims = 0_usize;
    if let Some(authority) = uri.authority() {
        if !is_ours(authority) {
            return false;
        }
        claims += 1;
    }
    for value in headers.get_all(header::HOST) {
        let ours = value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .is_some_and(|authority: Authority| is_ours(&authority));
        if !ours {
            return false;
        }
        claims += 1;
    }
    claims > 0
}

/// Headers of a handler's refusal that the written answer keeps.
fn keep(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}

/// A new request id.
pub fn request_id(app: &App) -> String {
    let mut bytes = [0_u8; 8];
    if app.environment().entropy.fill(&mut bytes).is_err() {
        tracing::warn!("no randomness for a request id");
    }
    format!("{:016x}", u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uri: &str, hosts: &[&str]) -> bool {
        let pair = PairId([7; 16]);
        let fill = |text: &str| text.replace("PAIR", &pair.to_string());
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, fill(host).parse().unwrap());
        }
        names_pair(&pair, &fill(uri).parse().unwrap(), &headers)
    }

    #[test]
    fn only_the_two_names_are_ours() {
        for (uri, hosts, expected) in [
            ("/x", &["PAIR.healthsync.internal"][..], true),
            ("/x", &["PAIR.healthsync.internal:8443"], true),
            ("/x", &["hs-PAIR.LOCAL:1"], true),
            ("https://PAIR.healthsync.internal/x", &[], true),
            (
                "https://PAIR.healthsync.internal/x",
                &["hs-PAIR.local"],
                true,
            ),
            ("https://evil.example/x", &["hs-PAIR.local"], false),
            ("https://hs-PAIR.local/x", &["evil.example"], false),
            ("/x", &[], false),
            ("/x", &["127.0.0.1:8443"], false),
            ("/x", &["localhost"], false),
            ("/x", &["PAIR.healthsync.internal.evil.example"], false),
            ("/x", &["evil@PAIR.healthsync.internal"], false),
            ("/x", &["hs-PAIR.local", "hs-PAIR.local"], true),
            ("/x", &["hs-PAIR.local", "evil.example"], false),
            ("/x", &[""], false),
        ] {
            assert_eq!(check(uri, hosts), expected, "{uri} {hosts:?}");
        }
    }
}
