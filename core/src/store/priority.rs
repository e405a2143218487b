//! Which source is believed first: what the owner said, else what the source is.
//!
//! A list of names belongs to a type and an origin, to one of the two, or to all. The most particular
//! list counts alone: type and origin, then type, then origin, then the common one. Sources that it
//! does not name follow in the usual order (see `aggregate::SourceClass`), equal ones by name.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, TransactionBehavior, params};

use super::{Store, StoreError};
use crate::{
    aggregate::{Named, SourceClass, classify},
    import::canonical_source,
};

/// A source, as far as priority goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedSource {
    /// Place in the owner's list, from 0 on; those without one come behind.
    pub preferred: Option<u32>,
    /// What it is.
    pub class: SourceClass,
    /// Its canonical name.
    pub name: String,
}

/// A list of the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// Of this type; `None`: of all.
    pub kind: Option<String>,
    /// Of this origin; `None`: of all.
    pub origin: Option<String>,
    /// Canonical names, the best first.
    pub sources: Vec<String>,
}

impl Store {
    /// The owner's lists.
    pub fn preferences(&self) -> Result<Vec<Preference>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT kind, origin, source FROM preference ORDER BY kind, origin, position",
        )?;
        let mut rows = statement.query([])?;
        let mut lists: Vec<Preference> = Vec::new();
        let given = |text: String| (!text.is_empty()).then_some(text);
        while let Some(row) = rows.next()? {
            let (kind, origin) = (given(row.get(0)?), given(row.get(1)?));
            let source = row.get(2)?;
            match lists.last_mut() {
                Some(list) if list.kind == kind && list.origin == origin => {
                    list.sources.push(source);
                }
                _ => lists.push(Preference {
                    kind,
                    origin,
                    sources: vec![source],
                }),
            }
        }
        Ok(lists)
    }

    /// Replaces a list; an empty one is removed, so that the next more general one counts again.
    pub fn prefer(&mut self, list: &Preference) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let kind = list.kind.as_deref().unwrap_or_default();
        let origin = list.origin.as_deref().unwrap_or_default();
        transaction.execute(
            "DELETE FROM preference WHERE kind = ?1 AND origin = ?2",
            [kind, origin],
        )?;
        for (position, source) in (0_i64..).zip(&list.sources) {
            transaction.execute(
                "INSERT INTO preference (kind, origin, position, source) VALUES (?1, ?2, ?3, ?4)",
                params![kind, origin, position, canonical_source(source)],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// The sources in their order, the best first: of the samples of a type, else of all; looked
    /// at as an origin's. Looks at every sample of the type.
    pub fn sources(
        &self,
        kind: Option<&str>,
        origin: Option<&str>,
    ) -> Result<Vec<RankedSource>, StoreError> {
        self.snapshot(|store| {
            let connection = &store.connection;
            let priority = Priority::new(connection)?;
            let ranks = priority.ranks(kind.unwrap_or_default(), origin.unwrap_or_default());
            let mut writers: BTreeSet<(i64, Option<i64>)> = BTreeSet::new();
            let of_kind = "SELECT DISTINCT source_id, device_id FROM sample
                           WHERE kind_id = (SELECT id FROM kind WHERE name = ?1)
                             AND (?2 = '' OR origin_id = (SELECT id FROM origin WHERE name = ?2))";
            let all = "SELECT DISTINCT source_id, device_id FROM sample
                       WHERE ?1 = '' AND
                             (?2 = '' OR origin_id = (SELECT id FROM origin WHERE name = ?2))";
            let sql = if kind.is_some() { of_kind } else { all };
            let mut statement = connection.prepare_cached(sql)?;
            let names = [kind.unwrap_or_default(), origin.unwrap_or_default()];
            let mut rows = statement.query(names)?;
            while let Some(row) = rows.next()? {
                writers.insert((row.get(0)?, row.get(1)?));
            }
            let mut found: Vec<RankedSource> = writers
                .into_iter()
                .map(|(source, device)| ranks.place(source, device))
                .collect();
            found.sort_by_cached_key(|it| ranks.number(it));
            found.dedup();
            Ok(found)
        })
    }
}

/// All that the order depends on, read once.
pub(super) struct Priority {
    /// Canonical name and version.
    sources: HashMap<i64, (String, String)>,
    /// Hardware and description.
    devices: HashMap<i64, (Option<String>, String)>,
    lists: HashMap<(String, String), Vec<String>>,
    /// All canonical names in order.
    names: Vec<String>,
}

impl Priority {
    pub(super) fn new(connection: &Connection) -> Result<Self, StoreError> {
        let mut sources = HashMap::new();
        let mut statement = connection.prepare_cached("SELECT id, name, version FROM source")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = canonical_source(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
            sources.insert(row.get(0)?, (name, row.get(2)?));
        }
        let mut devices = HashMap::new();
        let mut statement = connection.prepare_cached("SELECT id, hardware, name FROM device")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            devices.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
        }
        let mut lists: HashMap<(String, String), Vec<String>> = HashMap::new();
        let mut statement = connection
            .prepare_cached("SELECT kind, origin, source FROM preference ORDER BY position")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let list = lists.entry((row.get(0)?, row.get(1)?)).or_default();
            list.push(row.get(2)?);
        }
        let names: BTreeSet<String> = sources.values().map(|(name, _)| name.clone()).collect();
        Ok(Self {
            sources,
            devices,
            lists,
            names: names.into_iter().collect(),
        })
    }

    /// The order for one type and origin.
    pub(super) fn ranks(&self, kind: &str, origin: &str) -> Ranks<'_> {
        let keys = [(kind, origin), (kind, ""), ("", origin), ("", "")];
        let list = keys
            .iter()
            .find_map(|(kind, origin)| self.lists.get(&((*kind).to_owned(), (*origin).to_owned())));
        Ranks {
            priority: self,
            list: list.map_or(&[], Vec::as_slice),
            known: HashMap::new(),
        }
    }
}

