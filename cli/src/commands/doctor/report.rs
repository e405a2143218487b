//! The checks as they are made, and the file in which they are kept for somebody else to read.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use healthsync_core::{
    report::{Hint as _, inert},
    time::rfc3339,
};
use healthsync_pairing::tls::trace::{Step, Trace, Watch};
use serde_json::{Value, json};

use super::{
    Checked, stage,
    verdict::{Verdict, Warning},
};
use crate::{
    config::ConfigFile,
    debug_tls,
    error::CliError,
    printer::{Look, Printer},
    settings::Settings,
};

/// The checks of a connection, in their order: one that failed says that those before passed.
const STAGES: [&str; 5] = [
    "tls",
    "server-certificate",
    "client-certificate",
    "revocation",
    "api",
];

/// What a check came to.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Good(String),
    Warning {
        code: &'static str,
        text: String,
        command: &'static str,
    },
}

/// What was found so far.
#[derive(Debug)]
pub(super) struct Report {
    printer: Printer,
    checks: Vec<Value>,
    warnings: Vec<Warning>,
}

impl Report {
    pub(super) const fn new(printer: Printer) -> Self {
        Self {
            printer,
            checks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A check that gives something to go on with.
    pub(super) fn check<T>(
        &mut self,
        name: &'static str,
        checked: Checked<T>,
    ) -> Result<T, CliError> {
        match checked {
            Ok((value, Outcome::Good(text))) => {
                self.good(name, &text)?;
                Ok(value)
            }
            Ok((
                value,
                Outcome::Warning {
                    code,
                    text,
                    command,
                },
            )) => {
                self.warn(name, code, &text, command)?;
                Ok(value)
            }
            Err(error) => {
                self.bad(name, error.code(), &error.to_string())?;
                Err(error)
            }
        }
    }

    pub(super) fn good(&mut self, name: &'static str, text: &str) -> Result<(), CliError> {
        self.add(name, "ok", None, text)
    }

    pub(super) fn bad(
        &mut self,
        name: &'static str,
        code: &'static str,
        text: &str,
    ) -> Result<(), CliError> {
        self.add(name, "failed", Some(code), text)
    }

    pub(super) fn warn(
        &mut self,
        name: &'static str,
        code: &'static str,
        text: &str,
        command: &'static str,
    ) -> Result<(), CliError> {
        self.warnings.push(Warning {
            code,
            text: text.to_owned(),
            command,
        });
        self.add(name, "warning", Some(code), text)
    }

    pub(super) fn tell_route(
        &mut self,
        address: SocketAddr,
        route: Result<String, String>,
    ) -> Result<(), CliError> {
        match route {
            Ok(text) => self.good("route", &text),
            Err(why) => self.bad(
                "route",
                "EHOSTUNREACH",
                &format!("none to {address}: {why}"),
            ),
        }
    }

    /// Which of the checks of a connection passed before this.
    pub(super) fn connection_failed(&mut self, error: &CliError) -> Result<(), CliError> {
        let failed = stage(error);
        for name in STAGES {
            if name == failed {
                let mut text = error.to_string();
                if let Some(cause) = std::error::Error::source(error) {
                    text = cause.to_string();
                }
                return self.bad(name, error.code(), &text);
            }
            self.good(name, "passed")?;
        }
        Ok(())
    }

    /// All checks are made.
    pub(super) fn end(&self) -> Result<(), CliError> {
        if self.printer.json {
            return Ok(());
        }
        self.printer.line("")
    }

    pub(super) fn first_warning(&self) -> Option<&Warning> {
        self.warnings.first()
    }

    /// The last line.
    pub(super) fn tell(&self, verdict: &Verdict) -> Result<(), CliError> {
        let printer = self.printer;
        if printer.json {
            return printer.object(&verdict.json());
        }
        let look = match (verdict.healthy, verdict.code) {
            (true, "OK") => Look::Green,
            (true, _) => Look::Yellow,
            (false, _) => Look::Red,
        };
        let label = printer.paint("verdict:", look);
        printer.line(&format!(
            "{label} {}  [{}]",
            inert(&verdict.text),
            verdict.code
        ))?;
        if !verdict.command.is_empty() {
            printer.line(&format!(
                "run:     {}",
                printer.paint(verdict.command, Look::Bold)
            ))?;
        }
        match &verdict.hint {
            Some(hint) => printer.line(&format!("hint:    {}", inert(hint))),
            None => Ok(()),
        }
    }

    fn add(
        &mut self,
        name: &'static str,
        outcome: &'static str,
        code: Option<&'static str>,
        text: &str,
    ) -> Result<(), CliError> {
        let printer = self.printer;
        let text = inert(text).into_owned();
        if !printer.json {
            let (word, look) = match outcome {
                "ok" => ("ok", Look::Green),
                "warning" => ("warning", Look::Yellow),
                _ => ("FAILED", Look::Red),
            };
            let word = printer.paint(&format!("{word:<8}"), look);
            let code = code.map(|code| format!("  [{code}]")).unwrap_or_default();
            printer.line(&format!("{name:<20}{word}{text}{code}"))?;
        }
        let check = json!({
            "event": "check", "check": name, "outcome": outcome, "code": code, "message": text,
        });
        if printer.json {
            printer.object(&check)?;
        }
        self.checks.push(check);
        Ok(())
    }
}

/// Keeps the steps of the connection, and hands them on to whoever watches besides.
#[derive(Debug)]
pub(super) struct Steps {
    kept: Mutex<Vec<Value>>,
    also: Trace,
}

impl Steps {
    pub(super) fn new(also: Trace) -> Self {
        Self {
            kept: Mutex::new(Vec::new()),
            also,
        }
    }

    /// What tells them.
    pub(super) fn trace(self: &Arc<Self>) -> Trace {
        let watch: Arc<dyn Watch> = Arc::<Self>::clone(self);
        Trace::new(watch)
    }

    fn kept(&self) -> Vec<Value> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Watch for Steps {
    fn step(&self, step: &Step) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(debug_tls::object(step));
        self.also.pass_on(step);
    }
}

/// The report as a file: what was checked, and how the connection went. Nothing in it comes from the
/// key store but certificates, and nothing from the server but its version, its time and its refusals.
pub(super) fn bundle(
    report: &Report,
    verdict: &Verdict,
    steps: &Steps,
    settings: &Settings,
) -> String {
    let servers: Vec<Value> = ConfigFile::new(&settings.config)
        .load()
        .map(|config| {
            let shown = |server: &crate::config::Server| {
                json!({
                    "pair": server.pair,
                    "state": server.state,
                    "addresses": server.addresses,
                    "host": server.host,
                    "keyStore": server.key_store,
                    "pairedAt": server.paired_at,
                    "lastUsed": server.last_used,
                    "certificateExpires": server.certificate_expires,
                })
            };
            config.servers.iter().map(shown).collect()
        })
        .unwrap_or_default();
    let whole = json!({
        "bundle": 1,
        "made": rfc3339(settings.now_ms()),
        "program": {
            "name": "healthsync",
            "version": env!("CARGO_PKG_VERSION"),
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
        },
        "settings": {
            "host": settings.host,
            "mdns": !settings.no_mdns,
            "connectTimeoutMs": u64::try_from(settings.connect_timeout.as_millis()).ok(),
            "readTimeoutMs": u64::try_from(settings.read_timeout.as_millis()).ok(),
        },
        "servers": servers,
        "verdict": verdict.json(),
        "checks": report.checks,
        "tls": steps.kept(),
    });
    let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text.push('\n');
    text
}
