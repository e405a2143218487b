//! `import FILE...`: reads exports into the store, whether or not a server runs. Opens no key
//! store.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use healthsync_core::{
    identity::{DEFAULT_ORIGIN, is_origin},
    report::Hint,
    store::{ImportFailed, ImportOptions, ImportProgress, Imported, SkippedCount, Store},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::{
    args,
    error::{ExitStatus, ServerError},
    log,
    settings::Settings,
};

/// Few reads of the system for a file of gigabytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be opened.
    #[error("could not open {0:?}")]
    Open(PathBuf, #[source] io::Error),
    /// It is a folder or a device.
    #[error("{0:?} is not a file")]
    NotAFile(PathBuf),
    /// Its content, or the store.
    #[error("could not import {0:?}")]
    File(PathBuf, #[source] ImportFailed),
    /// Some of several files; each was told when it failed.
    #[error("{failed} of {files} files were not imported")]
    Incomplete {
        /// How many failed.
        failed: usize,
        /// How many there were.
        files: usize,
    },
    /// The origin.
    #[error("an origin is a name of 1 to 64 letters, digits, spaces or `._-`")]
    Origin,
}

impl ImportError {
    /// Whether the next file would fail as well.
    fn is_of_the_store(&self) -> bool {
        matches!(self, Self::File(_, ImportFailed::Store(_)))
    }
}

impl Hint for ImportError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open(..) => "READ_FAILED",
            Self::NotAFile(_) => "NOT_AN_EXPORT",
            Self::File(_, failed) => failed.code(),
            Self::Incomplete { .. } => "IMPORT_INCOMPLETE",
            Self::Origin => "ORIGIN_INVALID",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open(..) => Some("check the path and its permissions".to_owned()),
            Self::NotAFile(_) => {
                Some("give the export.zip of the Health app, or the XML file in it".to_owned())
            }
            Self::File(_, failed) => failed.hint(),
            Self::Incomplete { .. } => Some(
                "the others are there; see what is said of each, then import those again with \
                 `healthsync-server import FILE`"
                    .to_owned(),
            ),
            Self::Origin => Some("for example `--origin anna`".to_owned()),
        }
    }
}

/// Imports every file, one transaction each. One that fails is told and does not keep the others
/// out; a store that fails does.
pub(super) async fn import(
    settings: &Settings,
    args: args::Import,
) -> Result<ExitStatus, ServerError> {
    log::init(&settings.log);
    if !args.origin.as_deref().is_none_or(is_origin) {
        return Err(ImportError::Origin.into());
    }
    settings.folder.prepare()?;
    let settings = settings.clone();
    tokio::task::spawn_blocking(move || run(&settings, &args))
        .await
        .map_err(|error| ServerError::Runtime(error.into()))?
}

