//! Secrets are looked at in few files. Whoever adds one to the list says what it does with them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Product files that may call `Secret::expose`, each with its reason.
const ALLOWED: &[(&str, &str)] = &[
    (
        "pairing/src/audit/chain.rs",
        "hands the key of the audit log to the crypto library",
    ),
    (
        "cli/src/keys.rs",
        "compares a new passphrase with its repetition",
    ),
    (
        "cli/src/scan/clipboard.rs",
        "reads the copied invitation, compares it with what the clipboard holds later",
    ),
    ("cli/src/scan/mod.rs", "reads the pasted invitation"),
    ("cli/src/scan/typed.rs", "reads the typed code"),
    ("pairing/src/code.rs", "writes the typed code, checks it"),
    (
        "pairing/src/credentials.rs",
        "encodes the items of the key store",
    ),
    (
        "pairing/src/device.rs",
        "hands the private key to the crypto library",
    ),
    (
        "pairing/src/discovery.rs",
        "computes the tags of announcements",
    ),
    (
        "pairing/src/enroll/pake.rs",
        "gives the typed code to SPAKE2 as its password",
    ),
    (
        "pairing/src/enroll/transcript.rs",
        "derives keys from the one-time secret",
    ),
    (
        "pairing/src/invite.rs",
        "puts the one-time secret into the invitation",
    ),
    (
        "pairing/src/keystore/file/format.rs",
        "seals and unseals values",
    ),
    (
        "pairing/src/keystore/file/mod.rs",
        "checks lengths; reads the store's id",
    ),
    (
        "pairing/src/keystore/keyring.rs",
        "hands values to the platform's store",
    ),
    ("pairing/src/keystore/memory.rs", "copies values; for tests"),
    ("pairing/src/qr.rs", "draws the invitation"),
    (
        "pairing/src/renewal.rs",
        "carries the discovery key over to the new item",
    ),
    ("pairing/src/tls/identity.rs", "hands a private key to TLS"),
    (
        "server/src/control/window.rs",
        "sends the invitation to `pair`, same user",
    ),
    (
        "server/src/passphrase.rs",
        "compares a new passphrase with its repetition",
    ),
    ("server/src/present.rs", "shows the invitation"),
];

#[test]
fn secrets_are_exposed_in_listed_files_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for member in ["core", "pairing", "server", "cli"] {
        collect(&root.join(member).join("src"), &mut files);
    }
    assert!(files.len() > 20, "found only {} files", files.len());

    let mut exposing = BTreeSet::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source file");
        if product(&source).contains(".expose()") {
            let name = file.strip_prefix(&root).expect("a file below the root");
            exposing.insert(name.to_string_lossy().replace('\\', "/"));
        }
    }
    let allowed: BTreeSet<String> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let unlisted: Vec<_> = exposing.difference(&allowed).collect();
    assert!(
        unlisted.is_empty(),
        "these call `Secret::expose` and are not in the list: {unlisted:?}"
    );
    let idle: Vec<_> = allowed
        .difference(&exposing)
        .filter(|name| root.join(name).exists())
        .collect();
    assert!(
        idle.is_empty(),
        "these are in the list and call it no more: {idle:?}"
    );
}

/// Without the tests at the end of a file; whole files of tests are empty.
fn product(source: &str) -> &str {
    ["mod tests {", "pub(crate) mod tests {"]
        .iter()
        .filter_map(|tests| source.find(&format!("#[cfg(test)]\n{tests}")))
        .min()
        .map_or(source, |end| &source[..end])
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        match name.as_deref() {
            Some("tests" | "tests.rs") => {}
            _ if path.is_dir() => collect(&path, files),
            _ if path.extension().is_some_and(|kind| kind == "rs") => files.push(path),
            _ => {}
        }
    }
}

#[test]
fn the_scan_sees_a_call() {
    for (source, seen) in [
        ("let a = secret.expose();", true),
        ("// nothing", false),
        (
            "fn a() {}\n#[cfg(test)]\nmod tests {\n secret.expose();",
            false,
        ),
    ] {
        assert_eq!(product(source).contains(".expose()"), seen, "{source}");
    }
}
