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
    /// A client takes the server's random value only if it is the one committed to before.
    CommitCheck = "commit-check",
    /// The first message proves the QR code's secret over this very channel.
    HelloTag = "hello-tag",
    /// The client connects to the key in the QR code and to no other.
    SpkiPin = "spki-pin",
}

/// Whether a defence is to be applied: always, but in a build that is made to break them.
#[cfg(not(healthsync_break))]
pub const fn holds(_defence: Defence) -> bool {
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
