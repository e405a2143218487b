mod house;

use rusqlite::{Connection, params};

use self::house::{DAY, House, START};
use super::{chain::ChainKey, *};
use crate::{id::KeyDigest, trust::Registry};

fn read(rows: u64) -> Note {
    Note::new(Event::ReadSamples)
        .of(PairId([1; 16]))
        .by(KeyDigest([2; 32]))
        .asked_in("7f")
        .about(["steps"])
        .with_rows(rows)
}

fn fill(audit: &Audit, count: u64) {
    for row in 0..count {
        audit.note(read(row));
    }
    audit.settle_blocking().unwrap();
}

fn broken(sequence: u64, what: Break) -> Verdict {
    Verdict::Broken { sequence, what }
}

#[test]
fn entries_come_back_as_they_were_noted_and_verify() {
    let (house, audit) = House::filled(3);
    audit.record_blocking(read(9).ending("CUT")).unwrap();
    let entries = audit.entries(1, 0, 100).unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.sequence, entry.rows, entry.result.as_str()))
        .collect();
    assert_eq!(
        told,
        [(2, Some(1), "OK"), (3, Some(2), "OK"), (4, Some(9), "CUT")]
    );
    let entry = &entries[0];
    assert_eq!(
        (entry.time, entry.event.as_str(), entry.types.as_deref()),
        (START, "read-samples", Some("steps"))
    );
    assert_eq!(
        (entry.pair, entry.key, entry.request.as_deref()),
        (Some(PairId([1; 16])), Some(KeyDigest([2; 32])), Some("7f"))
    );
    let intact = Verdict::Intact {
        entries: 4,
        last: 4,
        purged: 0,
    };
    assert_eq!(audit.verify().unwrap(), intact);
    drop(audit);
    assert_eq!(house.verdict(), intact);
    // Without a server, and without a key.
    let recorded = Audit::recorded(&house.path(), 0, START + 1, 100).unwrap();
    assert_eq!(recorded, []);
    let recorded = Audit::recorded(&house.path(), 0, START, 2).unwrap();
    assert_eq!(recorded.len(), 2);
}

#[test]
fn a_file_without_a_log_has_no_entries() {
    let house = House::new();
    assert_eq!(Audit::recorded(&house.path(), 0, 0, 9).unwrap(), []);
    drop(Registry::open(&house.path()).unwrap());
    assert_eq!(Audit::recorded(&house.path(), 0, 0, 9).unwrap(), []);
}

#[test]
fn a_rewritten_log_is_seen() {
    for (sql, expected) in [
        (
            "UPDATE audit SET \"rows\" = 0 WHERE sequence = 3",
            broken(3, Break::Changed),
        ),
        (
            "UPDATE audit SET \"rows\" = -2 WHERE sequence = 3",
            broken(3, Break::Changed),
        ),
        (
            "UPDATE audit SET time = time + 1 WHERE sequence = 1",
            broken(1, Break::Changed),
        ),
        (
            "UPDATE audit SET types = 'heartRate' WHERE sequence = 5",
            broken(5, Break::Changed),
        ),
        (
            "UPDATE audit SET pair = NULL WHERE sequence = 5",
            broken(5, Break::Changed),
        ),
        (
            "UPDATE audit SET hash = zeroblob(32) WHERE sequence = 2",
            broken(2, Break::Changed),
        ),
        (
            "DELETE FROM audit WHERE sequence = 3",
            broken(3, Break::Missing),
        ),
        (
            "DELETE FROM audit WHERE sequence BETWEEN 2 AND 4",
            broken(2, Break::Missing),
        ),
        (
            "DELETE FROM audit WHERE sequence = 1",
            broken(1, Break::Missing),
        ),
        (
            // The places close up over what was taken out.
            "DELETE FROM audit WHERE sequence = 3;
             UPDATE audit SET sequence = 3 WHERE sequence = 4;
             UPDATE audit SET sequence = 4 WHERE sequence = 5;",
            broken(3, Break::Changed),
        ),
        (
            "UPDATE audit SET sequence = 100 WHERE sequence = 2;
             UPDATE audit SET sequence = 2 WHERE sequence = 3;
             UPDATE audit SET sequence = 3 WHERE sequence = 100;",
            broken(2, Break::Changed),
        ),
        (
            "INSERT INTO audit (sequence, time, event, result, hash)
             VALUES (6, 1800000000, 'server-stopped', 'OK', zeroblob(32))",
            broken(6, Break::Changed),
        ),
        (
            "DELETE FROM audit WHERE sequence > 3",
            broken(4, Break::End),
        ),
    ] {
        let (house, audit) = House::filled(5);
        house.tamper(sql);
        assert_eq!(audit.verify().unwrap(), expected, "{sql}");
        // After a restart nobody here knows that there was more: that is what witnesses are for.
        drop(audit);
        match expected {
            Verdict::Broken {
                what: Break::End, ..
            } => assert_eq!(
                house.verdict(),
                Verdict::Intact {
                    entries: 3,
                    last: 3,
                    purged: 0
                }
            ),
            _ => assert_eq!(house.verdict(), expected, "{sql}"),
        }
    }
}

