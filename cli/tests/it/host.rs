//! The server's side: a home of its own, and the commands of the person who runs it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Outcome, Running};

/// The project's own synthetic export: 1,990 records.
pub(crate) fn demo_export() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/demo-data/export.zip")
}

/// A file that only its owner can read, as a passphrase file must be.
pub(crate) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("it is ours");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

/// A server and all that it keeps.
#[derive(Debug)]
pub(crate) struct Host {
    // Before the folder: the process ends first.
    server: Option<Running>,
    pub(crate) port: u16,
    folder: TempDir,
}

impl Host {
    /// An empty home, nothing running.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = folder.path().join("run");
        fs::create_dir(&runtime).expect("it is new");
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).expect("it is ours");
        write_private(
            &folder.path().join("passphrase"),
            "correct horse battery staple\n",
        );
        Self {
            server: None,
            port: 0,
            folder,
        }
    }

    /// The same, with the demo export in it and the server running.
    pub(crate) fn with_data() -> Self {
        let mut host = Self::new();
        host.import(&demo_export()).good();
        host.start();
        host
    }

    /// A path in the home.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command of `healthsync-server`, as a script would run it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program::ours("healthsync-server"));
        command
            .args(args)
            .arg("--json")
            .env("HOME", self.folder.path())
            .env("HEALTHSYNC_SERVER_HOME", self.path("server"))
            .env("HEALTHSYNC_PASSPHRASE_FILE", self.path("passphrase"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        command
    }

    /// Runs one to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        program::run(&mut self.command(args), b"")
    }

    /// `import FILE`.
    #[track_caller]
    pub(crate) fn import(&self, file: &Path) -> Outcome {
        self.run(&["import", file.to_str().expect("a plain path")])
    }

    /// `start` on a port of the system's choice, or again on the one it had.
    #[track_caller]
    pub(crate) fn start(&mut self) {
        self.serve(&format!("127.0.0.1:{}", self.port), &["--no-mdns"]);
    }

    /// `start` on another address and port, told to the network.
    #[track_caller]
    pub(crate) fn start_announced(&mut self, address: &str) {
        self.serve(&format!("{address}:0"), &[]);
    }

    #[track_caller]
    fn serve(&mut self, listen: &str, more: &[&str]) {
        let args = [
            "start",
            "--listen",
            listen,
            "--key-store",
            "file",
            "--name",
            "Test host",
        ];
        let mut server = Running::start(&mut self.command(&[&args, more].concat()));
        let listening = server.event("listening");
        let port = listening["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok());
        self.port = port.unwrap_or_else(|| panic!("no port: {listening}"));
        self.server = Some(server);
    }

    /// The running server.
    #[cfg(target_os = "linux")]
    pub(crate) fn process(&self) -> crate::process::Process {
        self.server.as_ref().expect("it was started").process()
    }

    /// Ends the server without warning.
    pub(crate) fn kill(&mut self) {
        self.server.take().expect("it was started").kill();
    }

    /// Ends the server in good order; what it said.
    pub(crate) fn stop(&mut self) -> Outcome {
        let server = self.server.take().expect("it was started");
        server.interrupt();
        server.end()
    }

    /// Opens a pairing window; gives the running `pair` and the text of the code.
    #[track_caller]
    pub(crate) fn window(&self, args: &[&str]) -> (Running, String) {
        let (window, opened) = self.opened(args);
        let text = opened["text"].as_str().expect("a text");
        (window, text.to_owned())
    }

    /// The same with all that `pair` shows at first. A window that was just left may still be open:
    /// the server notices it when it reads from the socket.
    #[track_caller]
    pub(crate) fn opened(&self, args: &[&str]) -> (Running, Value) {
        loop {
            let mut window = Running::start(&mut self.command(&[&["pair"], args].concat()));
            let opened = window.any_event("window");
            if opened["event"] == "window" && opened["text"].is_string() {
                return (window, opened);
            }
            assert_eq!(opened["code"], "WINDOW_OPEN", "{opened}");
        }
    }

    /// `pairs`.
    #[track_caller]
    pub(crate) fn pairs(&self) -> Vec<Value> {
        self.run(&["pairs"]).good().events()
    }
}
