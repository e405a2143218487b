//! What `fetch --aggregate` takes.

use clap::{Args, ValueEnum};

/// Totals in place of samples.
#[derive(Clone, Debug, Args)]
#[expect(
    clippy::struct_field_names,
    reason = "the field has the word of the command line"
)]
pub(crate) struct Aggregate {
    /// Totals by hour, day, .. in place of samples: sources merged as in the Health app
    #[arg(
        long,
        value_name = "PERIOD",
        conflicts_with_all = ["what", "limit", "offset", "include_metadata"]
    )]
    pub(crate) aggregate: Option<PeriodName>,
    /// The time zone whose days are meant [default: that of this computer]
    #[arg(long, value_name = "ZONE", requires = "aggregate")]
    pub(crate) timezone: Option<String>,
    /// The day on which weeks begin [default: monday]
    #[arg(long, value_name = "DAY", requires = "aggregate")]
    pub(crate) week_start: Option<DayName>,
}

/// The periods of `core::aggregate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeriodName {
    /// Hours of the clock
    Hourly,
    /// Local days
    Daily,
    /// Weeks
    Weekly,
    /// Months
    Monthly,
    /// Years
    Yearly,
}

impl PeriodName {
    /// Its name in `core::aggregate`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }
}

/// Days on which a week may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DayName {
    /// As ISO 8601 has it
    Monday,
    /// As in the Arab countries
    Saturday,
    /// As in America
    Sunday,
}

impl DayName {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}
