//! What one device may read: the words of its record, understood, and held against each request.
//!
//! A word is the name of a type (`heartRate`), or one category of it (`sleepAnalysis:asleepREM`).

use healthsync_core::{
    api::{Code, Collection, ScopeInfo},
    kind::{Kind, Selector, UnknownKind},
    query::Query,
    report::inert,
    store::{Store, StoreError, TypeSummary},
};
use healthsync_pairing::trust::{DeviceRecord, Scope};

use crate::refusal::ApiError;

/// A device and what it may read, as its record said when the request came.
#[derive(Debug)]
pub struct Permit {
    record: DeviceRecord,
    /// `None`: all.
    types: Option<Vec<Selector>>,
}

impl Permit {
    /// Understands a record.
    pub fn new(record: DeviceRecord) -> Self {
        let words = record.scope.types.as_ref();
        Self {
            types: words.map(|words| words.iter().map(|word| stored(word)).collect()),
            record,
        }
    }

    /// Whose it is.
    pub const fn record(&self) -> &DeviceRecord {
        &self.record
    }

    /// The query, narrowed to what may be read: no types and no origins mean all permitted ones.
    /// Whoever names another gets a refusal, never an answer that is silently empty.
    pub fn narrow(&self, mut query: Query) -> Result<Query, ApiError> {
        if let Some(permitted) = &self.types {
            if query.types.is_empty() {
                query.types.clone_from(permitted);
            }
            let refused = query.types.iter().find(|wanted| {
                !permitted.iter().any(|one| {
                    one.kind == wanted.kind
                        && (one.category.is_none() || one.category == wanted.category)
                })
            });
            if permitted.is_empty() {
                return Err(refusal("this device may read no type", ""));
            }
            if let Some(refused) = refused {
                return Err(refusal(
                    &format!("this device may not read {:?}", word(refused)),
                    &list(self.record.scope.types.as_deref()),
                ));
            }
        }
        query.origins = self.origins(query.origins)?;
        Ok(query)
    }

    /// The origins that are asked for, as far as they may be read; none means all permitted ones.
    pub fn origins(&self, asked: Vec<String>) -> Result<Vec<String>, ApiError> {
        let Some(permitted) = &self.record.scope.origins else {
            return Ok(asked);
        };
        if permitted.is_empty() {
            return Err(refusal("this device may read no origin", ""));
        }
        if let Some(refused) = asked.iter().find(|name| !permitted.contains(name)) {
            return Err(refusal(
                &format!("this device may not read the origin {refused:?}"),
                &permitted.join(", "),
            ));
        }
        Ok(if asked.is_empty() {
            permitted.clone()
        } else {
            asked
        })
    }

    /// Whether a collection may be read.
    pub fn collection(&self, collection: Collection) -> Result<(), ApiError> {
        if self.is_whole(collection.as_str()) {
            return Ok(());
        }
        Err(refusal(
            &format!("this device may not read {collection}"),
            &list(self.record.scope.types.as_deref()),
        ))
    }

    /// The types of correlations that are asked for, as far as they may be read; none means all
    /// permitted ones.
    pub fn correlations(&self, asked: Vec<String>) -> Result<Vec<String>, ApiError> {
        if self.types.is_none() {
            return Ok(asked);
        }
        let may_read =
            |name: &str| Collection::allows_correlation(name, |word| self.is_whole(word));
        let refused = |name: &str| {
            refusal(
                &format!("this device may not read {name}"),
                &list(self.record.scope.types.as_deref()),
            )
        };
        if let Some(name) = asked.iter().find(|name| !may_read(name)) {
            return Err(refused(&format!("{name:?}")));
        }
        if !asked.is_empty() {
            return Ok(asked);
        }
        let known = CORRELATIONS.iter().filter(|name| may_read(name));
        let permitted: Vec<String> = known.map(|name| (*name).to_owned()).collect();
        if permitted.is_empty() {
            return Err(refused("correlations"));
        }
        Ok(permitted)
    }

    /// Whether this word is in the scope, and not only a category of it.
    fn is_whole(&self, word: &str) -> bool {
        self.types.as_ref().is_none_or(|permitted| {
            let mut whole = permitted.iter().filter(|one| one.category.is_none());
            whole.any(|one| one.kind.as_str() == word)
        })
    }

    /// What the store holds for this device; nothing else can be told from it.
    pub fn summaries(&self, store: &Store) -> Result<Vec<TypeSummary>, StoreError> {
        match self.everything() {
            Some(query) if query == Query::default() => store.types(),
            Some(query) => store.types_of(&query),
            None => Ok(Vec::new()),
        }
    }

    /// The names that this device may know beside those that everybody knows.
    pub fn names(&self, store: &Store) -> Result<Vec<String>, StoreError> {
        let mut names = match self.everything() {
            Some(query) => store.names_of(&query)?,
            None => Vec::new(),
        };
        // A permitted type that holds nothing yet is known, too.
        for permitted in self.types.iter().flatten() {
            if !names.iter().any(|name| *name == *permitted.kind) {
                names.push(permitted.kind.to_string());
            }
        }
        Ok(names)
    }

