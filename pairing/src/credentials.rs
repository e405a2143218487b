//! What one end keeps of a pair in its key store: one DER item, replaced whole, under 2,560 bytes.
//!
//! ```text
//! client:<pair id>  SEQUENCE { INTEGER 1, pair id, PKCS#8, leaf, CA, discovery key }
//! host:<pair id>    SEQUENCE { INTEGER 1, pair id, CA's PKCS#8, CA, leaf's PKCS#8, leaf, discovery key }
//! ```
//!
//! All but the version are OCTET STRINGs. The CA's PKCS#8 is empty once the pair is revoked. There
//! is one encoding of each item: what does not encode back to the same bytes is damaged.

use zeroize::Zeroizing;

use crate::{certificate::Certificate, device::DeviceKey, id::PairId, secret::Secret};

/// No item reaches this size: Windows takes no more.
pub const ITEM_LIMIT: usize = 2_560;

/// What the client keeps: `SEQUENCE { version, pair id, PKCS#8, leaf, CA, discovery key }`.
#[derive(Debug)]
pub struct ClientCredentials {
    /// The pair.
    pub pair: PairId,
    /// The client's key.
    pub key: DeviceKey,
    /// Its certificate, DER.
    pub leaf: Vec<u8>,
    /// The pair's CA, DER.
    pub ca: Vec<u8>,
    /// Recognizes the server's announcements, 32 bytes.
    pub discovery_key: Secret,
}

impl ClientCredentials {
    /// Name of the item in a key store: `client:<pair id>`.
    pub fn item(pair: &PairId) -> String {
        format!("client:{pair}")
    }

    /// Name of the item of a new key that was not tried yet: `client-next:<pair id>`.
    pub fn next_item(pair: &PairId) -> String {
        format!("client-next:{pair}")
    }

    /// The item.
    pub fn encode(&self) -> Result<Secret, InvalidItem> {
        encode(&[
            &self.pair.0,
            self.key.pkcs8().expose(),
            &self.leaf,
            &self.ca,
            self.discovery_key.expose(),
        ])
    }

    /// Reads the item.
    pub fn decode(item: &Secret) -> Result<Self, InvalidItem> {
        let [pair, key, leaf, ca, discovery_key] = decode(item)?;
        Ok(Self {
            pair: pair_id(pair)?,
            key: key_of(leaf, key)?,
            leaf: leaf.to_vec(),
            ca: certificate(ca)?,
            discovery_key: discovery(discovery_key)?,
        })
    }
}

/// What the host keeps: the CA's and the server leaf's keys and certificates (item `host:<pair id>`).
#[derive(Debug)]
pub struct HostCredentials {
    /// The pair.
    pub pair: PairId,
    /// The CA's key; `None` once the pair is revoked: the CA then signs nothing more.
    pub ca_key: Option<DeviceKey>,
    /// The CA's certificate, DER.
    pub ca: Vec<u8>,
    /// The server leaf's key.
    pub leaf_key: DeviceKey,
    /// The server leaf, DER.
    pub leaf: Vec<u8>,
    /// Marks announcements for this pair's client, 32 bytes.
    pub discovery_key: Secret,
}

impl HostCredentials {
    /// Name of the item in a key store: `host:<pair id>`.
    pub fn item(pair: &PairId) -> String {
        format!("host:{pair}")
    }

    /// The item.
    pub fn encode(&self) -> Result<Secret, InvalidItem> {
        let ca_key = self.ca_key.as_ref().map(|key| key.pkcs8().expose());
        encode(&[
            &self.pair.0,
            ca_key.unwrap_or_default(),
            &self.ca,
            self.leaf_key.pkcs8().expose(),
            &self.leaf,
            self.discovery_key.expose(),
        ])
    }

    /// Reads the item.
    pub fn decode(item: &Secret) -> Result<Self, InvalidItem> {
        let [pair, ca_key, ca, leaf_key, leaf, discovery_key] = decode(item)?;
        let ca_key = match ca_key {
            [] => None,
            key => Some(key_of(ca, key)?),
        };
        Ok(Self {
            pair: pair_id(pair)?,
            ca_key,
            ca: certificate(ca)?,
            leaf_key: key_of(leaf, leaf_key)?,
            leaf: leaf.to_vec(),
            discovery_key: discovery(discovery_key)?,
        })
    }
}

/// The item is damaged or of a later version.
#[derive(Debug, thiserror::Error)]
#[error("the item in the key store is damaged or from a later version")]
pub struct InvalidItem;