#[test]
fn a_forged_log_is_seen() {
    let (house, audit) = House::filled(5);
    // Somebody leaves one read out and computes all that follows, with a key that they may know.
    let key = ChainKey::new(&[0; 32]);
    let mut entries = audit.entries(0, 0, 100).unwrap();
    entries.remove(2);
    let mut before = Hash::START;
    for (entry, sequence) in entries.iter_mut().zip(1..) {
        entry.sequence = sequence;
        entry.hash = key.link(&before, entry);
        before = entry.hash;
    }
    drop(audit);
    house.tamper("DELETE FROM audit");
    AuditTable::open(&house.path())
        .unwrap()
        .append(None, &entries)
        .unwrap();
    assert_eq!(house.verdict(), broken(1, Break::Changed));
}

#[test]
fn entries_of_an_older_copy_do_not_mix_with_the_log() {
    let (house, audit) = House::filled(3);
    drop(audit);
    let copy = house.folder.path().join("copy.db");
    Connection::open(house.path())
        .unwrap()
        .execute("VACUUM INTO ?1", params![copy.to_str().unwrap()])
        .unwrap();
    let audit = house.open();
    fill(&audit, 2);
    let kept = audit.entries(4, 0, 1).unwrap();
    drop(audit);
    // The copy is put back, and another entry is written in the place of the fourth.
    for end in ["", "-wal", "-shm"] {
        let mut path = house.path().into_os_string();
        path.push(end);
        drop(std::fs::remove_file(path));
    }
    std::fs::copy(copy, house.path()).unwrap();
    let audit = house.open();
    audit.record_blocking(read(77)).unwrap();
    drop(audit);
    // Its key made both: only the link tells that the fifth did not follow this fourth.
    AuditTable::open(&house.path())
        .unwrap()
        .append(None, &kept)
        .unwrap();
    assert_eq!(house.verdict(), broken(5, Break::Changed));
}

#[test]
fn a_purge_leaves_a_log_that_verifies() {
    let (house, audit) = House::filled(3);
    house.clock.turn(30 * DAY);
    fill(&audit, 2);
    house.clock.turn(59 * DAY);
    fill(&audit, 1);
    let intact = |entries, last, purged| Verdict::Intact {
        entries,
        last,
        purged,
    };
    assert_eq!(audit.verify().unwrap(), intact(6, 6, 0));
    let seen = |sequence| audit.at(sequence).unwrap();
    let third = seen(3);
    assert!(matches!(third, Seen::Entry(_)));

    // More than 90 days after the first three.
    house.clock.turn(2 * DAY);
    fill(&audit, 1);
    assert_eq!(audit.verify().unwrap(), intact(5, 8, 3));
    let purged = audit.entries(6, 0, 1).unwrap();
    assert_eq!(
        (purged[0].event.as_str(), purged[0].count),
        ("purged", Some(3))
    );
    // The checkpoint still answers for its own place.
    assert_eq!((seen(2), seen(3)), (Seen::Purged, third));
    assert_eq!(seen(9), Seen::Missing);
    assert_eq!(seen(u64::MAX), Seen::Missing);
    assert_eq!(seen(0), Seen::Entry(Hash::START));

    // All of it is old; the next entry follows the checkpoint.
    house.clock.turn(400 * DAY);
    fill(&audit, 1);
    assert_eq!(audit.verify().unwrap(), intact(2, 10, 8));
    drop(audit);
    assert_eq!(house.verdict(), intact(2, 10, 8));
    let audit = house.open();
    fill(&audit, 1);
    assert_eq!(audit.verify().unwrap(), intact(3, 11, 8));
}

