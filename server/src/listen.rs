//! The ports: binding them, and the accept loop.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use healthsync_core::report::Hint;
use healthsync_pairing::{
    audit::{Event, Note},
    defence::{Defence, holds},
    id::PairId,
    tls::door::{self, Entered, Turned},
};
use rustix::io::Errno;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    app::App,
    connection,
    crowd::{Crowd, Rules},
    guest::Errand,
    notices::Notices,
    routes,
    settings::ListenSettings,
    strangers::Strangers,
};

/// Connections that the system keeps for us before we take them.
const BACKLOG: u32 = 1024;
/// Out of file descriptors, and nobody to send away: wait for some to come free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Somebody was sent away: so long until the descriptor is free.
const LEAVING_PAUSE: Duration = Duration::from_millis(2);

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else does.
    #[error("port {port} is in use", port = .0.port())]
    InUse(SocketAddr),
    /// The port is for the system's own programs.
    #[error("this user may not listen on {0}")]
    Denied(SocketAddr),
    /// This computer does not have the address.
    #[error("this computer does not have the address {0}")]
    NoSuchAddress(SocketAddr),
    /// Another reason.
    #[error("could not listen on {0}")]
    Failed(SocketAddr, #[source] io::Error),
}

impl Hint for ListenError {
    fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "PORT_IN_USE",
            Self::Denied(_) => "PORT_DENIED",
            Self::NoSuchAddress(_) => "ADDRESS_NOT_AVAILABLE",
            Self::Failed(..) => "LISTEN_FAILED",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::InUse(address) | Self::Denied(address) => {
                let mut other = *address;
                other.set_port(
                    address
                        .port()
                        .checked_add(1)
                        .filter(|&port| port > 1024)
                        .unwrap_or(8443),
                );
                Some(format!(
                    "name another port: `healthsync-server start --listen {other}`, or stop the \
                     program that uses this one"
                ))
            }
            Self::NoSuchAddress(_) => Some("leave out `--listen` to use every address".to_owned()),
            Self::Failed(..) => None,
        }
    }
}

/// Binds every address.
pub fn bind(settings: &ListenSettings) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::with_capacity(settings.addresses.len());
    for address in &settings.addresses {
        match bind_one(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_ipv6() && settings.ipv6_is_optional && lacks_ipv6(&error) => {
                tracing::info!("this system has no IPv6");
            }
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::AddrInUse => ListenError::InUse(*address),
                    io::ErrorKind::PermissionDenied => ListenError::Denied(*address),
                    io::ErrorKind::AddrNotAvailable => ListenError::NoSuchAddress(*address),
                    _ => ListenError::Failed(*address, error),
                });
            }
        }
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        let socket = TcpSocket::new_v6()?;
        // Else [::] takes the IPv4 port too, and the two default addresses collide.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
        socket
    } else {
        TcpSocket::new_v4()?
    };
    // A restart need not wait for old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

/// Serves until `shutdown` completes; then answers under way get some seconds to end.
pub async fn run(listeners: Vec<TcpListener>, app: Arc<App>, shutdown: impl Future<Output = ()>) {
    let door = Door {
        router: routes::router(Arc::clone(&app)),
        renewals: routes::renewals(Arc::clone(&app)),
        strangers: Strangers::new(app.limits()),
        guests: Crowd::new(Rules {
            most: app.limits().guests,
            most_each: app.limits().guests,
            is_capped: || holds(Defence::GuestsCap),
            is_fair: || holds(Defence::GuestsFairness),
        }),
        numbers: AtomicU64::new(0),
        notices: Notices::default(),
        tasks: TaskTracker::new(),
        stop: app.stop().clone(),
        app,
    };
    let door = Arc::new(door);
    door.app.audit().note(Note::new(Event::ServerStarted));
    let accepting = TaskTracker::new();
    for listener in listeners {
        accepting.spawn(Arc::clone(&door).accept(listener));
    }
    shutdown.await;
    door.stop.cancel();
    accepting.close();
    accepting.wait().await;
    door.tasks.close();
    let limit = door.app.limits().farewell + Duration::from_secs(1);
    if tokio::time::timeout(limit, door.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("some connections did not end in time");
    }
    let audit = door.app.audit();
    audit.note_counted();
    audit.note(Note::new(Event::ServerStopped));
    if let Err(error) = audit.settle().await {
        tracing::error!(%error, "the audit log lacks its last entries");
    }
}

