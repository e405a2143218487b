//! The configuration file: which servers are paired, where they listen, where their keys rest.
//!
//! It holds no secret. It is written whole, under a lock, so that two commands at once lose
//! nothing; a file that cannot be understood is never overwritten.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use healthsync_core::api::Code;
use healthsync_pairing::audit::Head;
use serde::{Deserialize, Serialize};

use crate::{error::CliError, output};

/// The version this program writes, and the highest it reads.
const VERSION: u32 = 1;

/// No honest file is larger.
const LARGEST: u64 = 4 << 20;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Config {
    /// Of the file's shape.
    version: u32,
    /// The key store that `scan` used last; the next `scan` takes it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_store: Option<String>,
    /// The pairs.
    pub(crate) servers: Vec<Server>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: VERSION,
            key_store: None,
            servers: Vec::new(),
        }
    }
}

/// One paired server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Server {
    /// The pair id.
    pub(crate) pair: String,
    /// What the server calls itself.
    pub(crate) name: String,
    /// Whether both ends know that both know.
    pub(crate) state: State,
    /// Where it listens, last good one first.
    pub(crate) addresses: Vec<SocketAddr>,
    /// `config set server.host`: dialled before the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// Where the key rests.
    pub(crate) key_store: String,
    /// RFC 3339 UTC.
    pub(crate) paired_at: String,
    /// The last verified connection, to the minute; RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_used: Option<String>,
    /// End of this computer's certificate, as it was then; RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_expires: Option<String>,
    /// The server's certificate as last seen, DER in hex, for `cert info` offline.
    #[serde(
        rename = "serverLeaf",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) leaf: Option<String>,
    /// Where the server's audit log ended when it was last seen: place, hash and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) audit_seen: Option<String>,
}

/// How far a pairing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum State {
    /// Certificates are here, the server has not yet heard so.
    Pending,
    /// Done.
    Active,
}

