//! Looks for servers in the local network by mDNS, and for the one server of a pair.
//!
//! What is heard is a hint and never trust: anybody can announce anything, and copy the marks of an
//! honest server. So every place that carries our mark is dialled until one proves itself in a TLS
//! handshake; fakes cost time, and the many are dialled side by side.

use std::{
    collections::{HashSet, VecDeque},
    future::Future,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use healthsync_pairing::{
    address::is_local,
    discovery::{Announcement, Recognizer, SERVICE, is_virtual},
};
use mdns_sd::{
    IfKind, IfPredicate, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// How long announcements are listened for.
const LISTEN: Duration = Duration::from_secs(3);
/// How long the handshakes with what was heard may go on.
const LIMIT: Duration = Duration::from_secs(8);
/// Handshakes at once.
const AT_ONCE: usize = 64;
/// No more places are dialled in one search.
const MOST_PLACES: usize = 1024;
/// One computer is not reached in more ways.
const MOST_ADDRESSES: usize = 4;

/// An announcement that was heard.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Tells announcements apart. The announcer's text: not to be shown.
    pub(crate) instance: String,
    /// What it says.
    pub(crate) announcement: Announcement,
    /// Where it says the server is: local addresses only, a few at most.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Our interfaces that it was heard on.
    pub(crate) interfaces: Vec<String>,
}

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A server, new or once more.
    Server(Found),
    /// The announcement of this instance was withdrawn.
    Gone(String),
}

/// A search that goes on until it is dropped.
pub(crate) struct Browser {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
}

impl Browser {
    /// Asks on all interfaces but loopback, containers and tunnels.
    pub(crate) fn start() -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        daemon.disable_interface(IfKind::Predicate(IfPredicate::new(|interface| {
            interface.is_loopback() || is_virtual(&interface.name)
        })))?;
        let events = daemon.browse(SERVICE)?;
        Ok(Self { daemon, events })
    }

    /// The next announcement that is one of ours; `None` when there will be no more.
    pub(crate) async fn next(&self) -> Option<Heard> {
        loop {
            match self.events.recv_async().await.ok()? {
                ServiceEvent::ServiceResolved(service) => {
                    if let Some(found) = read(&service) {
                        return Some(Heard::Server(found));
                    }
                }
                ServiceEvent::ServiceRemoved(_, instance) => return Some(Heard::Gone(instance)),
                _ => {}
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its thread ends by itself; nobody waits for it.
        drop(self.daemon.shutdown());
    }
}

fn read(service: &ResolvedService) -> Option<Found> {
    let properties = service.get_properties().iter();
    let announcement =
        Announcement::parse(properties.map(|property| (property.key(), property.val()))).ok()?;
    let mut addresses = Vec::new();
    let mut interfaces = Vec::new();
    for heard in service.get_addresses() {
        let (address, ids) = match heard {
            ScopedIp::V4(v4) => (
                SocketAddr::new(IpAddr::V4(*v4.addr()), service.get_port()),
                v4.interface_ids(),
            ),
            ScopedIp::V6(v6) => {
                let id = v6.scope_id();
                let scope = if v6.addr().is_unicast_link_local() {
                    id.index
                } else {
                    0
                };
                let address = SocketAddrV6::new(*v6.addr(), service.get_port(), 0, scope);
                (SocketAddr::V6(address), std::slice::from_ref(id))
            }
            _ => continue,
        };
        if address.port() == 0 || address.ip().is_loopback() || !is_local(&address.ip()) {
            continue;
        }
        addresses.push(address);
        for id in ids {
            if !id.name.is_empty() && !interfaces.contains(&id.name) {
                interfaces.push(id.name.clone());
            }
        }
    }
    // IPv4 first: a link-local IPv6 address is good on this network alone.
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    interfaces.sort_unstable();
    (!addresses.is_empty()).then(|| Found {
        instance: service.get_fullname().to_owned(),
        announcement,
        addresses,
        interfaces,
    })
}

/// Where the pair's server is: the first place that carries its mark and that `proves` itself.
pub(crate) async fn locate<F>(
    recognizer: &Recognizer,
    proves: impl Fn(SocketAddr) -> F,
) -> Option<SocketAddr>
where
    F: Future<Output = bool> + Send + 'static,
{
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(error) => {
            tracing::debug!(%error, "mDNS does not work here");
            return None;
        }
    };
    let heard = || async {
        loop {
            match browser.next().await? {
                Heard::Server(found) if found.announcement.is_for(recognizer) => {
                    return Some(found.addresses);
                }
                Heard::Server(_) | Heard::Gone(_) => {}
            }
        }
    };
    first_proven(heard, proves).await
}

