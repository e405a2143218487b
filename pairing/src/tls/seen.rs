//! What the client certificate of a pair says, read once.
//!
//! A handshake asks it four times: for the dates, for the record, when the key is proved, and for the
//! [`crate::trust::Peer`]. A pair has one client, which shows the same certificate each time. Only
//! the reading is remembered, under the certificate's own bytes; every check is made each time.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    certificate::{Certificate, InvalidCertificate},
    id::KeyDigest,
};

/// What the server wants to know of a client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    /// Digest of its key.
    pub(crate) key: KeyDigest,
    /// Its last second, Unix time.
    pub(crate) not_after: i64,
    /// Lower-case hex.
    pub(crate) serial: String,
}

/// The certificate that was read last.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Option<(Vec<u8>, Arc<Leaf>)>>);

impl Seen {
    /// What `der` says.
    pub(crate) fn read(&self, der: &[u8]) -> Result<Arc<Leaf>, InvalidCertificate> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, leaf)) = last.as_ref().filter(|(known, _)| known == der) {
            return Ok(Arc::clone(leaf));
        }
        let read = Certificate::from_der(der)?;
        let leaf = Arc::new(Leaf {
            key: read.key,
            not_after: read.not_after,
            serial: read.serial,
        });
        *last = Some((der.to_vec(), Arc::clone(&leaf)));
        Ok(leaf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ca, device::DeviceKey, environment::Environment, id::PairId};

    #[test]
    fn each_certificate_is_read_as_itself() {
        let environment = Environment::system();
        let pair = PairId([1; 16]);
        let made = ca::authority(&pair, &environment).unwrap();
        let key = DeviceKey::generate().unwrap();
        let [short, long] = [1, 300].map(|days| {
            ca::client_leaf(
                &made.key,
                &made.certificate,
                &pair,
                &key.spki(),
                days,
                &environment,
            )
            .unwrap()
        });
        let seen = Seen::default();
        for der in [&short, &long, &long, &short] {
            let (leaf, whole) = (seen.read(der).unwrap(), Certificate::from_der(der).unwrap());
            assert_eq!(leaf.not_after, whole.not_after);
            assert_eq!(leaf.serial, whole.serial);
            assert_eq!(leaf.key, key.digest());
            assert!(Arc::ptr_eq(&leaf, &seen.read(der).unwrap()));
        }
        // A wrong byte is another certificate, and what cannot be read is not remembered.
        assert!(seen.read(&short[1..]).is_err());
        assert!(seen.read(b"").is_err());
        assert_eq!(seen.read(&short).unwrap().key, key.digest());
    }
}
