//! `healthsync logs`: what this program did here.

use healthsync_core::report::inert;

use crate::{args, error::CliError, journal::Journal, settings::Settings, table};

/// Prints the last lines, oldest first.
pub(crate) fn run(logs: &args::Logs, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    let journal = Journal::new(&settings.home);
    let entries = journal.last(usize::from(logs.tail))?;
    if printer.json {
        return entries.iter().try_for_each(|entry| printer.object(entry));
    }
    if entries.is_empty() {
        printer.note(&format!(
            "Nothing is recorded yet in {}",
            journal.path().display()
        ));
        return Ok(());
    }
    let mut rows = vec![["TIME", "COMMAND", "RESULT", "SECONDS", "PAIR"].map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        [
            inert(&entry.time).into_owned(),
            inert(&entry.command).into_owned(),
            match &entry.code {
                None => "ok".to_owned(),
                Some(code) => inert(code).into_owned(),
            },
            entry.seconds(),
            inert(entry.pair.as_deref().unwrap_or("-")).into_owned(),
        ]
    }));
    table::print(printer, &rows, &[3])
}
