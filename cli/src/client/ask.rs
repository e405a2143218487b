//! Asking: the addresses in turn, one HTTP client an address, no proxy, no redirect.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use healthsync_core::api::{Code, ErrorBody};
use healthsync_pairing::{
    defence::{Defence, holds},
    discovery::Recognizer,
    tls::{
        client,
        failure::{Failure, Subject},
    },
};
use reqwest::{Method, Response, Url};
use tokio_rustls::rustls::ClientConfig;

use super::{
    Answer, Link,
    answer::{explain, retry_after},
};
use crate::{browse, error::CliError};

/// No error answer, and no small answer, is longer.
const LARGEST_ANSWER: usize = 4 << 20;

/// How much of an answer may be under way (HTTP/2 flow control).
const WINDOW: u32 = 4 << 20;

/// How long the address that was good last may take before the server is looked for elsewhere.
const SHORT_WAIT: Duration = Duration::from_millis(1500);

/// How long a place that was announced may take to prove itself.
const PROOF_WAIT: Duration = Duration::from_secs(1);

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
        let mut failures: Vec<(SocketAddr, Failure)> = Vec::new();
        let mut waiting: VecDeque<SocketAddr> = self.addresses.iter().copied().collect();
        while let Some(address) = waiting.pop_front() {
            let hurried = self.may_browse && SHORT_WAIT < self.connect_timeout;
            self.patience = if hurried {
                SHORT_WAIT
            } else {
                self.connect_timeout
            };
            let request = self.request(&method, path, query, accept, address)?;
            tracing::debug!(%address, %method, path, "asking");
            match request.send().await {
                Ok(response) => {
                    self.patience = self.connect_timeout;
                    // The next request goes there at once.
                    self.addresses.retain(|known| *known != address);
                    self.addresses.insert(0, address);
                    self.saw(address, &response)?;
                    if response.status().is_success() {
                        return Ok(Answer { response, address });
                    }
                    return Err(self.refused(response, address).await);
                }
                Err(error) if error.is_connect() => {
                    let failure = self.diagnose(&error, address).await;
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
                Err(error) => {
                    let failure = self.diagnose(&error, address).await;
                    return Err(self.told(address, failure));
                }
            }
        }
        Err(self.unreached(failures))
    }

    /// Where mDNS and a handshake say that the server is now.
    pub(super) async fn locate(&self) -> Option<SocketAddr> {
        tracing::debug!("looking for the server by mDNS");
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

    fn request(
        &mut self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        accept: Option<&str>,
        address: SocketAddr,
    ) -> Result<reqwest::RequestBuilder, CliError> {
        let name = self.credentials.pair.server_name();
        let mut url =
            Url::parse(&format!("https://{name}:{}{path}", address.port())).map_err(not_made)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http(address)?.request(method.clone(), url);
        if let Some(accept) = accept {
            request = request.header(reqwest::header::ACCEPT, accept);
        }
        Ok(request)
    }

    fn http(&mut self, address: SocketAddr) -> Result<reqwest::Client, CliError> {
        if let Some((known, client)) = &self.http
            && *known == address
        {
            return Ok(client.clone());
        }
        let mut client = reqwest::Client::builder();
        if holds(Defence::NoProxy) {
            client = client.no_proxy();
        }
        if holds(Defence::NoRedirect) {
            client = client.redirect(reqwest::redirect::Policy::none());
        }
        let client = client
            .tls_backend_preconfigured(ClientConfig::clone(&self.tls))
            .tls_info(true)
            .https_only(true)
            .retry(reqwest::retry::never())
            .referer(false)
            .resolve(&self.credentials.pair.server_name(), address)
            .connect_timeout(self.patience)
            .read_timeout(self.read_timeout)
            .http2_initial_stream_window_size(WINDOW)
            .http2_initial_connection_window_size(WINDOW)
            .user_agent(concat!("healthsync/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(not_made)?;
        self.http = Some((address, client.clone()));
        Ok(client)
    }

    /// Reads a small answer whole.
    pub(super) async fn body(&self, answer: Answer) -> Result<Vec<u8>, CliError> {
        let Answer {
            mut response,
            address,
        } = answer;
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Err(error) => return Err(self.broken(&error, address).await),
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
    pub(super) async fn refused(&self, response: Response, address: SocketAddr) -> CliError {
        let status = response.status();
        let wait = retry_after(response.headers());
        let body = match self.body(Answer { response, address }).await {
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

fn not_made(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::new(Code::Internal, "the request could not be made").because(error)
}
