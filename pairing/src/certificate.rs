//! Reading and judging certificates (RFC 5280), from the DER alone.
//!
//! TLS checks a chain too, but `webpki` looks neither at the dates nor at the profile of a trust
//! anchor, and lets a leaf without an extended key usage play both roles. So the profile of
//! [`crate::ca`] is checked here, in full, and every claim of `cert info` comes from here.

pub mod checks;

use std::collections::HashSet;

use rustls::pki_types::{CertificateRevocationListDer, pem::PemObject as _};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension},
    prelude::{FromDer as _, X509Version},
    time::ASN1Time,
    x509::X509Name,
};

use crate::{
    defence::{Defence, holds},
    device::{is_p256, verify_p256_der},
    id::{KeyDigest, hex},
};

/// What one certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Common name of the subject.
    pub subject: String,
    /// Common name of the issuer.
    pub issuer: String,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Lower-case hex.
    pub serial: String,
    /// `DNS:..`, `URI:..` in order.
    pub san: Vec<String>,
    /// Digest of its key.
    pub key: KeyDigest,
    /// Whether it is a CA.
    pub is_ca: bool,
}

impl Certificate {
    /// Reads DER. The texts hold printable ASCII only: everything else is escaped.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidCertificate> {
        let parsed = parse(der)?;
        let mut san = Vec::new();
        let mut is_ca = false;
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => is_ca = constraints.ca,
                ParsedExtension::SubjectAlternativeName(names) => {
                    san.extend(names.general_names.iter().map(general_name));
                }
                _ => {}
            }
        }
        let serial = match parsed.raw_serial() {
            // DER's sign byte is no part of the number.
            [0, rest @ ..] if !rest.is_empty() => rest,
            whole => whole,
        };
        Ok(Self {
            subject: common_name(parsed.subject()),
            issuer: common_name(parsed.issuer()),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            serial: hex(serial),
            san,
            key: KeyDigest::of_spki(parsed.public_key().raw),
            is_ca,
        })
    }
}

/// Whether a certificate holds, computed now: dates, signature by the CA, profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// All checks passed.
    Valid,
    /// After its notAfter.
    Expired,
    /// Before its notBefore.
    NotYetValid,
    /// Signature or profile is wrong, with what.
    Untrusted(String),
}

/// Checks `leaf` against `ca` at `now` (seconds): signature, dates, EKU (serverAuth for a server,
/// else clientAuth, and nothing beside it), CA:FALSE, no life beyond the CA's.
/// The CA itself is checked by [`check_ca`].
pub fn check_leaf(leaf: &[u8], ca: &[u8], server: bool, now: i64) -> Validity {
    judge(now, leaf, |leaf| {
        let ca = parse(ca).map_err(|_| "the CA is not an X.509 certificate")?;
        check_issued_by(leaf, &ca)?;
        if leaf.validity().not_after.timestamp() > ca.validity().not_after.timestamp() {
            return Err("it outlives its CA");
        }
        let mut says_no_ca = false;
        let mut has_role = false;
        for extension in leaf.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::BasicConstraints(constraints) => says_no_ca = !constraints.ca,
                ParsedExtension::ExtendedKeyUsage(usage) => has_role = is_only(usage, server),
                ParsedExtension::KeyUsage(usage)
                    if usage.key_cert_sign() || usage.crl_sign() || !usage.digital_signature() =>
                {
                    return Err("its key usage is not digitalSignature");
                }
                ParsedExtension::KeyUsage(_)
                | ParsedExtension::SubjectAlternativeName(_)
                | ParsedExtension::AuthorityKeyIdentifier(_)
                | ParsedExtension::SubjectKeyIdentifier(_) => {}
                _ if extension.critical => return Err("it has an unknown critical extension"),
                _ => {}
            }
        }
        if !says_no_ca {
            Err("it does not say CA:FALSE")
        } else if !has_role && server {
            Err("its extended key usage is not serverAuth alone")
        } else if !has_role {
            Err("its extended key usage is not clientAuth alone")
        } else {
            Ok(())
        }
    })
}

