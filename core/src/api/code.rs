//! The one vocabulary of codes of core, server and cli (pairing has its own, in the same style).

use std::{fmt, str::FromStr};

/// Declares [`Code`] from one table, so that no code can lack a text, a status or an advice.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $status:expr, $exit:literal, $advice:literal;)+) => {
        /// A stable word for what went wrong. The text is the same on the wire, in `--json`, and
        /// behind the message for people.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word, in capitals and underscores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The HTTP status (RFC 9110) of an answer with this code; `None` where no server says
            /// it.
            pub const fn status(self) -> Option<u16> {
                match self { $(Self::$name => $status,)+ }
            }

            /// The exit code of a command that ends with it.
            pub const fn exit(self) -> u8 {
                match self { $(Self::$name => $exit,)+ }
            }

            /// What to do next, in our own words: a client never prints a foreign hint as if it
            /// were its own.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)+ }
            }
        }
    };
}

codes! {
    // What a request may be refused for.

    /// The body or the query string is malformed.
    BadRequest = "BAD_REQUEST", Some(400), 1,
        "check the request against the HTTP reference; `healthsync fetch --help` lists what can be asked";
    /// Not a type.
    UnknownType = "UNKNOWN_TYPE", Some(400), 2,
        "run `healthsync types` to see the names";
    /// An end before its start, or not a time.
    InvalidRange = "INVALID_RANGE", Some(400), 2,
        "give `--start` before `--end`, for example `--start 2026-01-01 --end 2026-02-01`";
    /// A cursor that this server did not make.
    InvalidCursor = "INVALID_CURSOR", Some(400), 1,
        "start again without a cursor";
    /// The server cannot say what changed since: its store was replaced or restored.
    HistoryGone = "HISTORY_GONE", Some(410), 1,
        "start again without `after`; `healthsync sync` does it by itself";
    /// What this pair may read was changed since the cursor was made.
    ScopeChanged = "SCOPE_CHANGED", Some(410), 1,
        "start again without `after`; `healthsync sync` does it by itself";
    /// Not a period, or not a time zone.
    InvalidPeriod = "INVALID_PERIOD", Some(400), 2,
        "name a period (`daily`) and a time zone (`--timezone Europe/Vienna`)";
    /// More samples overlap at one instant than can be merged.
    TooManyOverlaps = "TOO_MANY_OVERLAPS", Some(422), 1,
        "fetch the samples themselves: `healthsync fetch` without `--aggregate`";
    /// A type that this pair may not read.
    TypeNotAllowed = "TYPE_NOT_ALLOWED", Some(403), 1,
        "run `healthsync types` to see what this computer may read";
    /// The pair waits for its confirmation.
    PairPending = "PAIR_PENDING", Some(403), 3,
        "finish pairing on the server with `healthsync-server approve DIGITS`";
    /// A page of some website made the request.
    CrossOriginRefused = "CROSS_ORIGIN_REFUSED", Some(403), 1,
        "ask from the command line, not from a web page";
    /// No such path.
    NotFound = "NOT_FOUND", Some(404), 1,
        "compare the versions: `healthsync version` here, `healthsync-server --version` on the server";
    /// The path does not take this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", Some(405), 1,
        "the header `Allow` of the answer names the methods";
    /// Nothing that `Accept` names can be made.
    NotAcceptable = "NOT_ACCEPTABLE", Some(406), 1,
        "accept one of text/csv, text/tab-separated-values, application/json, application/x-ndjson, application/vnd.apache.arrow.stream, application/vnd.apache.parquet";
    /// The client took too long to send its request.
    RequestTimeout = "REQUEST_TIMEOUT", Some(408), 4,
        "try again; run `healthsync status` to test the connection";
    /// The body is larger than any request needs.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", Some(413), 1,
        "send a smaller request";
    /// The header of the request is larger than any request needs.
    HeadersTooLarge = "HEADERS_TOO_LARGE", Some(431), 1,
        "send fewer and shorter header fields, and a shorter path";
    /// The body is not JSON.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", Some(415), 1,
        "send the body with `Content-Type: application/json`";
    /// The request names another server than the one of its connection.
    MisdirectedRequest = "MISDIRECTED_REQUEST", Some(421), 1,
        "use the pair's own name as host; `healthsync cert info` prints it";
    /// The owner has paused the server.
    Locked = "LOCKED", Some(423), 1,
        "run `healthsync-server resume` on the server";
    /// Too many requests.
    RateLimited = "RATE_LIMITED", Some(429), 1,
        "wait as long as `Retry-After` says, then try again";
    /// A fault of the server.
    Internal = "INTERNAL", Some(500), 1,
        "look for the request id in the log of `healthsync-server start`";
    /// The store cannot be read at the moment.
    StoreUnavailable = "STORE_UNAVAILABLE", Some(503), 1,
        "try again in a minute; run `healthsync-server status` on the server";
    /// The audit log cannot be written, so nothing may be read.
    AuditFailed = "AUDIT_FAILED", Some(503), 1,
        "look into the log of `healthsync-server start`; check the free space of the data folder";

    // What a client meets on its way.

    /// Nothing answered in time.
    Etimedout = "ETIMEDOUT", None, 4,
        "start the server with `healthsync-server start`, or pass its address with `--host`";
    /// The host runs, the server does not.
    Econnrefused = "ECONNREFUSED", None, 4,
        "start the server with `healthsync-server start`";
    /// The connection broke.
    Econnreset = "ECONNRESET", None, 4,
        "run `healthsync status`, then try again";
    /// No way leads there.
    Ehostunreach = "EHOSTUNREACH", None, 4,
        "join the server's network, or pass its address with `--host`";
    /// No such host name.
    Enotfound = "ENOTFOUND", None, 4,
        "pass the server's address with `--host`, or store it with `healthsync config set server.host ADDRESS`";
    /// What answered does not speak TLS.
    NotTls = "NOT_TLS", None, 4,
        "another program listens on this port; check `--host` and the port";
    /// No TLS version in common.
    UnsupportedProtocol = "UNSUPPORTED_PROTOCOL", None, 3,
        "update the older end: both need TLS 1.3";
    /// A certificate is past its end.
    CertHasExpired = "CERT_HAS_EXPIRED", None, 3,
        "check both clocks, then pair again with `healthsync-server pair` and `healthsync scan`";
    /// A certificate is before its start.
    CertNotYetValid = "CERT_NOT_YET_VALID", None, 3,
        "set the clocks of both computers";
    /// The pair was revoked.
    CertRevoked = "CERT_REVOKED", Some(403), 3,
        "pair again with `healthsync-server pair` on the server and `healthsync scan` here";
    /// The certificate is for another name.
    CertCommonNameInvalid = "CERT_COMMON_NAME_INVALID", None, 3,
        "another server answers at this address; run `healthsync cert info`, and check `--host`";
    /// The certificate does not come from the CA of this pair.
    UnableToVerifyLeafSignature = "UNABLE_TO_VERIFY_LEAF_SIGNATURE", None, 3,
        "another server answers at this address; check `--host`, or pair again with `healthsync scan`";
    /// The certificate comes from an authority that this pair does not know.
    SelfSignedCertInChain = "SELF_SIGNED_CERT_IN_CHAIN", None, 3,
        "something intercepts the connection, or another server answers; check `--host`";
    /// The server's audit log is not the one that this client saw.
    AuditRewritten = "AUDIT_REWRITTEN", None, 3,
        "ask the owner of the server whether `trust.db` was restored from a copy; `healthsync-server audit verify` checks the log there";
    /// The server got no certificate from this client.
    NoClientCertificate = "NO_CLIENT_CERTIFICATE", None, 3,
        "pair with `healthsync-server pair` on the server and `healthsync scan` here";
    /// This computer has no pair.
    NotPaired = "NOT_PAIRED", None, 3,
        "run `healthsync-server pair` on the server, then `healthsync scan` here";
    /// The server answered with an error that this client does not know.
    ServerError = "SERVER_ERROR", None, 1,
        "compare the versions: `healthsync version` here, `healthsync-server --version` on the server";
    /// The server answered with a redirect (RFC 9110, section 15.4).
    RedirectRefused = "REDIRECT_REFUSED", None, 1,
        "no healthsync-server does that: look at what answers there with `healthsync status`, and tell the server's owner";
    /// The answer broke off or is damaged.
    AnswerDamaged = "ANSWER_DAMAGED", None, 1,
        "run the command again; nothing was written";

    // What a command meets at home.

    /// The command line asks for something that does not exist.
    Usage = "USAGE", None, 2,
        "add `--help` to see what the command takes";
    /// The output file is there already.
    OutputExists = "OUTPUT_EXISTS", None, 1,
        "name another file with `--output`, or remove this one";
    /// Another process keeps the same copy.
    SyncRunning = "SYNC_RUNNING", None, 1,
        "wait until the other `healthsync sync` ends, or stop it";
    /// The target of a sync is a file of something else.
    NotACopy = "NOT_A_COPY", None, 1,
        "name another target with `healthsync sync --to`, or remove this one";
    /// The copy is one of another pair.
    OtherCopy = "OTHER_COPY", None, 1,
        "name another target with `healthsync sync --to`, one for each server";
    /// The output could not be written.
    OutputFailed = "OUTPUT_FAILED", None, 1,
        "check the folder and the free space, or name another file with `--output`";
    /// A pairing code or a passphrase stands on the command line.
    SecretInArgv = "SECRET_IN_ARGV", None, 2,
        "give the code at the prompt of `healthsync scan` or `healthsync pair`, or pipe it in: `healthsync scan --text -`, `healthsync pair --code -`";
    /// Several servers are paired, or none has the name that was given.
    ServerAmbiguous = "SERVER_AMBIGUOUS", None, 2,
        "name one with `--server`; `healthsync config show` lists them";
    /// The configuration names a pair whose key is not in the key store.
    KeyMissing = "KEY_MISSING", None, 3,
        "pair again: `healthsync unpair`, then `healthsync scan`";
    /// No server announces a pairing window.
    WindowNotFound = "WINDOW_NOT_FOUND", None, 4,
        "run `healthsync-server pair` on the server; where mDNS does not get through, give its address: `healthsync pair --host ADDRESS`";
    /// Several servers announce one.
    WindowAmbiguous = "WINDOW_AMBIGUOUS", None, 2,
        "give the address of yours: `healthsync pair --host ADDRESS`";
    /// A picture holds more than one pairing code.
    InviteAmbiguous = "INVITE_AMBIGUOUS", None, 1,
        "cut the picture so that it shows one code, or paste the text with `healthsync scan`";
    /// This computer has no display, or none that answers.
    NoDisplay = "NO_DISPLAY", None, 1,
        "paste the text at the prompt of `healthsync scan`, pipe it in: `healthsync scan --text -`, or name a picture of the code: `healthsync scan --file IMAGE`";
    /// This computer has no camera, or none that gives a picture.
    NoCamera = "NO_CAMERA", None, 1,
        "take a picture of the code and name it: `healthsync scan --file IMAGE`, or type the short code: `healthsync pair`";
    /// The configuration cannot be understood.
    ConfigDamaged = "CONFIG_DAMAGED", None, 1,
        "repair the file, or move it aside with `healthsync config reset`";
    /// A later version wrote the configuration.
    ConfigTooNew = "CONFIG_TOO_NEW", None, 1,
        "install the version of healthsync that wrote it, or a later one";
    /// The configuration could not be read or written.
    ConfigFailed = "CONFIG_FAILED", None, 1,
        "check the folder, its owner and the free space; `HEALTHSYNC_HOME` names another one";
    /// A pair is still recorded.
    StillPaired = "STILL_PAIRED", None, 1,
        "run `healthsync unpair` first, or add `--force`";
    /// The passphrase file cannot be used.
    PassphraseFile = "PASSPHRASE_FILE", None, 1,
        "let `HEALTHSYNC_PASSPHRASE_FILE` name a regular file that only you can read";
    /// Stopped by the person.
    Interrupted = "INTERRUPTED", None, 130,
        "run the command again; nothing half-written was left";

    // What an import and the store say.

    /// The file is not an export.
    NotAnExport = "NOT_AN_EXPORT", None, 1,
        "give the file that the phone exported, as it is; docs/import.md names those that can be read";
    /// The export holds no record.
    EmptyExport = "EMPTY_EXPORT", None, 1,
        "export again in the Health app: its picture, then Export All Health Data";
    /// The export breaks off.
    TruncatedExport = "TRUNCATED_EXPORT", None, 1,
        "export again in the Health app and copy the whole file";
    /// The export breaks its own rules.
    MalformedExport = "MALFORMED_EXPORT", None, 1,
        "export again in the Health app";
    /// The archive around the export is damaged.
    DamagedArchive = "DAMAGED_ARCHIVE", None, 1,
        "export again in the Health app and copy the whole file";
    /// Somebody still writes the file.
    FileStillChanging = "FILE_STILL_CHANGING", None, 1,
        "wait until the file is copied, then run the command again; nothing was imported";
    /// The program stumbled over a file.
    ImportPanicked = "IMPORT_PANICKED", None, 1,
        "nothing was imported; please report it with the message above (never with the file)";
    /// A prune would delete much.
    PruneNotConfirmed = "PRUNE_NOT_CONFIRMED", None, 1,
        "look at it with `healthsync-server import --prune --dry-run FILE`, then agree with `--yes`";
    /// A prune by an older export.
    PruneOfOlderExport = "PRUNE_OF_OLDER_EXPORT", None, 1,
        "export again in the Health app, or leave `--prune` out";
    /// A prune by an export that breaks off.
    PruneOfPartialExport = "PRUNE_OF_PARTIAL_EXPORT", None, 1,
        "export again in the Health app, or leave `--prune` out";
    /// A prune by a file without a date.
    PruneWithoutDate = "PRUNE_WITHOUT_DATE", None, 1,
        "run the command without `--prune`, which deletes nothing";
    /// A file could not be read.
    ReadFailed = "READ_FAILED", None, 1,
        "check the path and its permissions";
    /// No room for the store.
    DiskFull = "DISK_FULL", None, 1,
        "free some space and run the command again; nothing was changed";
    /// Another process writes.
    StoreBusy = "STORE_BUSY", None, 1,
        "wait until the other import ends, then run the command again";
    /// The store is damaged.
    StoreDamaged = "STORE_DAMAGED", None, 1,
        "move `health.db` away and import the exports again with `healthsync-server import FILE`";
    /// A later version wrote the store.
    StoreTooNew = "STORE_TOO_NEW", None, 1,
        "install the version of healthsync-server that wrote the store, or a later one";
    /// The file is not a store.
    NotAStore = "NOT_A_STORE", None, 1,
        "name the right folder with `--data-dir`";
    /// The store cannot be opened or made.
    StoreNotOpened = "STORE_NOT_OPENED", None, 1,
        "check the data folder and its permissions, or name another with `--data-dir`";
    /// The store failed for another reason.
    StoreFailed = "STORE_FAILED", None, 1,
        "run the command again with `--verbose`";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown error code")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_reads_back_and_is_unique() {
        let mut seen = HashSet::new();
        for &code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_')
            );
        }
        assert_eq!("internal".parse::<Code>(), Err(UnknownCode));
        assert_eq!("".parse::<Code>(), Err(UnknownCode));
    }

    #[test]
    fn statuses_are_errors_and_exits_are_documented() {
        for &code in Code::ALL {
            if let Some(status) = code.status() {
                assert!((400..600).contains(&status), "{code}");
            }
            assert!(matches!(code.exit(), 1..=4 | 130), "{code}");
        }
    }

    #[test]
    fn advice_is_one_plain_line() {
        for &code in Code::ALL {
            let advice = code.advice();
            assert!(!advice.is_empty() && !advice.ends_with('.'), "{code}");
            assert!(!advice.contains('\n'), "{code}");
            assert_eq!(advice.matches('`').count() % 2, 0, "{code}");
        }
    }
}
