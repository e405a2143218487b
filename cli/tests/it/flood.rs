//! Whoever only knocks, from many addresses, takes little and keeps nobody out.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::{
    host::Host,
    process::{count, open_many},
    stranger::Stranger,
};

/// Connections without a certificate that the server holds at most, and a few files of its own.
const HELD: usize = 256 + 32;
/// What all of them may cost.
const MEMORY: u64 = 32 << 20;

/// A connection from one of 200 addresses of this computer.
fn knock(port: u16, number: u64) -> io::Result<TcpStream> {
    let last = u8::try_from(number % 200 + 2).map_err(io::Error::other)?;
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&fd, &SocketAddr::from((Ipv4Addr::new(127, 0, 7, last), 0)))?;
    connect(&fd, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(TcpStream::from(fd))
}

/// A `ClientHello` of 65,535 bytes begins, in records of 4 KiB; its end never comes.
fn endless_hello() -> Vec<u8> {
    let mut bytes = vec![1, 0, 0xff, 0xff, 3, 3];
    bytes.resize(15 * 4096, 0);
    bytes
        .chunks(4096)
        .flat_map(|piece| {
            let length = u16::try_from(piece.len()).expect("small").to_be_bytes();
            [&[22, 3, 1], &length[..], piece].concat()
        })
        .collect()
}

/// Asks as an honest device does; how long it took.
#[track_caller]
fn ask(stranger: &Stranger, path: &str, seconds: &str) -> Duration {
    let began = Instant::now();
    let args = ["--cert", "client", "-o", "/dev/null", "-m", seconds];
    let answer = stranger.curl(&stranger.name(), &args, path);
    assert_eq!(answer.stdout, "200", "{answer:?}");
    began.elapsed()
}

/// 2,000 silent sockets and a slow drip of 1 GiB in `scripts/soak`, a part of it here.
#[test]
fn preauth_budget() {
    open_many();
    let sockets = count("HEALTHSYNC_SOCKETS", 400);
    let drip = count("HEALTHSYNC_DRIP_MIB", 16) << 20;
    let in_time = Duration::from_millis(count("HEALTHSYNC_ANSWER_MS", 10_000));
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let server = host.process();
    for _ in 0..8 {
        ask(&stranger, "samples?types=heartRate", "30");
    }
    let (memory, files) = (server.memory(), server.descriptors().len());

    let silent: Vec<_> = (0..sockets)
        .map(|number| knock(host.port, number).expect("connected"))
        .collect();
    // The server takes connections in their order: who is answered comes after all of them.
    let mut slowest = ask(&stranger, "samples?types=heartRate", "30");
    // Who was sent away is gone a moment later; only after 5 s would all of them be.
    let settled = Instant::now() + Duration::from_secs(2);
    let held = loop {
        let held = server.descriptors().len().saturating_sub(files);
        if held <= HELD || Instant::now() > settled {
            break held;
        }
        thread::yield_now();
    };
    assert!(held <= HELD, "the server holds {held} strangers");

    let (stop, sent) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let drippers: Vec<_> = (0..4_u64)
        .map(|first| {
            let (stop, sent, port) = (Arc::clone(&stop), Arc::clone(&sent), host.port);
            thread::spawn(move || {
                let hello = endless_hello();
                let mut open: Vec<Option<TcpStream>> = (0..50).map(|_| None).collect();
                for piece in hello.chunks(1500).cycle() {
                    for (number, stream) in (0_u64..).zip(&mut open) {
                        if stop.load(Ordering::Relaxed) {
                            return;
                        }
                        // Cut off or sent away: it comes again.
                        let is_gone = match stream {
                            Some(stream) => stream.write_all(piece).is_err(),
                            None => true,
                        };
                        if is_gone {
                            *stream = knock(port, first * 50 + number).ok();
                        } else {
                            let bytes = u64::try_from(piece.len()).expect("small");
                            sent.fetch_add(bytes, Ordering::Relaxed);
                        }
                    }
                }
            })
        })
        .collect();
    let mut most = 0;
    while sent.load(Ordering::Relaxed) < drip {
        slowest = slowest.max(ask(&stranger, "samples?types=heartRate", "30"));
        most = most.max(server.memory());
    }
    stop.store(true, Ordering::Relaxed);
    for dripper in drippers {
        dripper.join().expect("no panic");
    }
    drop(silent);
    let grown = most.saturating_sub(memory);
    let told = format!(
        "{sockets} sockets, {} MiB: {} KiB more, the slowest of the honest {} ms\n",
        drip >> 20,
        grown >> 10,
        slowest.as_millis()
    );
    drop(io::stderr().write_all(told.as_bytes()));
    assert!(grown < MEMORY, "{told}");
    assert!(slowest < in_time, "{told}");
}

#[test]
fn accept_survives_fd_exhaustion() {
    open_many();
    let host = Host::with_data();
    let stranger = Stranger::enrolled(&host);
    let server = host.process();
    ask(&stranger, "whoami", "30");

    // No descriptor, and nobody to send away: the honest one waits, and the server does too.
    server.limit(Some(3));
    let (worked, began) = (server.worked(), Instant::now());
    let args = ["--cert", "client", "-o", "/dev/null", "-m", "2"];
    let waits = stranger.curl(&stranger.name(), &args, "whoami");
    assert_eq!(waits.exit, Some(28), "{waits:?}");
    let (worked, passed) = (server.worked().saturating_sub(worked), began.elapsed());
    assert!(worked < passed / 10, "busy for {worked:?} of {passed:?}");
    server.limit(None);
    ask(&stranger, "whoami", "30");

    // Strangers have taken all descriptors, and more of them wait before the honest one.
    server.allow(6);
    let crowd: Vec<_> = (0..60)
        .map(|number| knock(host.port, number).expect("connected"))
        .collect();
    let waited = ask(&stranger, "whoami", "60");
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    drop(crowd);
    server.limit(None);
    ask(&stranger, "samples?types=heartRate", "30");
}
