//! Talking to the paired server over mutual TLS.
//!
//! `address` says where, `ask` sends, `answer` reads what the server refuses, `diagnose` finds out why
//! there was no answer, `witness` looks at the server's audit log.

mod address;
mod answer;
mod ask;
pub(crate) mod clock;
mod connection;
mod diagnose;
mod elsewhere;
pub(crate) mod neighbour;
mod renewal;
mod witness;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use healthsync_core::{
    api::{self, Code},
    time::rfc3339,
};
use healthsync_pairing::{
    audit::Finding,
    certificate::Certificate,
    credentials::ClientCredentials,
    defence::{Defence, holds},
    environment::Environment,
    keystore::KeyStore,
    tls::{
        client::{self, Shown},
        trace::Trace,
    },
};
use hyper::Method;
use serde::de::DeserializeOwned;
use tokio_rustls::rustls::ClientConfig;

pub(crate) use self::{
    address::{DEFAULT_PORT, addresses, host_and_port, resolve},
    ask::target,
    connection::{Answer, Broken},
};
use self::{connection::Connection, renewal::KeyInUse};
use crate::{
    config::{ConfigFile, Server, State},
    error::CliError,
    keys,
    printer::Printer,
    settings::Settings,
};

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
    http: Option<Connection>,
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
    environment: Environment,
    /// Is told each step of a connection.
    trace: Trace,
    /// What a look at the server's audit log found.
    audit: Option<Finding>,
    printer: Printer,
    now: i64,
}

impl Link {
    /// The server that the settings name, with its key from the key store. A pair that a crash
    /// left half done is finished first, and a certificate that is due is renewed.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, CliError> {
        let (mut link, store) = Self::open_as_it_is(settings).await?;
        Box::pin(link.keep_fresh(&*store, settings)).await?;
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
        let credentials = keys::told(&*store, &server, settings)?;
        let pending = server.state == State::Pending;
        let addresses = addresses(&server, settings).await?;
        let mut link = Self::new(server, credentials, addresses, settings)?;
        link.file = Some(file);
        link.in_use = in_use;
        if pending && holds(Defence::FinishLater) {
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
        Self::watched(
            server,
            credentials,
            addresses,
            settings,
            settings.trace.clone(),
        )
    }

    /// The same, with another watcher.
    pub(crate) fn watched(
        server: Server,
        credentials: ClientCredentials,
        addresses: Vec<SocketAddr>,
        settings: &Settings,
        trace: Trace,
    ) -> Result<Self, CliError> {
        let tls = Self::tls(&credentials, settings, &trace)?;
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
            environment: settings.environment.clone(),
            trace,
            audit: None,
            printer: settings.printer,
            now: settings.environment.clock.now(),
        })
    }

    fn tls(
        credentials: &ClientCredentials,
        settings: &Settings,
        trace: &Trace,
    ) -> Result<Arc<ClientConfig>, CliError> {
        client::traced(credentials, &settings.environment, trace).map_err(|error| {
            CliError::new(
                Code::KeyMissing,
                "the stored key or certificate cannot be used",
            )
            .because(error)
        })
    }

    /// Shows no moving line: whoever asks has one of its own.
    pub(crate) const fn shows_nothing(&mut self) {
        self.printer.progress = false;
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

    /// What the connection that answered last has negotiated.
    pub(crate) fn shown(&self) -> Option<&Shown> {
        self.http.as_ref().map(|connection| &connection.shown)
    }

    /// Keeps what a verified handshake showed: the address that is good, the server's certificate.
    fn saw(&mut self, address: SocketAddr, leaf: &[u8], answer: &Answer) -> Result<(), CliError> {
        let head = self.witness(answer);
        let now = rfc3339(self.now.saturating_mul(1000));
        let expires = Certificate::from_der(&self.credentials.leaf)
            .map(|own| rfc3339(own.not_after.saturating_mul(1000)))
            .ok();
        let note = |server: &mut Server| {
            let is_new = server.saw(address, Some(leaf));
            let is_first = head.is_some_and(|head| server.witnessed(&head));
            server.used(&now, expires.as_deref()) || is_new || is_first
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

    /// Saves where the server's audit log ended, also when the last time was not long ago.
    pub(crate) fn keep_witness(&self) -> Result<(), CliError> {
        if let (Some(file), Some(head)) = (&self.file, self.server.audit_head()) {
            file.update(|config| {
                if let Some(server) = config.server_mut(&self.server.pair) {
                    server.witnessed(&head);
                }
            })?;
        }
        Ok(())
    }
}
