//! Garbage from everywhere, and silence that takes all places.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, AtomicUsize},
};

use tokio::task::yield_now;

use super::*;

/// How many connections wait now, and how many there ever were at once.
#[derive(Debug, Default)]
struct Count {
    now: AtomicUsize,
    most: AtomicUsize,
    sent: AtomicUsize,
    is_over: AtomicBool,
}

/// Connections that know nothing take no place that an honest device needs, and cost no place for long.
#[tokio::test]
async fn burn_dos() {
    let hellos = std::env::var_os("HEALTHSYNC_HELLOS");
    let hellos = hellos.and_then(|text| text.to_str()?.parse().ok());
    let hellos: usize = hellos.unwrap_or(1_000);
    let mut host = Host::with(Arc::new(SystemEntropy), Approval::None);
    let count = Arc::new(Count::default());
    let flood = tokio::spawn(flood(
        Arc::clone(&host.trust),
        host.invite.session,
        Arc::clone(&count),
    ));
    while count.sent.load(Ordering::SeqCst) < hellos {
        sleep(Duration::from_millis(1)).await;
    }

    // It goes on while an honest device comes.
    let began = Instant::now();
    let mut device = loop {
        if let Some(device) = host.connect("192.168.1.3:5000") {
            break device;
        }
        assert!(began.elapsed() < LIMIT, "there was no place");
        sleep(Duration::from_millis(100)).await;
    };
    device.greet(&host.invite).await;
    device.prove().await;
    device.enrol().await;
    assert_eq!(device.receive().await.unwrap()[0], kind::ISSUED);
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    count.is_over.store(true, Ordering::SeqCst);
    flood.await.unwrap();
    assert_eq!(host.trust.pairs().unwrap().len(), 1);
    // Nobody was told anything: there was nothing to tell.
    assert!(host.window.events.try_recv().is_err());
    let most = count.most.load(Ordering::SeqCst);
    assert!((10..=16).contains(&most), "{most} waited at once");
}

const LIMIT: Duration = Duration::from_secs(3);

/// Connections without end; those that were not answered stay open.
async fn flood(trust: Arc<Trust>, session: [u8; 8], count: Arc<Count>) {
    let mut open = VecDeque::new();
    let mut wrong = Hello {
        versions: vec![VERSION],
        mode: Mode::Qr,
        session: [0; 8],
        share: Vec::new(),
        tag: [7; 32],
    };
    let elsewhere = wrong.write().unwrap();
    // The worst: somebody knows the session, but not the secret.
    wrong.session = session;
    let wrong = wrong.write().unwrap();
    let kinds = [
        Vec::new(),
        vec![9; 64],
        vec![1, 0, 1, 0],
        vec![1, 0xff, 0xff],
        elsewhere,
        wrong,
        // Not whole: the rest never comes.
        vec![1, 0, 45, 1, 0, 1, 1],
    ];
    for bytes in kinds.iter().cycle() {
        if count.is_over.load(Ordering::SeqCst) {
            return;
        }
        let number = u32::try_from(count.sent.fetch_add(1, Ordering::SeqCst)).unwrap();
        // A third of them from one address.
        let from = if number.is_multiple_of(3) { 1 } else { number };
        let [_, a, b, c] = from.to_be_bytes();
        let from = SocketAddr::from(([10, a, b, c], 5000));
        if let Some(admission) = trust.admit(from) {
            let (mut near, far) = duplex(256);
            let (trust, count) = (Arc::clone(&trust), Arc::clone(&count));
            count.now.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let served = serve(&trust, admission, far, EXPORTER, from, Instant::now());
                served.await.unwrap_or(());
                count.now.fetch_sub(1, Ordering::SeqCst);
            });
            near.write_all(bytes).await.unwrap();
            open.push_back(near);
            if open.len() > 64 {
                open.pop_front();
            }
        }
        // Who was sent away is gone by then. 10,000 connections a second.
        if number.is_multiple_of(10) {
            sleep(Duration::from_millis(1)).await;
        } else {
            for _ in 0..3 {
                yield_now().await;
            }
        }
        let now = count.now.load(Ordering::SeqCst);
        count.most.fetch_max(now, Ordering::SeqCst);
    }
}
