//! Every error as a person gets it: its code, its words and its hint, kept as text.
//!
//! `HEALTHSYNC_UPDATE=1` writes the text anew; look at the difference. That no kind is forgotten is
//! read from the sources.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::{Debug, Write as _},
    fs, io,
    path::{Path, PathBuf},
};

use healthsync_pairing::{
    address::HostError,
    audit::AuditError,
    code::CodeError,
    enroll::client::EnrollError,
    environment::EntropyUnavailable,
    invite::InviteError,
    keystore::{KeyStoreError, StoreKind},
    tls::failure::{Failure, Phase, Subject},
    trust::{Refusal, TrustError},
};

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The kinds of an enum, as its source names them.
fn kinds(file: &str, name: &str) -> BTreeSet<String> {
    let text = source(file);
    let (_, body) = text
        .split_once(&format!("pub enum {name} {{\n"))
        .unwrap_or_else(|| panic!("no {name} in {file}"));
    let (body, _) = body.split_once("\n}").expect("its end");
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| first_word(line).to_owned())
        .collect()
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default()
}

/// The text of all kept errors.
#[derive(Default)]
struct Kept(String);

impl Kept {
    fn tell(&mut self, error: &dyn Error, code: &str, hint: Option<&str>) {
        let hint = hint.expect("every error says what to do next");
        assert!(!hint.ends_with('.') && !hint.contains('\n'), "{hint}");
        assert_eq!(hint.matches('`').count() % 2, 0, "{hint}");
        let told = error.to_string();
        assert!(!told.ends_with('.') && !told.is_empty(), "{told}");
        writeln!(self.0, "[{code}] {told}\n  hint: {hint}").expect("room");
    }

