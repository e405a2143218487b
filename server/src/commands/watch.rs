//! `watch DIR`: imports what appears in a folder, until somebody ends it. Opens no key store.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use healthsync_core::{
    identity::is_origin,
    report::Hint,
    store::{ImportFailed, Store},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    Interruption,
    import::{self, ImportError},
};
use crate::{
    args,
    error::{ExitStatus, ServerError},
    log,
    settings::Settings,
    watch::{Done, Folder, Memory, MemoryError, Outcome, Stamp},
};

/// After the store has failed, it is left alone for so long: somebody has to make room.
const PATIENCE: Duration = Duration::from_mins(1);

/// However long a try takes, the next one begins so long after it at the latest.
const LONGEST: Duration = Duration::from_hours(1);

/// Why a folder is not watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// It is not there, or cannot be read.
    #[error("could not look into the folder {0:?}")]
    Folder(PathBuf, #[source] io::Error),
    /// What was done before is not known.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Hint for WatchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Folder(..) => "FOLDER_NOT_READ",
            Self::Memory(_) => "WATCH_MEMORY",
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Folder(..) => "check the path and its permissions",
            Self::Memory(MemoryError::Damaged(..)) => {
                "move the file away; what is in the folder is then looked at again, which adds nothing twice"
            }
            Self::Memory(MemoryError::Read(..) | MemoryError::Write(..)) => {
                "check the data folder, its owner and the free space"
            }
        };
        Some(text.to_owned())
    }
}

/// Looks at the folder again and again.
pub(super) async fn watch(
    settings: &Settings,
    args: args::Watch,
    mut interruption: Interruption,
) -> Result<ExitStatus, ServerError> {
    log::init(&settings.log);
    if !args.origin.as_deref().is_none_or(is_origin) {
        return Err(ImportError::Origin.into());
    }
    settings.folder.prepare()?;
    let every = Duration::from_secs(args.interval.into());
    let mut work = Work::new(settings.clone(), args)?;
    settings.printer.event(
        &json!({"event": "watching", "folder": work.args.folder.display().to_string()}),
        || format!("Watching {}. Ctrl-C ends it.", work.args.folder.display()),
    )?;
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = interruption.comes() => return Ok(ExitStatus::Success),
        }
        let looking = tokio::task::spawn_blocking(move || {
            let result = work.look(Instant::now());
            (work, result)
        });
        // An import that is interrupted leaves nothing behind: it is one transaction.
        let (back, result) = tokio::select! {
            looked = looking => looked.map_err(|error| ServerError::Runtime(error.into()))?,
            () = interruption.comes() => return Ok(ExitStatus::Success),
        };
        result?;
        work = back;
    }
}

/// What goes on from look to look.
struct Work {
    settings: Settings,
    args: args::Watch,
    import: args::Import,
    folder: Folder,
    memory: Memory,
    store: Option<Store>,
    /// The folder was not there at the last look.
    is_gone: bool,
    /// Not before then.
    retry_at: Option<Instant>,
    /// Files that failed for now.
    passing: HashMap<PathBuf, Passing>,
}

/// A file that failed for a reason that may pass: it is told once and tried again, ever more rarely.
struct Passing {
    stamp: Stamp,
    code: &'static str,
    wait: Duration,
    retry_at: Instant,
}

impl Work {
    fn new(settings: Settings, args: args::Watch) -> Result<Self, ServerError> {
        let mut folder = Folder::new(&args.folder);
        folder
            .look()
            .map_err(|error| WatchError::Folder(args.folder.clone(), error))?;
        let memory = settings.folder.health_db().with_file_name("watched.json");
        Ok(Self {
            folder,
            memory: Memory::open(&memory).map_err(WatchError::from)?,
            import: args::Import {
                origin: args.origin.clone(),
                ..args::Import::default()
            },
            settings,
            args,
            store: None,
            is_gone: false,
            retry_at: None,
            passing: HashMap::new(),
        })
    }

    /// One look, and what there is to do.
    fn look(&mut self, now: Instant) -> Result<(), ServerError> {
        if self.retry_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        self.retry_at = None;
        let ready = match self.folder.look() {
            Ok(ready) => ready,
            Err(error) => return self.gone(error),
        };
        if std::mem::take(&mut self.is_gone) {
            self.tell("folderBack", &json!({}), "The folder is there again.")?;
        }
        let stamps: HashMap<_, _> = ready.iter().map(|(path, stamp)| (path, stamp)).collect();
        self.passing
            .retain(|path, passing| stamps.get(path) == Some(&&passing.stamp));
        for (path, stamp) in ready {
            if let Err(error) = self.file(&path, stamp, now) {
                match error {
                    ServerError::Import(_) | ServerError::Store(..) => {
                        // The store: every file would fail.
                        self.settings.printer.failed_file(&path, &error)?;
                        self.store = None;
                        self.retry_at = Some(now + PATIENCE);
                        return Ok(());
                    }
                    other => return Err(other),
                }
            }
        }
        Ok(())
    }

