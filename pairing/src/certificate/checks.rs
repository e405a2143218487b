//! Each check of a certificate by itself, for whoever asks which one failed.
//!
//! A connection is judged by [`super::check_leaf`], [`super::check_ca`] and webpki; this only tells
//! their parts apart, in the order in which they matter.

use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension};

use super::{check_form, check_issued_by, check_leaf, general_name, is_only, parse};
use crate::certificate::{Validity, check_ca};

/// One check: its name, and why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// In kebab case.
    pub name: &'static str,
    /// `None`: passed.
    pub failure: Option<String>,
}

/// What is checked of a leaf that `ca` should have signed. `name` is the DNS name that a server's
/// must have; `None` stands for a client's.
pub fn leaf_checks(leaf: &[u8], ca: &[u8], name: Option<&str>, now: i64) -> Vec<Check> {
    let (Ok(parsed), Ok(authority)) = (parse(leaf), parse(ca)) else {
        return vec![check("form", Err("it is not an X.509 certificate"))];
    };
    let mut checks = vec![
        check("form", check_form(&parsed)),
        check("issued-by-pinned-ca", check_issued_by(&parsed, &authority)),
        dates(&parsed, now),
        check("role", role(&parsed, name.is_some())),
    ];
    if let Some(name) = name {
        let is_named = parsed.extensions().iter().any(|extension| {
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension()
            else {
                return false;
            };
            let wanted = format!("DNS:{name}");
            names
                .general_names
                .iter()
                .any(|name| general_name(name).eq_ignore_ascii_case(&wanted))
        });
        let failure = (!is_named).then(|| format!("it is not for {name}"));
        checks.push(Check {
            name: "name",
            failure,
        });
    }
    // What the parts do not cover (an unknown critical extension, a life beyond the CA's).
    let whole = match check_leaf(leaf, ca, name.is_some(), now) {
        Validity::Untrusted(reason) => Some(reason),
        Validity::Valid | Validity::Expired | Validity::NotYetValid => None,
    };
    checks.push(Check {
        name: "profile",
        failure: whole,
    });
    checks
}

/// What is checked of a pair's CA.
pub fn ca_checks(ca: &[u8], now: i64) -> Vec<Check> {
    let Ok(parsed) = parse(ca) else {
        return vec![check("form", Err("it is not an X.509 certificate"))];
    };
    let profile = match check_ca(ca, now) {
        Validity::Untrusted(reason) => Some(reason),
        Validity::Valid | Validity::Expired | Validity::NotYetValid => None,
    };
    vec![
        check("form", check_form(&parsed)),
        check("self-signature", check_issued_by(&parsed, &parsed)),
        dates(&parsed, now),
        Check {
            name: "profile",
            failure: profile,
        },
    ]
}

fn check(name: &'static str, outcome: Result<(), &'static str>) -> Check {
    Check {
        name,
        failure: outcome.err().map(str::to_owned),
    }
}

fn dates(certificate: &X509Certificate<'_>, now: i64) -> Check {
    let validity = certificate.validity();
    let outcome = if now < validity.not_before.timestamp() {
        Err("it is not yet valid")
    } else if now > validity.not_after.timestamp() {
        Err("it has expired")
    } else {
        Ok(())
    };
    check("dates", outcome)
}

fn role(certificate: &X509Certificate<'_>, server: bool) -> Result<(), &'static str> {
    let is_right = certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(),
            ParsedExtension::ExtendedKeyUsage(usage) if is_only(usage, server))
    });
    match (is_right, server) {
        (true, _) => Ok(()),
        (false, true) => Err("its extended key usage is not serverAuth alone"),
        (false, false) => Err("its extended key usage is not clientAuth alone"),
    }
}
