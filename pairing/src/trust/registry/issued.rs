//! The certificates that a pair's CA issued, as far as they are not past their end, and its
//! revocation lists: what RFC 5280 needs to name them.

use rusqlite::{OptionalExtension as _, params};

use super::{KeyItem, Registry, TrustError, items};
use crate::id::PairId;

/// A leaf that some pair's CA signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuedLeaf {
    pub(crate) serial: [u8; 16],
    /// SHA-256 of the whole certificate.
    pub(crate) digest: [u8; 32],
    /// Unix seconds.
    pub(crate) not_after: i64,
}

impl Registry {
    /// Notes leaves before they are handed out, and the item of the key store that is about to be written with
    /// them, in one transaction. A serial number that was used before is an error.
    pub(crate) fn issue(
        &self,
        pair: &PairId,
        leaves: &[IssuedLeaf],
        item: Option<&KeyItem>,
    ) -> Result<(), TrustError> {
        let mut database = self.database();
        let change = database.transaction()?;
        for leaf in leaves {
            change.execute(
                "INSERT INTO issued_leaf (serial, pair, digest, not_after) VALUES (?1, ?2, ?3, ?4)",
                params![leaf.serial, pair.0, leaf.digest, leaf.not_after],
            )?;
        }
        if let Some(item) = item {
            items::name(&change, item)?;
        }
        change.commit()?;
        Ok(())
    }

    /// The leaves of a pair that have not ended, in the order of their serial numbers.
    pub(crate) fn issued(&self, pair: &PairId, now: i64) -> Result<Vec<IssuedLeaf>, TrustError> {
        let database = self.database();
        let mut statement = database.prepare(
            "SELECT serial, digest, not_after FROM issued_leaf
             WHERE pair = ?1 AND not_after >= ?2 ORDER BY serial",
        )?;
        let rows = statement.query_map(params![pair.0, now], |row| {
            Ok(IssuedLeaf {
                serial: row.get(0)?,
                digest: row.get(1)?,
                not_after: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets leaves whose end is long past.
    pub(crate) fn forget_ended(&self, before: i64) -> Result<(), TrustError> {
        self.database().execute(
            "DELETE FROM issued_leaf WHERE not_after < ?1",
            params![before],
        )?;
        Ok(())
    }

    /// The number of the pair's next revocation list: each is higher than the one before.
    pub(crate) fn next_crl_number(&self, pair: &PairId) -> Result<u64, TrustError> {
        let number: i64 = self.database().query_row(
            "INSERT INTO crl (pair, number) VALUES (?1, 1)
             ON CONFLICT (pair) DO UPDATE SET number = number + 1 RETURNING number",
            params![pair.0],
            |row| row.get(0),
        )?;
        Ok(number.unsigned_abs())
    }

    /// Keeps a pair's last revocation list.
    pub(crate) fn keep_last_crl(&self, pair: &PairId, der: &[u8]) -> Result<(), TrustError> {
        self.database().execute(
            "UPDATE crl SET last = ?2 WHERE pair = ?1",
            params![pair.0, der],
        )?;
        Ok(())
    }

    /// A pair's last revocation list, DER.
    pub(crate) fn last_crl(&self, pair: &PairId) -> Result<Option<Vec<u8>>, TrustError> {
        let found = self
            .database()
            .query_row(
                "SELECT last FROM crl WHERE pair = ?1",
                params![pair.0],
                |row| row.get(0),
            )
            .optional()?;
        Ok(found.flatten())
    }
}

/// What later versions of the database have more.
pub(super) const SCHEMA: &str = "
    CREATE TABLE issued_leaf (
        serial         BLOB PRIMARY KEY CHECK (length(serial) = 16),
        pair           BLOB NOT NULL CHECK (length(pair) = 16),
        digest         BLOB NOT NULL CHECK (length(digest) = 32),
        not_after      INTEGER NOT NULL   -- Unix seconds
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE crl (
        pair           BLOB PRIMARY KEY CHECK (length(pair) = 16),
        number         INTEGER NOT NULL,  -- of the list signed last
        last           BLOB               -- the list of a revoked pair: none is signed after it
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE device ADD COLUMN last_address TEXT;";
