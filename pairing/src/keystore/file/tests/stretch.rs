//! What stretching the passphrase costs, and how often it is done.

use super::*;

#[test]
fn the_standard_cost_is_what_rfc_9106_derives() {
    // `printf %s 'correct horse' | argon2 saltsaltsaltsalt -id -t 3 -k 65536 -p 4 -l 32 -r`
    let header = Header {
        cost: Cost::STANDARD,
        salt: *b"saltsaltsaltsalt",
        own_salt: None,
        nonce: [0; 12],
    };
    let key = header.stretch(&secret("correct horse")).unwrap();
    let expected = "2de65b0f75002af51c002c7d8a5e173ed5ed1620d7dff49c444e1e4233983723";
    assert_eq!(crate::id::hex(key.expose()), expected);
    // In version 1 that is the key, later it is what HKDF (by Python's hmac) makes of it.
    let of_file = header.key(&key).unwrap();
    assert_eq!(crate::id::hex(of_file.expose()), expected);
    let header = Header {
        own_salt: Some(*b"own salt of file"),
        ..header
    };
    let of_file = header.key(&key).unwrap();
    assert_eq!(
        crate::id::hex(of_file.expose()),
        "dca92b287f71fe2b592991df44c6736c791f8e3a8befa0d3ddd9cd3f35320205"
    );
}

fn stretches(store: &FileStore) -> usize {
    store.derived.lock().unwrap().len()
}

#[test]
fn the_passphrase_is_stretched_once_for_all_files() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    for item in ["a", "b"] {
        store.write(item, &secret(item)).unwrap();
    }
    assert_eq!(stretches(&store), 1);
    drop(store);
    let store = open(&folder, "correct horse").unwrap();
    for item in ["a", "b"] {
        let value = store.read(item).unwrap().unwrap();
        assert_eq!(value.expose(), item.as_bytes());
    }
    store.write("a", &secret("c")).unwrap();
    assert_eq!(stretches(&store), 1);
}

#[test]
fn files_of_version_1_open_still() {
    let (_holder, folder) = folder();
    fs::create_dir(&folder).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let files = Folder::open(folder.clone()).unwrap();
    let passphrase = secret("correct horse");
    let seal = |salt: u8, store: &[u8; 16], item: &str, value: Vec<u8>| {
        let header = Header {
            cost: Cost::TEST,
            salt: [salt; 16],
            own_salt: None,
            nonce: [salt; 12],
        };
        let key = header.stretch(&passphrase).unwrap();
        let file = header.seal(&key, store, item, &Secret::new(value)).unwrap();
        assert_eq!(file[4], 1);
        file
    };
    let id = [9; 16];
    let store = seal(1, &[0; 16], STORE, id.to_vec());
    files.create(STORE, [1; 8], &store).unwrap();
    let item = seal(2, &id, "a", b"old".to_vec());
    files.create("a.key", [2; 8], &item).unwrap();

    let store = open(&folder, "correct horse").unwrap();
    assert_eq!(store.read("a").unwrap().unwrap().expose(), b"old");
    assert_eq!(stretches(&store), 2);
    store.write("a", &secret("new")).unwrap();
    assert_eq!(fs::read(folder.join("a.key")).unwrap()[4], 2);
    drop(store);
    let store = open(&folder, "correct horse").unwrap();
    assert_eq!(store.read("a").unwrap().unwrap().expose(), b"new");
    assert_eq!(stretches(&store), 1);
    assert_eq!(code(open(&folder, "correct horsf")), "PASSPHRASE_WRONG");
}

#[test]
fn a_store_of_another_cost_is_read_and_not_mixed_up() {
    let (_holder, folder) = folder();
    let store = open(&folder, "correct horse").unwrap();
    store.write("a", &secret("value")).unwrap();
    drop(store);
    let other = Cost {
        memory: 19 * 1024,
        ..Cost::TEST
    };
    let at = |cost| {
        let passphrase = secret("correct horse");
        FileStore::open_at_cost(folder.clone(), passphrase, Arc::new(SystemEntropy), cost)
    };
    // Less than the least is read by whoever has it for its own alone.
    assert_eq!(code(at(other)), "KEY_STORE_DAMAGED");
    fs::remove_dir_all(&folder).unwrap();
    let store = at(other).unwrap();
    store.write("a", &secret("value")).unwrap();
    drop(store);
    let store = at(Cost::TEST).unwrap();
    assert_eq!(store.read("a").unwrap().unwrap().expose(), b"value");
    store.write("a", &secret("again")).unwrap();
    assert_eq!(stretches(&store), 2);
    drop(store);
    let store = at(Cost::TEST).unwrap();
    assert_eq!(store.read("a").unwrap().unwrap().expose(), b"again");
}
