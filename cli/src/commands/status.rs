//! `healthsync status`: what the live connection shows, and nothing else.

use std::time::{Duration, Instant};

use healthsync_core::api::{self, Code, Status};
use healthsync_pairing::{
    audit::{Finding, Head},
    certificate::{Certificate, Validity, check_ca, check_leaf},
    tls::client::Shown,
};
use serde_json::json;

use super::{cert::warn_if_late, request::Request};
use crate::{
    args,
    client::Link,
    error::CliError,
    known,
    printer::{Look, Printer, foreign, grouped},
    settings::Settings,
};

const DAY: i64 = 86_400;

/// Connects, asks, and tells.
pub(crate) async fn run(args: &args::Status, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    if args.dry_run {
        return Request::json(api::STATUS).show(settings);
    }
    let mut link = Link::open(settings).await?;
    // The first request pays for the handshake, the second is the time there and back.
    let (_, _): (Status, _) = link.get(api::STATUS).await?;
    let begun = Instant::now();
    let (status, address): (Status, _) = link.get(api::STATUS).await?;
    let latency = begun.elapsed();
    known::note(settings, &link.server.pair, &status.enabled_types);
    // Of the very connection that answered.
    let shown = link
        .shown()
        .cloned()
        .ok_or_else(|| CliError::new(Code::Econnreset, "the connection ended with its answer"))?;
    let now = settings.environment.clock.now();
    let proof = Proof::new(&shown, &link, now);
    warn_if_late(&link.credentials, settings);
    link.keep_witness()?;
    let log = AuditLog::new(&link);

    if printer.json {
        printer.object(&json!({
            "server": link.server.name,
            "pair": link.server.pair,
            "address": address.to_string(),
            "secure": proof.is_secure(),
            "tls": {
                "version": shown.version,
                "cipherSuite": shown.cipher_suite,
                "group": shown.group,
                "alpn": shown.alpn,
            },
            "serverVerified": proof.server_verified,
            "clientAccepted": proof.client_accepted,
            "clientCertificateDaysLeft": proof.client_days,
            "serverCertificateDaysLeft": proof.server_days,
            "latencyMs": milliseconds(latency),
            "deviceName": status.device_name,
            "version": status.version,
            "serverTime": status.server_time,
            "samples": status.samples,
            "enabledTypes": status.enabled_types,
            "audit": log.json(),
        }))?;
        return log.outcome();
    }
    let yes = |good: bool| {
        if good {
            printer.paint("yes", Look::Green)
        } else {
            printer.paint("no", Look::Red)
        }
    };
    let secure = if proof.is_secure() {
        format!("{}, both ends authenticated (mutual TLS)", yes(true))
    } else {
        yes(false)
    };
    let lines = [
        ("Server", foreign(&status.device_name).into_owned()),
        ("Version", foreign(&status.version).into_owned()),
        ("Address", address.to_string()),
        ("Secure", secure),
        (
            "TLS",
            format!("{}, {}, {}", shown.version, shown.cipher_suite, shown.group),
        ),
        (
            "Server certificate",
            format!(
                "verified: {}, {}",
                yes(proof.server_verified),
                days(proof.server_days)
            ),
        ),
        (
            "Client certificate",
            format!(
                "accepted: {}, {}",
                yes(proof.client_accepted),
                days(proof.client_days)
            ),
        ),
        ("Latency", format!("{:.1} ms", milliseconds(latency))),
        (
            "Samples",
            format!(
                "{} in {} types",
                grouped(status.samples),
                status.enabled_types.len()
            ),
        ),
        ("Audit log", log.words(printer)),
        ("Pair", link.server.pair.clone()),
    ];
    for (label, value) in lines {
        printer.line(&format!("{label:<20}{value}"))?;
    }
    log.outcome()
}

/// What this computer can say about the server's audit log.
#[derive(Debug)]
struct AuditLog {
    finding: Option<Finding>,
    /// The place that is kept.
    head: Option<Head>,
}

impl AuditLog {
    fn new(link: &Link) -> Self {
        Self {
            finding: link.audit(),
            head: link.server.audit_head(),
        }
    }

    fn json(&self) -> serde_json::Value {
        let sequence = self.head.map(|head| head.sequence);
        match self.finding {
            Some(Finding::Rewritten(why)) => json!({
                "state": "rewritten",
                "code": Code::AuditRewritten.as_str(),
                "why": why.to_string(),
                "seen": sequence,
            }),
            Some(Finding::Intact) => json!({"state": "intact", "seen": sequence}),
            Some(Finding::First) | None => json!({"state": "first", "seen": sequence}),
        }
    }

    fn words(&self, printer: Printer) -> String {
        let place = self.head.map_or(0, |head| head.sequence);
        match self.finding {
            Some(Finding::Rewritten(why)) => format!(
                "{}: of entry {place}, {why} ({})",
                printer.paint("REWRITTEN", Look::Red),
                Code::AuditRewritten
            ),
            Some(Finding::Intact) => format!("as last seen, and on to entry {place}"),
            Some(Finding::First) | None => format!("seen for the first time, entry {place}"),
        }
    }

    /// A log that was rewritten is a failure of trust; the report has told it already.
    fn outcome(&self) -> Result<(), CliError> {
        match self.finding {
            Some(Finding::Rewritten(_)) => Err(CliError::answer(Code::AuditRewritten.exit())),
            Some(Finding::First | Finding::Intact) | None => Ok(()),
        }
    }
}

/// What was checked, computed from the connection that was just open.
#[derive(Debug)]
struct Proof {
    tls13: bool,
    server_verified: bool,
    client_accepted: bool,
    server_days: Option<i64>,
    client_days: Option<i64>,
}

impl Proof {
    fn new(shown: &Shown, link: &Link, now: i64) -> Self {
        let credentials = &link.credentials;
        let server_verified = check_leaf(&shown.server_leaf, &credentials.ca, true, now)
            == Validity::Valid
            && check_ca(&credentials.ca, now) == Validity::Valid;
        Self {
            tls13: shown.version == "TLSv1.3",
            server_verified,
            client_accepted: shown.client_authenticated,
            server_days: days_left(&shown.server_leaf, now),
            client_days: days_left(&credentials.leaf, now),
        }
    }

    fn is_secure(&self) -> bool {
        self.tls13 && self.server_verified && self.client_accepted
    }
}

fn days_left(leaf: &[u8], now: i64) -> Option<i64> {
    let certificate = Certificate::from_der(leaf).ok()?;
    Some(certificate.not_after.saturating_sub(now).div_euclid(DAY))
}

fn days(left: Option<i64>) -> String {
    match left {
        Some(1) => "1 day left".to_owned(),
        Some(days) if days >= 0 => format!("{days} days left"),
        Some(_) => "expired".to_owned(),
        None => "not readable".to_owned(),
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secure_is_computed_from_every_check() {
        let proof = |tls13, server_verified, client_accepted| Proof {
            tls13,
            server_verified,
            client_accepted,
            server_days: Some(1),
            client_days: Some(1),
        };
        assert!(proof(true, true, true).is_secure());
        assert!(!proof(false, true, true).is_secure());
        assert!(!proof(true, false, true).is_secure());
        assert!(!proof(true, true, false).is_secure());
    }

    #[test]
    fn days_are_told_plainly() {
        assert_eq!(days(Some(1)), "1 day left");
        assert_eq!(days(Some(0)), "0 days left");
        assert_eq!(days(Some(-1)), "expired");
        assert_eq!(days(None), "not readable");
    }
}
