//! `healthsync doctor`: everything between this computer and its server, one check a line, and one
//! verdict with one command to run.
//!
//! It changes nothing: it renews no certificate, confirms no pairing and saves no address.

mod report;
mod verdict;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use healthsync_core::{
    api::{self, Code, Status},
    report::{Hint as _, inert},
};
use healthsync_pairing::{
    certificate::{Certificate, Validity, check_ca, check_leaf},
    credentials::ClientCredentials,
    renewal,
    tls::failure::{Failure, Phase, Subject},
};
use tokio::{net::TcpStream, time::timeout};

use self::{
    report::{Outcome, Report, Steps},
    verdict::Verdict,
};
use crate::{
    args::Doctor,
    client::{
        Link, addresses,
        clock::{seconds_of, span},
        neighbour::Neighbour,
    },
    config::{ConfigFile, Server},
    error::CliError,
    keys,
    output::Output,
    settings::Settings,
};

/// Clocks that differ by less are right.
const CLOCKS_AGREE: u64 = 120;

/// Walks, and tells.
pub(crate) async fn run(doctor: &Doctor, settings: &Settings) -> Result<(), CliError> {
    // A bundle that cannot be written is told before anybody waits for it.
    let bundle = match &doctor.bundle {
        Some(path) => Some(Output::open(Some(path), false)?),
        None => None,
    };
    let steps = Arc::new(Steps::new(settings.trace.clone()));
    let mut report = Report::new(settings.printer);
    let outcome = walk(&mut report, &steps, settings).await;
    report.end()?;
    let verdict = match &outcome {
        Ok(()) => Verdict::of_warnings(report.first_warning()),
        Err(error) => Verdict::of(error),
    };
    if let Some(mut bundle) = bundle {
        let text = report::bundle(&report, &verdict, &steps, settings);
        bundle.write(text.as_bytes())?;
        bundle.commit()?;
    }
    report.tell(&verdict)?;
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(CliError::told(&error)),
    }
}

/// The checks in the order in which each needs the one before.
async fn walk(
    report: &mut Report,
    steps: &Arc<Steps>,
    settings: &Settings,
) -> Result<(), CliError> {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    report.good(
        "program",
        &format!("healthsync {} on {system}", env!("CARGO_PKG_VERSION")),
    )?;
    let server = report.check("configuration", configuration(settings))?;
    let credentials = report.check("key-store", key_store(&server, settings))?;
    report.check("certificates", certificates(&credentials, settings))?;
    let found = addresses(&server, settings).await;
    let found = report.check("name", name(found, &server, settings))?;
    for address in &found {
        report.tell_route(*address, route(*address))?;
    }
    let mut link = Link::watched(server, credentials, found.clone(), settings, steps.trace())?;
    let open = port(report, &found, settings).await?;
    let found = match open {
        Ok(address) => Ok(address),
        Err(failure) => match link.located().await {
            Some(address) => {
                report.good(
                    "mdns",
                    &format!("the server is announced at {address}: it has moved"),
                )?;
                Ok(address)
            }
            None => Err(failure),
        },
    };
    let address = match found {
        Ok(address) => address,
        Err((address, failure)) => return Err(link.told(address, failure)),
    };
    link.only(address);
    let answer = link.get::<Status>(api::STATUS).await;
    let (status, _) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            report.connection_failed(&error)?;
            return Err(error);
        }
    };
    connection(report, &link, settings)?;
    server_side(report, &status, settings)
}

type Checked<T> = Result<(T, Outcome), CliError>;

fn configuration(settings: &Settings) -> Checked<Server> {
    let config = ConfigFile::new(&settings.config).load()?;
    let server = config.select(settings.server.as_deref())?.clone();
    let said = format!(
        "{} paired, asking {:?} (pair {})",
        config.servers.len(),
        inert(&server.name),
        server.pair
    );
    Ok((server, Outcome::Good(said)))
}

fn key_store(server: &Server, settings: &Settings) -> Checked<ClientCredentials> {
    let credentials = keys::credentials(server, settings)?;
    let said = format!("{} gives the key of this computer", server.key_store);
    Ok((credentials, Outcome::Good(said)))
}

