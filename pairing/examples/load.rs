//! The client side of `scripts/bench`: the same for our server and for others.
//!
//! ```text
//! load handshakes ADDRESS FOLDER COUNT [GROUP]   full handshakes, 8 at once
//! load idle ADDRESS FOLDER COUNT PATH            connections that asked once and then rest
//! load requests ADDRESS FOLDER CLIENTS PATH      so many clients at once, each with one request
//! load pairing COUNT                             the pairing exchange beside bare handshakes
//! ```
//!
//! FOLDER is that of the example `pair_files`. GROUP is `x25519` (all that other servers have) or
//! `default`. The bench's own TLS settings stand here because they are no setting of the product.

use std::{
    error::Error,
    fs,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use healthsync_pairing::{
    device::DeviceKey,
    enroll::{
        client::enroll,
        host::{Approval, WindowOptions},
    },
    environment::Environment,
    invite::Invite,
    keystore::memory::MemoryStore,
    tls::{
        client,
        door::{self, Entered},
    },
    trust::{Scope, Trust},
};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject as _,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

type Failed = Box<dyn Error + Send + Sync>;

/// Under the server's limit for one address.
const AT_ONCE: usize = 8;

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let said = match words.as_slice() {
        ["handshakes", address, folder, count, rest @ ..] => {
            let there = There::read(address, Path::new(folder), rest != ["default"])?;
            runtime.block_on(handshakes(&there, count.parse()?))?
        }
        ["idle", address, folder, count, path] => {
            let there = There::read(address, Path::new(folder), true)?;
            runtime.block_on(idle(&there, count.parse()?, path))?
        }
        ["requests", address, folder, clients, path] => {
            let there = There::read(address, Path::new(folder), true)?;
            runtime.block_on(requests(there, clients.parse()?, path))?
        }
        ["pairing", count] => runtime.block_on(pairing(count.parse()?))?,
        _ => return Err("usage: load handshakes|idle|requests|pairing ..".into()),
    };
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

/// A server, and who we are to it.
struct There {
    address: SocketAddr,
    name: ServerName<'static>,
    connector: TlsConnector,
}

impl There {
    fn read(address: &str, folder: &Path, is_plain: bool) -> Result<Self, Failed> {
        let mut provider = aws_lc_rs::default_provider();
        if is_plain {
            provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("ca.pem"))?)?;
        let leaf = CertificateDer::from_pem_file(folder.join("client.pem"))?;
        let key = PrivatePkcs8KeyDer::from(fs::read(folder.join("client.der"))?);
        let mut configuration = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![leaf], PrivateKeyDer::Pkcs8(key))?;
        configuration.resumption = Resumption::disabled();
        configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            address: address.parse()?,
            name: ServerName::try_from(fs::read_to_string(folder.join("name"))?)?,
            connector: TlsConnector::from(Arc::new(configuration)),
        })
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, Failed> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        Ok(self.connector.connect(self.name.clone(), tcp).await?)
    }
}

/// A client of TLS 1.3 is done before the server has judged its certificate: the server's end of
/// the stream, without an alert, says that it was let in.
async fn handshake(there: &There) -> Result<(), Failed> {
    let mut stream = there.connect().await?;
    stream.shutdown().await?;
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => Ok(()),
        // The server closes without a close_notify of its own.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn handshakes(there: &There, count: usize) -> Result<String, Failed> {
    let began = Instant::now();
    let one = async |share: usize| {
        for _ in 0..share {
            handshake(there).await?;
        }
        Ok::<_, Failed>(())
    };
    let share = count / AT_ONCE;
    let all = (one(share), one(share), one(share), one(share));
    let more = (one(share), one(share), one(share), one(share));
    tokio::try_join!(all.0, all.1, all.2, all.3, more.0, more.1, more.2, more.3)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!(
        "{{\"handshakes\": {}, \"seconds\": {seconds:.3}}}",
        share * AT_ONCE
    ))
}

/// Says `ready`, and holds the connections until standard input ends.
async fn idle(there: &There, count: usize, path: &str) -> Result<String, Failed> {
    let name = there.name.to_str();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n");
    // Some at once: a server closes what rests too long, and the last is to be there before the first
    // has gone.
    let one = async |share: usize| {
        let mut streams = Vec::with_capacity(share);
        for _ in 0..share {
            let mut stream = there.connect().await?;
            ask(&mut stream, &request).await?;
            streams.push(stream);
        }
        Ok::<_, Failed>(streams)
    };
    let share = count / AT_ONCE;
    let all = (one(share), one(share), one(share), one(share));
    let more = (one(share), one(share), one(share), one(share));
    let all = tokio::try_join!(all.0, all.1, all.2, all.3, more.0, more.1, more.2, more.3)?;
    let all = [all.0, all.1, all.2, all.3, all.4, all.5, all.6, all.7];
    let mut streams: Vec<_> = all.into_iter().flatten().collect();
    writeln!(std::io::stdout(), "ready")?;
    let mut stdin = Vec::new();
    tokio::io::stdin().read_to_end(&mut stdin).await?;
    // A connection that was closed meanwhile would have cost nothing: the oldest still answers.
    if let Some(oldest) = streams.first_mut() {
        ask(oldest, &request).await?;
    }
    Ok(format!("{{\"connections\": {}}}", streams.len()))
}

