//! Log lines on stderr: for people on a terminal, JSON otherwise. No health value and no secret.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::settings::LogSettings;

/// Starts logging for this process; a second call changes nothing.
pub fn init(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter)
        .unwrap_or_else(|_| EnvFilter::new("warn,healthsync_server=info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(settings.color);
    let started = if settings.human {
        builder.compact().with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