/// Checks the CA's own profile and dates (webpki does not): self-signed, P-256, CA:TRUE, pathlen
/// 0, keyCertSign, critical name constraints that permit some DNS names and nothing else.
pub fn check_ca(ca: &[u8], now: i64) -> Validity {
    JudgedCa::new(ca).at(now)
}

/// A CA whose form, signature and profile were judged once, as they never change: at each use its
/// dates remain.
#[derive(Clone, Debug)]
pub(crate) struct JudgedCa(Result<[i64; 2], String>);

impl JudgedCa {
    /// What [`check_ca`] checks, but the dates.
    pub(crate) fn new(ca: &[u8]) -> Self {
        Self(profiled(ca, check_ca_profile))
    }

    /// What [`check_ca`] says at `now` (seconds since 1970).
    pub(crate) fn at(&self, now: i64) -> Validity {
        dated(self.0.clone(), now)
    }
}

fn check_ca_profile(ca: &X509Certificate<'_>) -> Result<(), &'static str> {
    check_issued_by(ca, ca)?;
    let (mut is_ca, mut may_sign, mut is_constrained) = (false, false, false);
    for extension in ca.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => {
                is_ca = extension.critical
                    && constraints.ca
                    && constraints.path_len_constraint == Some(0);
            }
            ParsedExtension::KeyUsage(usage) => may_sign = usage.key_cert_sign(),
            ParsedExtension::NameConstraints(constraints) => {
                let permitted = constraints
                    .permitted_subtrees
                    .as_deref()
                    .unwrap_or_default();
                is_constrained = extension.critical
                    && !permitted.is_empty()
                    && permitted.iter().all(|subtree| {
                        matches!(subtree.base, GeneralName::DNSName(name) if !name.is_empty())
                    });
            }
            ParsedExtension::AuthorityKeyIdentifier(_)
            | ParsedExtension::SubjectKeyIdentifier(_) => {}
            _ if extension.critical => return Err("it has an unknown critical extension"),
            _ => {}
        }
    }
    if !is_ca {
        Err("it is not a CA with a path length of 0")
    } else if !may_sign {
        Err("its key usage does not allow it to sign certificates")
    } else if !is_constrained {
        Err("it has no critical name constraints")
    } else {
        Ok(())
    }
}

/// A time in seconds since 1970 as RFC 3339 writes it.
pub fn utc(seconds: i64) -> String {
    let Ok(time) = time::OffsetDateTime::from_unix_timestamp(seconds) else {
        return "out of range".to_owned();
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// PEM text of one DER certificate (RFC 7468).
pub fn to_pem(der: &[u8]) -> String {
    pem("CERTIFICATE", der)
}

/// PEM text of one DER certificate revocation list.
pub fn crl_to_pem(der: &[u8]) -> String {
    pem("X509 CRL", der)
}

/// The DER of the one certificate revocation list in this text.
pub fn crl_from_pem(pem: &str) -> Result<Vec<u8>, InvalidCertificate> {
    let list = CertificateRevocationListDer::from_pem_slice(pem.as_bytes());
    list.map(|list| list.to_vec())
        .map_err(|_| InvalidCertificate)
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes are one line of 64 characters.
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let mut bytes = [0; 4];
            for (to, from) in bytes.iter_mut().skip(1).zip(group) {
                *to = *from;
            }
            let bits = u32::from_be_bytes(bytes);
            for symbol in 0..4 {
                let value = usize::try_from(bits >> (18 - 6 * symbol) & 63).unwrap_or_default();
                let character = if symbol > group.len() {
                    Some(&b'=')
                } else {
                    BASE64.get(value)
                };
                text.extend(character.map(|symbol| char::from(*symbol)));
            }
        }
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Not a certificate.
#[derive(Debug, thiserror::Error)]
#[error("not an X.509 certificate")]
pub struct InvalidCertificate;

/// One certificate, nothing behind it.
fn parse(der: &[u8]) -> Result<X509Certificate<'_>, InvalidCertificate> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(InvalidCertificate),
    }
}