/// What accepting needs.
#[derive(Debug)]
struct Door {
    app: Arc<App>,
    router: Router,
    /// All that a certificate reaches that may have run out.
    renewals: Router,
    strangers: Strangers,
    guests: Arc<Crowd<PairId>>,
    numbers: AtomicU64,
    notices: Notices,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Door {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, from)) => {
                    let door = Arc::clone(&self);
                    self.tasks
                        .spawn(async move { door.welcome(stream, from).await });
                }
                Err(error) if is_about_one_connection(&error) => {
                    tracing::debug!(%error, "a connection went away before it was taken");
                }
                Err(_) if !holds(Defence::AcceptGoesOn) => return,
                Err(error) => {
                    if let Some(left_out) = self.notices.admit(Instant::now()) {
                        tracing::warn!(%error, left_out, "could not take a connection");
                    }
                    let makes_room = is_about_descriptors(&error)
                        && holds(Defence::DescriptorsFreed)
                        && self.strangers.make_room();
                    if holds(Defence::AcceptPause) {
                        tokio::time::sleep(if makes_room {
                            LEAVING_PAUSE
                        } else {
                            ACCEPT_PAUSE
                        })
                        .await;
                    }
                }
            }
        }
    }

    async fn welcome(&self, stream: TcpStream, from: SocketAddr) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let admission = self.strangers.admit(number, from.ip());
        // Asked for before the record is checked, so that no revocation falls between the two.
        let revocations = self.app.trust().revocations();
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let entered = tokio::select! {
            // In boxes, here and below: a connection at rest keeps what its task keeps.
            entered = Box::pin(door::enter(self.app.trust(), stream, from)) => entered,
            () = admission.turned_away() => {
                if let Some(left_out) = self.notices.admit(Instant::now()) {
                    tracing::warn!(
                        %from,
                        left_out,
                        "too many connections without a certificate: the oldest was cut"
                    );
                }
                return;
            }
            () = self.stop.cancelled() => return,
        };
        drop(admission);
        let (stream, peer, router, errand) = match entered {
            Ok(Entered::Data { stream, peer }) => (stream, peer, &self.router, Errand::Data),
            Ok(Entered::Renewal { stream, peer }) => {
                (stream, peer, &self.renewals, Errand::Renewal)
            }
            // No stranger any more: the window has few places, and rules of its own for them.
            Ok(Entered::Pairing(exchange)) => {
                let ended = tokio::select! {
                    ended = Box::pin(exchange.run()) => ended,
                    () = self.stop.cancelled() => return,
                };
                if let Err(turned) = ended {
                    self.tell(from, &turned);
                }
                return;
            }
            Err(turned) => return self.tell(from, &turned),
        };
        let pair = peer.pair;
        let place = self.guests.admit(number, pair);
        let _counted = self.app.connected();
        let parts = connection::Parts {
            app: Arc::clone(&self.app),
            router: router.clone(),
            revocations,
            stop: self.stop.clone(),
        };
        tokio::select! {
            () = Box::pin(connection::serve(parts, stream, peer, errand)) => {}
            () = place.turned_away() => {
                if let Some(left_out) = self.notices.admit(Instant::now()) {
                    tracing::warn!(
                        %from,
                        %pair,
                        left_out,
                        "too many connections: the oldest of the device that has the most was cut"
                    );
                }
            }
        }
    }

    fn tell(&self, from: SocketAddr, turned: &Turned) {
        if let Some(left_out) = self.notices.admit(Instant::now()) {
            let cause = std::error::Error::source(turned).map(ToString::to_string);
            tracing::info!(%from, reason = turned.reason, cause, left_out, "turned away");
        }
    }
}

/// Errors of `accept(2)` that pass when a file is closed.
fn is_about_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Errors of `accept(2)` that concern the connection, not the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(address: &str) -> ListenSettings {
        ListenSettings {
            addresses: vec![address.parse().unwrap()],
            ipv6_is_optional: false,
        }
    }

    #[tokio::test]
    async fn used_port_is_a_clear_error() {
        let first = bind(&settings("127.0.0.1:0")).unwrap();
        let address = first[0].local_addr().unwrap();
        let error = bind(&settings(&address.to_string())).unwrap_err();
        assert_eq!(error.code(), "PORT_IN_USE");
        assert!(error.hint().unwrap().contains("--listen 127.0.0.1:"));
    }

    #[tokio::test]
    async fn foreign_address_is_a_clear_error() {
        let error = bind(&settings("192.0.2.1:0")).unwrap_err();
        assert_eq!(error.code(), "ADDRESS_NOT_AVAILABLE");
    }
}