impl Config {
    /// The server that `wanted` names (by name, pair id, or the start of one), or the only one.
    pub(crate) fn select(&self, wanted: Option<&str>) -> Result<&Server, CliError> {
        if self.servers.is_empty() {
            return Err(CliError::new(
                Code::NotPaired,
                "this computer is not paired with any server",
            ));
        }
        let found: Vec<&Server> = match wanted {
            None => self.servers.iter().collect(),
            Some(wanted) => self
                .servers
                .iter()
                .filter(|server| server.answers_to(wanted))
                .collect(),
        };
        match (found.as_slice(), wanted) {
            ([server], _) => Ok(server),
            ([], Some(wanted)) => Err(CliError::new(
                Code::ServerAmbiguous,
                format!("no paired server is called {wanted:?}"),
            )
            .with_hint(format!("name one of: {}", self.names()))),
            (_, Some(wanted)) => Err(CliError::new(
                Code::ServerAmbiguous,
                format!("several paired servers are called {wanted:?}"),
            )
            .with_hint(format!(
                "give the pair id instead: {}",
                found
                    .iter()
                    .map(|server| server.pair.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
            (_, None) => Err(
                CliError::new(Code::ServerAmbiguous, "several servers are paired")
                    .with_hint(format!("name one with `--server`: {}", self.names())),
            ),
        }
    }

    fn names(&self) -> String {
        let called = |name: &str| {
            let same = |server: &&Server| server.name.eq_ignore_ascii_case(name);
            self.servers.iter().filter(same).count()
        };
        let names: Vec<String> = self
            .servers
            .iter()
            .map(|server| match called(&server.name) {
                1 => server.name.clone(),
                // Their names do not tell them apart.
                _ => format!("{} ({})", server.pair, server.name),
            })
            .collect();
        names.join(", ")
    }

    /// The server of this pair.
    pub(crate) fn server_mut(&mut self, pair: &str) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.pair == pair)
    }
}

impl Server {
    fn answers_to(&self, wanted: &str) -> bool {
        /// Fewer characters of a pair id are a typing error rather than a choice.
        const SHORTEST: usize = 4;
        self.name.eq_ignore_ascii_case(wanted)
            || (wanted.len() >= SHORTEST && self.pair.starts_with(&wanted.to_ascii_lowercase()))
    }

    /// The cached certificate, DER.
    pub(crate) fn leaf_der(&self) -> Option<Vec<u8>> {
        let text = self.leaf.as_deref()?;
        if !text.len().is_multiple_of(2) {
            return None;
        }
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
            .collect()
    }

    /// Takes note of what a verified handshake showed. Returns whether anything is new.
    pub(crate) fn saw(&mut self, address: SocketAddr, leaf: Option<&[u8]>) -> bool {
        let before = (self.addresses.clone(), self.leaf.clone());
        self.addresses.retain(|known| *known != address);
        self.addresses.insert(0, address);
        // More than this were never announced by one server.
        self.addresses.truncate(8);
        if let Some(leaf) = leaf {
            self.leaf = Some(hex(leaf));
        }
        before != (self.addresses.clone(), self.leaf.clone())
    }

    /// Where the server's audit log ended when it was last seen.
    pub(crate) fn audit_head(&self) -> Option<Head> {
        self.audit_seen.as_deref()?.parse().ok()
    }

    /// Takes note of where the log ends now. Returns whether it was never seen before.
    pub(crate) fn witnessed(&mut self, head: &Head) -> bool {
        let seen = self.audit_head();
        // Another command may have seen more meanwhile.
        if seen.is_none_or(|seen| seen.sequence < head.sequence) {
            self.audit_seen = Some(head.to_string());
        }
        seen.is_none()
    }

    /// Takes note that the pair was used, with a certificate of ours that ends then. Returns
    /// whether that is worth writing down.
    pub(crate) fn used(&mut self, now: &str, expires: Option<&str>) -> bool {
        let is_known = self.certificate_expires.as_deref() == expires;
        let last = self.last_used.as_deref();
        if is_known && last.is_some_and(|last| same_minute(last, now)) {
            return false;
        }
        self.last_used = Some(now.to_owned());
        self.certificate_expires = expires.map(str::to_owned);
        true
    }
}

/// To the minute, so that commands in a row do not write the file each time.
fn same_minute(one: &str, other: &str) -> bool {
    const MINUTE: usize = "2026-01-07T10:00".len();
    one.get(..MINUTE) == other.get(..MINUTE)
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    /// At this path; nothing is read or made yet.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; a missing file says nothing.
    pub(crate) fn load(&self) -> Result<Config, CliError> {
        let failed = |error: io::Error| {
            CliError::new(
                Code::ConfigFailed,
                format!("could not read {}", self.path.display()),
            )
            .because(error)
        };
        match fs::metadata(&self.path) {
            Ok(found) if found.len() > LARGEST => {
                return Err(self.damaged("it is too large to be a configuration"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
            Err(error) => return Err(failed(error)),
        }
        let bytes = fs::read(&self.path).map_err(failed)?;
        self.read(&bytes)
    }

    fn read(&self, bytes: &[u8]) -> Result<Config, CliError> {
        // The version comes first: a later shape must not look like damage.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } =
            serde_json::from_slice(bytes).map_err(|error| self.damaged(error))?;
        if version > VERSION {
            return Err(CliError::new(
                Code::ConfigTooNew,
                format!(
                    "a later version of healthsync wrote {}",
                    self.path.display()
                ),
            ));
        }
        if version == 0 {
            return Err(self.damaged("there is no version 0"));
        }
        serde_json::from_slice(bytes).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, why: impl Into<crate::error::Cause>) -> CliError {
        CliError::new(
            Code::ConfigDamaged,
            format!("{} is damaged", self.path.display()),
        )
        .because(why)
    }

    /// Reads the file, lets `change` work on it and writes it whole, all under one lock.
    pub(crate) fn update<T>(
        &self,
        change: impl FnOnce(&mut Config) -> T,
    ) -> Result<(Config, T), CliError> {
        let folder = output::folder(&self.path);
        make_private(folder).map_err(|error| self.failed(error))?;
        let mut options = fs::File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let lock = options
            .open(self.path.with_extension("lock"))
            .map_err(|error| self.failed(error))?;
        lock.lock().map_err(|error| self.failed(error))?;
        let mut config = self.load()?;
        let before = config.clone();
        let result = change(&mut config);
        if config != before || !self.path.exists() {
            self.write(&config, folder)
                .map_err(|error| self.failed(error))?;
        }
        Ok((config, result))
    }

    fn write(&self, config: &Config, folder: &Path) -> io::Result<()> {
        // tempfile creates with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".config-")
            .tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, config)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        output::sync_folder(folder);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> CliError {
        CliError::new(
            Code::ConfigFailed,
            format!("could not write {}", self.path.display()),
        )
        .because(error)
    }

    /// Deletes the file. Returns whether there was one.
    pub(crate) fn remove(&self) -> Result<bool, CliError> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Moves the file to a name that is free, and returns that.
    pub(crate) fn move_aside(&self) -> Result<PathBuf, CliError> {
        for number in 1..10_000 {
            let target = self.path.with_extension(format!("old-{number}.json"));
            // A hard link fails if the name is taken, where a rename would overwrite.
            match fs::hard_link(&self.path, &target) {
                Ok(()) => {
                    self.remove()?;
                    return Ok(target);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Err(self.failed(io::Error::other("too many old configurations lie there")))
    }
}

/// Makes the folder, for its owner only.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::Hint as _;

    use super::*;

    fn server(name: &str, pair: &str) -> Server {
        Server {
            pair: pair.to_owned(),
            name: name.to_owned(),
            state: State::Active,
            addresses: vec!["192.168.1.20:8443".parse().unwrap()],
            host: None,
            key_store: "file".to_owned(),
            paired_at: "2026-01-07T10:00:00Z".to_owned(),
            last_used: None,
            certificate_expires: None,
            leaf: None,
            audit_seen: None,
        }
    }

    fn file() -> (tempfile::TempDir, ConfigFile) {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile::new(folder.path().join("deep/er/config.json"));
        (folder, file)
    }

    #[test]
    fn what_is_written_is_read() {
        let (_folder, file) = file();
        assert_eq!(file.load().unwrap(), Config::default());
        file.update(|config| config.servers.push(server("a", "aaaa")))
            .unwrap();
        let (config, ()) = file
            .update(|config| config.servers.push(server("b", "bbbb")))
            .unwrap();
        assert_eq!(config, file.load().unwrap());
        assert_eq!(config.servers.len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn file_and_folder_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;

        let (_folder, file) = file();
        file.update(|_| ()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(file.path()), 0o600);
        assert_eq!(mode(file.path().parent().unwrap()), 0o700);
    }

    #[test]
    fn nothing_half_written_stays() {
        let (_folder, file) = file();
        file.update(|config| config.key_store = Some("file".to_owned()))
            .unwrap();
        let names: Vec<_> = fs::read_dir(file.path().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert!(names.is_empty(), "{names:?}");
    }

    #[test]
    fn a_damaged_file_is_told_and_never_overwritten() {
        for (text, code) in [
            ("", "CONFIG_DAMAGED"),
            ("{", "CONFIG_DAMAGED"),
            ("[]", "CONFIG_DAMAGED"),
            (r#"{"servers":[]}"#, "CONFIG_DAMAGED"),
            (r#"{"version":0,"servers":[]}"#, "CONFIG_DAMAGED"),
            (r#"{"version":1,"servers":[],"x":1}"#, "CONFIG_DAMAGED"),
            (r#"{"version":1,"servers":[{}]}"#, "CONFIG_DAMAGED"),
            (r#"{"version":2,"new":true}"#, "CONFIG_TOO_NEW"),
        ] {
            let (_folder, file) = file();
            make_private(file.path().parent().unwrap()).unwrap();
            fs::write(file.path(), text).unwrap();
            assert_eq!(file.load().unwrap_err().code(), code, "{text}");
            let error = file.update(|config| config.servers.clear()).unwrap_err();
            assert_eq!(error.code(), code, "{text}");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
        }
    }

    #[test]
    fn aside_means_kept() {
        let (_folder, file) = file();
        file.update(|_| ()).unwrap();
        let first = file.move_aside().unwrap();
        file.update(|_| ()).unwrap();
        let second = file.move_aside().unwrap();
        assert_ne!(first, second);
        assert!(first.exists() && second.exists() && !file.path().exists());
    }

    #[test]
    fn a_server_is_named_or_alone() {
        let mut config = Config::default();
        let code = |config: &Config, wanted: Option<&str>| match config.select(wanted) {
            Ok(server) => server.pair.clone(),
            Err(error) => error.code().to_owned(),
        };
        assert_eq!(code(&config, None), "NOT_PAIRED");
        assert_eq!(code(&config, Some("x")), "NOT_PAIRED");
        config.servers.push(server("Ana", "abcdefgh"));
        assert_eq!(code(&config, None), "abcdefgh");
        assert_eq!(code(&config, Some("other")), "SERVER_AMBIGUOUS");
        config.servers.push(server("ana", "zzzzzzzz"));
        let hint = config.select(None).unwrap_err().hint().unwrap();
        assert!(hint.ends_with("abcdefgh (Ana), zzzzzzzz (ana)"), "{hint}");
        config.servers.pop();
        config.servers.push(server("Ben", "abcdzzzz"));
        for (wanted, expected) in [
            (None, "SERVER_AMBIGUOUS"),
            (Some("ana"), "abcdefgh"),
            (Some("ABCDE"), "abcdefgh"),
            (Some("abcd"), "SERVER_AMBIGUOUS"),
            (Some("abc"), "SERVER_AMBIGUOUS"),
            (Some("Ben"), "abcdzzzz"),
        ] {
            assert_eq!(code(&config, wanted), expected, "{wanted:?}");
        }
    }

    #[test]
    fn use_is_noted_once_a_minute_and_a_new_certificate_at_once() {
        let mut server = server("a", "aaaa");
        for (now, expires, noted) in [
            ("2026-01-07T10:00:00Z", "2027-01-07T10:00:00Z", true),
            ("2026-01-07T10:00:59Z", "2027-01-07T10:00:00Z", false),
            ("2026-01-07T10:00:59Z", "2028-01-07T10:00:00Z", true),
            ("2026-01-07T10:01:00Z", "2028-01-07T10:00:00Z", true),
        ] {
            assert_eq!(server.used(now, Some(expires)), noted, "{now} {expires}");
        }
    }

    #[test]
    fn the_last_good_address_comes_first() {
        let mut server = server("a", "aaaa");
        let new: SocketAddr = "10.0.0.1:8443".parse().unwrap();
        assert!(server.saw(new, Some(&[0xab, 1])));
        assert_eq!(server.addresses[0], new);
        assert_eq!(server.addresses.len(), 2);
        assert_eq!(server.leaf_der().unwrap(), [0xab, 1]);
        assert!(!server.saw(new, Some(&[0xab, 1])));
        server.leaf = Some("abc".to_owned());
        assert_eq!(server.leaf_der(), None);
        server.leaf = Some("zz".to_owned());
        assert_eq!(server.leaf_der(), None);
    }
}