    fn gone(&mut self, error: io::Error) -> Result<(), ServerError> {
        self.folder.forget();
        if !std::mem::replace(&mut self.is_gone, true) {
            let folder = self.args.folder.clone();
            let error = WatchError::Folder(folder.clone(), error);
            self.settings.printer.failed_file(&folder, &error)?;
        }
        Ok(())
    }

    fn tell(&self, event: &str, more: &Value, human: &str) -> Result<(), ServerError> {
        let mut told = json!({
            "event": event,
            "folder": self.args.folder.display().to_string(),
        });
        if let (Some(fields), Some(more)) = (told.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        self.settings.printer.event(&told, || human.to_owned())
    }

    /// A file that has stopped growing. An error is one of the store or of the memory; what is
    /// wrong with the file itself is told and remembered, what may pass is told and tried again.
    fn file(&mut self, path: &Path, stamp: Stamp, now: Instant) -> Result<(), ServerError> {
        if self.passing.get(path).is_some_and(|it| now < it.retry_at) {
            return Ok(());
        }
        let origin = self.args.origin.as_deref();
        if self.memory.recall(path, stamp, origin, VERSION).is_some() {
            return Ok(());
        }
        let opened = open(path, stamp).and_then(|file| {
            let with_digest = |file: File| Ok((digest(&file)?, file));
            file.map(with_digest).transpose()
        });
        let (sha256, file) = match opened {
            Ok(Some(found)) => found,
            // It changed once more: the next look will see.
            Ok(None) => return Ok(()),
            Err(error) => {
                let error = ImportError::Open(path.to_owned(), error);
                return self.pass(path, stamp, &error, now, Duration::ZERO);
            }
        };
        if let Some(outcome) = self.memory.recall_content(&sha256, origin, VERSION) {
            return self.remember(path, stamp, sha256, outcome);
        }
        let store = match &mut self.store {
            Some(store) => store,
            none => none.insert(import::open_store(&self.settings, false)?),
        };
        let begun = Instant::now();
        let (settings, import) = (&self.settings, &self.import);
        let imported = catch_unwind(AssertUnwindSafe(|| {
            import::import_watched(settings, import, store, path, file)
        }));
        let imported = imported.unwrap_or_else(|_| {
            // Nobody knows in which state it was left; the transaction was not committed.
            self.store = None;
            Err(ImportError::File(path.to_owned(), ImportFailed::Panicked))
        });
        match imported {
            Ok((event, human)) => {
                self.settings.printer.event(&event, || human)?;
                self.remember(path, stamp, sha256, Outcome::Imported)
            }
            Err(error) if error.is_of_the_store() => Err(error.into()),
            Err(error) if error.is_passing() => {
                self.pass(path, stamp, &error, now, begun.elapsed())
            }
            Err(error) => {
                self.settings.printer.failed_file(path, &error)?;
                self.remember(path, stamp, sha256, Outcome::Failed)
            }
        }
    }

    /// Tells a failure that may pass, if it is another one than before, and waits.
    fn pass(
        &mut self,
        path: &Path,
        stamp: Stamp,
        error: &ImportError,
        now: Instant,
        took: Duration,
    ) -> Result<(), ServerError> {
        let code = error.code();
        let before = self.passing.get(path);
        if before.is_none_or(|before| before.code != code) {
            self.settings.printer.failed_file(path, error)?;
        }
        let wait = before.map_or(Duration::ZERO, |before| before.wait);
        let passing = Passing {
            stamp,
            code,
            wait: (wait * 2).clamp(Duration::from_secs(1), PATIENCE),
            // A long try is not begun again at once.
            retry_at: now + took + wait.max(took.saturating_mul(10).min(LONGEST)),
        };
        self.passing.insert(path.to_owned(), passing);
        Ok(())
    }

    fn remember(
        &mut self,
        path: &Path,
        stamp: Stamp,
        sha256: String,
        outcome: Outcome,
    ) -> Result<(), ServerError> {
        self.passing.remove(path);
        let done = Done {
            path: path.to_owned(),
            length: stamp.length,
            changed_ns: stamp.changed_ns,
            sha256,
            origin: self.args.origin.clone(),
            outcome,
            version: VERSION.to_owned(),
        };
        Ok(self.memory.remember(done).map_err(WatchError::from)?)
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Opens the file that was looked at, and no other: neither what a link leads to nor what has
/// taken its place. `None` if it changed meanwhile.
fn open(path: &Path, stamp: Stamp) -> io::Result<Option<File>> {
    use rustix::fs::OFlags;

    // A pipe that has taken the file's place must not keep the watch waiting.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(path)?;
    let metadata = file.metadata()?;
    let same = metadata.is_file() && Stamp::of(&metadata)? == stamp;
    Ok(same.then_some(file))
}

/// SHA-256 of the content, hexadecimal; the file stands at its beginning again.
fn digest(file: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut reader = io::BufReader::with_capacity(256 * 1024, file);
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hash.update(piece.get(..read).unwrap_or_default());
    }
    io::Seek::rewind(&mut &*file)?;
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    Ok(text)
}