fn encode(fields: &[&[u8]]) -> Result<Secret, InvalidItem> {
    // Full size from the start: a buffer that grows would leave copies of keys behind.
    let mut body = Zeroizing::new(Vec::with_capacity(ITEM_LIMIT));
    body.extend_from_slice(&VERSION);
    for field in fields {
        if field.len() >= ITEM_LIMIT || body.len() + field.len() + 4 >= ITEM_LIMIT {
            return Err(InvalidItem);
        }
        push(&mut body, OCTET_STRING, field)?;
    }
    let mut item = Zeroizing::new(Vec::with_capacity(ITEM_LIMIT));
    push(&mut item, SEQUENCE, &body)?;
    if item.len() >= ITEM_LIMIT {
        return Err(InvalidItem);
    }
    Ok(Secret::new(std::mem::take(&mut *item)))
}

/// Exactly `N` OCTET STRINGs after the version, and nothing after them.
fn decode<const N: usize>(item: &Secret) -> Result<[&[u8]; N], InvalidItem> {
    let bytes = item.expose();
    if bytes.len() >= ITEM_LIMIT {
        return Err(InvalidItem);
    }
    let (body, []) = take(bytes, SEQUENCE)? else {
        return Err(InvalidItem);
    };
    let mut rest = body.strip_prefix(&VERSION).ok_or(InvalidItem)?;
    let mut fields = [&[][..]; N];
    for field in &mut fields {
        (*field, rest) = take(rest, OCTET_STRING)?;
    }
    if rest.is_empty() {
        Ok(fields)
    } else {
        Err(InvalidItem)
    }
}

/// Tag, definite length in its shortest form, content (X.690 §10.1).
fn push(to: &mut Vec<u8>, tag: u8, content: &[u8]) -> Result<(), InvalidItem> {
    let [high, low] = u16::try_from(content.len())
        .map_err(|_| InvalidItem)?
        .to_be_bytes();
    to.push(tag);
    match (high, low) {
        (0, 0..=0x7f) => to.push(low),
        (0, _) => to.extend_from_slice(&[0x81, low]),
        _ => to.extend_from_slice(&[0x82, high, low]),
    }
    to.extend_from_slice(content);
    Ok(())
}

