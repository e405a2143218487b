//! The sealed files of the file key store: whoever can write them must not make the store give out
//! another value, or work without end.

use std::{cell::OnceCell, fs, path::Path, sync::Arc};

use healthsync_pairing::{
    keystore::{
        KeyStore as _, KeyStoreError,
        file::{Cost, FileStore},
    },
    secret::Secret,
};
use tempfile::TempDir;

use crate::{seed::Counting, server_config::in_memory};

const ITEM: &str = "client-abc";
const VALUE: &[u8] = b"a private key, or so";

/// The store's own file as version 1 wrote it, under the same passphrase, which opens still.
const OLD_ID: &[u8] = include_bytes!("../corpus/key_file/store-of-version-1");

struct Store {
    folder: TempDir,
    open: FileStore,
    /// The two files as the store wrote them.
    item: Vec<u8>,
    id: Vec<u8>,
}

fn open(path: &Path) -> Result<FileStore, KeyStoreError> {
    FileStore::open_at_cost(
        path.join("keys"),
        Secret::new(b"correct horse".to_vec()),
        Arc::new(Counting::default()),
        Cost::TEST,
    )
}

fn make() -> Store {
    let folder = in_memory();
    let open = open(folder.path()).expect("a store");
    open.write(ITEM, &Secret::new(VALUE.to_vec()))
        .expect("written");
    let keys = folder.path().join("keys");
    Store {
        item: fs::read(keys.join("client-abc.key")).expect("the item"),
        id: fs::read(keys.join("store")).expect("the id"),
        open,
        folder,
    }
}

/// The bytes as an item, then as the store's own file.
pub fn run(data: &[u8]) -> bool {
    thread_local! { static STORE: OnceCell<Store> = const { OnceCell::new() }; }
    if is_costly(data) {
        return false;
    }
    STORE.with(|store| {
        let store = store.get_or_init(make);
        let keys = store.folder.path().join("keys");
        fs::write(keys.join("client-abc.key"), data).expect("a file");
        let taken = match store.open.read(ITEM) {
            Ok(value) => {
                assert_eq!(data, store.item, "a changed file was taken");
                assert_eq!(value.expect("it is there").expose(), VALUE);
                true
            }
            Err(error) => {
                assert!(matches!(error, KeyStoreError::Damaged { .. }), "{error:?}");
                false
            }
        };
        fs::write(keys.join("store"), data).expect("a file");
        match open(store.folder.path()) {
            Ok(_) => assert!(
                data == store.id || data == OLD_ID,
                "a changed store was taken"
            ),
            Err(error) => assert!(
                matches!(
                    error,
                    KeyStoreError::Damaged { .. } | KeyStoreError::PassphraseWrong
                ),
                "{error:?}"
            ),
        }
        fs::write(keys.join("store"), &store.id).expect("a file");
        taken
    })
}

/// Whether a file asks for a derivation that the store would do, and that takes long. The bound
/// itself is what the store's own tests are about.
fn is_costly(data: &[u8]) -> bool {
    let number = |at: usize| {
        data.get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    };
    data.starts_with(b"HSKS")
        && (19 * 1024..=1024 * 1024).contains(&number(5))
        && (1..=10).contains(&number(9))
        && (1..=8).contains(&number(13))
}

/// The two files of a real store, and changed ones.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let Store { item, id, .. } = make();
    let changed = |at: usize, to: &[u8]| {
        let mut file = item.clone();
        file.splice(at..at + to.len(), to.iter().copied());
        file
    };
    vec![
        ("item", item.clone()),
        ("store", id),
        ("cut", item[..item.len() - 1].to_vec()),
        ("head-only", item[..61].to_vec()),
        ("later-version", changed(4, &[3])),
        ("earlier-version", changed(4, &[1])),
        ("no-memory", changed(5, &[0; 4])),
        ("all-memory", changed(5, &[0xff; 4])),
        ("no-passes", changed(9, &[0; 4])),
        ("many-lanes", changed(13, &[0xff; 4])),
        ("other-salt", changed(17, &[0; 16])),
        ("other-own-salt", changed(33, &[0; 16])),
        ("other-nonce", changed(49, &[0; 12])),
        ("nothing", vec![]),
    ]
}
