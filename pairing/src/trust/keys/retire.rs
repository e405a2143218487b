//! The end of a pair: its last revocation list, then the deletion of its CA's key. Blocks.

use super::{HostKeys, parse};
use crate::{
    credentials::HostCredentials,
    crl::{self, Listed, Reason},
    defence::{Defence, holds},
    id::{PairId, sha256},
    trust::{State, TrustError},
};

/// A list of a pair that lives is good for so long.
const CRL_SECONDS: i64 = 7 * 86_400;

impl HostKeys {
    /// Signs a revoked pair's last revocation list, then deletes its CA key. The server leaf stays
    /// until it ends, so that the device is told why it is refused.
    pub(crate) fn retire(&self, pair: &PairId) -> Result<(), TrustError> {
        let item = HostCredentials::item(pair);
        let holds_key = self
            .registry
            .key_item(&item)?
            .is_some_and(|item| item.holds_ca_key);
        if holds_key && let Some(mut credentials) = self.read(pair)? {
            self.bury(&mut credentials)?;
        }
        Ok(())
    }

    pub(super) fn bury(&self, credentials: &mut HostCredentials) -> Result<(), TrustError> {
        let pair = credentials.pair;
        if self.registry.last_crl(&pair)?.is_none() {
            match self.list(credentials, State::Revoked) {
                Ok(Some(list)) => self.registry.keep_last_crl(&pair, &list)?,
                Ok(None) => {}
                // The key has to go in any case.
                Err(error) => {
                    tracing::warn!(%error, %pair, "a revoked pair has no last revocation list");
                }
            }
        }
        if holds(Defence::CaKeyDeleted) {
            credentials.ca_key = None;
        }
        self.write(credentials, &[])
    }

    /// A pair's revocation list, DER: of a revoked pair the last one, else a new one. `None`: there
    /// is none, and nobody can sign one any more.
    pub(crate) fn crl(&self, pair: &PairId) -> Result<Option<Vec<u8>>, TrustError> {
        if let Some(last) = self.registry.last_crl(pair)? {
            return Ok(Some(last));
        }
        let Some(credentials) = self.read(pair)? else {
            return Ok(None);
        };
        let state = self.registry.entry(pair).map(|entry| entry.record.state);
        self.list(&credentials, state.unwrap_or(State::Revoked))
    }

    /// Signs a list of the leaves that are not to be believed in this state. `None` without the key,
    /// and after the CA's own end.
    fn list(
        &self,
        credentials: &HostCredentials,
        state: State,
    ) -> Result<Option<Vec<u8>>, TrustError> {
        let (pair, now) = (credentials.pair, self.environment.clock.now());
        let ca_end = parse(&credentials.ca)?.not_after;
        let Some(ca_key) = credentials.ca_key.as_ref().filter(|_| now < ca_end) else {
            return Ok(None);
        };
        let server = sha256(&credentials.leaf);
        let mut current = Vec::new();
        if let Some(entry) = self.registry.entry(&pair) {
            current.push(entry.leaf_digest);
            current.extend(entry.next.map(|next| next.leaf_digest));
        }
        let listed: Vec<Listed> = self
            .registry
            .issued(&pair, now)?
            .into_iter()
            .filter_map(|leaf| {
                let is_current = current.contains(&leaf.digest);
                let reason = match state {
                    State::Revoked => Reason::Revoked,
                    State::Suspended if is_current => Reason::Hold,
                    _ if is_current || leaf.digest == server => return None,
                    _ => Reason::Superseded,
                };
                Some(Listed {
                    serial: leaf.serial,
                    reason,
                })
            })
            .collect();
        let next_update = match state {
            State::Revoked => ca_end,
            _ => ca_end.min(now + CRL_SECONDS),
        };
        let head = crl::Head {
            number: self.registry.next_crl_number(&pair)?,
            now,
            next_update,
        };
        Ok(Some(crl::sign(ca_key, &credentials.ca, head, &listed)?))
    }
}
