//! Where to dial.

use std::net::SocketAddr;

use healthsync_core::api::Code;

use crate::{config::Server, error::CliError, settings::Settings};

/// The port of a server that nobody named one for.
pub(crate) const DEFAULT_PORT: u16 = 8443;
/// Where to dial: what `--host` says and nothing else, or the configured host and then the saved
/// addresses.
pub(crate) async fn addresses(
    server: &Server,
    settings: &Settings,
) -> Result<Vec<SocketAddr>, CliError> {
    let port = server
        .addresses
        .first()
        .map_or(DEFAULT_PORT, SocketAddr::port);
    if let Some(host) = settings.host.as_deref() {
        return look_up(host, port, settings).await;
    }
    let mut found = match &server.host {
        // A name that cannot be resolved here today leaves the saved addresses.
        Some(host) => look_up(host, port, settings).await.unwrap_or_default(),
        None => Vec::new(),
    };
    for address in &server.addresses {
        if !found.contains(address) {
            found.push(*address);
        }
    }
    Ok(found)
}

/// The addresses of a server that is not paired yet.
pub(crate) async fn resolve(host: &str, settings: &Settings) -> Result<Vec<SocketAddr>, CliError> {
    look_up(host, DEFAULT_PORT, settings).await
}

async fn look_up(host: &str, port: u16, settings: &Settings) -> Result<Vec<SocketAddr>, CliError> {
    let (name, port) = host_and_port(host, port)?;
    settings.trace.begin();
    let found = tokio::net::lookup_host((name.as_str(), port)).await;
    let found: Result<Vec<SocketAddr>, _> = found.map(Iterator::collect);
    settings.trace.tell("resolve", || {
        let mut facts = vec![("name", name.as_str().into())];
        match &found {
            Ok(found) => {
                let addresses: Vec<_> = found.iter().map(ToString::to_string).collect();
                facts.push(("addresses", addresses.into()));
            }
            Err(error) => facts.push(("failed", error.to_string().into())),
        }
        facts
    });
    found.map_err(|error| {
        CliError::new(Code::Enotfound, format!("{name:?} cannot be resolved")).because(error)
    })
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
}