    /// All that may be read; `None`: nothing.
    fn everything(&self) -> Option<Query> {
        self.narrow(Query::default()).ok()
    }
}

/// The types of correlations that HealthKit has.
pub const CORRELATIONS: [&str; 2] = ["bloodPressure", "food"];

/// The words of a scope that name no type of samples: collections and correlations.
pub fn other_words() -> impl Iterator<Item = &'static str> + Clone {
    let collections = Collection::ALL.iter().map(|collection| collection.as_str());
    collections
        .filter(|word| *word != Collection::Correlations.as_str())
        .chain(CORRELATIONS)
}

/// Reads what a person wrote for a type: a name, an alias, or a name and a category.
pub fn parse<'a>(
    text: &str,
    held: impl Iterator<Item = &'a str> + Clone,
) -> Result<String, UnknownKind> {
    let unknown = || UnknownKind {
        name: text.to_owned(),
        nearest: None,
    };
    let Some((name, category)) = text.split_once(':') else {
        return Kind::parse_among(text, held).map(|selector| word(&selector));
    };
    let mut selector = Kind::parse_among(name, held)?;
    let is_plain = !category.is_empty() && category.bytes().all(|b| b.is_ascii_alphanumeric());
    if selector.category.is_some() || !is_plain || selector.kind.is_category() == Some(false) {
        return Err(unknown());
    }
    selector.category = Some(category.to_owned());
    Ok(word(&selector))
}

/// A scope in words: `ALL TYPES`, `heartRate, steps of ana`.
pub fn in_words(scope: &ScopeInfo) -> String {
    let types = match &scope.types {
        None => "ALL TYPES".to_owned(),
        Some(_) => list(scope.types.as_deref()),
    };
    let words = match &scope.origins {
        None => types,
        Some(_) => format!("{types} of {}", list(scope.origins.as_deref())),
    };
    inert(&words).into_owned()
}

/// As it is shown and sent.
pub fn info(scope: &Scope) -> ScopeInfo {
    ScopeInfo {
        types: scope.types.clone(),
        origins: scope.origins.clone(),
    }
}

fn list(words: Option<&[String]>) -> String {
    match words {
        None | Some([]) => "nothing".to_owned(),
        Some(words) => words.join(", "),
    }
}

/// A selector as the record keeps it.
pub(crate) fn word(selector: &Selector) -> String {
    match &selector.category {
        Some(category) => format!("{}:{category}", selector.kind),
        None => selector.kind.to_string(),
    }
}

fn stored(word: &str) -> Selector {
    match word.split_once(':') {
        Some((kind, category)) => Selector {
            kind: Kind::stored(kind),
            category: Some(category.to_owned()),
        },
        None => Selector {
            kind: Kind::stored(word),
            category: None,
        },
    }
}

fn refusal(message: &str, permitted: &str) -> ApiError {
    let error = ApiError::new(Code::TypeNotAllowed, message);
    if permitted.is_empty() {
        error
    } else {
        error.with_hint(format!("it may read {permitted}"))
    }
}

#[cfg(test)]
mod tests {
    use healthsync_pairing::{
        id::{KeyDigest, PairId},
        trust::State,
    };

    use super::*;

