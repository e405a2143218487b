//! The folder that a sync keeps: a file for each year of each table, of samples for each type and
//! year, and the copy of which they are made.
//!
//! ```text
//! health/.healthsync.db        the copy: rows, up to where they go, which files are due
//!       /samples/heartRate/2026.parquet
//!       /workouts/2026.parquet ..
//! ```
//!
//! A file is written beside the copy and takes its place whole, then the copy notes it: whoever is
//! killed in between writes it again. One that would be the same is left alone. So readers of a table
//! see whole files alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use healthsync_core::{
    api::Code,
    format::{Format, by_name},
    replica::{Mirror, Part, Place},
};

use super::{
    not_kept,
    target::{failed, no_link},
};
use crate::{
    args::FolderFormat,
    config::make_private,
    error::CliError,
    output::{is_regular_or_missing, sync_folder},
    settings::Trial,
};

/// The copy in the folder.
const COPY: &str = ".healthsync.db";
/// Its lock.
const LOCK: &str = "..healthsync.db.lock";

/// What a file is called until it is whole; a `*` of the shell does not match it.
const UNFINISHED: (&str, &str) = (".healthsync-", ".part");

/// An open folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    format: &'static Format,
}

impl Folder {
    /// Whether this is a folder, or is to be one.
    pub(super) fn is_meant(to: &Path, format: Option<FolderFormat>) -> bool {
        let text = to.as_os_str().to_string_lossy();
        format.is_some() || text.ends_with(std::path::is_separator) || to.is_dir()
    }

    /// Makes it, unless it is there; refuses what is a link, and what holds other things.
    pub(super) fn make(to: &Path) -> Result<PathBuf, CliError> {
        // Without the last `/`, which would follow a link.
        let path: PathBuf = to.components().collect();
        if !is_folder_or_missing(&path)? {
            make_private(&path).map_err(|error| failed(&path, error))?;
            return Ok(path);
        }
        let copy = fs::symlink_metadata(Self::copy(&path));
        if copy.is_ok_and(|copy| copy.len() > 0) {
            return Ok(path);
        }
        for entry in fs::read_dir(&path).map_err(|error| failed(&path, error))? {
            let name = entry.map_err(|error| failed(&path, error))?.file_name();
            // A sync that was killed may have got so far.
            let is_ours = name.to_str().is_some_and(|name| {
                let ending = name.strip_prefix(COPY);
                name == LOCK
                    || ending
                        .is_some_and(|ending| ["", "-wal", "-shm", "-journal"].contains(&ending))
            });
            if !is_ours {
                return Err(CliError::new(
                    Code::NotACopy,
                    format!("{} holds other things", path.display()),
                )
                .with_hint("name a new folder, or an empty one, with `healthsync sync --to`"));
            }
        }
        Ok(path)
    }

    /// Where its copy is.
    pub(super) fn copy(path: &Path) -> PathBuf {
        path.join(COPY)
    }

    /// Opens it; the copy in it is ours.
    pub(super) fn open(
        path: &Path,
        mirror: &mut Mirror,
        asked: Option<FolderFormat>,
    ) -> Result<Self, CliError> {
        keep_out(path).map_err(|error| failed(path, error))?;
        let kept = mirror.kept_format().map_err(not_kept)?;
        let asked = asked.map(FolderFormat::name);
        if let (Some(kept), Some(asked)) = (kept.as_deref(), asked)
            && kept != asked
        {
            let message = format!("the files in {} are {kept}", path.display());
            return Err(CliError::usage(message)
                .with_hint("name another folder for another format: `healthsync sync --to DIR/`"));
        }
        let name = kept.as_deref().or(asked).unwrap_or("parquet");
        let format = by_name(name).ok_or_else(|| {
            let message = format!("{} is kept in an unknown format", path.display());
            CliError::new(Code::NotACopy, message)
        })?;
        if kept.is_none() {
            mirror.keep_format(format).map_err(not_kept)?;
        }
        Ok(Self {
            path: path.to_owned(),
            format,
        })
    }

    /// Brings every file to what the rows are; gives how many were changed.
    pub(super) fn write(&self, mirror: &mut Mirror, trial: &mut Trial) -> Result<u64, CliError> {
        let mut changed = 0;
        self.sweep()?;
        for table in Part::tables() {
            let there = self.there(table)?;
            let known = mirror.parts(table).map_err(not_kept)?;
            let known: BTreeMap<Place, (Part, bool)> = known
                .into_iter()
                .map(|(part, is_due)| (part.place(), (part, is_due)))
                .collect();
            // What somebody took away comes back. What nobody knows any more goes, and goes first:
            // capitals may be all that tells it from what comes.
            let mut due: BTreeMap<(bool, PathBuf), BTreeSet<&Place>> = BTreeMap::new();
            for place in there.iter().chain(known.keys()) {
                let is_due = known.get(place).is_none_or(|(_, is_due)| *is_due);
                if is_due || !there.contains(place) {
                    let way = (known.contains_key(place), self.folder_of(place));
                    due.entry(way).or_default().insert(place);
                }
            }
            for ((_, folder), places) in due {
                let mut settled = Vec::new();
                for place in places {
                    trial.place();
                    let part = known.get(place).map(|(part, _)| part);
                    let (has_rows, is_new) = self.file(mirror, place, part, trial)?;
                    changed += u64::from(is_new);
                    settled.extend(part.map(|part| (part.clone(), has_rows)));
                }
                sync_folder(&folder);
                trial.place();
                self.leave(&folder);
                mirror.settle(&settled).map_err(not_kept)?;
                trial.place();
            }
        }
        Ok(changed)
    }

