//! `healthsync cert info`: the certificates of the pair, judged now. Works without a network.

use std::net::SocketAddr;

use healthsync_core::time::rfc3339;
use healthsync_pairing::{
    certificate::{Certificate, Validity, check_ca, check_leaf, to_pem},
    credentials::ClientCredentials,
    id::PairId,
    renewal,
};
use serde_json::{Value, json};

use crate::{
    config::{ConfigFile, Server},
    error::CliError,
    keys,
    printer::{Look, Printer},
    settings::Settings,
};

/// Prints the three blocks, or the CA's alone.
pub(crate) fn run(ca: bool, settings: &Settings) -> Result<(), CliError> {
    let server = ConfigFile::new(&settings.config)
        .load()?
        .select(settings.server.as_deref())?
        .clone();
    let credentials = keys::credentials(&server, settings)?;
    let blocks = Blocks::new(&server, &credentials, settings.environment.clock.now());
    let printer = settings.printer;
    warn_if_late(&credentials, settings);
    if printer.json {
        return printer.object(&blocks.json(&server, &credentials.pair, ca));
    }
    printer.line(&blocks.text(ca, printer))?;
    if !ca {
        printer.line(&recipes(&credentials.pair, server.addresses.first()))?;
    }
    Ok(())
}

/// Renewal happens by itself; where it did not, a person should know before the end.
pub(super) fn warn_if_late(credentials: &ClientCredentials, settings: &Settings) {
    let now = settings.environment.clock.now();
    let late = Certificate::from_der(&credentials.leaf)
        .ok()
        .filter(|leaf| now <= leaf.not_after && renewal::is_late(leaf, now));
    if let Some(leaf) = late {
        settings.printer.warn(&format!(
            "this computer's certificate ends on {}; run `healthsync cert renew`",
            day(leaf.not_after)
        ));
    }
}

/// One certificate and what is to be said of it.
struct Block {
    title: &'static str,
    key: &'static str,
    /// `None`: not seen yet, or not readable.
    seen: Option<(Vec<u8>, Certificate)>,
    validity: Validity,
    /// A CA names itself: its issuer tells nothing.
    with_issuer: bool,
}

struct Blocks([Block; 3]);

impl Blocks {
    fn new(server: &Server, credentials: &ClientCredentials, now: i64) -> Self {
        let seen = |der: &[u8]| {
            let certificate = Certificate::from_der(der).ok()?;
            Some((der.to_vec(), certificate))
        };
        let leaf = server.leaf_der().unwrap_or_default();
        Self([
            Block {
                title: "Client Certificate",
                key: "client",
                seen: seen(&credentials.leaf),
                validity: check_leaf(&credentials.leaf, &credentials.ca, false, now),
                with_issuer: true,
            },
            Block {
                title: "Server Certificate (cached)",
                key: "server",
                seen: seen(&leaf),
                validity: check_leaf(&leaf, &credentials.ca, true, now),
                with_issuer: true,
            },
            Block {
                title: "CA Certificate",
                key: "ca",
                seen: seen(&credentials.ca),
                validity: check_ca(&credentials.ca, now),
                with_issuer: false,
            },
        ])
    }

    fn wanted(&self, ca_only: bool) -> impl Iterator<Item = &Block> {
        self.0
            .iter()
            .filter(move |block| !ca_only || block.key == "ca")
    }

    fn text(&self, ca_only: bool, printer: Printer) -> String {
        let blocks: Vec<String> = self
            .wanted(ca_only)
            .map(|block| block.text(printer))
            .collect();
        blocks.join("\n\n")
    }

    fn json(&self, server: &Server, pair: &PairId, ca_only: bool) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("serverName".to_owned(), json!(pair.server_name()));
        object.insert("name".to_owned(), json!(server.name));
        object.insert("pair".to_owned(), json!(server.pair));
        object.insert("address".to_owned(), json!(server.addresses.first()));
        for block in self.wanted(ca_only) {
            object.insert(block.key.to_owned(), block.json());
        }
        Value::Object(object)
    }
}

