//! What every answer tells a paired device about the audit log, so that it can be a witness: where
//! the log ends, and what stands at the place that the device saw last.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue};
use healthsync_core::api::{AUDIT_ENTRY, AUDIT_HEAD, AUDIT_SEEN};

use crate::app::App;

/// A device that may be told.
#[derive(Debug)]
pub struct Witness {
    app: Arc<App>,
    /// The place that it saw last.
    seen: Option<u64>,
}

impl Witness {
    /// What the request says; what is no number is no question.
    pub fn of(app: &Arc<App>, headers: &HeaderMap) -> Self {
        let seen = headers.get(AUDIT_SEEN);
        Self {
            app: Arc::clone(app),
            seen: seen.and_then(|value| value.to_str().ok()?.parse().ok()),
        }
    }

    /// Adds the headers. A log that cannot be read tells nothing, which the device notices.
    pub async fn testify(self, headers: &mut HeaderMap) {
        if let Some(seen) = self.seen {
            let audit = self.app.audit().clone();
            match self.app.blocking(move || audit.at(seen)).await {
                Ok(Ok(entry)) => insert(headers, AUDIT_ENTRY, &entry.to_string()),
                Ok(Err(error)) => tracing::error!(%error, "a witness got no answer"),
                Err(error) => tracing::error!(%error, "a witness got no answer"),
            }
        }
        // Read after the entry: so it is never before it.
        if let Some(head) = self.app.audit().head() {
            insert(headers, AUDIT_HEAD, &head.to_string());
        }
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
