//! For measuring and for other programs' tests: makes a pair in a server's data folder, with the
//! library alone, and writes both ends' certificates and private keys as PEM files.
//!
//! ```text
//! pair_files DATA_FOLDER PASSPHRASE_FILE OUT_FOLDER
//! ```
//!
//! The server must not run, and uses the file key store afterwards. A key that was in such a file is
//! no secret: never do this with a folder that holds health data.

use std::{
    error::Error,
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use healthsync_pairing::{
    certificate::{self, Certificate},
    credentials::{ClientCredentials, HostCredentials},
    device::DeviceKey,
    enroll::{
        client::enroll,
        host::{Approval, WindowOptions},
    },
    environment::Environment,
    invite::Invite,
    keystore::{KeyStore, KeyStoreError, StoreKind, file::FileStore},
    secret::Secret,
    tls::door::{self, Entered},
    trust::{Peer, Scope, Trust},
};
use tokio::net::TcpListener;

type Failed = Box<dyn Error + Send + Sync>;

/// The file key store, of which the last item written is remembered.
#[derive(Debug)]
struct Watched {
    store: FileStore,
    last: Arc<Mutex<Vec<u8>>>,
}

impl KeyStore for Watched {
    fn kind(&self) -> StoreKind {
        self.store.kind()
    }

    fn read(&self, item: &str) -> Result<Option<Secret>, KeyStoreError> {
        self.store.read(item)
    }

    fn write(&self, item: &str, value: &Secret) -> Result<(), KeyStoreError> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = value.expose().to_vec();
        self.store.write(item, value)
    }

    fn delete(&self, item: &str) -> Result<bool, KeyStoreError> {
        self.store.delete(item)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [data, passphrase, out] = arguments.as_slice() else {
        return Err("usage: pair_files DATA_FOLDER PASSPHRASE_FILE OUT_FOLDER".into());
    };
    let mut make = fs::DirBuilder::new();
    make.recursive(true).mode(0o700);
    make.create(data)?;
    make.create(out)?;
    let passphrase = fs::read(passphrase)?.trim_ascii_end().to_vec();
    let environment = Environment::system();
    let last = Arc::new(Mutex::default());
    let store = Watched {
        store: FileStore::open(
            data.join("keys"),
            Secret::new(passphrase),
            Arc::clone(&environment.entropy),
        )?,
        last: Arc::clone(&last),
    };
    let trust = Trust::open(&data.join("trust.db"), Box::new(store), environment)?;
    let client = pair(&trust).await?;
    let item = std::mem::take(&mut *last.lock().unwrap_or_else(PoisonError::into_inner));
    let host = HostCredentials::decode(&Secret::new(item))?;
    for (name, der) in [
        ("ca.pem", &client.ca),
        ("client.pem", &client.leaf),
        ("server.pem", &host.leaf),
    ] {
        write(&out.join(name), certificate::to_pem(der).as_bytes())?;
    }
    // PKCS#8 DER; openssl and nginx want PEM, which is the same in base64.
    write(&out.join("client.der"), client.key.pkcs8().expose())?;
    write(&out.join("server.der"), host.leaf_key.pkcs8().expose())?;
    write(&out.join("name"), client.pair.server_name().as_bytes())?;
    Ok(())
}

/// Pairs over loopback, as the programs do, but without people.
async fn pair(trust: &Arc<Trust>) -> Result<ClientCredentials, Failed> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let window = trust.open_window(WindowOptions {
        seconds: 300,
        addresses: vec![listener.local_addr()?],
        server_name: "bench".to_owned(),
        approval: Approval::None,
        leaf_days: 30,
        scope: Scope::default(),
    })?;
    let invite = Invite::parse(std::str::from_utf8(window.text.expose())?)?;
    let key = DeviceKey::generate()?;
    let environment = Environment::system();
    let mut silent = |_| {};
    let (entered, enrolled) = tokio::join!(
        async {
            let (stream, from) = listener.accept().await?;
            if let Entered::Pairing(pairing) = door::enter(trust, stream, from).await? {
                pairing.run().await?;
            }
            Ok::<_, Failed>(())
        },
        enroll(&invite, key, "bench", &environment, &mut silent),
    );
    entered?;
    let client = enrolled?.credentials;
    let leaf = Certificate::from_der(&client.leaf)?;
    trust.acknowledge(&Peer {
        pair: client.pair,
        key: leaf.key,
        not_after: leaf.not_after,
        serial: leaf.serial,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
    })?;
    Ok(client)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    Ok(())
}
