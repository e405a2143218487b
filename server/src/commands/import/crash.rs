//! Steps of an import at which a build for tests can be made to die.
//!
//! `HEALTHSYNC_KILL_AT=7` ends the process at the seventh step as `kill -9` would, and
//! `HEALTHSYNC_PANIC_AT=7` unwinds from there, as a fault of the program does. Builds with
//! optimization know no such variable.

#[cfg(debug_assertions)]
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// A step is done.
#[cfg(debug_assertions)]
pub(super) fn step() {
    static KILL: OnceLock<Option<u64>> = OnceLock::new();
    static PANIC: OnceLock<Option<u64>> = OnceLock::new();
    static DONE: AtomicU64 = AtomicU64::new(0);

    let done = Some(DONE.fetch_add(1, Ordering::Relaxed) + 1);
    if *PANIC.get_or_init(|| at("HEALTHSYNC_PANIC_AT")) == done {
        std::panic::resume_unwind(Box::new("a test"));
    }
    if *KILL.get_or_init(|| at("HEALTHSYNC_KILL_AT")) == done {
        // Nothing that follows matters: the process is gone.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(debug_assertions)]
#[expect(
    clippy::disallowed_methods,
    reason = "no setting: a switch that only tests know"
)]
fn at(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A step is done.
#[cfg(not(debug_assertions))]
pub(super) const fn step() {}