    /// All of one enum; each kind at least once.
    fn all<E: Error + Debug>(
        &mut self,
        file: &str,
        name: &str,
        errors: &[E],
        tell: impl Fn(&E) -> (&'static str, Option<String>),
    ) {
        writeln!(self.0, "\n{name}\n").expect("room");
        for error in errors {
            let (code, hint) = tell(error);
            self.tell(error, code, hint.as_deref());
        }
        let seen: BTreeSet<String> = errors
            .iter()
            .map(|error| first_word(&format!("{error:?}")).to_owned())
            .collect();
        assert_eq!(seen, kinds(file, name), "{name}");
    }
}

fn broken() -> io::Error {
    io::Error::other("it broke")
}

fn key_store_errors() -> Vec<KeyStoreError> {
    let mut errors = vec![
        KeyStoreError::Damaged {
            store: StoreKind::File,
            item: "host:aaaa".to_owned(),
        },
        KeyStoreError::PassphraseNeeded,
        KeyStoreError::PassphraseWrong,
        KeyStoreError::Unknown("keyutils".to_owned()),
    ];
    for store in [
        StoreKind::File,
        StoreKind::Keychain,
        StoreKind::SecretService,
        StoreKind::WindowsCredentialManager,
    ] {
        errors.extend([
            KeyStoreError::Damaged {
                store,
                item: "client:aaaa".to_owned(),
            },
            KeyStoreError::Denied {
                store,
                reason: "it said no".to_owned(),
                source: None,
            },
            KeyStoreError::Failed {
                store,
                source: broken().into(),
            },
            KeyStoreError::Locked {
                store,
                source: None,
            },
            KeyStoreError::Missing {
                store,
                source: None,
            },
        ]);
    }
    errors
}

fn audit_errors() -> Vec<AuditError> {
    vec![
        AuditError::Database(rusqlite::Error::QueryReturnedNoRows),
        AuditError::Disk(broken()),
        AuditError::Key(KeyStoreError::PassphraseNeeded),
        AuditError::KeyDamaged,
        AuditError::NoKey(EntropyUnavailable),
        AuditError::Stopped,
        AuditError::NotWritten,
    ]
}

fn trust_errors() -> Vec<TrustError> {
    vec![
        TrustError::Audit(AuditError::NotWritten),
        TrustError::Ambiguous("laptop".to_owned()),
        TrustError::Database(rusqlite::Error::QueryReturnedNoRows),
        TrustError::File(broken()),
        TrustError::Foreign,
        TrustError::Issuing(broken().into()),
        TrustError::KeyStore(KeyStoreError::PassphraseNeeded),
        TrustError::NoCrl,
        TrustError::NoWindow,
        TrustError::NotFound("laptop".to_owned()),
        TrustError::NotWaiting,
        TrustError::Options("a window must be open for a second at least"),
        TrustError::Refused(Refusal::Revoked),
        TrustError::TooNew,
        TrustError::WindowOpen,
        TrustError::WrongDigits { left: 2 },
        TrustError::WrongDigits { left: 0 },
    ]
}

fn enroll_errors() -> Vec<EnrollError> {
    vec![
        EnrollError::Attack,
        EnrollError::BrokenOff(broken()),
        EnrollError::Connection(Failure::new(
            "ECONNREFUSED",
            Subject::Server,
            "nothing listens there",
        )),
        EnrollError::Connection(Failure::new(
            "UNSUPPORTED_PROTOCOL",
            Subject::Server,
            "it speaks something else",
        )),
        EnrollError::Expired,
        EnrollError::Internal(broken().into()),
        EnrollError::ModeOff,
        EnrollError::Protocol,
        EnrollError::Refused,
        EnrollError::ServerFailed,
        EnrollError::TimedOut,
        EnrollError::Unusable("its certificate is for another key"),
        EnrollError::Used,
        EnrollError::Version,
        EnrollError::WrongCode,
        EnrollError::WrongTypedCode,
        EnrollError::WrongServer,
    ]
}

/// The codes of failed connections, as the source documents them.
fn failure_codes() -> Vec<String> {
    let text = source("tls/failure.rs");
    let (_, list) = text.split_once("/// Stable code: ").expect("the list");
    let (list, _) = list.split_once("pub code").expect("its end");
    let codes: Vec<String> = list
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(codes.len() > 15, "{codes:?}");
    codes
}

fn failures(kept: &mut Kept) {
    kept.0.push_str("\nFailure\n\n");
    for code in failure_codes() {
        // The codes of a failure are constants.
        let code: &'static str = code.leak();
        let mut told = BTreeSet::new();
        for subject in [Subject::Client, Subject::Server, Subject::Ca] {
            for phase in [Phase::Connect, Phase::Handshake, Phase::Exchange] {
                let failure = Failure::new(code, subject, "it failed").in_phase(phase);
                let Some(hint) = failure.hint() else { continue };
                if told.insert(hint.clone()) {
                    let (subject, phase) = (subject.as_str(), phase.as_str());
                    let said = io::Error::other(format!("{subject}, {phase}"));
                    kept.tell(&said, code, Some(&hint));
                }
            }
        }
        assert!(!told.is_empty(), "{code} has no hint");
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let mut kept = Kept::default();
    let address = "203.0.113.9".parse().expect("an address");
    kept.all(
        "address.rs",
        "HostError",
        &[HostError::Invalid, HostError::NotLocal(address)],
        |error| (error.code(), error.hint()),
    );
    kept.all(
        "invite.rs",
        "InviteError",
        &[
            InviteError::Damaged("a character is missing or wrong"),
            InviteError::NoAddress,
            InviteError::NotFound,
            InviteError::NotLocal(address),
            InviteError::Several,
            InviteError::Version,
        ],
        |error| (error.code(), error.hint()),
    );
    kept.all(
        "code.rs",
        "CodeError",
        &[
            CodeError::IsInvite,
            CodeError::Length,
            CodeError::Mistyped,
            CodeError::Symbol,
        ],
        |error| (error.code(), error.hint()),
    );
    kept.all(
        "enroll/refused.rs",
        "EnrollError",
        &enroll_errors(),
        |error| (error.code(), error.hint()),
    );
    kept.all(
        "keystore/error.rs",
        "KeyStoreError",
        &key_store_errors(),
        |error| (error.code(), error.hint()),
    );
    kept.all("trust/error.rs", "TrustError", &trust_errors(), |error| {
        (error.code(), error.hint())
    });
    kept.all("audit/error.rs", "AuditError", &audit_errors(), |error| {
        (error.code(), error.hint())
    });
    failures(&mut kept);

    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/errors.txt");
    let text = kept.0.trim_start();
    if std::env::var_os("HEALTHSYNC_UPDATE").is_some_and(|on| on == "1") {
        fs::write(&path, text).expect("written");
    }
    let before = fs::read_to_string(&path).unwrap_or_default();
    let differs = text
        .lines()
        .zip(before.lines().chain(std::iter::repeat("(end)")))
        .find(|(now, before)| now != before);
    assert!(
        before == text,
        "{} differs: {differs:?}; look at it, then set HEALTHSYNC_UPDATE=1 and run this test again",
        path.display()
    );
}
