//! Steps of an import at which a build for tests can be made to die.
//!
//! `HEALTHSYNC_KILL_AT=7` ends the process at the seventh step as `kill -9` would. Builds with
//! optimization know no such variable.

#[cfg(debug_assertions)]
use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// A step is done.
#[cfg(debug_assertions)]
#[expect(
    clippy::disallowed_methods,
    reason = "no setting: a switch that only tests know"
)]
pub(super) fn step() {
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    static DONE: AtomicU64 = AtomicU64::new(0);

    let at = AT.get_or_init(|| std::env::var("HEALTHSYNC_KILL_AT").ok()?.parse().ok());
    if at.is_some_and(|at| DONE.fetch_add(1, Ordering::Relaxed) + 1 == at) {
        // Nothing that follows matters: the process is gone.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// A step is done.
#[cfg(not(debug_assertions))]
pub(super) const fn step() {}
