//! What `status` and `ping` take.

use clap::Args;

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Print the request, connect nowhere
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `ping`.
#[derive(Debug, Args)]
pub(crate) struct Ping {
    /// How many requests
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
    /// Print the request, connect nowhere
    #[arg(long)]
    pub(crate) dry_run: bool,
}
