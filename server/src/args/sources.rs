//! What `sources` takes.

use clap::{Args, Subcommand};

/// What can be done with the order of sources.
#[derive(Clone, Debug, Subcommand)]
pub enum Sources {
    /// List the sources, the one that is believed first at the top
    List(Which),
    /// Say which sources are believed first, the best at first; the others follow in their usual order
    Prefer(Prefer),
}

/// Of which type and origin.
#[derive(Clone, Debug, Default, Args)]
pub struct Which {
    /// Only for this type [default: all]
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only for what was imported under this name [default: all]
    #[arg(long, value_name = "NAME")]
    pub origin: Option<String>,
}

/// `sources prefer`.
#[derive(Clone, Debug, Args)]
pub struct Prefer {
    /// Names as `sources list` shows them
    #[arg(value_name = "SOURCE", required_unless_present = "usual")]
    pub sources: Vec<String>,
    /// The usual order again
    #[arg(long, conflicts_with = "sources")]
    pub usual: bool,
    /// Of which samples.
    #[command(flatten)]
    pub which: Which,
}
