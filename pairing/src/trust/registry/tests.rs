use super::*;

fn entry(byte: u8, replaces: Option<PairId>) -> Entry {
    Entry {
        record: DeviceRecord {
            pair: PairId([byte; 16]),
            key: KeyDigest([byte; 32]),
            name: format!("device {byte}"),
            state: State::Pending,
            created_at: i64::from(byte),
            approved_at: None,
            last_seen_at: None,
            last_address: None,
            leaf_not_after: 1000,
            scope: Scope::default(),
        },
        spki: vec![byte; 91],
        replaces,
        deadline: Some(120),
        leaf_digest: [byte; 32],
        leaf_days: 365,
        next: None,
        retired: Vec::new(),
        renewed_at: None,
    }
}

fn states(registry: &Registry) -> Vec<(u8, State)> {
    registry
        .entries()
        .iter()
        .map(|entry| (entry.record.pair.0[0], entry.record.state))
        .collect()
}

#[test]
fn records_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.db");
    let registry = Registry::open(&path).unwrap();
    registry.insert(entry(2, None)).unwrap();
    registry.insert(entry(1, None)).unwrap();
    registry.activate(&PairId([1; 16]), 50).unwrap();
    registry.insert(entry(3, Some(PairId([1; 16])))).unwrap();
    let (record, replaced) = registry.activate(&PairId([3; 16]), 60).unwrap();
    assert_eq!(record.approved_at, Some(60));
    assert_eq!(replaced, Some(PairId([1; 16])));
    registry
        .seen(&PairId([3; 16]), 70, [192, 0, 2, 1].into())
        .unwrap();

    let wanted = [(1, State::Revoked), (2, State::Pending), (3, State::Active)];
    assert_eq!(states(&registry), wanted);
    let before = registry.entries();
    drop(registry);
    let registry = Registry::open(&path).unwrap();
    assert_eq!(states(&registry), wanted);
    for (one, other) in before.iter().zip(registry.entries()) {
        assert_eq!(one.record, other.record);
        assert_eq!(one.deadline, other.deadline);
    }
    // Acknowledged twice: nothing changes, and nobody is revoked a second time.
    assert_eq!(
        registry.activate(&PairId([3; 16]), 99).unwrap(),
        (before[2].record.clone(), None)
    );
}

#[test]
fn a_key_is_enrolled_once_in_any_state() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("trust.db")).unwrap();
    registry.insert(entry(1, None)).unwrap();
    registry.revoke(&PairId([1; 16]), 9).unwrap();
    assert!(registry.knows_key(&KeyDigest([1; 32])));
    let mut again = entry(2, None);
    again.record.key = KeyDigest([1; 32]);
    assert!(registry.insert(again).is_err());
    assert_eq!(states(&registry), [(1, State::Revoked)]);
}

#[test]
fn only_pending_records_are_rolled_back() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("trust.db")).unwrap();
    registry.insert(entry(1, None)).unwrap();
    registry.insert(entry(2, None)).unwrap();
    registry.activate(&PairId([2; 16]), 5).unwrap();
    assert!(registry.remove_pending(&PairId([1; 16])).unwrap());
    assert!(!registry.remove_pending(&PairId([1; 16])).unwrap());
    assert!(!registry.remove_pending(&PairId([2; 16])).unwrap());
    // A revoked record stays revoked, whatever is acknowledged later.
    registry.revoke(&PairId([2; 16]), 9).unwrap();
    assert_eq!(
        registry.activate(&PairId([2; 16]), 6).unwrap().0.state,
        State::Revoked
    );
    assert_eq!(states(&registry), [(2, State::Revoked)]);
}

#[cfg(unix)]
#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.db");
    let registry = Registry::open(&path).unwrap();
    registry.insert(entry(1, None)).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file:?}");
    }
}

