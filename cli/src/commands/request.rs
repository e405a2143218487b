//! A request, described before it is sent: `--dry-run` shows the very one that would be.

use healthsync_core::report::inert;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::{
    client::{Answer, DEFAULT_PORT, Link, host_and_port, target},
    config::{ConfigFile, Server},
    error::CliError,
    keys,
    printer::Look,
    settings::Settings,
};

/// What is asked for, whoever answers.
#[derive(Debug)]
pub(super) struct Request {
    method: Method,
    path: &'static str,
    query: Vec<(&'static str, String)>,
    accept: Option<&'static str>,
}

impl Request {
    /// A `GET` of this path.
    pub(super) fn get(path: &'static str, accept: Option<&'static str>) -> Self {
        Self {
            method: Method::GET,
            path,
            query: Vec::new(),
            accept,
        }
    }

    /// A `GET` of a small JSON answer.
    pub(super) fn json(path: &'static str) -> Self {
        Self::get(path, Some("application/json"))
    }

    /// The same of another path.
    pub(super) fn at(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    /// Adds a value to the query string, if there is one.
    pub(super) fn with(mut self, name: &'static str, value: Option<String>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value));
        }
        self
    }

    /// A value of the query string.
    #[cfg(test)]
    pub(super) fn query(&self, wanted: &str) -> Option<&str> {
        self.query
            .iter()
            .find_map(|(name, value)| (*name == wanted).then_some(value.as_str()))
    }

    /// Sends it.
    pub(super) async fn send(&self, link: &mut Link) -> Result<Answer, CliError> {
        link.send(self.method.clone(), self.path, &self.pairs(), self.accept)
            .await
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.query.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Prints it. Nothing is dialled, nothing is resolved, and no key store is opened.
    pub(super) fn show(&self, settings: &Settings) -> Result<(), CliError> {
        let printer = settings.printer;
        let config = ConfigFile::new(&settings.config).load()?;
        let server = config.select(settings.server.as_deref())?;
        let name = keys::pair_id(server)?.server_name();
        let addresses = dialled(server, settings)?;
        let port = addresses
            .first()
            .and_then(|address| address.rsplit_once(':')?.1.parse().ok())
            .unwrap_or(DEFAULT_PORT);
        let url = format!("https://{name}:{port}{}", target(self.path, &self.pairs()));
        if printer.json {
            let query: Map<String, Value> = self
                .query
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            return printer.object(&json!({
                "event": "request",
                "method": self.method.as_str(),
                "url": url,
                "query": query,
                "accept": self.accept,
                "serverName": name,
                "server": server.name,
                "pair": server.pair,
                "addresses": addresses,
            }));
        }
        let method = printer.paint(self.method.as_str(), Look::Bold);
        printer.line(&format!("{method} {url}"))?;
        for (name, value) in &self.query {
            printer.line(&format!("{name:<10}{}", inert(value)))?;
        }
        for (label, value) in [
            ("accept", self.accept.unwrap_or("*/*").to_owned()),
            ("server", inert(&server.name).into_owned()),
            ("dialled", inert(&addresses.join(", then ")).into_owned()),
        ] {
            printer.line(&format!("{label:<10}{value}"))?;
        }
        printer.note("Nothing was sent.");
        Ok(())
    }
}

/// What would be dialled, in this order, as far as it stands here: host names stay names.
fn dialled(server: &Server, settings: &Settings) -> Result<Vec<String>, CliError> {
    let port = server
        .addresses
        .first()
        .map_or(DEFAULT_PORT, std::net::SocketAddr::port);
    let named = |text: &str| -> Result<String, CliError> {
        let (host, port) = host_and_port(text, port)?;
        Ok(if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        })
    };
    if let Some(host) = &settings.host {
        return Ok(vec![named(host)?]);
    }
    let mut found = Vec::new();
    if let Some(host) = &server.host {
        found.push(named(host)?);
    }
    for address in &server.addresses {
        let address = address.to_string();
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}
