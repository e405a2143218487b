//! How far the clocks of the two computers are apart, measured and not guessed.
//!
//! TLS 1.3 carries no time. What carries one is the `Date` of an answer (RFC 9110, section 6.6.1), and
//! an answer needs a connection. So when a certificate is refused for its dates alone, one more
//! connection is made with the same checks at a time at which those dates hold: the server still has to
//! prove that it is the one of the pair. Nothing but `Date` is used of its answer.

use std::{net::SocketAddr, sync::Arc};

use healthsync_core::{api, time::rfc3339};
use healthsync_pairing::{
    certificate::Certificate,
    environment::{Clock, Environment},
    tls::{
        client,
        failure::{Failure, Subject},
        trace::Trace,
    },
};
use http_body_util::Full;
use hyper::{Request, header};

use super::{Connection, Link};

/// Clocks that differ by less are right: both ends allow for more.
const AGREE: u64 = 120;

const NOT_YET: &str = "CERT_NOT_YET_VALID";

/// A time at which something is judged.
#[derive(Debug)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> i64 {
        self.0
    }
}

impl Link {
    /// Says what the clocks have to do with certificates that are refused for their dates.
    pub(super) async fn with_clocks(&self, mut failure: Failure, address: SocketAddr) -> Failure {
        let mut times = Vec::new();
        if let Some(limit) = failure.limit {
            times.push(if failure.code == NOT_YET {
                limit + 1
            } else {
                limit - 1
            });
        }
        // The certificate that was good last holds now, or did.
        let saved = self
            .server
            .leaf_der()
            .and_then(|leaf| Certificate::from_der(&leaf).ok());
        times.extend(saved.map(|leaf| leaf.not_before + 1));
        for time in times {
            if let Some(theirs) = self.server_time(address, time).await {
                let told = told(self.now, theirs, &failure);
                failure.source = Some(told.into());
                return failure;
            }
        }
        let least = match (failure.limit, failure.code == NOT_YET) {
            (Some(limit), true) => format!(
                "by this computer's clock it is {}, the certificate begins on {}: this clock is at least {} behind, or the server's is ahead (measured by the certificate; the server's own time could not be asked)",
                utc(self.now),
                utc(limit),
                span(limit.abs_diff(self.now)),
            ),
            (Some(limit), false) => format!(
                "by this computer's clock it is {}, the certificate ended on {} (the server's own time could not be asked)",
                utc(self.now),
                utc(limit),
            ),
            (None, _) => format!("by this computer's clock it is {}", utc(self.now)),
        };
        failure.source = Some(least.into());
        failure
    }

    /// The server's clock, as an answer of the verified server says; dates are judged at `time`.
    async fn server_time(&self, address: SocketAddr, time: i64) -> Option<i64> {
        let environment = Environment {
            clock: Arc::new(At(time)),
            entropy: Arc::clone(&self.environment.entropy),
        };
        let tls = client::configuration(&self.credentials, &environment).ok()?;
        let pair = &self.credentials.pair;
        let channel = client::connect(tls, pair, address, self.patience)
            .await
            .ok()?;
        let quiet = Trace::off();
        let mut connection = Connection::new(channel, address, self.patience, &quiet)
            .await
            .ok()?;
        let authority = format!("{}:{}", pair.server_name(), address.port());
        let request = Request::head(if connection.is_http2() {
            format!("https://{authority}{}", api::STATUS)
        } else {
            api::STATUS.to_owned()
        });
        let request = if connection.is_http2() {
            request
        } else {
            request.header(header::HOST, authority)
        };
        let answer = connection
            .send(request.body(Full::default()).ok()?)
            .await
            .ok()?;
        let date = answer.headers().get(header::DATE)?.to_str().ok()?;
        seconds(date)
    }
}

/// An HTTP date in seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .ok()?;
    Some(time.as_second())
}

/// An RFC 3339 time in seconds since 1970.
pub(crate) fn seconds_of(time: &str) -> Option<i64> {
    let time: jiff::Timestamp = time.parse().ok()?;
    Some(time.as_second())
}

/// What the two clocks say about the dates.
fn told(ours: i64, theirs: i64, failure: &Failure) -> String {
    let apart = theirs.abs_diff(ours);
    if apart <= AGREE {
        let whose = if failure.subject == Subject::Ca {
            "the CA"
        } else {
            "the certificate"
        };
        let what = if failure.code == NOT_YET {
            "begins later"
        } else {
            "has really ended"
        };
        return format!(
            "both clocks agree (measured by the `Date` of the server's answer): {whose} {what}"
        );
    }
    let side = if theirs > ours { "behind" } else { "ahead of" };
    format!(
        "this computer's clock ({}) is {} {side} the server's ({}), measured by the `Date` of the server's answer",
        utc(ours),
        span(apart),
        utc(theirs),
    )
}

/// RFC 3339.
pub(crate) fn utc(seconds: i64) -> String {
    rfc3339(seconds.saturating_mul(1000))
}

/// `3 days 4 h`, `5 min`, `40 s`: two units at most.
pub(crate) fn span(seconds: u64) -> String {
    let units = [(86_400, "days"), (3600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut said = Vec::new();
    for (length, unit) in units {
        let count = left / length;
        left %= length;
        if count > 0 {
            let unit = if (count, unit) == (1, "days") {
                "day"
            } else {
                unit
            };
            said.push(format!("{count} {unit}"));
        }
        if said.len() == 2 || (said.len() == 1 && count == 0) {
            break;
        }
    }
    if said.is_empty() {
        return "0 s".to_owned();
    }
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (40, "40 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (86_400, "1 day"),
            (10 * 86_400 + 4 * 3600 + 59, "10 days 4 h"),
            (86_400 + 59, "1 day"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("yesterday"), None);
    }

    #[test]
    fn the_side_of_the_difference_is_right() {
        let failure = Failure::new(NOT_YET, Subject::Server, "not yet valid");
        assert!(told(0, 86_400, &failure).contains("is 1 day behind the server's"));
        assert!(told(86_400, 0, &failure).contains("is 1 day ahead of the server's"));
        assert!(told(0, 60, &failure).contains("both clocks agree"));
    }
}
