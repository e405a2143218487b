//! Either end dies at any step of a pairing: in the end both have the pair or neither has anything
//! of it, other pairs are as they were, and the next pairing works.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use healthsync_pairing::{
    credentials::{ClientCredentials, HostCredentials},
    device::DeviceKey,
    enroll::{
        frame::{HEADER, Issued, kind},
        host::{Approval, HostEvent, Window},
    },
    environment::Clock as _,
    invite::Invite,
    keystore::{KeyStore as _, memory::MemoryStore},
    secret::Secret,
    trust::State,
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::{
    data_port::seen,
    fake::{End, connect},
    host::{Host, Keys, TestClock, peer},
};

#[tokio::test]
async fn crash_points() {
    the_host_dies().await;
    the_device_dies().await;
}

/// What is on the host's disk and in its key store at one moment: all that a crash leaves.
struct Moment {
    what: String,
    folder: TempDir,
    items: Vec<(String, Vec<u8>)>,
}

impl Moment {
    fn now(what: &str, folder: &Path, keys: &MemoryStore) -> Self {
        let copy = tempfile::tempdir().expect("a folder");
        for entry in fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
        }
        let items = keys.items().into_iter().map(|item| {
            let value = keys.read(&item).expect("reads").expect("an item");
            (item, value.expose().to_vec())
        });
        Self {
            what: what.to_owned(),
            folder: copy,
            items: items.collect(),
        }
    }

    /// A host that starts with it.
    async fn host(&self, clock: i64) -> Host {
        let again = Self::now(&self.what, self.folder.path(), &MemoryStore::default());
        let keys = Keys::default();
        for (item, value) in &self.items {
            keys.0
                .write(item, &Secret::new(value.clone()))
                .expect("written");
        }
        Host::start_in(again.folder, keys, Arc::new(TestClock::at(clock))).await
    }
}

async fn the_host_dies() {
    let host = Host::start().await;
    let kept = host.paired("kept").await;
    // Now the audit log has its key: what is written from here on are the keys of the pair.
    host.trust.audit().settle().await.expect("written");
    let moments: Arc<Mutex<Vec<Moment>>> = Arc::default();
    let keep = {
        let (moments, keys) = (Arc::clone(&moments), Arc::clone(&host.keys.0));
        let folder = host.folder.path().to_owned();
        move |what: &str| {
            let moment = Moment::now(what, &folder, &keys);
            moments.lock().expect("whole").push(moment);
        }
    };
    *host.keys.1.lock().expect("whole") = Some(Box::new(keep.clone()));
    let (mut window, invite) = host.window(Approval::Digits);
    let mut pairing = Pairing::start(&invite).await;
    for step in 0..STEPS {
        pairing.step(step, &host, &mut window, &invite).await;
        keep(&format!("step {step}"));
    }
    let credentials = pairing.credentials(&host);
    host.acknowledge(&credentials).expect("acknowledged");
    keep("acknowledged");
    *host.keys.1.lock().expect("whole") = None;
    let now = host.clock.now();
    drop(host);

    let moments = std::mem::take(&mut *moments.lock().expect("whole"));
    let names: Vec<_> = moments.iter().map(|moment| moment.what.as_str()).collect();
    assert!(names.contains(&"before a key is written"), "{names:?}");
    assert!(names.contains(&"after a key was written"), "{names:?}");
    let has_issued = names.iter().position(|name| *name == "step 4");
    for (number, moment) in moments.iter().enumerate() {
        let what = &moment.what;
        // The device comes back in time, if it has its certificate.
        let host = moment.host(now).await;
        assert!(seen(&host, &kept).await.is_ok(), "{what}: another pair");
        let has_certificate = has_issued.is_some_and(|at| number >= at);
        let comes_in = seen(&host, &credentials).await;
        match comes_in {
            Ok(_) => {
                let record = host.acknowledge(&credentials).expect("acknowledged");
                assert_eq!(record.state, State::Active, "{what}");
                assert!(host.trust.authorize(&peer(&credentials)).is_ok(), "{what}");
                assert_eq!(records(&host), 2, "{what}");
            }
            // It is told, and has nothing that anybody takes.
            Err(failure) => {
                assert!(!has_certificate, "{what}: {failure:?}");
                assert_eq!(
                    failure.alert.as_deref(),
                    Some("unrecognized_name"),
                    "{what}"
                );
                assert_eq!(records(&host), 1, "{what}");
            }
        }
        no_key_is_left_over(&host, what);
        host.paired("next").await;

        // It never comes back: at the deadline nothing is left of it, but what it acknowledged.
        let host = moment.host(now + 121).await;
        let expected = if what == "acknowledged" { 2 } else { 1 };
        assert_eq!(records(&host), expected, "{what}, later");
        no_key_is_left_over(&host, what);
        let failure = seen(&host, &credentials).await.err();
        let told = failure.and_then(|failure| failure.alert);
        let told = told.as_deref();
        assert_eq!(
            told,
            (expected == 1).then_some("unrecognized_name"),
            "{what}, later"
        );
        assert!(seen(&host, &kept).await.is_ok(), "{what}: another pair");
        host.paired("next").await;
    }
}