#[test]
fn a_beginning_cut_off_by_hand_is_seen() {
    let purged = || {
        let (house, audit) = House::filled(3);
        house.clock.turn(91 * DAY);
        fill(&audit, 3);
        house.clock.turn(DAY);
        (house, audit)
    };
    let (house, audit) = purged();
    drop(audit);
    assert_eq!(
        house.verdict(),
        Verdict::Intact {
            entries: 4,
            last: 7,
            purged: 3
        }
    );
    for (sql, expected) in [
        (
            // As if the purge had gone further.
            "INSERT INTO audit_checkpoint (sequence, hash, time, previous, seal)
             SELECT 5, hash, 1800000000, zeroblob(32), zeroblob(32) FROM audit WHERE sequence = 5;
             DELETE FROM audit WHERE sequence <= 5;",
            broken(5, Break::Beginning),
        ),
        (
            "UPDATE audit_checkpoint SET hash = (SELECT hash FROM audit WHERE sequence = 5),
                 sequence = 5;
             DELETE FROM audit WHERE sequence <= 5;",
            broken(5, Break::Beginning),
        ),
        (
            "DELETE FROM audit WHERE sequence = 4",
            broken(4, Break::Missing),
        ),
        ("DELETE FROM audit_checkpoint", broken(1, Break::Missing)),
        (
            // Entries before the purge that were never there, too young to be purged by whoever looks.
            "INSERT INTO audit (sequence, time, event, result, hash)
             SELECT 2, max(time), 'server-stopped', 'OK', zeroblob(32) FROM audit",
            broken(2, Break::Changed),
        ),
    ] {
        let (house, audit) = purged();
        drop(audit);
        house.tamper(sql);
        assert_eq!(house.verdict(), expected, "{sql}");
    }
}

#[test]
fn a_key_that_is_gone_leaves_a_log_that_does_not_verify() {
    let (house, audit) = House::filled(2);
    drop(audit);
    house.keys.delete("audit").unwrap();
    let audit = house.open();
    fill(&audit, 1);
    assert_eq!(audit.verify().unwrap(), broken(1, Break::Changed));
}

#[test]
fn nothing_is_changed_by_mistake() {
    let (house, _audit) = House::filled(2);
    let database = Connection::open(house.path()).unwrap();
    for sql in [
        "UPDATE audit SET result = 'x'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE sequence = 2",
    ] {
        assert!(database.execute_batch(sql).is_err(), "{sql}");
    }
}

#[test]
fn what_cannot_be_written_is_told_and_written_later() {
    let (house, audit) = House::filled(1);
    let database = Connection::open(house.path()).unwrap();
    database
        .execute_batch("ALTER TABLE audit RENAME TO away")
        .unwrap();
    let error = audit.record_blocking(read(5)).unwrap_err();
    assert_eq!(error.code(), "AUDIT_FAILED");
    audit.note(Note::new(Event::Revoked).of(PairId([3; 16])));
    assert!(audit.settle_blocking().is_err());

    database
        .execute_batch("ALTER TABLE away RENAME TO audit")
        .unwrap();
    audit.settle_blocking().unwrap();
    let words: Vec<_> = audit
        .entries(0, 0, 9)
        .unwrap()
        .into_iter()
        .map(|entry| entry.event)
        .collect();
    // The read that could not be noted was not answered; the revocation happened.
    assert_eq!(words, ["read-samples", "revoked"]);
    assert!(matches!(audit.verify().unwrap(), Verdict::Intact { .. }));
}

#[test]
fn a_head_is_told_only_when_it_is_on_the_disk() {
    let (house, audit) = House::filled(2);
    let head = audit.head().unwrap();
    assert_eq!(head.sequence, 2);
    assert_eq!(audit.at(2).unwrap(), Seen::Entry(head.hash));
    drop(audit);
    // A server that has just started shows at once where the chain stands.
    let audit = house.open();
    assert_eq!(audit.head(), Some(head));
    assert_eq!(audit.settle_blocking().unwrap(), head);
}