fn certificates(credentials: &ClientCredentials, settings: &Settings) -> Checked<()> {
    let now = settings.environment.clock.now();
    for (subject, validity, what) in [
        (Subject::Ca, check_ca(&credentials.ca, now), "the pair's CA"),
        (
            Subject::Client,
            check_leaf(&credentials.leaf, &credentials.ca, false, now),
            "this computer's certificate",
        ),
    ] {
        let validity_ended = validity == Validity::Expired;
        let (code, said) = match validity {
            Validity::Valid => continue,
            Validity::Expired => ("CERT_HAS_EXPIRED", format!("{what} has expired")),
            Validity::NotYetValid => (
                "CERT_NOT_YET_VALID",
                format!("{what} is not yet valid by this computer's clock"),
            ),
            Validity::Untrusted(why) => (
                "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
                format!("{what} does not hold: {why}"),
            ),
        };
        let error = CliError::from(Failure::new(code, subject, &said));
        let leaf = Certificate::from_der(&credentials.leaf);
        if subject == Subject::Client
            && validity_ended
            && leaf.is_ok_and(|leaf| renewal::is_in_grace(&leaf, now))
        {
            return Err(error.with_hint("run `healthsync cert renew`: it is not too late"));
        }
        return Err(error);
    }
    let Ok(leaf) = Certificate::from_der(&credentials.leaf) else {
        return Ok(((), Outcome::Good("they hold".to_owned())));
    };
    let left = leaf.not_after.abs_diff(now);
    if renewal::is_late(&leaf, now) {
        let outcome = Outcome::Warning {
            code: "CERT_ENDS_SOON",
            text: format!("this computer's certificate ends in {}", span(left)),
            command: "healthsync cert renew",
        };
        return Ok(((), outcome));
    }
    Ok((
        (),
        Outcome::Good(format!("both hold; this computer's ends in {}", span(left))),
    ))
}

fn name(
    found: Result<Vec<SocketAddr>, CliError>,
    server: &Server,
    settings: &Settings,
) -> Checked<Vec<SocketAddr>> {
    let found = found?;
    let named = settings.host.as_ref().or(server.host.as_ref());
    let list: Vec<_> = found.iter().map(ToString::to_string).collect();
    let said = match named {
        Some(name) => format!("{} leads to {}", inert(name), list.join(", ")),
        None => format!("saved: {}", list.join(", ")),
    };
    if found.is_empty() {
        return Err(CliError::new(
            Code::Enotfound,
            "no address of the server is known",
        ));
    }
    Ok((found, Outcome::Good(said)))
}

/// Whether the system has a way there: a datagram socket asks the routing table and sends nothing.
fn route(address: SocketAddr) -> Result<String, String> {
    let own = if address.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(own).map_err(|error| error.to_string())?;
    socket.connect(address).map_err(|error| error.to_string())?;
    let from = socket.local_addr().map_err(|error| error.to_string())?;
    let near = if address.ip().is_loopback() {
        "this computer itself"
    } else {
        match Neighbour::of(address.ip()) {
            Neighbour::Elsewhere => "another network: a router stands between",
            Neighbour::Answers => "the same network, and its computer answers there",
            Neighbour::Silent => "the same network, and no computer answers there",
            Neighbour::Unknown => "the same network",
        }
    };
    Ok(format!("from {} to {address} ({near})", from.ip()))
}

/// The first address whose port is open, else why the first one is not.
async fn port(
    report: &mut Report,
    addresses: &[SocketAddr],
    settings: &Settings,
) -> Result<Result<SocketAddr, (SocketAddr, Failure)>, CliError> {
    let mut first = None;
    for address in addresses {
        let began = Instant::now();
        match reach(*address, settings.connect_timeout).await {
            Ok(()) => {
                let took = began.elapsed().as_secs_f64() * 1000.0;
                report.good(
                    "port",
                    &format!("{address} accepts connections ({took:.1} ms)"),
                )?;
                return Ok(Ok(*address));
            }
            Err(failure) => {
                report.bad(
                    "port",
                    failure.code,
                    &format!("{address}: {}", failure.message),
                )?;
                first = first.or(Some((*address, failure)));
            }
        }
    }
    let failure =
        first.ok_or_else(|| CliError::new(Code::Enotfound, "no address of the server is known"))?;
    Ok(Err(failure))
}

