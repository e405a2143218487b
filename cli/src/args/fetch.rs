//! What `fetch` takes.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use healthsync_core::{api::Collection, format::Standard};
use healthsync_manual::Values;

use super::Aggregate;
use crate::known;

/// `fetch`.
#[derive(Clone, Debug, Args)]
#[command(
    group = ArgGroup::new("span")
        .args(["days", "hours", "today", "yesterday", "week", "month", "year"]),
    after_help = "\
Without a range: today. --start alone runs to now. A date as --end includes that day.
Times are RFC 3339 (2026-01-10T08:00:00Z), local dates (2026-01-10), local times
(2026-01-10T08:00), or now, today, yesterday. A sample belongs to the range in which it starts."
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub(crate) struct Fetch {
    /// What to fetch [default: samples]
    #[arg(value_name = "WHAT")]
    pub(crate) what: Option<What>,
    /// Types, separated by commas (`healthsync types` lists them), `all`, or groups of types as
    /// --category names them [default: all]
    #[arg(
        long,
        short,
        visible_alias = "type",
        value_name = "TYPES",
        value_delimiter = ',',
        add = Values::new(known::types)
    )]
    pub(crate) types: Vec<String>,
    /// The types of a group
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub(crate) category: Vec<GroupName>,
    /// From this time on
    #[arg(
        long,
        visible_alias = "from",
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "span"
    )]
    pub(crate) start: Option<String>,
    /// Up to this time
    #[arg(
        long,
        visible_alias = "to",
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "span"
    )]
    pub(crate) end: Option<String>,
    /// The last N days, today included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_600))]
    pub(crate) days: Option<u32>,
    /// The last N hours, up to now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=878_400))]
    pub(crate) hours: Option<u32>,
    /// The day of today
    #[arg(long)]
    pub(crate) today: bool,
    /// The day before
    #[arg(long)]
    pub(crate) yesterday: bool,
    /// This week so far, from Monday on
    #[arg(long)]
    pub(crate) week: bool,
    /// This month so far
    #[arg(long)]
    pub(crate) month: bool,
    /// This year so far
    #[arg(long)]
    pub(crate) year: bool,
    /// Every type, and all time unless a range is given
    #[arg(long)]
    pub(crate) all: bool,
    /// At most N samples
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Skip the first N samples
    #[arg(long, value_name = "N")]
    pub(crate) offset: Option<u64>,
    /// Only samples that came in under this name (`healthsync-server import --origin`)
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Vec<String>,
    /// Output format [default: by the ending of --output, else csv; ndjson with --json]
    #[arg(long, short, value_name = "FORMAT")]
    pub(crate) format: Option<OutputFormat>,
    /// Write to a file, which appears complete or not at all
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replace the output file if there is one
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Field separator of CSV: one character, or `tab`
    #[arg(long, value_name = "CHAR", allow_hyphen_values = true)]
    pub(crate) delimiter: Option<String>,
    /// Also write origin, device, creation date and metadata
    #[arg(long)]
    pub(crate) include_metadata: bool,
    #[command(flatten)]
    pub(crate) totals: Aggregate,
    /// Try again for up to S seconds while the server is paused, busy or not reachable
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub(crate) wait: Option<u64>,
    /// Print the request, connect nowhere
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Endings that promise a format which we do not write.
pub(crate) const OTHER_DATA: &[&str] = &[
    "avro", "duckdb", "feather", "gz", "html", "ods", "orc", "pdf", "xls", "xlsx", "xml", "yaml",
    "yml", "zip", "zst",
];

/// What `fetch` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// RFC 4180, with a header
    Csv,
    /// The same with tabs
    Tsv,
    /// One object: {status, samples, count, hasMore}
    Json,
    /// One object a line
    Ndjson,
    /// Arrow IPC stream
    Arrow,
    /// Apache Parquet
    Parquet,
    /// SQLite database, to a file
    Sqlite,
    /// FHIR R4: a Bundle of Observations
    Fhir,
    /// FHIR R4: one Observation a line
    FhirNdjson,
    /// Open mHealth: an array of data points
    Omh,
    /// GPX 1.1, of routes
    Gpx,
}

impl OutputFormat {
    /// Whether a terminal cannot show it.
    pub(crate) const fn is_binary(self) -> bool {
        matches!(self, Self::Arrow | Self::Parquet | Self::Sqlite)
    }

    /// The clinical standard, if it is one.
    pub(crate) const fn standard(self) -> Option<Standard> {
        match self {
            Self::Fhir => Some(Standard::Fhir),
            Self::FhirNdjson => Some(Standard::FhirLines),
            Self::Omh => Some(Standard::OpenMHealth),
            _ => None,
        }
    }

    /// The name; that of `core::format` where it has one.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Sqlite => "sqlite",
            Self::Fhir => "fhir",
            Self::FhirNdjson => "fhir-ndjson",
            Self::Omh => "omh",
            Self::Gpx => "gpx",
        }
    }
}

/// What there is besides samples, by the names of `core::api::Collection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// What was measured: one row a value
    Samples,
    /// Workouts with their statistics and events
    Workouts,
    /// Routes of workouts, point by point
    Routes,
    /// Electrocardiograms with their voltages
    Ecg,
    /// The rings of each day
    Activity,
    /// Nights by the day of waking: sources merged, stages added up
    Sleep,
    /// Blood pressures and meals: which samples belong together
    Correlations,
    /// Hearing tests
    Audiograms,
    /// FHIR resources of clinics
    Clinical,
    /// Doses of medications
    Medications,
    /// States of mind
    Moods,
    /// Prescriptions of glasses
    Prescriptions,
}

impl What {
    /// The collection; `None` for samples and what is added up from them.
    pub(crate) const fn collection(self) -> Option<Collection> {
        match self {
            Self::Samples | Self::Sleep => None,
            Self::Workouts => Some(Collection::Workouts),
            Self::Routes => Some(Collection::Routes),
            Self::Ecg => Some(Collection::Ecg),
            Self::Activity => Some(Collection::Activity),
            Self::Correlations => Some(Collection::Correlations),
            Self::Audiograms => Some(Collection::Audiograms),
            Self::Clinical => Some(Collection::Clinical),
            Self::Medications => Some(Collection::Medications),
            Self::Moods => Some(Collection::Moods),
            Self::Prescriptions => Some(Collection::Prescriptions),
        }
    }
}

/// The groups of `core::kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupName {
    /// Steps, distances, energy, exercise
    Activity,
    /// Weight, height, body fat
    Body,
    /// Sleep, and what is measured in it
    Sleep,
    /// Heart, blood, breath, temperature
    Vitals,
}

impl GroupName {
    /// The group.
    pub(crate) const fn group(self) -> healthsync_core::kind::Group {
        use healthsync_core::kind::Group;
        match self {
            Self::Activity => Group::Activity,
            Self::Body => Group::Body,
            Self::Sleep => Group::Sleep,
            Self::Vitals => Group::Vitals,
        }
    }
}