    /// Takes away what a sync that was killed left unfinished.
    fn sweep(&self) -> Result<(), CliError> {
        let wrong = |error| failed(&self.path, error);
        for entry in fs::read_dir(&self.path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let name = entry.file_name();
            let is_unfinished = name
                .to_str()
                .is_some_and(|name| name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1));
            if is_unfinished {
                fs::remove_file(entry.path()).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// The folder in which a file lies.
    fn folder_of(&self, place: &Place) -> PathBuf {
        let table = self.path.join(place.table);
        match &place.folder {
            Some(folder) => table.join(folder),
            None => table,
        }
    }

    /// Where files of a table are.
    fn there(&self, table: &'static str) -> Result<BTreeSet<Place>, CliError> {
        let folder = self.path.join(table);
        let mut there = BTreeSet::new();
        if !is_folder_or_missing(&folder)? {
            return Ok(there);
        }
        for (name, is_folder) in names(&folder)? {
            if is_folder {
                for (file, _) in names(&folder.join(&name))? {
                    let year = self.year(&file);
                    there.extend(year.and_then(|year| Place::new(table, Some(&name), year)));
                }
            } else {
                let year = self.year(&name);
                there.extend(year.and_then(|year| Place::new(table, None, year)));
            }
        }
        Ok(there)
    }

    /// The name of a file without its ending.
    fn year<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_suffix(self.format.name)?.strip_suffix('.')
    }

    /// A folder without files goes, and so does that in which it lies. Another process may have put
    /// something into it: then it stays.
    fn leave(&self, folder: &Path) {
        for folder in folder.ancestors() {
            if folder == self.path || fs::remove_dir(folder).is_err() {
                break;
            }
            folder.parent().into_iter().for_each(sync_folder);
        }
    }

    /// Writes one file, or takes it away: whether the part has rows, and whether anything changed.
    fn file(
        &self,
        mirror: &Mirror,
        place: &Place,
        part: Option<&Part>,
        trial: &mut Trial,
    ) -> Result<(bool, bool), CliError> {
        let folder = self.folder_of(place);
        let path = folder.join(format!("{}.{}", place.year, self.format.name));
        let wrong = |error| failed(&path, error);
        let is_there = is_folder_or_missing(&folder)? && is_regular_or_missing(&path)?;
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED.0)
            .suffix(UNFINISHED.1)
            .tempfile_in(&self.path)
            .map_err(wrong)?;
        let rows = part.map(|part| mirror.write_part(part, self.format, file.as_file_mut()));
        if rows.transpose().map_err(not_kept)?.unwrap_or_default() == 0 {
            if is_there {
                fs::remove_file(&path).map_err(wrong)?;
            }
            return Ok((false, is_there));
        }
        if is_there && is_same(file.path(), &path).map_err(wrong)? {
            return Ok((true, false));
        }
        file.as_file().sync_all().map_err(wrong)?;
        trial.place();
        make_private(&folder).map_err(wrong)?;
        folder.parent().into_iter().for_each(sync_folder);
        trial.place();
        let placed = file.persist(&path);
        placed.map_err(|error| failed(&path, error.error))?;
        trial.place();
        Ok((true, true))
    }
}

/// What lies in a folder, and whether it is a folder; names that are none of ours are left out.
fn names(folder: &Path) -> Result<Vec<(String, bool)>, CliError> {
    let wrong = |error| failed(folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let is_folder = entry.file_type().map_err(wrong)?.is_dir();
        let name = entry.file_name().into_string().ok();
        names.extend(name.map(|name| (name, is_folder)));
    }
    Ok(names)
}

/// Whether a folder is there; what is neither that nor missing, as a link, is refused.
fn is_folder_or_missing(path: &Path) -> Result<bool, CliError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(CliError::new(
            Code::OutputExists,
            format!("{} is there already, and no folder", path.display()),
        )
        .with_hint("name another folder with `healthsync sync --to`")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(path, error)),
    }
}

/// Nobody but its owner looks into it.
#[cfg(unix)]
fn keep_out(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let open = no_link().read(true).open(folder)?;
    if open.metadata()?.permissions().mode() & 0o777 == 0o700 {
        return Ok(());
    }
    open.set_permissions(fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn keep_out(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether two files have the same bytes.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path| no_link().read(true).open(path);
    let (one, other) = (open(one)?, open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let mut bytes = io::BufReader::new(one).bytes();
    let mut others = io::BufReader::new(other).bytes();
    loop {
        match (bytes.next().transpose()?, others.next().transpose()?) {
            (None, None) => return Ok(true),
            (byte, other) if byte != other => return Ok(false),
            _ => {}
        }
    }
}