    fn words(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn permit(types: Option<&[&str]>, origins: Option<&[&str]>) -> Permit {
        Permit::new(DeviceRecord {
            pair: PairId([1; 16]),
            key: KeyDigest([1; 32]),
            name: "x".to_owned(),
            state: State::Active,
            created_at: 0,
            approved_at: None,
            last_seen_at: None,
            last_address: None,
            leaf_not_after: 0,
            scope: Scope {
                types: types.map(words),
                origins: origins.map(words),
            },
        })
    }

    #[test]
    fn queries_are_narrowed_or_refused_never_widened() {
        let some = Some(&["heartRate", "sleepAnalysis:asleepREM"][..]);
        let ana = Some(&["ana"][..]);
        let rest = "heartRate sleepAnalysis:asleepREM";
        for (types, origins, asked, of, expected) in [
            (None, None, "", "", Some(("", ""))),
            (None, None, "steps", "ben", Some(("steps", "ben"))),
            (some, None, "", "", Some((rest, ""))),
            (some, None, "heartRate", "", Some(("heartRate", ""))),
            (
                some,
                None,
                "sleepREM",
                "",
                Some(("sleepAnalysis:asleepREM", "")),
            ),
            (some, None, "sleepAnalysis", "", None),
            (some, None, "sleepInBed", "", None),
            (some, None, "steps", "", None),
            (some, None, "heartRate steps", "", None),
            (some, None, "heartRate", "ben", Some(("heartRate", "ben"))),
            (None, ana, "", "", Some(("", "ana"))),
            (None, ana, "steps", "ana", Some(("steps", "ana"))),
            (None, ana, "steps", "ben", None),
            (None, ana, "", "ana ben", None),
            (some, ana, "", "", Some((rest, "ana"))),
            (some, ana, "steps", "ana", None),
            // A record that names nothing allows nothing: no list must mean everything by mistake.
            (Some(&[][..]), None, "", "", None),
            (Some(&[][..]), None, "steps", "", None),
            (None, Some(&[][..]), "", "", None),
            (None, Some(&[][..]), "steps", "ana", None),
        ] {
            let query = Query {
                types: asked
                    .split_whitespace()
                    .map(|text| Kind::parse(text).unwrap())
                    .collect(),
                origins: of.split_whitespace().map(str::to_owned).collect(),
                ..Query::default()
            };
            let narrowed = permit(types, origins).narrow(query);
            let found = narrowed.map(|query| {
                let types: Vec<_> = query.types.iter().map(word).collect();
                (types.join(" "), query.origins.join(" "))
            });
            match (found, expected) {
                (Ok((types, origins)), Some(expected)) => {
                    assert_eq!(
                        (types.as_str(), origins.as_str()),
                        expected,
                        "{asked} of {of}"
                    );
                }
                (Err(error), None) => assert_eq!(error.code, Code::TypeNotAllowed),
                (found, expected) => panic!("{asked} of {of}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_collection_needs_its_word() {
        let words = Some(&["workouts", "heartRate"][..]);
        for (types, collection, expected) in [
            (None, Collection::Routes, true),
            (words, Collection::Workouts, true),
            (words, Collection::Routes, false),
            (Some(&[][..]), Collection::Workouts, false),
            (Some(&["workouts:running"][..]), Collection::Workouts, false),
        ] {
            let found = permit(types, None).collection(collection);
            assert_eq!(found.is_ok(), expected, "{types:?} {collection}");
            if let Err(error) = found {
                assert_eq!(error.code, Code::TypeNotAllowed);
            }
        }
    }

    #[test]
    fn correlations_need_their_type_or_both_numbers() {
        let numbers = Some(&["bloodPressureSystolic", "bloodPressureDiastolic"][..]);
        let half = Some(&["bloodPressureSystolic"][..]);
        for (types, asked, expected) in [
            (None, "", Some("")),
            (None, "food", Some("food")),
            (numbers, "", Some("bloodPressure")),
            (numbers, "bloodPressure", Some("bloodPressure")),
            (numbers, "bloodPressure food", None),
            (half, "", None),
            (half, "bloodPressure", None),
            (
                Some(&["food", "bloodPressure"][..]),
                "",
                Some("bloodPressure food"),
            ),
            (Some(&["food"][..]), "", Some("food")),
            (Some(&["correlations"][..]), "", None),
            (Some(&[][..]), "", None),
        ] {
            let asked: Vec<String> = asked.split_whitespace().map(str::to_owned).collect();
            let found = permit(types, None).correlations(asked.clone());
            let found = found
                .map(|types| types.join(" "))
                .map_err(|error| error.code);
            let expected = expected.map(str::to_owned).ok_or(Code::TypeNotAllowed);
            assert_eq!(found, expected, "{types:?} {asked:?}");
        }
    }

    #[test]
    fn origins_are_narrowed_as_for_samples() {
        let ana = permit(None, Some(&["ana"]));
        let asked = |names: &[&str]| ana.origins(words(names)).map_err(|error| error.code);
        assert_eq!(asked(&[]), Ok(words(&["ana"])));
        assert_eq!(asked(&["ana"]), Ok(words(&["ana"])));
        assert_eq!(asked(&["ben"]), Err(Code::TypeNotAllowed));
        assert_eq!(
            permit(None, None).origins(words(&["ben"])).ok(),
            Some(words(&["ben"]))
        );
    }

    #[test]
    fn people_name_collections_too() {
        for (text, expected) in [
            ("workouts", Some("workouts")),
            ("Routes", Some("routes")),
            ("blood_pressure", Some("bloodPressure")),
            ("correlations", None),
        ] {
            assert_eq!(
                parse(text, other_words()).ok().as_deref(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn people_name_types_and_categories() {
        for (text, expected) in [
            ("heart_rate", Some("heartRate")),
            ("sleepREM", Some("sleepAnalysis:asleepREM")),
            ("sleep:asleepCore", Some("sleepAnalysis:asleepCore")),
            ("HKQuantityTypeIdentifierOfTheFuture", Some("ofTheFuture")),
            ("custom", Some("custom")),
            ("stpes", None),
            ("steps:asleepCore", None),
            ("sleepREM:asleepCore", None),
            ("sleepAnalysis:", None),
            ("sleepAnalysis:a:b", None),
        ] {
            let parsed = parse(text, ["custom"].into_iter());
            assert_eq!(parsed.ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn scopes_read_as_sentences() {
        for (types, origins, expected) in [
            (None, None, "ALL TYPES"),
            (Some(&["a", "b"][..]), None, "a, b"),
            (None, Some(&["ana"][..]), "ALL TYPES of ana"),
            (Some(&["a"][..]), Some(&["ana", "ben"][..]), "a of ana, ben"),
            (Some(&[][..]), None, "nothing"),
        ] {
            assert_eq!(
                in_words(&info(&permit(types, origins).record.scope)),
                expected
            );
        }
    }
}