async fn the_device_dies() {
    for last in 0..STEPS {
        let host = Host::start().await;
        let (mut window, invite) = host.window(Approval::Digits);
        let mut pairing = Pairing::start(&invite).await;
        for step in 0..=last {
            pairing.step(step, &host, &mut window, &invite).await;
        }
        let has_slot = last >= 1;
        let is_approved = last >= 3;
        drop(pairing);
        if is_approved {
            while records(&host) == 0 {
                tokio::task::yield_now().await;
            }
            host.clock.turn(121);
            assert_eq!(records(&host), 0, "step {last}");
            let host = host.restart().await;
            no_key_is_left_over(&host, "later");
            host.paired("next").await;
        } else if has_slot {
            let closed = HostEvent::Closed {
                code: "PAIRING_FAILED",
            };
            assert_eq!(window.events.recv().await, Some(closed), "step {last}");
            assert_eq!(records(&host), 0, "step {last}");
            no_key_is_left_over(&host, "a device left");
            host.paired("next").await;
        } else {
            // Nothing is spent: the same code is good for the next.
            let mut next = host.device(invite, "next");
            let digits = next.digits().await;
            host.trust.approve(&digits).expect("approved");
            assert!(next.outcome.await.expect("runs").is_ok());
        }
    }

    // It stored its certificate, and the answer to its acknowledgement was lost.
    let host = Host::start().await;
    let credentials = host.paired("device").await;
    let record = host.acknowledge(&credentials).expect("again");
    assert_eq!(record.state, State::Active);
}

fn records(host: &Host) -> usize {
    host.trust.pairs().expect("pairs").len()
}

fn no_key_is_left_over(host: &Host, what: &str) {
    let records = host.trust.pairs().expect("pairs").into_iter();
    let mut expected: Vec<_> = records
        .map(|record| HostCredentials::item(&record.pair))
        .collect();
    expected.sort();
    let mut items = host.keys.of_pairs();
    items.sort();
    assert_eq!(items, expected, "{what}");
}

/// A device by hand, one step at a time.
struct Pairing {
    end: End<TlsStream<TcpStream>>,
    key: DeviceKey,
    issued: Option<Issued>,
}

/// F1 and F2; F3 and F4; F5 and F6; the digits; F7.
const STEPS: usize = 5;

impl Pairing {
    async fn start(invite: &Invite) -> Self {
        Self {
            end: connect(invite).await,
            key: DeviceKey::generate().expect("a key"),
            issued: None,
        }
    }

    async fn step(&mut self, step: usize, host: &Host, window: &mut Window, invite: &Invite) {
        let end = &mut self.end;
        match step {
            0 => end.up_to_share(invite).await,
            1 => end.proved().await,
            2 => {
                let f5 = end.enrol(&self.key, b"device").write().expect("F5");
                end.send(&f5).await;
                let wanted = window.events.recv().await;
                assert!(matches!(wanted, Some(HostEvent::DigitsWanted { .. })));
            }
            3 => {
                let digits = end.pending_digits().await;
                host.trust.approve(&digits).expect("approved");
            }
            _ => {
                let f7 = end.receive().await.expect("F7");
                assert_eq!(f7[0], kind::ISSUED);
                self.issued = Some(Issued::read(&f7[HEADER..]).expect("F7"));
            }
        }
    }

    fn credentials(self, host: &Host) -> ClientCredentials {
        let issued = self.issued.expect("F7");
        let records = host.trust.pairs().expect("pairs");
        let record = records.iter().find(|one| one.key == self.key.digest());
        ClientCredentials {
            pair: record.expect("a record").pair,
            key: self.key,
            leaf: issued.leaf,
            ca: issued.ca,
            discovery_key: Secret::new(vec![0; 32]),
        }
    }
}
