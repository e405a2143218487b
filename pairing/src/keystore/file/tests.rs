mod stretch;

use std::fs;

use super::*;
use crate::environment::SystemEntropy;

fn open(folder: &Path, passphrase: &str) -> Result<FileStore, KeyStoreError> {
    let passphrase = Secret::new(passphrase.as_bytes().to_vec());
    FileStore::open_at_cost(
        folder.to_owned(),
        passphrase,
        Arc::new(SystemEntropy),
        Cost::TEST,
    )
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let holder = tempfile::tempdir().unwrap();
    let folder = holder.path().join("keys");
    (holder, folder)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn code<T>(result: Result<T, KeyStoreError>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

#[test]
fn items_come_back_until_deleted() {
    let (_holder, folder) = folder();
    crate::keystore::tests::check_contract(&open(&folder, "correct horse").unwrap());
}

#[test]
fn items_outlive_the_process() {
    let (_holder, folder) = folder();
    let item = "client:aaaaaaaaaaaaaaaaaaaaaaaaaa";
    let store = open(&folder, "correct horse").unwrap();
    store.write(item, &secret("value")).unwrap();
    drop(store);
    let again = open(&folder, "correct horse").unwrap();
    assert_eq!(again.read(item).unwrap().unwrap().expose(), b"value");
    let mut names = again.folder.names().unwrap();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    assert_eq!(names, ["client=3aaaaaaaaaaaaaaaaaaaaaaaaaaa.key", "store"]);
}

#[test]
fn a_forgotten_passphrase_keeps_no_key_alive() {
    let (_holder, folder) = folder();
    let names = |items: &[&str]| {
        items
            .iter()
            .map(|&item| item.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(discard(&folder, &names(&["client:a"])).unwrap(), names(&[]));
    assert!(!folder.exists());

    let store = open(&folder, "correct horse").unwrap();
    store.write("client:a", &secret("a")).unwrap();
    store.write("client:b", &secret("b")).unwrap();
    drop(store);
    let asked = names(&["client:a", "pending-key"]);
    assert_eq!(discard(&folder, &asked).unwrap(), names(&["client:a"]));
    // Somebody else's item still needs its passphrase.
    assert_eq!(code(open(&folder, "another")), "PASSPHRASE_WRONG");
    assert_eq!(
        discard(&folder, &names(&["client:b"])).unwrap(),
        names(&["client:b"])
    );
    assert_eq!(code(open(&folder, "another")), "ok");
}

#[test]
fn a_passphrase_is_needed_and_checked_at_once() {
    let (_holder, folder) = folder();
    assert_eq!(code(open(&folder, "")), "PASSPHRASE_NEEDED");
    assert!(!folder.exists());
    drop(open(&folder, "correct horse").unwrap());
    assert_eq!(code(open(&folder, "correct horsf")), "PASSPHRASE_WRONG");
    assert_eq!(code(open(&folder, "correct horse")), "ok");
}

#[test]
fn nothing_is_stored_in_the_clear_or_under_an_old_nonce() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        store.write("a", &secret("canary canary")).unwrap();
        let file = fs::read(folder.join("a.key")).unwrap();
        assert!(!file.windows(6).any(|part| part == b"canary"));
        let (header, body) = Header::parse(&file).unwrap();
        assert_eq!(body.len(), 13 + 16);
        seen.push((header.own_salt.unwrap(), header.nonce, body.to_vec()));
    }
    assert_ne!(seen[0].0, seen[1].0);
    assert_ne!(seen[0].1, seen[1].1);
    assert_ne!(seen[0].2, seen[1].2);
}

#[test]
fn every_changed_byte_is_seen() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    store.write("a", &secret("value")).unwrap();
    let path = folder.join("a.key");
    let good = fs::read(&path).unwrap();
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 1;
        fs::write(&path, changed).unwrap();
        let result = store.read("a");
        assert_eq!(code(result), "KEY_STORE_DAMAGED", "byte {position}");
    }
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).unwrap();
        assert_eq!(code(store.read("a")), "KEY_STORE_DAMAGED", "{length} bytes");
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(store.read("a").unwrap().unwrap().expose(), b"value");
}

#[test]
fn a_file_works_only_under_its_name_and_in_its_store() {
    let (_holder, folder) = folder();
    let (_other_holder, other_folder) = self::folder();
    let store = open(&folder, "correct horse").unwrap();
    let other = open(&other_folder, "correct horse").unwrap();
    store.write("a", &secret("value")).unwrap();
    fs::copy(folder.join("a.key"), folder.join("b.key")).unwrap();
    fs::copy(folder.join("a.key"), other_folder.join("a.key")).unwrap();
    assert_eq!(code(store.read("b")), "KEY_STORE_DAMAGED");
    assert_eq!(code(other.read("a")), "KEY_STORE_DAMAGED");
}

#[test]
fn a_store_without_its_id_is_not_made_anew() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    store.write("a", &secret("value")).unwrap();
    fs::remove_file(folder.join(STORE)).unwrap();
    assert_eq!(code(open(&folder, "correct horse")), "KEY_STORE_DAMAGED");
    assert!(!folder.join(STORE).exists());
}

