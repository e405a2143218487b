//! Why a request gets no answer: a stable code, words for a person, and what only the log says.

use std::error::Error;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use healthsync_core::api::{Code, ErrorBody};
use healthsync_pairing::{audit::AuditError, trust::Refusal};

use crate::{error::ServerError, gate::REQUEST_ID};

/// A request that is refused or failed.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// Stable.
    pub code: Code,
    /// For people; no health value in it.
    pub message: String,
    /// The next step, where the code's usual one is not enough.
    pub hint: Option<String>,
    /// For the log alone.
    pub internal: Option<String>,
    /// Seconds after which the same request may be answered.
    pub retry_after: Option<u32>,
}

impl ApiError {
    /// A refusal in the server's words.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            internal: None,
            retry_after: None,
        }
    }

    /// A request that comes too soon.
    pub fn too_soon(message: impl Into<String>, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(Code::RateLimited, message)
        }
        .with_hint(format!("wait {seconds} s, then ask again"))
    }

    /// With its own next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A fault of the server; the chain goes to the log.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let mut internal = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            internal.push_str(": ");
            internal.push_str(&cause.to_string());
            next = cause.source();
        }
        Self {
            code: Code::Internal,
            message: "the server could not do this".to_owned(),
            hint: None,
            internal: Some(internal),
            retry_after: None,
        }
    }

    /// The HTTP status. A code that is no refusal of a server stands for a peer that may not.
    pub fn status(&self) -> StatusCode {
        self.code
            .status()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::FORBIDDEN)
    }

    fn body(self, request_id: &str) -> Vec<u8> {
        let body = ErrorBody {
            code: self.code.as_str().to_owned(),
            message: self.message,
            hint: Some(self.hint.unwrap_or_else(|| self.code.advice().to_owned())),
            request_id: request_id.to_owned(),
        };
        // Strings alone cannot fail to become JSON.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The bytes of the last answer on a connection whose HTTP/1.1 could not be read.
    pub fn last_answer(self, request_id: &str, date: &str) -> Vec<u8> {
        let status = self.status();
        let body = self.body(request_id);
        let mut bytes = format!(
            "HTTP/1.1 {status}\r\n\
             content-type: application/json\r\n\
             content-length: {length}\r\n\
             cache-control: no-store\r\n\
             x-content-type-options: nosniff\r\n\
             {REQUEST_ID}: {request_id}\r\n\
             date: {date}\r\n\
             connection: close\r\n\r\n",
            length = body.len(),
        )
        .into_bytes();
        bytes.extend(body);
        bytes
    }

    /// The answer on the wire.
    pub fn answer(self, request_id: &str) -> Response {
        let status = self.status();
        let retry_after = self.retry_after;
        let text = self.body(request_id);
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(seconds) = retry_after {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<AuditError> for ApiError {
    fn from(error: AuditError) -> Self {
        Self {
            code: Code::AuditFailed,
            message: "the server cannot write its audit log, so nothing may be read".to_owned(),
            ..Self::internal(&error)
        }
    }
}

impl IntoResponse for ApiError {
    /// A placeholder: the gate, which knows the request id, writes the answer.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ServerError> for ApiError {
    fn from(error: ServerError) -> Self {
        let refused = Self::internal(&error);
        if !matches!(error, ServerError::Store(..)) {
            return refused;
        }
        Self {
            internal: refused.internal,
            ..Self::new(
                Code::StoreUnavailable,
                "the store cannot be read at the moment",
            )
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::TooSoon { wait } => return Self::too_soon(refusal.to_string(), wait),
            Refusal::Unknown | Refusal::Suspended => Code::NotPaired,
            Refusal::KeyUsed | Refusal::NotProved => Code::BadRequest,
            Refusal::Pending => Code::PairPending,
            Refusal::Revoked => Code::CertRevoked,
            Refusal::Expired => Code::CertHasExpired,
            Refusal::Unavailable => Code::StoreUnavailable,
        };
        Self::new(code, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_statuses() {
        for (refusal, status) in [
            (Refusal::Unknown, 403),
            (Refusal::Pending, 403),
            (Refusal::Suspended, 403),
            (Refusal::Revoked, 403),
            (Refusal::Expired, 403),
            (Refusal::KeyUsed, 400),
            (Refusal::NotProved, 400),
            (Refusal::Unavailable, 503),
            (Refusal::TooSoon { wait: 7 }, 429),
        ] {
            assert_eq!(
                ApiError::from(refusal).status().as_u16(),
                status,
                "{refusal}"
            );
        }
    }

    #[test]
    fn internal_reasons_stay_inside() {
        let cause = std::io::Error::other("disk on fire at /home/ana");
        let error = ApiError::internal(&ServerError::Output(cause));
        assert!(error.internal.as_deref().unwrap().contains("disk on fire"));
        assert!(!error.message.contains("ana"));
    }
}
