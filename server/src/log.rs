//! Log lines on stderr: for people on a terminal, JSON otherwise. No health value and no secret.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::settings::LogSettings;

/// Starts logging for this process; a second call changes nothing.
pub fn init(settings: &LogSettings) {
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(settings.color);
    let lines = if settings.human {
        lines.compact().with_target(false).boxed()
    } else {
        lines.json().flatten_event(true).boxed()
    };
    let subscriber = tracing_subscriber::registry()
        .with(filter(&settings.filter))
        .with(lines);
    if subscriber.try_init().is_err() {
        tracing::debug!("logging was started before");
    }
}

/// Levels, for all or for some modules; the usual ones if it cannot be read.
fn filter(wanted: &str) -> Targets {
    wanted.parse().unwrap_or_else(|_| {
        Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("healthsync_server", LevelFilter::INFO)
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn levels_are_for_all_or_for_modules() {
        let everything = filter("debug");
        assert!(everything.would_enable("rustls::conn", &Level::DEBUG));
        assert!(!everything.would_enable("healthsync_server", &Level::TRACE));
        let some = filter("warn,healthsync_server=trace");
        assert!(some.would_enable("healthsync_server::gate", &Level::TRACE));
        assert!(some.would_enable("rustls", &Level::WARN));
        assert!(!some.would_enable("rustls", &Level::INFO));
        assert!(!filter("off").would_enable("healthsync_server", &Level::ERROR));
    }

    #[test]
    fn what_cannot_be_read_is_the_usual() {
        let usual = filter("healthsync_server=loud");
        assert!(usual.would_enable("healthsync_server", &Level::INFO));
        assert!(!usual.would_enable("healthsync_server", &Level::DEBUG));
        assert!(usual.would_enable("healthsync_pairing", &Level::WARN));
    }
}