#[test]
fn costs_that_a_file_may_ask_for() {
    let cost = |memory, passes, lanes| Cost {
        memory,
        passes,
        lanes,
    };
    for (asked, expected) in [
        (Cost::STANDARD, true),
        (cost(1024 * 1024, 10, 8), true),
        (cost(19 * 1024, 1, 1), true),
        (cost(19 * 1024 - 1, 1, 1), false),
        (cost(1024 * 1024 + 1, 1, 1), false),
        (cost(64 * 1024, 11, 4), false),
        (cost(64 * 1024, 0, 4), false),
        (cost(64 * 1024, 3, 9), false),
        (cost(64 * 1024, 3, 0), false),
        (cost(u32::MAX, u32::MAX, u32::MAX), false),
        (Cost::TEST, false),
    ] {
        assert_eq!(asked.is_acceptable(Cost::STANDARD), expected, "{asked:?}");
    }
}

#[test]
fn names_of_items_are_inert_in_a_file_system() {
    for (item, expected) in [
        ("client:abc2", Some("client=3aabc2.key")),
        (
            "../../etc/passwd",
            Some("=2e=2e=2f=2e=2e=2fetc=2fpasswd.key"),
        ),
        ("A", Some("=41.key")),
        ("a", Some("a.key")),
        ("con", Some("con.key")),
        ("=41", Some("=3d41.key")),
        ("\0", Some("=00.key")),
        ("é", Some("=c3=a9.key")),
        ("", None),
        (&"x".repeat(64), Some(&format!("{}.key", "x".repeat(64)))),
        (&"x".repeat(65), None),
    ] {
        assert_eq!(file_name(item).ok().as_deref(), expected, "{item:?}");
    }
}

#[test]
fn a_value_has_a_limit() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    let largest = Secret::new(vec![7; VALUE_LIMIT]);
    store.write("a", &largest).unwrap();
    assert_eq!(
        store.read("a").unwrap().unwrap().expose().len(),
        VALUE_LIMIT
    );
    let larger = Secret::new(vec![7; VALUE_LIMIT + 1]);
    assert_eq!(code(store.write("a", &larger)), "KEY_STORE_FAILED");
}

#[test]
fn a_key_is_derived_once_a_run_and_few_are_kept() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    for number in 0..DERIVED_LIMIT * 2 {
        store.write(&number.to_string(), &secret("value")).unwrap();
    }
    let kept = || store.derived.lock().unwrap().len();
    assert!(kept() <= DERIVED_LIMIT);
    let before = kept();
    for _ in 0..3 {
        store.read(&(DERIVED_LIMIT * 2 - 1).to_string()).unwrap();
    }
    assert_eq!(kept(), before);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    fn protect(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn folder_and_files_are_private() {
        let (_holder, folder) = folder();
        let store = open(&folder, "correct horse").unwrap();
        store.write("a", &secret("value")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("store")), 0o600);
        assert_eq!(mode(&folder.join("a.key")), 0o600);
    }

    #[test]
    fn what_others_can_read_is_refused() {
        for (name, mode) in [("a.key", 0o640), ("a.key", 0o604), ("", 0o750), ("", 0o701)] {
            let (_holder, folder) = folder();
            let store = open(&folder, "correct horse").unwrap();
            store.write("a", &secret("value")).unwrap();
            protect(&folder.join(name), mode);
            let result = open(&folder, "correct horse").and_then(|store| store.read("a"));
            let error = result.unwrap_err();
            assert_eq!(error.code(), "KEY_STORE_DENIED", "{name} {mode:o}");
            assert!(error.to_string().contains(&format!("{mode:o}")));
        }
    }

    #[test]
    fn links_and_pipes_are_refused() {
        let (holder, folder) = folder();
        let store = open(&folder, "correct horse").unwrap();
        store.write("a", &secret("value")).unwrap();
        symlink(folder.join("a.key"), folder.join("b.key")).unwrap();
        assert_eq!(code(store.read("b")), "KEY_STORE_DENIED");

        let status = std::process::Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(folder.join("c.key"))
            .status()
            .unwrap();
        assert!(status.success());
        assert_eq!(code(store.read("c")), "KEY_STORE_DENIED");

        let link = holder.path().join("link");
        symlink(&folder, &link).unwrap();
        assert_eq!(code(open(&link, "correct horse")), "KEY_STORE_DENIED");
    }

    #[test]
    fn a_link_is_replaced_and_its_target_stays() {
        let (holder, folder) = folder();
        let store = open(&folder, "correct horse").unwrap();
        let target = holder.path().join("target");
        fs::write(&target, "untouched").unwrap();
        symlink(&target, folder.join("a.key")).unwrap();
        store.write("a", &secret("value")).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"untouched");
        assert_eq!(store.read("a").unwrap().unwrap().expose(), b"value");
    }

    #[test]
    fn what_a_killed_process_left_is_swept() {
        let (_holder, folder) = folder();
        let store = open(&folder, "correct horse").unwrap();
        fs::write(folder.join(".new-0011223344556677"), "half").unwrap();
        store.write("a", &secret("value")).unwrap();
        assert!(!folder.join(".new-0011223344556677").exists());
    }

    #[test]
    fn the_first_of_two_makers_wins() {
        let (_holder, folder) = folder();
        let folder = Folder::open(folder).unwrap();
        folder.create("store", [1; 8], b"first").unwrap();
        folder.create("store", [2; 8], b"second").unwrap();
        assert_eq!(folder.read("store").unwrap().unwrap(), b"first");
        assert!(
            !folder
                .names()
                .unwrap()
                .iter()
                .any(|n| n.starts_with(".new"))
        );
    }
}