/// The order of the sources of one type and origin.
pub(super) struct Ranks<'p> {
    priority: &'p Priority,
    list: &'p [String],
    known: HashMap<(i64, Option<i64>), u32>,
}

impl Ranks<'_> {
    /// A number that is smaller for a better source, and equal for equal ones.
    pub(super) fn rank(&mut self, source: i64, device: Option<i64>) -> u32 {
        if let Some(rank) = self.known.get(&(source, device)) {
            return *rank;
        }
        let rank = self.number(&self.place(source, device));
        self.known.insert((source, device), rank);
        rank
    }

    /// First the list, then four classes with all names in each.
    fn number(&self, place: &RankedSource) -> u32 {
        let listed = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        if let Some(position) = place.preferred {
            return position;
        }
        let class = match place.class {
            SourceClass::Entered => 0,
            SourceClass::Watch => 1,
            SourceClass::Phone => 2,
            SourceClass::Other => 3,
        };
        let names = &self.priority.names;
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let name = names.binary_search(&place.name).unwrap_or(names.len());
        let name = u32::try_from(name).unwrap_or(u32::MAX);
        listed
            .saturating_add(count.saturating_mul(class))
            .saturating_add(name)
    }

    fn place(&self, source: i64, device: Option<i64>) -> RankedSource {
        let unknown = (String::new(), String::new());
        let (name, version) = self.priority.sources.get(&source).unwrap_or(&unknown);
        let device = device.and_then(|device| self.priority.devices.get(&device));
        let (hardware, device) = device.map_or((None, ""), |(hardware, device)| {
            (hardware.as_deref(), device.as_str())
        });
        let preferred = self.list.iter().position(|listed| listed == name);
        RankedSource {
            preferred: preferred.and_then(|position| u32::try_from(position).ok()),
            class: classify(&Named {
                name,
                version,
                hardware,
                device,
            }),
            name: name.clone(),
        }
    }
}
