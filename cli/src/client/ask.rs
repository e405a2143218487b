//! Asking: the addresses in turn, one connection an address, no proxy, no redirect.

use std::{collections::VecDeque, fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use healthsync_core::api::{AUDIT_SEEN, Code, ErrorBody};
use healthsync_pairing::{
    defence::{Defence, holds},
    discovery::Recognizer,
    tls::{
        client,
        failure::{Failure, Subject},
    },
};
use http_body_util::Full;
use hyper::{Method, Request, Version, header};

use super::{
    Answer, Connection, Link,
    answer::{explain, retry_after},
    connection::Broken,
    elsewhere,
};
use crate::{browse, error::CliError, printer::Waiting};

/// No error answer, and no small answer, is longer.
const LARGEST_ANSWER: usize = 4 << 20;

/// How long the address that was good last may take before the server is looked for elsewhere.
const SHORT_WAIT: Duration = Duration::from_millis(1500);

/// How long a place that was announced may take to prove itself.
const PROOF_WAIT: Duration = Duration::from_secs(1);

/// What is asked.
struct Question<'a> {
    method: Method,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    accept: Option<&'a str>,
}

impl Link {
    /// Asks the addresses in turn: the last good one, the one that mDNS finds, the other saved ones.
    /// The next one is tried only if no connection came about, so no request is made twice.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        accept: Option<&str>,
    ) -> Result<Answer, CliError> {
        let question = Question {
            method,
            path,
            query,
            accept,
        };
        let mut failures: Vec<(SocketAddr, Failure)> = Vec::new();
        let mut waiting: VecDeque<SocketAddr> = self.addresses.iter().copied().collect();
        while let Some(address) = waiting.pop_front() {
            let hurried = self.may_browse && SHORT_WAIT < self.connect_timeout;
            self.patience = if hurried {
                SHORT_WAIT
            } else {
                self.connect_timeout
            };
            tracing::debug!(%address, method = %question.method, path, "asking");
            let failure = match self.open_connection(address).await {
                Ok(connection) => {
                    self.patience = self.connect_timeout;
                    return Box::pin(self.exchange(connection, &question)).await;
                }
                Err(failure) => failure,
            };
            tracing::debug!(%address, code = failure.code, "no connection");
            let is_elsewhere = failure.subject != Subject::Client;
            if hurried && failure.code == "ETIMEDOUT" {
                // It may have been slow only.
                waiting.push_back(address);
            }
            failures.push((address, failure));
            if self.may_browse && is_elsewhere {
                self.may_browse = false;
                self.http = None;
                if let Some(found) = self.locate().await {
                    waiting.retain(|known| *known != found);
                    waiting.push_front(found);
                }
            }
        }
        Err(self.unreached(failures))
    }

    /// Where mDNS and a handshake say that the server is now.
    async fn locate(&self) -> Option<SocketAddr> {
        tracing::debug!("looking for the server by mDNS");
        let _moves = self
            .printer
            .waiting(|| "Looking for the server in the local network".to_owned());
        let recognizer = Recognizer::new(&self.credentials.discovery_key);
        let found = browse::locate(&recognizer, |address| {
            let (tls, pair) = (Arc::clone(&self.tls), self.credentials.pair);
            async move {
                let proved = match client::look(tls, &pair, address, PROOF_WAIT).await {
                    Ok(_) => true,
                    // It is our server, and will tell why it refuses us.
                    Err(failure) => failure.subject == Subject::Client,
                };
                // Broken: whoever does not prove it is taken.
                proved == holds(Defence::ProofBeforeUse)
            }
        })
        .await;
        tracing::debug!(?found, "looked");
        found
    }

    /// The same, if the server may be looked for.
    pub(crate) async fn located(&self) -> Option<SocketAddr> {
        if self.may_browse {
            return self.locate().await;
        }
        None
    }

    /// From now on this address alone is asked.
    pub(crate) fn only(&mut self, address: SocketAddr) {
        self.addresses = vec![address];
        self.may_browse = false;
    }

    /// The open connection to this address, else a new one.
    async fn open_connection(&mut self, address: SocketAddr) -> Result<Connection, Failure> {
        if let Some(mut known) = self.http.take()
            && known.address == address
            && known.is_open().await
        {
            return Ok(known);
        }
        Box::pin(self.new_connection(address)).await
    }

    async fn new_connection(&self, address: SocketAddr) -> Result<Connection, Failure> {
        let _moves = self.printer.waiting(|| format!("Connecting to {address}"));
        let channel = client::dial(
            Arc::clone(&self.tls),
            &self.credentials.pair,
            elsewhere::dialled(address),
            self.patience,
            &self.trace,
        )
        .await;
        let channel = match channel {
            Ok(channel) => channel,
            Err(failure) => return Err(self.diagnose(failure, address).await),
        };
        match Connection::new(channel, address, self.read_timeout, &self.trace).await {
            Ok(connection) => Ok(connection),
            Err(broken) => Err(self.diagnose_exchange(broken, address).await),
        }
    }

    /// One request and the head of its answer.
    async fn exchange(
        &mut self,
        mut connection: Connection,
        question: &Question<'_>,
    ) -> Result<Answer, CliError> {
        let address = connection.address;
        let request = self.request(question, &connection)?;
        let moves = self.awaited(address);
        let sent = connection.send(request).await;
        drop(moves);
        let outcome = match sent {
            // The server had closed the open connection, and the request was never sent.
            Err(broken) if broken.was_not_sent() => {
                connection = match self.new_connection(address).await {
                    Ok(connection) => connection,
                    Err(failure) => return Err(self.told(address, failure)),
                };
                let request = self.request(question, &connection)?;
                let _moves = self.awaited(address);
                connection.send(request).await
            }
            outcome => outcome,
        };
        let answer = match outcome {
            Ok(answer) => answer,
            Err(broken) => {
                let failure = self.diagnose_exchange(broken, address).await;
                return Err(self.told(address, failure));
            }
        };
        // The next request goes there at once.
        self.addresses.retain(|known| *known != address);
        self.addresses.insert(0, address);
        self.saw(address, &connection.shown.server_leaf, &answer)?;
        self.http = Some(connection);
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.refused(answer).await)
    }

    fn awaited(&self, address: SocketAddr) -> Waiting {
        self.printer
            .waiting(|| format!("Waiting for the answer of {address}"))
    }

    fn request(
        &self,
        question: &Question<'_>,
        connection: &Connection,
    ) -> Result<Request<Full<Bytes>>, CliError> {
        let name = self.credentials.pair.server_name();
        let authority = format!("{name}:{}", connection.address.port());
        let path = target(question.path, question.query);
        let mut request = Request::builder().method(question.method.clone()).header(
            header::USER_AGENT,
            concat!("healthsync/", env!("CARGO_PKG_VERSION")),
        );
        request = if connection.is_http2() {
            // The authority is part of the address there.
            request
                .version(Version::HTTP_2)
                .uri(format!("https://{authority}{path}"))
        } else {
            request.uri(path).header(header::HOST, authority)
        };
        request = request.header(header::ACCEPT, question.accept.unwrap_or("*/*"));
        if let Some(seen) = self.question() {
            request = request.header(AUDIT_SEEN, seen);
        }
        request.body(Full::default()).map_err(|error| {
            CliError::new(Code::Internal, "the request could not be made").because(error)
        })
    }

    /// Reads a small answer whole.
    pub(super) async fn body(&self, mut answer: Answer) -> Result<Vec<u8>, CliError> {
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(broken) => return Err(self.broken(broken, answer.address).await),
            }
            if body.len() > LARGEST_ANSWER {
                return Err(CliError::new(
                    Code::AnswerDamaged,
                    "the server's answer is far too long",
                ));
            }
        }
    }

    /// An error answer in our own words.
    pub(super) async fn refused(&self, answer: Answer) -> CliError {
        elsewhere::follow(&answer).await;
        let status = answer.status();
        let wait = retry_after(answer.headers());
        let body = match self.body(answer).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let parsed: Option<ErrorBody> = serde_json::from_slice(&body).ok();
        let error = explain(status.as_u16(), wait, parsed.as_ref());
        match wait {
            Some(seconds) => error.retrying_after(seconds.into()),
            None => error,
        }
    }
}

impl Broken {
    /// The connection had ended before the request was written.
    fn was_not_sent(&self) -> bool {
        self.reason.is_none() && self.source.as_ref().is_some_and(hyper::Error::is_canceled)
    }
}

/// Path and query string of a request.
pub(crate) fn target(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    for (index, (name, value)) in pairs.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        encode(name, &mut text);
        text.push('=');
        encode(value, &mut text);
    }
    text
}

/// Percent-encodes whatever is not unreserved (RFC 3986, section 2.3).
fn encode(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        assert_eq!(target("/a", &[]), "/a");
        assert_eq!(
            target("/a", &[("types", "steps,vo2Max"), ("origin", "a&b=c d+é")]),
            "/a?types=steps%2Cvo2Max&origin=a%26b%3Dc%20d%2B%C3%A9"
        );
    }
}
