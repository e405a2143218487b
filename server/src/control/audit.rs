//! The audit log over the control socket, and without it: entries with the names of their devices,
//! and the check of the chain.

use std::{collections::HashMap, sync::Arc};

use healthsync_core::time::rfc3339;
use healthsync_pairing::{
    audit::{Audit, AuditError, Entry, Verdict},
    id::PairId,
    trust::{DeviceRecord, Trust, TrustError},
};
use serde::{Deserialize, Serialize};

use super::{protocol::Reply, server::Answer};
use crate::{app::App, config::DataFolder, error::ServerError};

/// So many entries are read in one go.
const PAGE: u32 = 500;

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// Not older; Unix seconds.
    pub since: Option<i64>,
    /// Only of this pair, by name or id.
    pub pair: Option<String>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditLine {
    /// Its place in the log.
    pub sequence: u64,
    /// RFC 3339 UTC.
    pub time: String,
    /// What happened.
    #[serde(rename = "what")]
    pub event: String,
    /// `OK` or a code.
    pub result: String,
    /// The pair's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
    /// What the device calls itself, made inert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `sha256:..`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_digest: Option<String>,
    /// Names of types, or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Rows that were given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// How often it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The request's id in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The chain's hash, hex.
    pub hash: String,
}

/// What the check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "verdict",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum VerdictLine {
    /// All is as it was written.
    Intact {
        /// Entries that were checked.
        entries: u64,
        /// The last one.
        last: u64,
        /// Up to here entries were purged.
        purged: u64,
    },
    /// Not so.
    Broken {
        /// The first place that is wrong.
        sequence: u64,
        /// `changed`, `missing`, `beginning`, `end`.
        what: String,
    },
}

impl From<Verdict> for VerdictLine {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Intact {
                entries,
                last,
                purged,
            } => Self::Intact {
                entries,
                last,
                purged,
            },
            Verdict::Broken { sequence, what } => Self::Broken {
                sequence,
                what: what.as_str().to_owned(),
            },
        }
    }
}

/// Reads the log in pages.
#[derive(Debug)]
pub struct Pages {
    names: HashMap<PairId, String>,
    only: Option<Vec<PairId>>,
    since: i64,
    after: u64,
}

impl Pages {
    /// With the names of `records`; an unknown pair is an error.
    pub fn new(wanted: &Wanted, records: &[DeviceRecord]) -> Result<Self, TrustError> {
        let only = match &wanted.pair {
            None => None,
            Some(text) => {
                let mut pairs: Vec<PairId> = records
                    .iter()
                    .filter(|record| record.name == *text || record.pair.to_string() == *text)
                    .map(|record| record.pair)
                    .collect();
                // A pair that was rolled back has no record, but an id.
                pairs.extend(text.parse::<PairId>());
                if pairs.is_empty() {
                    return Err(TrustError::NotFound(text.clone()));
                }
                Some(pairs)
            }
        };
        let names = records
            .iter()
            .map(|record| (record.pair, record.name.clone()));
        Ok(Self {
            names: names.collect(),
            only,
            since: wanted.since.unwrap_or(i64::MIN),
            after: 0,
        })
    }

    /// The next entries; `None` at the end. Blocks on the file.
    pub fn next(
        &mut self,
        read: impl FnOnce(u64, i64, u32) -> Result<Vec<Entry>, AuditError>,
    ) -> Result<Option<Vec<AuditLine>>, AuditError> {
        let entries = read(self.after, self.since, PAGE)?;
        let Some(last) = entries.last() else {
            return Ok(None);
        };
        self.after = last.sequence;
        let is_wanted = |entry: &Entry| match (&self.only, entry.pair) {
            (None, _) => true,
            (Some(only), Some(pair)) => only.contains(&pair),
            (Some(_), None) => false,
        };
        Ok(Some(
            entries
                .into_iter()
                .filter(is_wanted)
                .map(|entry| self.line(entry))
                .collect(),
        ))
    }

    fn line(&self, entry: Entry) -> AuditLine {
        AuditLine {
            sequence: entry.sequence,
            time: rfc3339(entry.time.saturating_mul(1000)),
            event: entry.event,
            result: entry.result,
            name: entry.pair.and_then(|pair| self.names.get(&pair).cloned()),
            pair: entry.pair.map(|pair| pair.to_string()),
            key_digest: entry.key.map(|key| key.to_string()),
            types: entry
                .types
                .map(|types| types.split(',').map(str::to_owned).collect()),
            rows: entry.rows,
            count: entry.count,
            request: entry.request,
            hash: entry.hash.to_string(),
        }
    }
}

/// The entries in a folder whose server does not run. No key is needed, and nothing is verified.
pub fn recorded(
    folder: &DataFolder,
    wanted: &Wanted,
    each: &mut dyn FnMut(AuditLine) -> Result<(), ServerError>,
) -> Result<(), ServerError> {
    let database = folder.trust_db();
    if !database.exists() {
        return Ok(());
    }
    let mut pages = Pages::new(wanted, &Trust::recorded(&database)?)?;
    let read = |after, since, limit| Audit::recorded(&database, after, since, limit);
    while let Some(lines) = pages.next(read).map_err(TrustError::from)? {
        for line in lines {
            each(line)?;
        }
    }
    Ok(())
}

/// Entries in pages, as the command takes them.
pub(super) async fn list(
    app: &Arc<App>,
    wanted: Wanted,
    answer: &mut Answer,
) -> Result<std::io::Result<()>, ServerError> {
    app.audit().settle().await.map_err(TrustError::from)?;
    let mut pages = Pages::new(&wanted, &app.trust().pairs()?)?;
    loop {
        let log = app.audit().clone();
        let (back, page) = app
            .blocking(move || {
                let page = pages.next(|after, since, limit| log.entries(after, since, limit));
                (pages, page)
            })
            .await?;
        pages = back;
        let Some(lines) = page.map_err(TrustError::from)? else {
            return Ok(answer.say(&Reply::Done).await);
        };
        for line in lines {
            if let Err(error) = answer.say(&Reply::Audit(Box::new(line))).await {
                return Ok(Err(error));
            }
        }
    }
}

/// Checks the whole chain.
pub(super) async fn verify(app: &Arc<App>) -> Result<Vec<Reply>, ServerError> {
    let log = app.audit().clone();
    let verdict = app.blocking(move || log.verify()).await?;
    let verdict = verdict.map_err(TrustError::from)?;
    Ok(vec![Reply::AuditVerdict(verdict.into())])
}
