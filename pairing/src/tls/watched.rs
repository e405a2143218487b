//! What a client's configuration does during a handshake, told to whoever watches.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rustls::{SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};
use x509_parser::prelude::{FromDer as _, X509Name};

use super::trace::{Fact, Trace};
use crate::{
    certificate::{
        Certificate,
        checks::{Check, ca_checks, leaf_checks},
        utc,
    },
    environment::Clock,
};

/// Gives the client's certificate, and notes that the server asked for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) identity: Arc<dyn ResolvesClientCert>,
    pub(super) was_asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.identity.resolve(hints, schemes);
        self.was_asked.store(shown.is_some(), Ordering::SeqCst);
        shown
    }

    fn has_certs(&self) -> bool {
        self.identity.has_certs()
    }
}

/// Gives the client's certificate, and tells what was asked for and what is shown.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) identity: Arc<dyn ResolvesClientCert>,
    pub(super) ca: Vec<u8>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) trace: Trace,
}

impl ResolvesClientCert for Told {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let shown = self.identity.resolve(hints, schemes);
        self.trace.tell("certificate-request", || {
            let names: Vec<_> = hints.iter().map(|name| distinguished(name)).collect();
            let schemes: Vec<_> = schemes.iter().map(|scheme| format!("{scheme:?}")).collect();
            vec![
                ("acceptableCas", names.into()),
                ("signatureSchemes", schemes.into()),
                ("answered", shown.is_some().into()),
            ]
        });
        for certificate in shown.iter().flat_map(|shown| &shown.cert) {
            tell_leaf(&self.trace, certificate, &self.ca, None, self.clock.now());
        }
        shown
    }

    fn has_certs(&self) -> bool {
        self.identity.has_certs()
    }
}

/// Tells a certificate that should be a leaf of `ca`: what it says, and which checks it passed.
pub(super) fn tell_leaf(trace: &Trace, leaf: &[u8], ca: &[u8], name: Option<&str>, now: i64) {
    let of = if name.is_some() { "server" } else { "client" };
    tell(trace, of, leaf, || leaf_checks(leaf, ca, name, now));
}

/// The same for the pinned CA.
pub(super) fn tell_ca(trace: &Trace, ca: &[u8], now: i64) {
    tell(trace, "ca", ca, || ca_checks(ca, now));
}

/// The same for what a server sends along with its leaf. Nothing is checked: it is not used.
pub(super) fn tell_extra(trace: &Trace, der: &[u8]) {
    tell(trace, "server-extra", der, Vec::new);
}

fn tell(trace: &Trace, of: &'static str, der: &[u8], checks: impl FnOnce() -> Vec<Check>) {
    trace.tell("certificate", || {
        let mut facts = vec![("of", Fact::from(of))];
        match Certificate::from_der(der) {
            Ok(certificate) => facts.extend([
                ("subject", certificate.subject.into()),
                ("issuer", certificate.issuer.into()),
                ("san", certificate.san.into()),
                ("notBefore", utc(certificate.not_before).into()),
                ("notAfter", utc(certificate.not_after).into()),
                ("serial", certificate.serial.into()),
                ("keyDigest", certificate.key.to_string().into()),
            ]),
            Err(error) => facts.push(("unreadable", error.to_string().into())),
        }
        let (mut passed, mut failed) = (Vec::new(), Vec::new());
        for check in checks() {
            match check.failure {
                None => passed.push(check.name.to_owned()),
                Some(why) => failed.push(format!("{}: {why}", check.name)),
            }
        }
        facts.push(("passed", passed.into()));
        facts.push(("failed", failed.into()));
        facts
    });
}

/// A distinguished name as RFC 4514 writes it, with nothing in it that a terminal obeys.
fn distinguished(der: &[u8]) -> String {
    X509Name::from_der(der).map_or_else(
        |_| "unreadable".to_owned(),
        |(_, name)| name.to_string().escape_default().to_string(),
    )
}