#[test]
fn other_databases_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(Registry::open(&path), Err(TrustError::Foreign)));

    let path = folder.path().join("later.db");
    drop(Registry::open(&path).unwrap());
    Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .unwrap();
    assert!(matches!(Registry::open(&path), Err(TrustError::TooNew)));

    let path = folder.path().join("garbage.db");
    std::fs::write(&path, vec![7; 4096]).unwrap();
    assert!(matches!(
        Registry::open(&path),
        Err(TrustError::Database(_))
    ));
}

#[test]
fn scopes_are_kept_and_damaged_ones_allow_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.db");
    let registry = Registry::open(&path).unwrap();
    let some = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    let scope = Scope {
        types: some(&["heartRate", "sleepAnalysis:asleepREM"]),
        origins: some(&["ana's \"phone\""]),
    };
    let mut limited = entry(1, None);
    limited.record.scope = scope.clone();
    registry.insert(limited).unwrap();
    for byte in [2, 3, 4] {
        registry.insert(entry(byte, None)).unwrap();
    }
    let allowed = registry.allow(&PairId([2; 16]), |kept| {
        assert_eq!(*kept, Scope::default());
        kept.origins = some(&["ana"]);
    });
    assert_eq!(allowed.unwrap().unwrap().scope.origins, some(&["ana"]));
    registry.revoke(&PairId([3; 16]), 9).unwrap();
    assert_eq!(registry.allow(&PairId([3; 16]), |_| ()).unwrap(), None);
    registry
        .database()
        .execute("UPDATE device SET types = '{' WHERE name = 'device 4'", [])
        .unwrap();
    drop(registry);

    let registry = Registry::open(&path).unwrap();
    let scope_of = |byte| registry.entry(&PairId([byte; 16])).unwrap().record.scope;
    assert_eq!(scope_of(1), scope);
    assert_eq!(
        (scope_of(2).types, scope_of(2).origins),
        (None, some(&["ana"]))
    );
    assert_eq!(scope_of(3), Scope::default());
    assert_eq!(scope_of(4).types, Some(Vec::new()));
}

#[test]
fn a_file_of_the_first_version_is_taken_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(FIRST_SCHEMA).unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute(
        "INSERT INTO device (pair, key, spki, name, state, created_at, leaf_not_after,
             leaf_digest, leaf_days)
         VALUES (?1, ?2, ?3, 'old', 'active', 1, 2, ?2, 365)",
        params![[1_u8; 16], [1_u8; 32], vec![1_u8; 91]],
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let registry = Registry::open(&path).unwrap();
        assert_eq!(states(&registry), [(1, State::Active)]);
        assert_eq!(registry.entries()[0].record.last_address, None);
        assert!(registry.next_crl_number(&PairId([1; 16])).unwrap() > 0);
    }
}

#[test]
fn a_serial_number_is_issued_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("trust.db")).unwrap();
    let leaf = |serial, not_after| IssuedLeaf {
        serial: [serial; 16],
        digest: [serial; 32],
        not_after,
    };
    let pair = PairId([1; 16]);
    registry
        .issue(&pair, &[leaf(1, 10), leaf(2, 20)], None)
        .unwrap();
    assert!(
        registry
            .issue(&PairId([2; 16]), &[leaf(3, 30), leaf(1, 30)], None)
            .is_err()
    );
    // All of them or none, and no name of an item without them.
    assert_eq!(registry.issued(&PairId([2; 16]), 10).unwrap(), []);
    let item = KeyItem {
        item: "host=b".to_owned(),
        pair: PairId([2; 16]),
        holds_ca_key: true,
        leaf_not_after: 30,
    };
    for (serial, is_new) in [(1, false), (4, true)] {
        let issued = registry.issue(&item.pair, &[leaf(serial, 30)], Some(&item));
        assert_eq!(issued.is_ok(), is_new);
        assert_eq!(registry.key_item(&item.item).unwrap().is_some(), is_new);
    }
    assert_eq!(registry.issued(&pair, 10).unwrap().len(), 2);
    assert_eq!(registry.issued(&pair, 11).unwrap(), [leaf(2, 20)]);
    registry.forget_ended(11).unwrap();
    assert_eq!(registry.issued(&pair, 0).unwrap(), [leaf(2, 20)]);
}
