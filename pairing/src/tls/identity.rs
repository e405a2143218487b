//! A certificate with its private key, as both ends show it.

use std::sync::Arc;

use rustls::{
    crypto::aws_lc_rs::sign::any_ecdsa_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::device::DeviceKey;

/// The one certificate of a configuration. The key's bytes are borrowed, so no copy of them that
/// nobody wipes stays behind.
pub(super) fn identity(
    key: &DeviceKey,
    certificate: Vec<u8>,
) -> Result<Arc<SingleCertAndKey>, rustls::Error> {
    let pkcs8 = PrivatePkcs8KeyDer::from(key.pkcs8().expose());
    let signer = any_ecdsa_type(&PrivateKeyDer::Pkcs8(pkcs8))?;
    let certified = CertifiedKey::new(vec![CertificateDer::from(certificate)], signer);
    certified.keys_match()?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}
