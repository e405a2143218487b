//! The defences by name, so that a test can show that it sees each of them fail.
//!
//! [`LIST`] is the one list of threats, what stops them, the tests and the switches;
//! `docs/threat-model.md` is made from it. In an ordinary build [`holds`] is `true` and costs
//! nothing. A build with `--cfg healthsync_break` reads `HEALTHSYNC_BREAK` once and breaks the defence of
//! that name: `scripts/check-defences` shows that its test fails then. Such a build is never optimized:
//!
//! ```text
//! if defence::holds(Defence::CommitCheck) && commit != expected { return Err(..) }
//! ```

#[cfg(all(healthsync_break, not(debug_assertions)))]
compile_error!("a release build has no switches that break its defences");

/// Threats, what stops them, tests and switches, tab-separated (its first lines say how).
pub const LIST: &str = include_str!("defences.tsv");

macro_rules! defences {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A defence that a test can switch off, in a build that is made for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Defence {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Defence {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name of its switch, as in [`LIST`].
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

// In the order of their names.
defences! {
    /// The server goes on accepting when it has run out of descriptors.
    AcceptGoesOn = "accept-goes-on",
    /// It waits before it tries again.
    AcceptPause = "accept-pause",
    /// Five wrong typed codes end a code, also for connections that began before.
    AttemptLimit = "attempt-limit",
    /// Wrong typed codes are counted for the window, whoever sends them.
    AttemptsPerWindow = "attempts-per-window",
    /// The chain of the audit log is computed with a key that `trust.db` does not hold.
    AuditKey = "audit-key",
    /// Each entry of the audit log is bound to the one before.
    AuditLink = "audit-link",
    /// A client takes a purge for an explanation only when the entry was old enough.
    AuditPurgeAge = "audit-purge-age",
    /// Where the audit log was purged is sealed with the key.
    AuditSeal = "audit-seal",
    /// A client compares the log's entry with the one that it saw.
    AuditWitness = "audit-witness",
    /// A request names, as its authority, the pair of its connection and no other.
    AuthorityChecked = "authority-checked",
    /// Profile and dates of the CA itself are checked, which webpki leaves out.
    CaChecked = "ca-checked",
    /// A revoked pair's CA key is deleted, so that nothing is signed for it again.
    CaKeyDeleted = "ca-key-deleted",
    /// A client's certificate is of its own pair's CA.
    CaOfThisPair = "ca-of-this-pair",
    /// A client trusts a CA that can sign for this pair's server and nothing else.
    CaProfile = "ca-profile",
    /// What a certificate says is shown as printable ASCII.
    CertificateTexts = "certificate-texts",
    /// Everything in the exchange is bound to its TLS channel and the server's key.
    ChannelBinding = "channel-binding",
    /// The host takes a device's proof only if it is right.
    ClientProof = "client-proof",
    /// After the third typed code a window has no more.
    CodeLimit = "code-limit",
    /// A client takes the server's random value only if it is the one committed to before.
    CommitCheck = "commit-check",
    /// The server's random value is secret until the client has said all that it says.
    CommitHides = "commit-hides",
    /// A certificate's end is looked at again at each request.
    DatesEachRequest = "dates-each-request",
    /// The client derives the pair's id and takes no other.
    DerivedPairId = "derived-pair-id",
    /// A connection without a certificate makes room when descriptors have run out.
    DescriptorsFreed = "descriptors-freed",
    /// Only the digits of the channel that holds the slot let a device in.
    DigitsCheck = "digits-check",
    /// A key is enrolled only with its own signature over this exchange.
    EnrolSignature = "enrol-signature",
    /// When too many connections wait, the oldest that proved nothing goes.
    EvictSilent = "evict-silent",
    /// A certificate of the pair's CA enters only with the key in the record.
    ExactKey = "exact-key",
    /// Only protocol lists of one purpose are answered.
    ExactProtocolList = "exact-protocol-list",
    /// A client whose pairing broke off after the certificates came acknowledges them later.
    FinishLater = "finish-later",
    /// A typed code is drawn anew for each window.
    FreshCodes = "fresh-codes",
    /// A certificate that has run out is renewed for 90 days and no longer.
    GraceLimit = "grace-limit",
    /// Connections of paired devices are few.
    GuestsCap = "guests-cap",
    /// When they are too many, one of the device that has the most makes room.
    GuestsFairness = "guests-fairness",
    /// A handshake has 5 s.
    HandshakeTime = "handshake-time",
    /// The header of a request has 5 s.
    HeaderTime = "header-time",
    /// The first message proves the QR code's secret over this very channel.
    HelloTag = "hello-tag",
    /// Only addresses of the local network are taken from a person.
    HostAddresses = "host-addresses",
    /// What is recorded today stays closed to a later quantum computer.
    HybridKeyExchange = "hybrid-key-exchange",
    /// A name that a peer chose holds letters, numbers, plain punctuation and pictographs.
    InertNames = "inert-names",
    /// What a server says is shown harmless and short.
    InertWords = "inert-words",
    /// An invitation leads to addresses of the local network only.
    InviteAddresses = "invite-addresses",
    /// A server names addresses of the local network only.
    IssuedAddresses = "issued-addresses",
    /// Files of keys are for their owner only.
    KeyFilePrivate = "key-file-private",
    /// A public key has one form: P-256, uncompressed.
    KeyForm = "key-form",
    /// A key opens the pair that it is recorded for, and no other.
    KeyOfThisPair = "key-of-this-pair",
    /// A key that any record knows is not enrolled again.
    KeyOnce = "key-once",
    /// Only the certificate last issued, as a whole, is renewed after its end.
    LastIssuedLeaf = "last-issued-leaf",
    /// A certificate that has run out is renewed once an hour at most.
    LateOnceAnHour = "late-once-an-hour",
    /// The CA writes the profile of a client's certificate: for clients alone.
    LeafProfile = "leaf-profile",
    /// Lines of the log that anybody can cause are few a minute.
    LogCap = "log-cap",
    /// The log names paths of requests, and not what they asked for.
    LogWithoutQuery = "log-without-query",
    /// No name shows four digits in a row.
    MaskedDigits = "masked-digits",
    /// A key is named in `trust.db` before it is written to the key store.
    NamedKeys = "named-keys",
    /// The negotiated protocol must be the one of the configuration that was chosen.
    NegotiatedProtocol = "negotiated-protocol",
    /// The environment's proxies are not used.
    NoProxy = "no-proxy",
    /// A redirect is not followed.
    NoRedirect = "no-redirect",
    /// No session is resumed: a resumed one would skip the check of the certificate.
    NoResumption = "no-resumption",
    /// A pair is replaced only with a signature by its old key.
    OldKeySignature = "old-key-signature",
    /// A run of the client says one hello, whatever became of it.
    OneHello = "one-hello",
    /// A window lets one device in.
    OneSlot = "one-slot",
    /// A file is replaced only when that is asked for.
    OutputNoClobber = "output-no-clobber",
    /// What is written does not go through a link.
    OutputNoFollow = "output-no-follow",
    /// No text of the peer before F7 becomes part of an error.
    PeerText = "peer-text",
    /// A client trusts the CA of its own pair and no other.
    PinnedCa = "pinned-ca",
    /// A place that was announced is used only after it has proved to be the pair's server.
    ProofBeforeUse = "proof-before-use",
    /// A client signs the handshake with the key of its certificate.
    ProofOfPossession = "proof-of-possession",
    /// The server announces itself under names that say nothing.
    RandomNames = "random-names",
    /// Serial numbers are random.
    RandomSerial = "random-serial",
    /// A retired key that is proved again suspends its pair.
    RetiredKeys = "retired-keys",
    /// Revoking cuts the connections that there are.
    RevocationCuts = "revocation-cuts",
    /// An item without its CA's key is a revoked pair's, whatever the record says.
    RevokedMark = "revoked-mark",
    /// A revoked pair is refused, at the handshake and at each request.
    RevokedRefused = "revoked-refused",
    /// A pair that nobody acknowledges is rolled back at its deadline.
    RollBack = "roll-back",
    /// The secret of the QR code is a key and never a message.
    SecretDerived = "secret-derived",
    /// A secret among the arguments is refused, and not repeated.
    SecretsNotInArgv = "secrets-not-in-argv",
    /// A client's server has the certificate of the name that was dialled.
    ServerName = "server-name",
    /// The client takes a server's proof only if it is right.
    ServerProof = "server-proof",
    /// A client's server has the key of its certificate.
    ServerSignature = "server-signature",
    /// No share of SPAKE2 is of small order.
    ShareCheck = "share-check",
    /// The client connects to the key in the QR code and to no other.
    SpkiPin = "spki-pin",
    /// Connections without a certificate are few.
    StrangersCap = "strangers-cap",
    /// When they are too many, one of the address that has the most makes room.
    StrangersFairness = "strangers-fairness",
    /// Nothing stands behind the fields of a frame.
    StrictFrames = "strict-frames",
    /// A copy of a certificate without its key changes no record.
    SuspendAfterProof = "suspend-after-proof",
    /// Keys without a record are deleted at start.
    SweptKeys = "swept-keys",
    /// The tags of an announcement change with its nonce.
    TagNonce = "tag-nonce",
    /// An announcement does not tell how many pairs there are.
    TagsFilled = "tags-filled",
    /// An announcement does not tell which pair was seen last.
    TagsSorted = "tags-sorted",
    /// The person at the host is told of a second device with the same code.
    TellOfAnother = "tell-of-another",
    /// Every configuration offers TLS 1.3 and nothing older.
    Tls13Alone = "tls13-alone",
    /// A client takes only a version that it offered.
    VersionOffered = "version-offered",
    /// So many connections wait before their proof, and so many of one address.
    WaitingCap = "waiting-cap",
    /// The pairing window proves that it has the key in the QR code.
    WindowSignature = "window-signature",
}

/// Whether a defence is to be applied: always, but in a build that is made to break them.
///
/// Not `const`, as the other one cannot be: so what asks it compiles in both builds.
#[cfg(not(healthsync_break))]
#[inline]
pub fn holds(_defence: Defence) -> bool {
    true
}

/// Whether a defence is to be applied: not, if `HEALTHSYNC_BREAK` names it.
#[cfg(healthsync_break)]
pub fn holds(defence: Defence) -> bool {
    static BROKEN: std::sync::OnceLock<Option<std::ffi::OsString>> = std::sync::OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "read once; only in a build that is made to be broken"
    )]
    let broken = BROKEN.get_or_init(|| std::env::var_os("HEALTHSYNC_BREAK"));
    broken.as_deref() != Some(std::ffi::OsStr::new(defence.name()))
}
