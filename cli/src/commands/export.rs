//! `healthsync cert export`: certificates for other programs. No private key leaves its store.

use healthsync_pairing::certificate::to_pem;
use serde_json::json;

use crate::{
    args::Export, config::ConfigFile, error::CliError, keys, output::Output, settings::Settings,
};

/// Writes the certificates that were asked for.
pub(crate) fn run(export: &Export, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let server = ConfigFile::new(&settings.config)
        .load()?
        .select(settings.server.as_deref())?
        .clone();
    // Refused before a key store is opened.
    let mut output = Output::open(export.output.as_deref(), export.force)?;
    let is_file = matches!(output, Output::File { .. });
    if !is_file && printer.json {
        return Err(CliError::usage("certificates are no JSON")
            .with_hint("write them to a file with `--output FILE`; `healthsync cert info --json` holds them, too"));
    }
    if !is_file && export.der && printer.out_terminal {
        return Err(
            CliError::usage("DER is binary and would garble the terminal")
                .with_hint("write it to a file with `--output FILE`, or pipe it on"),
        );
    }
    let credentials = keys::credentials(&server, settings)?;
    let (kind, certificates) = if export.ca {
        ("ca", vec![&credentials.ca])
    } else if export.chain {
        ("chain", vec![&credentials.leaf, &credentials.ca])
    } else {
        ("leaf", vec![&credentials.leaf])
    };
    for der in &certificates {
        if export.der {
            output.write(der)?;
        } else {
            output.write(to_pem(der).as_bytes())?;
        }
    }
    output.commit()?;
    let Some(path) = export.output.as_deref().filter(|_| is_file) else {
        return Ok(());
    };
    if printer.json {
        return printer.object(&json!({
            "event": "exported",
            "path": path,
            "kind": kind,
            "format": if export.der { "der" } else { "pem" },
            "certificates": certificates.len(),
        }));
    }
    printer.note(&format!("Saved {kind} to {}", path.display()));
    Ok(())
}
