//! What `sync` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `sync`.
#[derive(Debug, Args)]
#[command(after_help = "\
In a file it is a SQLite database (0600) with the tables samples, workouts, correlations, documents,
route_point, ecg_voltage and daily_totals, and the views daily_steps, sleep_nights and
workout_totals. In a folder samples have a file for each type and year, as
samples/heartRate/2026.parquet, other tables one for each year; a sync writes those anew whose rows
have changed. What was killed goes on where it was.")]
pub(crate) struct Sync {
    /// The copy: a SQLite file, or a folder if there is one or it ends in `/` [default:
    /// copies/PAIR.db in the client's folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,
    /// What the files of a folder are [default: parquet, or what they are already]
    #[arg(long, value_enum, requires = "to")]
    pub(crate) format: Option<FolderFormat>,
    /// Stay connected, and take what the server imports within a second
    #[arg(long)]
    pub(crate) follow: bool,
    /// The time zone whose days the totals are [default: that of this computer]
    #[arg(long, value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
}

/// What the files of a folder are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FolderFormat {
    Parquet,
    Csv,
}

impl FolderFormat {
    /// Its name in the list of formats.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}
