//! What a reader of changes may see.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _};

use super::ChangesQuery;
use crate::{api::Collection, document::Noun, store::StoreError};

/// A scope in the numbers of the store. Names that the store does not hold have no number, and
/// nothing can be seen of them.
pub(super) struct Filter {
    /// By kind, which categories; `None`: all.
    kinds: Option<BTreeMap<i64, Option<BTreeSet<i64>>>>,
    origins: Option<BTreeSet<i64>>,
    /// Words of the scope as they stand, for what is no sample; `None`: all.
    words: Option<BTreeSet<String>>,
}

impl Filter {
    pub(super) fn new(connection: &Connection, query: &ChangesQuery) -> Result<Self, StoreError> {
        let number = |table: &str, name: &str| -> Result<Option<i64>, StoreError> {
            let sql = format!("SELECT id FROM {table} WHERE name = ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row([name], |row| row.get(0)).optional()?)
        };
        let mut kinds: BTreeMap<i64, Option<BTreeSet<i64>>> = BTreeMap::new();
        let mut words = BTreeSet::new();
        for selector in &query.types {
            if selector.category.is_none() {
                words.insert(selector.kind.to_string());
            }
            let Some(kind) = number("kind", &selector.kind)? else {
                continue;
            };
            let categories = kinds.entry(kind).or_insert_with(|| Some(BTreeSet::new()));
            match (&selector.category, categories) {
                (None, categories) => *categories = None,
                (Some(name), Some(numbers)) => numbers.extend(number("category", name)?),
                (Some(_), None) => {}
            }
        }
        let pressure = "bloodPressure";
        if Collection::allows_correlation(pressure, |word| words.contains(word))
            && let Some(kind) = number("kind", pressure)?
        {
            kinds.insert(kind, None);
        }
        let mut origins = BTreeSet::new();
        for name in &query.origins {
            origins.extend(number("origin", name)?);
        }
        let is_cut = !query.types.is_empty();
        Ok(Self {
            kinds: is_cut.then_some(kinds),
            origins: (!query.origins.is_empty()).then_some(origins),
            words: is_cut.then_some(words),
        })
    }

    /// A sample as it is.
    pub(super) fn shows_sample(&self, kind: i64, origin: i64, category: Option<i64>) -> bool {
        self.showed_sample(kind, Some(origin), category)
    }

    /// A sample as it was; an origin that is not known is nobody's.
    pub(super) fn showed_sample(
        &self,
        kind: i64,
        origin: Option<i64>,
        category: Option<i64>,
    ) -> bool {
        let categories = match &self.kinds {
            None => return self.shows_origin(origin),
            Some(kinds) => kinds.get(&kind),
        };
        let shows = match categories {
            None => false,
            Some(None) => true,
            Some(Some(categories)) => category.is_some_and(|number| categories.contains(&number)),
        };
        shows && self.shows_origin(origin)
    }

    /// Whether of this kind only some categories are visible.
    pub(super) fn cuts_categories(&self, kind: i64) -> bool {
        let kinds = self.kinds.as_ref();
        matches!(kinds.and_then(|kinds| kinds.get(&kind)), Some(Some(_)))
    }

    /// A correlation of this kind.
    pub(super) fn shows_kind(&self, kind: i64, origin: Option<i64>) -> bool {
        let shows = match &self.kinds {
            None => true,
            Some(kinds) => matches!(kinds.get(&kind), Some(None)),
        };
        shows && self.shows_origin(origin)
    }

    /// A workout or a document.
    pub(super) fn shows_noun(&self, noun: &str, origin: Option<i64>) -> bool {
        let word = if noun == "workout" {
            Collection::Workouts
        } else {
            let known = Noun::ALL.iter().find(|known| known.as_str() == noun);
            // Who somebody is (birth date, blood type) is in no collection: nobody is served that.
            match known.and_then(|noun| Collection::of_noun(*noun)) {
                Some(collection) => collection,
                None => return false,
            }
        };
        let shows = match &self.words {
            None => true,
            Some(words) => words.contains(word.as_str()),
        };
        shows && self.shows_origin(origin)
    }

    fn shows_origin(&self, origin: Option<i64>) -> bool {
        match (&self.origins, origin) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(origins), Some(origin)) => origins.contains(&origin),
        }
    }
}