fn run(settings: &Settings, args: &args::Import) -> Result<ExitStatus, ServerError> {
    let printer = settings.printer;
    let several = args.files.len() > 1;
    let mut store = None;
    let mut total = Imported::default();
    let mut failed = 0;
    for path in &args.files {
        // A single file that cannot be opened leaves no store behind.
        let imported = open(path)
            .map_err(ServerError::from)
            .and_then(|(file, length)| {
                let store = match &mut store {
                    Some(store) => store,
                    none => none.insert(open_store(settings)?),
                };
                Ok(import_file(settings, args, store, path, &file, length)?)
            });
        let imported = match imported {
            Ok(imported) => imported,
            Err(ServerError::Import(error)) if several && !error.is_of_the_store() => {
                failed += 1;
                printer.failed_file(path, &error)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if several {
            let mut event = event("file", &imported);
            if let Value::Object(fields) = &mut event {
                fields.insert("file".to_owned(), path.display().to_string().into());
            }
            printer.event(&event, || {
                format!("{}: {}", path.display(), summary(&imported))
            })?;
        }
        add(&mut total, imported);
    }
    let files = args.files.len();
    if failed < files {
        printer.event(&event("imported", &total), || {
            if several {
                format!("Together: {}", summary(&total))
            } else {
                summary(&total)
            }
        })?;
    }
    if failed > 0 {
        return Err(ImportError::Incomplete { failed, files }.into());
    }
    Ok(ExitStatus::Success)
}

fn open_store(settings: &Settings) -> Result<Store, ServerError> {
    let path = settings.folder.health_db();
    Store::open(&path).map_err(|error| ServerError::Store(path, error))
}

fn import_file(
    settings: &Settings,
    args: &args::Import,
    store: &mut Store,
    path: &Path,
    file: &File,
    length: u64,
) -> Result<Imported, ImportError> {
    let bar = progress_bar(settings, path, length);
    let options = ImportOptions {
        keep_partial: args.keep_partial,
        keep_origins: args.origin.is_none(),
    };
    let mut source = BufReader::with_capacity(BUFFER_BYTES, file);
    let imported = store.import(
        args.origin.as_deref().unwrap_or(DEFAULT_ORIGIN),
        &mut source,
        Some(length),
        &options,
        &mut |progress: ImportProgress| {
            if let Some(total) = progress.total {
                bar.set_length(total);
            }
            bar.set_position(progress.bytes);
            bar.set_message(format!("{} records", progress.records));
        },
    );
    bar.finish_and_clear();
    imported.map_err(|failed| ImportError::File(path.to_owned(), failed))
}

fn open(path: &Path) -> Result<(File, u64), ImportError> {
    let failed = |error| ImportError::Open(path.to_owned(), error);
    // Before opening: a pipe without a writer would wait for ever.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(ImportError::NotAFile(path.to_owned()));
    }
    Ok((File::open(path).map_err(failed)?, metadata.len()))
}

fn progress_bar(settings: &Settings, path: &Path, length: u64) -> ProgressBar {
    if !settings.printer.is_talkative() {
        return ProgressBar::hidden();
    }
    // Draws nothing where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(
        "{prefix} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left, {msg}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    bar.set_prefix(healthsync_core::report::inert(&name).into_owned());
    bar
}

fn event(name: &str, imported: &Imported) -> Value {
    let skipped: Vec<Value> = imported
        .skipped
        .iter()
        .map(|skipped| {
            json!({
                "reason": skipped.reason,
                "count": skipped.count,
                "firstLine": skipped.first_line,
            })
        })
        .collect();
    json!({
        "event": name,
        "read": imported.read,
        "new": imported.new,
        "updated": imported.updated,
        "unchanged": imported.unchanged,
        "deleted": imported.deleted,
        "skipped": skipped,
    })
}

fn summary(imported: &Imported) -> String {
    let skipped: u64 = imported.skipped.iter().map(|skipped| skipped.count).sum();
    let mut text = format!(
        "{} read / {} new / {} updated / {} unchanged / {skipped} skipped",
        imported.read, imported.new, imported.updated, imported.unchanged
    );
    let mut line = |written: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        write!(text, "\n  {written}").unwrap_or_default();
    };
    for (name, tally) in [
        ("workouts", imported.workouts),
        ("correlations", imported.correlations),
    ] {
        if tally.read > 0 {
            line(format_args!(
                "{name}: {} read / {} new / {} updated / {} unchanged",
                tally.read, tally.new, tally.updated, tally.unchanged
            ));
        }
    }
    for SkippedCount {
        reason,
        count,
        first_line,
    } in &imported.skipped
    {
        let reason = healthsync_core::report::inert(reason);
        // What is no line of the export (another file in the archive) has none.
        if *first_line > 0 {
            line(format_args!(
                "skipped {count}: {reason} (first in line {first_line})"
            ));
        } else {
            line(format_args!("skipped {count}: {reason}"));
        }
    }
    text
}

fn add(total: &mut Imported, imported: Imported) {
    total.read += imported.read;
    total.new += imported.new;
    total.updated += imported.updated;
    total.unchanged += imported.unchanged;
    total.deleted += imported.deleted;
    for (sum, tally) in [
        (&mut total.workouts, imported.workouts),
        (&mut total.correlations, imported.correlations),
    ] {
        sum.read += tally.read;
        sum.new += tally.new;
        sum.updated += tally.updated;
        sum.unchanged += tally.unchanged;
    }
    for skipped in imported.skipped {
        match total
            .skipped
            .iter_mut()
            .find(|known| known.reason == skipped.reason)
        {
            Some(known) => known.count += skipped.count,
            None => total.skipped.push(skipped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported() -> Imported {
        Imported {
            read: 10,
            new: 7,
            updated: 1,
            unchanged: 2,
            skipped: vec![SkippedCount {
                reason: "no start date".to_owned(),
                count: 3,
                first_line: 42,
            }],
            ..Imported::default()
        }
    }

    #[test]
    fn summary_says_why() {
        assert_eq!(
            summary(&imported()),
            "10 read / 7 new / 1 updated / 2 unchanged / 3 skipped\n  \
             skipped 3: no start date (first in line 42)"
        );
        let mut beside = imported();
        beside.skipped[0].first_line = 0;
        assert!(summary(&beside).ends_with("\n  skipped 3: no start date"));
        let mut total = imported();
        add(&mut total, imported());
        assert_eq!((total.read, total.skipped[0].count), (20, 6));
    }

    #[test]
    fn event_has_the_documented_shape() {
        let expected = json!({
            "event": "imported", "read": 10, "new": 7, "updated": 1, "unchanged": 2, "deleted": 0,
            "skipped": [{"reason": "no start date", "count": 3, "firstLine": 42}],
        });
        assert_eq!(event("imported", &imported()), expected);
    }

    #[test]
    fn what_is_no_file_is_refused_before_reading() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(open(folder.path()).unwrap_err().code(), "NOT_AN_EXPORT");
        assert_eq!(
            open(&folder.path().join("none")).unwrap_err().code(),
            "READ_FAILED"
        );
    }
}
