//! What `discover` takes.

use clap::Args;

/// `discover`.
#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// How many seconds to listen
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) duration: u64,
    /// Go on with `healthsync scan`
    #[arg(long, visible_alias = "scan")]
    pub(crate) auto_scan: bool,
}
