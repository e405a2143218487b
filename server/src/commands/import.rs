//! `import FILE...`: reads exports into the store, whether or not a server runs. Opens no key
//! store.

mod crash;
mod input;
mod report;

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use healthsync_core::{
    identity::{DEFAULT_ORIGIN, is_origin},
    report::Hint,
    store::{Consent, Deletion, ImportFailed, ImportOptions, ImportProgress, Imported, Store},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value};

use self::{
    crash::step,
    input::{Input, open},
    report::{add, event, summary},
};
use crate::{
    args,
    error::{ExitStatus, ServerError},
    log, packing,
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
    /// It is a device or a pipe.
    #[error("{0:?} is neither a file nor a folder")]
    NotAFile(PathBuf),
    /// It is a folder of something else.
    #[error("{0:?} holds too much to be an export")]
    TooMuch(PathBuf),
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
    pub(super) fn is_of_the_store(&self) -> bool {
        matches!(self, Self::File(_, ImportFailed::Store(_)))
    }

    /// Whether the same file may be imported later: the disk or the time failed, not its content.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Open(..) | Self::File(_, ImportFailed::Read(_) | ImportFailed::StillChanging)
        )
    }
}

impl Hint for ImportError {
    fn code(&self) -> &'static str {
        match self {
            Self::Open(..) => "READ_FAILED",
            Self::NotAFile(_) | Self::TooMuch(_) => "NOT_AN_EXPORT",
            Self::File(_, failed) => failed.code(),
            Self::Incomplete { .. } => "IMPORT_INCOMPLETE",
            Self::Origin => "ORIGIN_INVALID",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open(..) => Some("check the path and its permissions".to_owned()),
            Self::NotAFile(_) | Self::TooMuch(_) => Some(
                "give the file or the folder that the phone exported, as it is; docs/import.md names \
                 all that can be read"
                    .to_owned(),
            ),
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
        let imported = open(path).map_err(ServerError::from).and_then(|input| {
            let store = match &mut store {
                Some(store) => store,
                none => none.insert(open_store(settings, args.dry_run)?),
            };
            Ok(import_file(settings, args, store, path, input)?)
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
            let mut event = event("file", &imported, args.dry_run);
            event.insert("file".to_owned(), path.display().to_string().into());
            printer.event(&event, || {
                format!("{}: {}", path.display(), summary(&imported))
            })?;
        }
        add(&mut total, imported);
    }
    let files = args.files.len();
    if failed < files {
        printer.event(&event("imported", &total, args.dry_run), || {
            let together = if several { "Together: " } else { "" };
            let trial = if args.dry_run {
                "\nThis was a dry run: nothing was changed."
            } else {
                ""
            };
            format!("{together}{}{trial}", summary(&total))
        })?;
    }
    if failed > 0 {
        return Err(ImportError::Incomplete { failed, files }.into());
    }
    Ok(ExitStatus::Success)
}

/// The store; a trial makes no file where there is none.
pub(super) fn open_store(settings: &Settings, is_trial: bool) -> Result<Store, ServerError> {
    let path = settings.folder.health_db();
    if is_trial && !path.exists() {
        return Store::in_memory().map_err(|error| ServerError::Store(path, error));
    }
    Store::open(&path).map_err(|error| ServerError::Store(path, error))
}

fn import_file(
    settings: &Settings,
    args: &args::Import,
    store: &mut Store,
    path: &Path,
    input: Input,
) -> Result<Imported, ImportError> {
    let bar = progress_bar(settings, path, input.length());
    let options = ImportOptions {
        keep_partial: args.keep_partial,
        keep_origins: args.origin.is_none(),
        with_identity: args.with_identity,
        dry_run: args.dry_run,
        prune: args.prune.then(|| consent(settings, args.yes, &bar)),
        settled: Some(input.settled()),
    };
    let origin = args.origin.as_deref().unwrap_or(DEFAULT_ORIGIN);
    let mut progress = |progress: ImportProgress| {
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} records", progress.records));
        step();
    };
    let imported = match input {
        Input::File { file, length, .. } => {
            let mut source = BufReader::with_capacity(BUFFER_BYTES, file);
            store.import(origin, &mut source, Some(length), &options, &mut progress)
        }
        Input::Folder(mut folder) => {
            store.import_folder(origin, &mut folder, &options, &mut progress)
        }
    };
    step();
    bar.finish_and_clear();
    if !args.dry_run {
        packing::imported(&settings.folder, store);
    }
    imported.map_err(|failed| ImportError::File(path.to_owned(), failed))
}

/// What `watch` does with a file that it has opened: the event, and the words for people.
pub(super) fn import_watched(
    settings: &Settings,
    args: &args::Import,
    store: &mut Store,
    path: &Path,
    file: File,
) -> Result<(Map<String, Value>, String), ImportError> {
    let input = Input::of(file, path).map_err(|error| ImportError::Open(path.to_owned(), error))?;
    let imported = import_file(settings, args, store, path, input)?;
    let mut event = event("imported", &imported, false);
    event.insert("file".to_owned(), path.display().to_string().into());
    let human = format!("{}: {}", path.display(), summary(&imported));
    Ok((event, human))
}

/// Who agrees to a large deletion: `--yes`, or a person at the terminal.
fn consent(settings: &Settings, yes: bool, bar: &ProgressBar) -> Consent {
    let (printer, bar) = (settings.printer, bar.clone());
    Consent::new(move |Deletion { rows, of }| {
        if yes || !printer.is_interactive() {
            return yes;
        }
        bar.suspend(|| {
            let question = format!(
                "This deletes {rows} of {of} rows that the export no longer holds.\nGo on? [y/N] "
            );
            let answer = printer
                .prompt(&question)
                .ok()
                .and_then(|()| io::stdin().lines().next()?.ok());
            let answer = answer.unwrap_or_default().trim().to_ascii_lowercase();
            matches!(answer.as_str(), "y" | "yes")
        })
    })
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