/// The content of the value at the start, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), InvalidItem> {
    let rest = bytes.strip_prefix(&[tag]).ok_or(InvalidItem)?;
    let (length, rest) = match rest {
        [short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
        [0x82, high @ 1..=0xff, low, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return Err(InvalidItem),
    };
    rest.split_at_checked(length).ok_or(InvalidItem)
}

fn pair_id(bytes: &[u8]) -> Result<PairId, InvalidItem> {
    bytes.try_into().map(PairId).map_err(|_| InvalidItem)
}

fn certificate(der: &[u8]) -> Result<Vec<u8>, InvalidItem> {
    Certificate::from_der(der).map_err(|_| InvalidItem)?;
    Ok(der.to_vec())
}

/// The key, which must be that of the certificate.
fn key_of(certificate: &[u8], pkcs8: &[u8]) -> Result<DeviceKey, InvalidItem> {
    let certificate = Certificate::from_der(certificate).map_err(|_| InvalidItem)?;
    let key = DeviceKey::from_pkcs8(Secret::new(pkcs8.to_vec())).map_err(|_| InvalidItem)?;
    if key.digest() == certificate.key {
        Ok(key)
    } else {
        Err(InvalidItem)
    }
}

fn discovery(bytes: &[u8]) -> Result<Secret, InvalidItem> {
    if bytes.len() == 32 {
        Ok(Secret::new(bytes.to_vec()))
    } else {
        Err(InvalidItem)
    }
}

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;

/// `INTEGER 1`.
const VERSION: [u8; 3] = [0x02, 0x01, 0x01];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ca, environment::Environment};

    fn key() -> DeviceKey {
        DeviceKey::generate().unwrap()
    }

    fn client() -> ClientCredentials {
        let pair = PairId([7; 16]);
        let environment = Environment::system();
        let authority = ca::authority(&pair, &environment).unwrap();
        let key = key();
        let leaf = ca::client_leaf(
            &authority.key,
            &authority.certificate,
            &pair,
            &key.spki(),
            365,
            &environment,
        )
        .unwrap();
        ClientCredentials {
            pair,
            key,
            leaf,
            ca: authority.certificate,
            discovery_key: Secret::new(vec![9; 32]),
        }
    }

    fn host() -> HostCredentials {
        let pair = PairId([7; 16]);
        let environment = Environment::system();
        let authority = ca::authority(&pair, &environment).unwrap();
        let leaf_key = key();
        let leaf = ca::server_leaf(
            &authority.key,
            &authority.certificate,
            &pair,
            &leaf_key.spki(),
            &environment,
        )
        .unwrap();
        HostCredentials {
            pair,
            ca_key: Some(authority.key),
            ca: authority.certificate,
            leaf_key,
            leaf,
            discovery_key: Secret::new(vec![9; 32]),
        }
    }

    #[test]
    fn a_client_item_comes_back() {
        let client = client();
        let item = client.encode().unwrap();
        assert!(item.expose().len() < ITEM_LIMIT, "{}", item.expose().len());
        let again = ClientCredentials::decode(&item).unwrap();
        assert_eq!(again.pair, client.pair);
        assert_eq!(again.key.spki(), client.key.spki());
        assert_eq!(again.leaf, client.leaf);
        assert_eq!(again.ca, client.ca);
        assert_eq!(again.discovery_key.expose(), client.discovery_key.expose());
        assert_eq!(again.encode().unwrap().expose(), item.expose());
    }

    #[test]
    fn a_host_item_comes_back_with_and_without_the_key_of_its_ca() {
        let mut host = host();
        for has_key in [true, false] {
            if !has_key {
                host.ca_key = None;
            }
            let item = host.encode().unwrap();
            assert!(item.expose().len() < ITEM_LIMIT, "{}", item.expose().len());
            let again = HostCredentials::decode(&item).unwrap();
            assert_eq!(again.ca_key.is_some(), has_key);
            assert_eq!(again.leaf_key.spki(), host.leaf_key.spki());
            assert_eq!((&again.ca, &again.leaf), (&host.ca, &host.leaf));
            assert_eq!(again.encode().unwrap().expose(), item.expose());
        }
    }

    #[test]
    fn the_two_kinds_are_not_confused() {
        assert!(HostCredentials::decode(&client().encode().unwrap()).is_err());
        assert!(ClientCredentials::decode(&host().encode().unwrap()).is_err());
    }

    #[test]
    fn a_key_belongs_to_its_certificate() {
        let mut client = client();
        client.key = key();
        assert!(ClientCredentials::decode(&client.encode().unwrap()).is_err());
        let mut host = host();
        host.ca_key = Some(key());
        assert!(HostCredentials::decode(&host.encode().unwrap()).is_err());
    }

    #[test]
    fn an_item_for_windows_is_not_too_large() {
        let mut client = client();
        client.leaf = vec![0; 2_000];
        assert!(client.encode().is_err());
        client.leaf = vec![0; 100_000];
        assert!(client.encode().is_err());
    }

    #[test]
    fn damaged_items_are_refused() {
        let good = client().encode().unwrap().expose().to_vec();
        let changed = |position: usize, value: u8| {
            let mut item = good.clone();
            item[position] = value;
            item
        };
        let mut cases = vec![
            [&good[..], &[0]].concat(),
            changed(0, 0x31),
            changed(6, 2), // a later version
        ];
        cases.extend((0..good.len()).map(|length| good[..length].to_vec()));
        for item in cases {
            let length = item.len();
            let decoded = ClientCredentials::decode(&Secret::new(item));
            assert!(decoded.is_err(), "{length} bytes");
        }
    }

    #[test]
    fn lengths_have_one_form() {
        for (bytes, expected) in [
            (&[4, 1, 7][..], Some(&[7][..])),
            (&[4, 0], Some(&[])),
            (&[4, 0x81, 1, 7], None),
            (&[4, 0x82, 0, 1, 7], None),
            (&[4, 0x83, 0, 0, 1, 7], None),
            (&[4, 0x80, 7, 0, 0], None),
            (&[4, 2, 7], None),
            (&[4, 0x82, 1], None),
            (&[4], None),
            (&[], None),
            (&[5, 0], None),
        ] {
            let taken = take(bytes, OCTET_STRING).ok().map(|(content, _)| content);
            assert_eq!(taken, expected, "{bytes:?}");
        }
        for length in [0, 1, 127, 128, 255, 256, 2_000] {
            let mut bytes = Vec::new();
            push(&mut bytes, OCTET_STRING, &vec![7; length]).unwrap();
            let (content, rest) = take(&bytes, OCTET_STRING).unwrap();
            assert_eq!((content.len(), rest.len()), (length, 0));
        }
    }
}
