//! `healthsync version`.

use serde_json::json;

use crate::{error::CliError, printer::Printer};

/// Prints name and version.
pub(crate) fn run(printer: Printer) -> Result<(), CliError> {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    if printer.json {
        printer.object(&json!({"event": "version", "name": "healthsync", "version": VERSION}))
    } else {
        printer.line(&format!("healthsync {VERSION}"))
    }
}
