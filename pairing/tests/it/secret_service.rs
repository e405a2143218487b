//! The real Secret Service, on a private D-Bus: `scripts/with-secret-service cargo test ..`.
//!
//! Without that script the tests say that they are skipped: nobody's own keyring is touched. Where
//! a test needs a bus of its own, it runs itself again as a child, because a process cannot change
//! its own environment safely.

use std::{
    collections::VecDeque,
    ffi::OsString,
    process::{Command, Output},
};

use healthsync_pairing::{
    environment::Environment,
    keystore::{self, KeyStore, KeyStoreError, OpenOptions, StoreKind},
    secret::Secret,
};
use secret_service::{EncryptionType, blocking::SecretService};

fn open() -> Result<Box<dyn KeyStore>, KeyStoreError> {
    let options = OpenOptions {
        folder: "/nonexistent".into(),
        passphrase: &mut || panic!("the Secret Service needs no passphrase of ours"),
        environment: Environment::system(),
    };
    keystore::open(StoreKind::SecretService, options)
}

fn read(store: &dyn KeyStore, item: &str) -> Option<Vec<u8>> {
    let value = store.read(item).expect("an unlocked keyring");
    value.map(|value| value.expose().to_vec())
}

/// Whether the private Secret Service is there; says so if not.
#[expect(
    clippy::print_stdout,
    reason = "who runs the tests must see what was left out"
)]
fn is_private(test: &str) -> bool {
    let there = std::env::var_os("HEALTHSYNC_TEST_SECRET_SERVICE").is_some_and(|on| on == "1");
    if !there {
        println!("{test}: skipped, run it with scripts/with-secret-service");
    }
    there
}

/// Which part of its test a child is to play.
fn role() -> Option<String> {
    std::env::var_os(ROLE).and_then(|role| role.into_string().ok())
}

/// Runs the one test again in the given role, through `wrapper`; it must pass.
fn play(test: &str, role: &str, wrapper: &[&str], settings: &[(&str, &str)]) {
    let mut words: VecDeque<OsString> = wrapper.iter().map(OsString::from).collect();
    words.push_back(std::env::current_exe().expect("this test binary").into());
    let program = words.pop_front().expect("a program");
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(words)
        .args([&format!("secret_service::{test}"), "--exact", "--nocapture"])
        .env(ROLE, role)
        .envs(settings.iter().copied())
        .output()
        .expect("the child runs");
    let text = String::from_utf8_lossy(&stdout);
    assert!(
        status.success() && text.contains("1 passed"),
        "{text}\n{}",
        String::from_utf8_lossy(&stderr)
    );
}

#[test]
fn items_come_back_until_deleted() {
    if !is_private("items_come_back_until_deleted") {
        return;
    }
    let store = open().expect("a Secret Service");
    assert_eq!(store.kind(), StoreKind::SecretService);
    let store = store.as_ref();
    assert_eq!(read(store, "client:a"), None);
    assert!(!store.delete("client:a").expect("nothing to delete"));

    // Every byte, zero included, up to the size of our largest item.
    let large: Vec<u8> = (0..=255).cycle().take(2_559).collect();
    for (item, value) in [
        ("client:a", &large[..]),
        ("client:b", b"other"),
        ("client:a", b"replaced"),
    ] {
        let secret = Secret::new(value.to_vec());
        store.write(item, &secret).expect("written");
        assert_eq!(read(store, item).as_deref(), Some(value));
    }
    assert_eq!(read(store, "client:b").as_deref(), Some(&b"other"[..]));

    for item in ["client:a", "client:b"] {
        assert!(store.delete(item).expect("deleted"));
        assert_eq!(read(store, item), None);
    }
}

#[test]
fn another_process_finds_one_item_by_service_and_name() {
    let test = "another_process_finds_one_item_by_service_and_name";
    if !is_private(test) {
        return;
    }
    let store = open().expect("a Secret Service");
    if role().is_some() {
        assert_eq!(
            read(store.as_ref(), "client:seen").as_deref(),
            Some(&b"second"[..])
        );
        return;
    }
    for value in ["first", "second"] {
        let secret = Secret::new(value.into());
        store.write("client:seen", &secret).expect("written");
    }
    play(test, "reader", &[], &[]);
    let service = SecretService::connect(EncryptionType::Dh).expect("a Secret Service");
    let attributes = [("service", "healthsync"), ("username", "client:seen")];
    let found = service.search_items(attributes.into()).expect("a search");
    assert_eq!((found.unlocked.len(), found.locked.len()), (1, 0));
    assert!(store.delete("client:seen").expect("deleted"));
}

#[test]
fn a_locked_keyring_is_said_to_be_locked() {
    let test = "a_locked_keyring_is_said_to_be_locked";
    if !is_private(test) {
        return;
    }
    if role().is_none() {
        // A service of its own: the other tests need theirs unlocked.
        play(test, "locked", &[WITH_SECRET_SERVICE], &[]);
        return;
    }
    let store = open().expect("a Secret Service");
    let secret = Secret::new(b"value".to_vec());
    store.write("client:a", &secret).expect("written");
    let service = SecretService::connect(EncryptionType::Dh).expect("a Secret Service");
    let keyring = service.get_default_collection().expect("a keyring");
    keyring.lock().expect("locked");
    // Nobody can answer the question for the password: there is no display.
    for result in [
        store.read("client:a").map(drop),
        store.write("client:a", &secret),
        store.write("client:new", &secret),
        store.check_writable(),
        store.delete("client:a").map(drop),
    ] {
        let error = result.expect_err("the keyring is locked");
        assert_eq!(error.code(), "KEY_STORE_LOCKED", "{error:?}");
        assert!(error.hint().expect("a hint").contains("--key-store file"));
    }
}

#[test]
fn without_a_bus_the_store_is_missing() {
    let test = "without_a_bus_the_store_is_missing";
    if role().is_none() {
        let nowhere = "unix:path=/nonexistent/bus";
        play(
            test,
            "no bus",
            &[],
            &[("DBUS_SESSION_BUS_ADDRESS", nowhere)],
        );
        return;
    }
    let error = open().expect_err("there is no bus");
    assert_eq!(error.code(), "KEY_STORE_MISSING", "{error:?}");
    assert!(error.hint().expect("a hint").contains("--key-store file"));
    assert!(std::error::Error::source(&error).is_some());
}

const ROLE: &str = "HEALTHSYNC_TEST_ROLE";
const WITH_SECRET_SERVICE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../scripts/with-secret-service"
);
