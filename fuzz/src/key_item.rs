//! What a key store gives back: any program of the same user may have written it.

use healthsync_pairing::{
    credentials::{ClientCredentials, HostCredentials},
    keystore::KeyStore as _,
    secret::Secret,
};

use crate::house::House;

/// What is read is written the same.
pub fn run(data: &[u8]) -> bool {
    let item = Secret::new(data.to_vec());
    let client = ClientCredentials::decode(&item);
    if let Ok(client) = &client {
        assert_eq!(client.encode().expect("an item").expose(), data);
    }
    let host = HostCredentials::decode(&item);
    if let Ok(host) = &host {
        assert_eq!(host.encode().expect("an item").expose(), data);
    }
    client.is_ok() || host.is_ok()
}

/// Items of a pair that is long gone, and damaged ones.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let house = House::open();
    let client = house.credentials.encode().expect("an item");
    let client = client.expose().to_vec();
    let host = HostCredentials::item(&house.credentials.pair);
    let host = house.keys.read(&host).expect("the store").expect("an item");
    let host = host.expose().to_vec();
    let mut later = client.clone();
    if let Some(version) = later.first_mut() {
        *version = version.wrapping_add(1);
    }
    vec![
        ("client-cut", client[..client.len() - 1].to_vec()),
        ("client-left-over", [&client[..], &[0]].concat()),
        ("client-later", later),
        ("host-cut", host[..host.len() / 2].to_vec()),
        ("client", client),
        ("host", host),
        ("nothing", vec![]),
    ]
}
