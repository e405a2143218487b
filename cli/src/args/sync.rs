//! What `sync` takes.

use std::path::PathBuf;

use clap::Args;

/// `sync`.
#[derive(Debug, Args)]
#[command(after_help = "\
The copy is a SQLite file (0600) with the tables samples, workouts, correlations, documents and
daily_totals, and the views daily_steps, sleep_nights and workout_totals. What was killed goes on
where it was.")]
pub(crate) struct Sync {
    /// The copy [default: copies/PAIR.db in the client's folder]
    #[arg(long, value_name = "FILE.db")]
    pub(crate) to: Option<PathBuf>,
    /// Stay connected, and take what the server imports within a second
    #[arg(long)]
    pub(crate) follow: bool,
    /// The time zone whose days the totals are [default: that of this computer]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
}