/// Each client has a connection of its own, and its answer is read to the end.
async fn requests(there: There, clients: usize, path: &str) -> Result<String, Failed> {
    let name = there.name.to_str();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    let (there, request) = (Arc::new(there), Arc::new(request));
    let strangers = Arc::new(Semaphore::new(AT_ONCE));
    let began = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        let (there, request) = (Arc::clone(&there), Arc::clone(&request));
        let strangers = Arc::clone(&strangers);
        asking.spawn(async move {
            let turn = strangers.acquire_owned().await?;
            let mut stream = there.connect().await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_buf(&mut answer).await?;
            drop(turn);
            match stream.read_to_end(&mut answer).await {
                Ok(_) => {}
                // Some close without a close_notify; the length is looked at below.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(error.into()),
            }
            if answer.starts_with(b"HTTP/1.1 200") {
                Ok::<_, Failed>(answer.len())
            } else {
                Err(String::from_utf8_lossy(&answer).into())
            }
        });
    }
    let mut lengths = Vec::with_capacity(clients);
    while let Some(answered) = asking.join_next().await {
        lengths.push(answered??);
    }
    let seconds = began.elapsed().as_secs_f64();
    let (least, most) = (lengths.iter().min(), lengths.iter().max());
    // The heads differ by little; an answer that was cut off would differ by much.
    if least
        .zip(most)
        .is_none_or(|(least, most)| most - least > 512)
    {
        return Err("the answers have different lengths".into());
    }
    Ok(format!(
        "{{\"requests\": {}, \"bytes\": {}, \"seconds\": {seconds:.3}}}",
        lengths.len(),
        lengths.iter().sum::<usize>()
    ))
}

async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) -> Result<(), Failed> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        // The rest of an earlier answer may stand before it.
        let text = String::from_utf8_lossy(&answer);
        let head = text.find("HTTP/1.1 ").and_then(|at| text.get(at..));
        if let Some(head) = head.filter(|head| head.contains("\r\n\r\n")) {
            let is_good = head.starts_with("HTTP/1.1 200");
            return if is_good { Ok(()) } else { Err(head.into()) };
        }
        if stream.read_buf(&mut answer).await? == 0 {
            return Err("the server closed the connection".into());
        }
    }
}

/// Both ends in this process, the key store in memory, nobody asked: what the exchange itself
/// takes, with the group of the product. CPU is that of both ends.
async fn pairing(count: usize) -> Result<String, Failed> {
    let folder = tempfile::tempdir()?;
    let environment = Environment::system();
    let trust = Trust::open(
        &folder.path().join("trust.db"),
        Box::new(MemoryStore::default()),
        environment.clone(),
    )?;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    let mut server = JoinSet::new();
    server.spawn({
        let trust = Arc::clone(&trust);
        async move {
            while let Ok((stream, from)) = listener.accept().await {
                // Refused ones show at the client.
                if let Ok(Entered::Pairing(pairing)) = door::enter(&trust, stream, from).await {
                    drop(pairing.run().await);
                }
            }
        }
    });
    let (mut exchanges, mut handshakes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let began = Since::now()?;
        let window = trust.open_window(WindowOptions {
            seconds: 300,
            addresses: vec![address],
            server_name: "bench".to_owned(),
            approval: Approval::None,
            leaf_days: 30,
            scope: Scope::default(),
        })?;
        let invite = Invite::parse(std::str::from_utf8(window.text.expose())?)?;
        let key = DeviceKey::generate()?;
        let enrolled = enroll(&invite, key, "bench", &environment, &mut |_| {}).await?;
        exchanges.push(began.spent()?);
        let credentials = enrolled.credentials;
        let configuration = client::configuration(&credentials, &environment)?;
        // The first one makes the pair's configuration.
        for is_first in [true, false, false, false] {
            let began = Since::now()?;
            let within = Duration::from_secs(5);
            let mut stream = client::connect(
                Arc::clone(&configuration),
                &credentials.pair,
                address,
                within,
            )
            .await?;
            stream.shutdown().await?;
            drop(stream.read_to_end(&mut Vec::new()).await);
            if !is_first {
                handshakes.push(began.spent()?);
            }
        }
    }
    server.shutdown().await;
    Ok(format!(
        "{{\"exchange\": {}, \"handshake\": {}}}",
        medians(&exchanges),
        medians(&handshakes)
    ))
}

/// What something took: seconds by the clock, and of this process's CPU.
#[derive(Clone, Copy)]
struct Spent {
    seconds: f64,
    cpu: f64,
}

/// A moment on both clocks.
struct Since(Instant, f64);

impl Since {
    fn now() -> Result<Self, Failed> {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(u64::try_from(cpu.tv_sec)?, u32::try_from(cpu.tv_nsec)?);
        Ok(Self(Instant::now(), cpu.as_secs_f64()))
    }

    fn spent(&self) -> Result<Spent, Failed> {
        Ok(Spent {
            seconds: self.0.elapsed().as_secs_f64(),
            cpu: Self::now()?.1 - self.1,
        })
    }
}

fn medians(all: &[Spent]) -> String {
    let middle = |of: fn(&Spent) -> f64| {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    format!(
        "{{\"ms\": {:.4}, \"cpu_ms\": {:.4}, \"runs\": {}}}",
        1e3 * middle(|spent| spent.seconds),
        1e3 * middle(|spent| spent.cpu),
        all.len()
    )
}