async fn reach(address: SocketAddr, within: Duration) -> Result<(), Failure> {
    let failure = match timeout(within, TcpStream::connect(address)).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => healthsync_pairing::tls::failure::cause(&error).unwrap_or_else(|| {
            Failure::new("ECONNRESET", Subject::Server, "the connection broke off")
        }),
        Err(_) => Failure::new(
            "ETIMEDOUT",
            Subject::Server,
            "the server did not answer in time (TCP connection)",
        ),
    };
    let failure = failure.in_phase(Phase::Connect);
    Err(match failure.code {
        "ETIMEDOUT" | "EHOSTUNREACH" => Neighbour::of(address.ip()).explain(failure),
        _ => failure,
    })
}

/// What the connection that gave an answer has shown.
fn connection(report: &mut Report, link: &Link, settings: &Settings) -> Result<(), CliError> {
    let Some(shown) = link.shown() else {
        return Ok(());
    };
    let alpn = shown.alpn.as_deref().unwrap_or("http/1.1");
    report.good(
        "tls",
        &format!(
            "{}, {}, {}, {alpn}",
            shown.version, shown.cipher_suite, shown.group
        ),
    )?;
    let now = settings.environment.clock.now();
    let left = Certificate::from_der(&shown.server_leaf)
        .map(|leaf| span(leaf.not_after.abs_diff(now)))
        .unwrap_or_default();
    report.good(
        "server-certificate",
        &format!("comes from the pair's CA, is for this pair, ends in {left}"),
    )?;
    report.good("client-certificate", "accepted by the server")?;
    report.good("revocation", "the pairing is not revoked")
}

/// What the answer said.
fn server_side(report: &mut Report, status: &Status, settings: &Settings) -> Result<(), CliError> {
    if status.status == "paused" {
        report.warn(
            "api",
            Code::Locked.as_str(),
            "the server answers, and is paused by its owner",
            "healthsync-server resume",
        )?;
    } else if status.enabled_types.is_empty() {
        report.warn(
            "api",
            "NO_TYPES",
            "the server answers, and has no type of data for this computer",
            "healthsync-server import export.zip",
        )?;
    } else {
        report.good(
            "api",
            &format!("answers, {} types can be read", status.enabled_types.len()),
        )?;
    }
    let now = settings.environment.clock.now();
    match seconds_of(&status.server_time) {
        Some(theirs) if theirs.abs_diff(now) > CLOCKS_AGREE => report.warn(
            "clock",
            "CLOCKS_DIFFER",
            &format!(
                "this computer's clock is {} {} the server's",
                span(theirs.abs_diff(now)),
                if theirs > now { "behind" } else { "ahead of" }
            ),
            "date",
        )?,
        Some(theirs) => report.good(
            "clock",
            &format!(
                "within {} of the server's",
                span(theirs.abs_diff(now).max(1))
            ),
        )?,
        None => report.good("clock", "the server told no time")?,
    }
    let ours = env!("CARGO_PKG_VERSION");
    if status.version == ours {
        report.good("version", &format!("{ours} on both sides"))
    } else {
        report.warn(
            "version",
            "VERSIONS_DIFFER",
            &format!("{ours} here, {} there", inert(&status.version)),
            "healthsync-server --version",
        )
    }
}

/// The check at which a connection with this error ended.
fn stage(error: &CliError) -> &'static str {
    match (error.code(), error.subject()) {
        ("CERT_REVOKED" | "PAIR_UNKNOWN" | "PAIR_PENDING", _) => "revocation",
        (code, Some("client")) if code.contains("CERT") => "client-certificate",
        ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Some("client")) => "client-certificate",
        ("UNSUPPORTED_PROTOCOL" | "NOT_TLS" | "TLS_FAILED" | "ECONNRESET" | "ETIMEDOUT", _) => {
            "tls"
        }
        (_, Some(_)) => "server-certificate",
        _ => "api",
    }
}
