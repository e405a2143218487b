//! What one end keeps of a pair in its key store: one DER item, replaced whole, under 2,560 bytes.

use crate::{device::DeviceKey, id::PairId, secret::Secret};

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
    /// Recognizes the server's announcements.
    pub discovery_key: Secret,
}

impl ClientCredentials {
    /// Name of the item in a key store: `client:<pair id>`.
    pub fn item(pair: &PairId) -> String {
        format!("client:{pair}")
    }

    /// The item.
    pub fn encode(&self) -> Result<Secret, InvalidItem> {
        todo!()
    }

    /// Reads the item.
    pub fn decode(_item: &Secret) -> Result<Self, InvalidItem> {
        todo!()
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
    /// Marks announcements for this pair's client.
    pub discovery_key: Secret,
}

impl HostCredentials {
    /// Name of the item in a key store: `host:<pair id>`.
    pub fn item(pair: &PairId) -> String {
        format!("host:{pair}")
    }

    /// The item.
    pub fn encode(&self) -> Result<Secret, InvalidItem> {
        todo!()
    }

    /// Reads the item.
    pub fn decode(_item: &Secret) -> Result<Self, InvalidItem> {
        todo!()
    }
}

/// The item is damaged or of a later version.
#[derive(Debug, thiserror::Error)]
#[error("the item in the key store is damaged or from a later version")]
pub struct InvalidItem;