impl Block {
    fn status(&self) -> String {
        match (&self.seen, &self.validity) {
            (None, _) => "Not seen yet".to_owned(),
            (_, Validity::Valid) => "Valid".to_owned(),
            (_, Validity::Expired) => "Expired".to_owned(),
            (_, Validity::NotYetValid) => "Not yet valid".to_owned(),
            (_, Validity::Untrusted(why)) => format!("Not trusted ({why})"),
        }
    }

    fn text(&self, printer: Printer) -> String {
        let mut lines = vec![format!("{}:", self.title)];
        let status = match (&self.seen, &self.validity) {
            (None, _) => self.status(),
            (Some(_), Validity::Valid) => printer.paint(&self.status(), Look::Green),
            (Some(_), _) => printer.paint(&self.status(), Look::Red),
        };
        if let Some((_, certificate)) = &self.seen {
            lines.push(format!("  Subject: {}", certificate.subject));
            if self.with_issuer {
                lines.push(format!("  Issuer: {}", certificate.issuer));
            }
            lines.push(format!(
                "  Valid: {} to {}",
                day(certificate.not_before),
                day(certificate.not_after)
            ));
        }
        lines.push(format!("  Status: {status}"));
        if let Some((_, certificate)) = self.seen.as_ref().filter(|_| printer.verbose) {
            if !certificate.san.is_empty() {
                lines.push(format!("  Names: {}", certificate.san.join(", ")));
            }
            lines.push(format!("  Serial: {}", certificate.serial));
            lines.push(format!("  Key: {}", certificate.key));
        }
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let Some((der, certificate)) = &self.seen else {
            return Value::Null;
        };
        json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "notBefore": rfc3339(certificate.not_before.saturating_mul(1000)),
            "notAfter": rfc3339(certificate.not_after.saturating_mul(1000)),
            "status": self.status(),
            "valid": self.validity == Validity::Valid,
            "names": certificate.san,
            "serial": certificate.serial,
            "keyDigest": certificate.key.to_string(),
            "pem": to_pem(der),
        })
    }
}

/// The UTC day of a second.
fn day(seconds: i64) -> String {
    let time = rfc3339(seconds.saturating_mul(1000));
    time.split('T').next().unwrap_or_default().to_owned()
}

/// How other programs reach the server: by the pair's name, at its address. Our key never leaves
/// its store, so `KEY` stands for the key file of a client that enrolled itself.
fn recipes(pair: &PairId, address: Option<&SocketAddr>) -> String {
    let name = pair.server_name();
    let (host, port) = match address {
        Some(SocketAddr::V4(address)) => (address.ip().to_string(), address.port()),
        Some(SocketAddr::V6(address)) => (format!("[{}]", address.ip()), address.port()),
        None => ("ADDRESS".to_owned(), 8443),
    };
    format!(
        "\nWith other programs (KEY is the key file of a client that enrolled itself; ours is never exported):\n  \
         curl --resolve {name}:{port}:{host} --cacert ca.pem --cert client.pem --key KEY https://{name}:{port}/api/v1/status\n  \
         openssl s_client -connect {host}:{port} -servername {name} -tls1_3 -CAfile ca.pem -cert client.pem -key KEY"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_name_address_and_pair() {
        let pair = PairId([0; 16]);
        let name = pair.server_name();
        for (address, resolve, connect) in [
            (
                Some("192.168.1.2:8443"),
                "8443:192.168.1.2 ",
                "192.168.1.2:8443 ",
            ),
            (Some("[::1]:99"), "99:[::1] ", "[::1]:99 "),
            (None, "8443:ADDRESS ", "ADDRESS:8443 "),
        ] {
            let address = address.map(|text| text.parse().unwrap());
            let text = recipes(&pair, address.as_ref());
            assert!(
                text.contains(&format!("--resolve {name}:{resolve}")),
                "{text}"
            );
            assert!(text.contains(&format!("-connect {connect}")), "{text}");
            assert!(text.contains(&format!("-servername {name} ")), "{text}");
            assert_eq!(text.matches("KEY").count(), 3, "{text}");
        }
    }
}
