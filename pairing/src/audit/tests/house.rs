use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use rusqlite::Connection;

use super::{
    super::{Audit, Verdict, chain::ChainKey, verify},
    fill,
};
use crate::{
    environment::{Clock, Environment, SystemEntropy},
    keystore::memory::MemoryStore,
    trust::Registry,
};

pub(super) const START: i64 = 1_800_000_000;
pub(super) const DAY: i64 = 86_400;

#[derive(Debug)]
pub(super) struct TestClock(AtomicI64);

impl TestClock {
    pub(super) fn turn(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A log in a file that tests may change behind its back.
pub(super) struct House {
    pub(super) folder: tempfile::TempDir,
    pub(super) keys: Arc<MemoryStore>,
    pub(super) clock: Arc<TestClock>,
}

impl House {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            keys: Arc::default(),
            clock: Arc::new(TestClock(AtomicI64::new(START))),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("trust.db")
    }

    pub(super) fn open(&self) -> Audit {
        drop(Registry::open(&self.path()).unwrap());
        let environment = Environment {
            clock: Arc::<TestClock>::clone(&self.clock),
            entropy: Arc::new(SystemEntropy),
        };
        Audit::open(
            &self.path(),
            Arc::<MemoryStore>::clone(&self.keys),
            environment,
        )
        .unwrap()
    }

    /// One with `count` entries, all on the disk.
    pub(super) fn filled(count: u64) -> (Self, Audit) {
        let house = Self::new();
        let audit = house.open();
        fill(&audit, count);
        (house, audit)
    }

    /// What somebody with the file, but without the key, does to it.
    pub(super) fn tamper(&self, sql: &str) {
        let database = Connection::open(self.path()).unwrap();
        database
            .execute_batch("DROP TRIGGER audit_stays; DROP TRIGGER audit_kept;")
            .unwrap();
        database.execute_batch(sql).unwrap();
    }

    /// What the server finds after a restart.
    pub(super) fn verdict(&self) -> Verdict {
        self.open().verify_with(&self.keys)
    }
}

impl Audit {
    /// The check of a server that has written nothing yet.
    fn verify_with(&self, keys: &MemoryStore) -> Verdict {
        let key = ChainKey::open(keys, &SystemEntropy).unwrap();
        verify::verify(&self.table().unwrap(), &key, self.head()).unwrap()
    }
}