/// The profile first: the dates of a certificate that nobody vouches for mean nothing.
fn judge(
    now: i64,
    der: &[u8],
    check_profile: impl FnOnce(&X509Certificate<'_>) -> Result<(), &'static str>,
) -> Validity {
    dated(profiled(der, check_profile), now)
}

/// First and last second of a certificate of the right profile, or what is wrong with it.
fn profiled(
    der: &[u8],
    check_profile: impl FnOnce(&X509Certificate<'_>) -> Result<(), &'static str>,
) -> Result<[i64; 2], String> {
    let certificate = parse(der).map_err(|error| error.to_string())?;
    check_form(&certificate).and_then(|()| check_profile(&certificate))?;
    let validity = certificate.validity();
    Ok([&validity.not_before, &validity.not_after].map(ASN1Time::timestamp))
}

/// Both ends are part of the validity (RFC 5280 §4.1.2.5).
fn dated(profiled: Result<[i64; 2], String>, now: i64) -> Validity {
    match profiled {
        Err(reason) => Validity::Untrusted(reason),
        Ok([not_before, _]) if now < not_before => Validity::NotYetValid,
        Ok([_, not_after]) if now > not_after => Validity::Expired,
        Ok(_) => Validity::Valid,
    }
}

/// What all of ours have in common.
fn check_form(certificate: &X509Certificate<'_>) -> Result<(), &'static str> {
    let mut seen = HashSet::new();
    if certificate.version() != X509Version::V3 {
        Err("it is not of version 3")
    } else if !is_p256(certificate.public_key().raw) {
        Err("its key is not a P-256 key")
    } else if !certificate
        .extensions()
        .iter()
        .all(|extension| seen.insert(extension.oid.clone()))
    {
        Err("it has an extension twice")
    } else {
        Ok(())
    }
}

fn check_issued_by(
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
) -> Result<(), &'static str> {
    // What stands after the signed part is not signed itself: it must have its one form.
    let signature = &certificate.signature_value.data;
    let length = u8::try_from(signature.len() + 1).unwrap_or_default();
    let tail = [ECDSA_SHA256, &[BIT_STRING, length, 0], signature].concat();
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        Err("its issuer is not the pair's CA")
    } else if !certificate.as_raw().ends_with(&tail) {
        Err("its signature is not ECDSA with SHA-256")
    } else if certificate.signature_algorithm != certificate.tbs_certificate.signature
        || verify_p256_der(
            issuer.public_key().raw,
            certificate.tbs_certificate.as_ref(),
            signature,
        )
        .is_err()
    {
        Err("its signature is not the CA's")
    } else {
        Ok(())
    }
}

fn is_only(usage: &ExtendedKeyUsage<'_>, server: bool) -> bool {
    let others = usage.any
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    usage.server_auth == server && usage.client_auth != server && !others
}

fn common_name(name: &X509Name<'_>) -> String {
    name.iter_common_name()
        .next()
        .and_then(|attribute| attribute.as_str().ok())
        .map(inert)
        .unwrap_or_default()
}

fn general_name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{}", inert(name)),
        GeneralName::URI(uri) => format!("URI:{}", inert(uri)),
        GeneralName::IPAddress(bytes) => format!("IP:{}", hex(bytes)),
        GeneralName::RFC822Name(name) => format!("email:{}", inert(name)),
        _ => "other".to_owned(),
    }
}

/// A certificate may come from anybody: nothing in it may move a terminal's cursor.
fn inert(text: &str) -> String {
    if !holds(Defence::CertificateTexts) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|character| {
            let printable = character == ' ' || character.is_ascii_graphic();
            let escaped = (!printable).then(|| character.escape_unicode());
            let plain = printable.then_some(character);
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// `AlgorithmIdentifier { ecdsa-with-SHA256 }` (RFC 5758): no parameters.
const ECDSA_SHA256: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
const BIT_STRING: u8 = 0x03;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests;
