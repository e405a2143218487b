//! A client of somebody else: `openssl` makes its key, `curl` and `openssl s_client` use it. Only the
//! enrolment goes through our library, because nothing else speaks its protocol.

use std::{fs, path::PathBuf, process::Command, sync::mpsc::channel, thread};

use healthsync_pairing::{
    certificate,
    device::DeviceKey,
    enroll::client::{Event, enroll},
    environment::Environment,
    id::PairId,
    invite::Invite,
    secret::Secret,
};
use tempfile::TempDir;

use crate::{
    host::Host,
    program::{self, Outcome, Running},
};

/// A client of somebody else, with its key in a file.
pub(crate) struct Stranger {
    folder: TempDir,
    pub(crate) pair: PairId,
    pub(crate) port: u16,
}

impl Stranger {
    /// Makes a key with openssl, enrols it, and confirms with curl.
    #[track_caller]
    pub(crate) fn enrolled(host: &Host) -> Self {
        let (stranger, mut window) = Self::pending(host);
        let ack = stranger.curl(
            &stranger.name(),
            &["--cert", "client", "-X", "POST"],
            "pair/ack",
        );
        assert_eq!(ack.stdout, "204", "{ack:?}");
        assert_eq!(window.event("paired")["pair"], stranger.pair.to_string());
        stranger
    }

    /// The same without the confirmation: the pair is PENDING, and `pair` waits.
    #[track_caller]
    pub(crate) fn pending(host: &Host) -> (Self, Running) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (key, der) = (path("client.key"), path("client.der"));
        for args in [
            &[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                &key,
            ][..],
            &[
                "pkcs8", "-topk8", "-nocrypt", "-in", &key, "-outform", "DER", "-out", &der,
            ],
        ] {
            program::run(Command::new("openssl").args(args), b"").good();
        }
        let secret = Secret::new(fs::read(&der).expect("openssl wrote it"));
        let key = DeviceKey::from_pkcs8(secret).expect("a P-256 key");

        let (mut window, text) = host.window(&[]);
        let invite = Invite::parse(&text).expect("a fresh code");
        let (send, digits) = channel();
        let enrolling = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let mut events = |event| {
                    if let Event::Digits { digits, .. } = event {
                        send.send(digits).expect("the test waits");
                    }
                };
                enroll(
                    &invite,
                    key,
                    "stranger",
                    &Environment::system(),
                    &mut events,
                )
                .await
            })
        });
        let digits = digits.recv().expect("digits");
        window.event("digits-wanted");
        host.run(&["approve", &digits]).good();
        let enrolled = enrolling.join().expect("no panic").expect("enrolled");

        let credentials = enrolled.credentials;
        for (name, certificate) in [
            ("client.crt", &credentials.leaf),
            ("ca.crt", &credentials.ca),
        ] {
            fs::write(folder.path().join(name), certificate::to_pem(certificate)).expect("ours");
        }
        let stranger = Self {
            folder,
            pair: credentials.pair,
            port: host.port,
        };
        (stranger, window)
    }

    pub(crate) fn name(&self) -> String {
        self.pair.server_name()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// curl to `name` at the server's address, trusting this pair's CA. `--cert client` presents
    /// this pair's certificate. The status is the last thing on stdout.
    #[track_caller]
    pub(crate) fn curl(&self, name: &str, args: &[&str], path: &str) -> Outcome {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "30", "-w", "%{http_code}"]);
        command
            .arg("--resolve")
            .arg(format!("{name}:{}:127.0.0.1", self.port));
        command.arg("--cacert").arg(self.path("ca.crt"));
        for arg in args {
            if *arg == "client" {
                command
                    .arg(self.path("client.crt"))
                    .arg("--key")
                    .arg(self.path("client.key"));
            } else {
                command.arg(arg);
            }
        }
        command.arg(format!("https://{name}:{}/api/v1/{path}", self.port));
        program::run(&mut command, b"")
    }

    /// `openssl s_client` with this on stdin.
    #[track_caller]
    pub(crate) fn s_client(&self, args: &[&str], stdin: &[u8]) -> String {
        let mut command = Command::new("openssl");
        command
            .arg("s_client")
            .arg("-connect")
            .arg(format!("127.0.0.1:{}", self.port));
        command.arg("-CAfile").arg(self.path("ca.crt"));
        for arg in args {
            if *arg == "client" {
                command.arg("-cert").arg(self.path("client.crt"));
                command.arg("-key").arg(self.path("client.key"));
            } else {
                command.arg(arg);
            }
        }
        let outcome = program::run(&mut command, stdin);
        outcome.stdout + &outcome.stderr
    }
}