async fn first_proven<H, F>(
    heard: impl Fn() -> H,
    proves: impl Fn(SocketAddr) -> F,
) -> Option<SocketAddr>
where
    H: Future<Output = Option<Vec<SocketAddr>>>,
    F: Future<Output = bool> + Send + 'static,
{
    let began = Instant::now();
    let mut listening = true;
    let mut seen = HashSet::new();
    let mut waiting = VecDeque::new();
    let mut trials = JoinSet::new();
    loop {
        while trials.len() < AT_ONCE
            && let Some(address) = waiting.pop_front()
        {
            let trial = proves(address);
            trials.spawn(async move { trial.await.then_some(address) });
        }
        if !listening && trials.is_empty() {
            return None;
        }
        tokio::select! {
            Some(trial) = trials.join_next(), if !trials.is_empty() => {
                if let Ok(Some(address)) = trial {
                    return Some(address);
                }
            }
            more = heard(), if listening => match more {
                Some(addresses) => {
                    for address in addresses {
                        if seen.len() < MOST_PLACES && seen.insert(address) {
                            waiting.push_back(address);
                        }
                    }
                }
                None => listening = false,
            },
            () = sleep_until(began + LISTEN), if listening => listening = false,
            () = sleep_until(began + LIMIT) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn place(number: usize) -> SocketAddr {
        let number = u32::try_from(number).unwrap();
        SocketAddr::new(IpAddr::V4((0x0a00_0000 + number).into()), 8443)
    }

    /// Searches among `places`; each dead one takes a second, `honest` proves itself.
    async fn search(
        places: Vec<SocketAddr>,
        honest: Option<SocketAddr>,
    ) -> (Option<SocketAddr>, usize) {
        let dialled = Arc::new(AtomicUsize::new(0));
        let places = Mutex::new(places);
        let heard = || async {
            let taken = std::mem::take(&mut *places.lock().unwrap());
            if taken.is_empty() {
                std::future::pending::<()>().await;
            }
            Some(taken)
        };
        let found = first_proven(heard, |address| {
            dialled.fetch_add(1, Ordering::SeqCst);
            async move {
                if Some(address) == honest {
                    return true;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                false
            }
        })
        .await;
        (found, dialled.load(Ordering::SeqCst))
    }

    #[tokio::test(start_paused = true)]
    async fn copies_of_an_announcement_do_not_hide_the_honest_one() {
        let began = Instant::now();
        let places: Vec<_> = (0..=200).map(place).collect();
        let (found, _) = search(places, Some(place(200))).await;
        assert_eq!(found, Some(place(200)));
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_ends() {
        let began = Instant::now();
        assert_eq!(search(Vec::new(), None).await, (None, 0));
        assert_eq!(began.elapsed(), LISTEN);
        let began = Instant::now();
        let (found, dialled) = search((0..5000).map(place).collect(), None).await;
        assert_eq!(found, None);
        assert!(dialled <= MOST_PLACES, "{dialled}");
        assert!(began.elapsed() <= LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_dialled_once() {
        let (found, dialled) = search(vec![place(1); 50], None).await;
        assert_eq!((found, dialled), (None, 1));
    }
}
