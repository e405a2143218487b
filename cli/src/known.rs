//! What completion offers: the types that a server was last seen to hold, and the paired servers.
//!
//! Completion must answer while a key is held down: it reads two small files, connects nowhere and
//! opens no key store. `types` and `status` keep the list of types, which are names, not values.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use healthsync_core::kind::{Group, Kind};
use healthsync_manual::Candidate;

use crate::{
    config::{Config, ConfigFile},
    output,
    settings::{Env, Settings},
};

/// In the client's folder: the names of the types by pair.
const FILE: &str = "types.json";

/// Keeps what a server holds. A list that cannot be kept stops nothing.
pub(crate) fn note(settings: &Settings, pair: &str, types: &[String]) {
    let mut known = read(&settings.home);
    if known.get(pair).is_some_and(|names| names == types) || !settings.home.is_dir() {
        return;
    }
    let paired = ConfigFile::new(&settings.config)
        .load()
        .unwrap_or_default()
        .servers;
    known.retain(|pair, _| paired.iter().any(|server| server.pair == *pair));
    known.insert(pair.to_owned(), types.to_vec());
    if let Err(error) = write(&settings.home, &known) {
        tracing::debug!(%error, "the list of types was not kept");
    }
}

fn read(home: &Path) -> BTreeMap<String, Vec<String>> {
    fs::read(home.join(FILE))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn write(home: &Path, known: &BTreeMap<String, Vec<String>>) -> std::io::Result<()> {
    // tempfile creates with mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix(".types-")
        .tempfile_in(home)?;
    serde_json::to_writer(&mut file, known)?;
    file.write_all(b"\n")?;
    file.persist(home.join(FILE))?;
    output::sync_folder(home);
    Ok(())
}

/// Values for `--types`: what the servers hold, or all that have a name; groups, and `all`.
pub(crate) fn types() -> Vec<Candidate> {
    let held = home().map(|home| read(&home)).unwrap_or_default();
    let mut names: Vec<String> = held.into_values().flatten().collect();
    if names.is_empty() {
        names = Kind::known().map(|kind| kind.to_string()).collect();
    }
    names.sort();
    names.dedup();
    let groups = Group::ALL.iter().map(|group| group.as_str());
    names
        .iter()
        .map(String::as_str)
        .chain(groups)
        .chain(["all"])
        .map(Candidate::new)
        .collect()
}

/// Values for `--server`: names, or pair ids where a name says too little.
pub(crate) fn servers() -> Vec<Candidate> {
    let config = home()
        .and_then(|home| ConfigFile::new(home.join("config.json")).load().ok())
        .unwrap_or_default();
    config
        .servers
        .iter()
        .map(|server| {
            let is_clear = is_plain(&server.name) && is_unique(&config, &server.name);
            if is_clear {
                Candidate::new(&server.name)
            } else {
                Candidate::new(&server.pair)
            }
        })
        .collect()
}

/// A shell writes the word into its line: no name that somebody else chose may be more than a word.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('-')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_. ".contains(c))
}

fn is_unique(config: &Config, name: &str) -> bool {
    let same = |server: &&crate::config::Server| server.name.eq_ignore_ascii_case(name);
    config.servers.iter().filter(same).count() == 1
}

fn home() -> Option<std::path::PathBuf> {
    let env = Env::snapshot();
    env.home.map(Into::into).or(env.default_home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_more_than_a_word_are_not_offered() {
        for (name, plain) in [
            ("Anna’s Mac", false),
            ("Annas Mac", true),
            ("mac-2.local", true),
            ("Größe", true),
            ("$(rm -rf ~)", false),
            ("a;b", false),
            ("`a`", false),
            ("-rf", false),
            ("a\nb", false),
            ("", false),
        ] {
            assert_eq!(is_plain(name), plain, "{name:?}");
        }
    }

    #[test]
    fn what_is_kept_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_empty());
        let known = BTreeMap::from([("a".to_owned(), vec!["steps".to_owned()])]);
        write(folder.path(), &known).unwrap();
        assert_eq!(read(folder.path()), known);
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(read(folder.path()).is_empty());
    }
}
