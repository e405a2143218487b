//! Both ends of the exchange by typed code: honest devices, and ends driven by hand.

use std::net::SocketAddr;

use healthsync_pairing::{
    code::TypedCode,
    device::DeviceKey,
    enroll::{
        client::{By, EnrollError, Enrolled, Event, Newcomer, enroll_by},
        frame::{HEADER, Hello, Mode, Share, kind},
        host::Window,
        pake::{Pake, Side},
        transcript::Transcript,
    },
    environment::{Environment, SystemEntropy},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server;

use crate::{
    fake::End,
    host::{Device, Host},
};

/// The code that a window shows.
pub(crate) fn code(window: &Window) -> TypedCode {
    let text = window.code().expect("a code");
    TypedCode::parse(std::str::from_utf8(text.expose()).expect("text")).expect("a code")
}

/// The same code once more.
pub(crate) fn again(code: &TypedCode) -> TypedCode {
    let text = code.to_text();
    TypedCode::parse(std::str::from_utf8(text.expose()).expect("text")).expect("a code")
}

/// Another code: one in 10^12 is the same.
pub(crate) fn another() -> TypedCode {
    TypedCode::draw(&SystemEntropy).expect("random")
}

impl Host {
    /// A device that pairs by typed code at `address`, in a task of its own.
    pub(crate) fn typing_device(&self, code: TypedCode, address: SocketAddr) -> Device {
        let (seen, events) = tokio::sync::mpsc::unbounded_channel();
        let key = DeviceKey::generate().expect("a key");
        let digest = key.digest();
        let environment = self.environment();
        let outcome = tokio::spawn(async move {
            type_code(&code, address, key, &environment, &mut |event| {
                seen.send(event).unwrap_or(());
            })
            .await
        });
        Device {
            key: digest,
            events,
            outcome,
        }
    }
}

/// One run of the client.
pub(crate) async fn type_code(
    code: &TypedCode,
    address: SocketAddr,
    key: DeviceKey,
    environment: &Environment,
    events: &mut (dyn FnMut(Event) + Send),
) -> Result<Enrolled, EnrollError> {
    let newcomer = Newcomer {
        key,
        name: "device",
        replaces: None,
        known: &[],
    };
    enroll_by(By::Code(code, &[address]), newcomer, environment, events).await
}

/// A hello with this share.
pub(crate) fn hello(share: Vec<u8>) -> Vec<u8> {
    let hello = Hello {
        versions: vec![1],
        mode: Mode::Code,
        session: [0; 8],
        share,
        tag: [0; 32],
    };
    hello.write().expect("F1")
}

impl<S: AsyncRead + AsyncWrite + Unpin> End<S> {
    /// This end's half.
    pub(crate) fn pake(&self, side: Side, code: &TypedCode) -> (Pake, Vec<u8>) {
        Pake::start(side, code, &self.exporter, &SystemEntropy).expect("random")
    }

    /// Goes on with what both ends share if they know the same code.
    pub(crate) fn agree(&mut self, pake: Pake, share: &[u8], frames: &[&[u8]]) {
        let shared = pake.finish(share).expect("a good share");
        self.transcript = Transcript::new(self.exporter, &self.key, &shared);
        for frame in frames {
            self.transcript.add(frame);
        }
    }
}

impl End<server::TlsStream<TcpStream>> {
    /// F1, and F2 as a host would that shows this code.
    pub(crate) async fn share_typed(&mut self, code: &TypedCode, nonce: &[u8; 32]) {
        let f1 = self.receive().await.expect("F1");
        let theirs = Hello::read(&f1[HEADER..]).expect("F1").share;
        let (pake, share) = self.pake(Side::Server, code);
        self.agree(pake, &theirs, &[&f1]);
        let commit = self.transcript.commit(nonce);
        self.send_share(share, commit).await;
        assert_eq!(self.receive().await.expect("F3")[0], kind::PROOF);
    }

    pub(crate) async fn send_share(&mut self, share: Vec<u8>, commit: [u8; 32]) {
        let share = Share {
            version: 1,
            share,
            commit,
        };
        self.send(&share.write().expect("F2")).await;
    }
}
