//! What makes two records the same one, and the id that follows from it.
//!
//! An export names no ids, and a second one prints everything differently: another UTC offset,
//! other units, other addresses of devices, translated app names. So the key holds only what
//! stays: origin, type, both instants, and the writer (its own id if it gave one). Records with
//! equal keys are told apart by an ordinal.
//!
//! ```text
//!  0                   6    7   8    9              13       16
//!  +-------------------+----+---+----+--------------+--------+
//!  | hash of the key   |8...    |10..              |ordinal |   a UUIDv8 (RFC 9562)
//!  +-------------------+----+---+----+--------------+--------+
//! ```
//!
//! The ids of one key are neighbours, so that all of them are found by one look. The algorithm is
//! frozen: ids are shown to users and kept by clients. Test vectors below.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{
    correlation::Correlation,
    document::Document,
    kind::Kind,
    sample::{Provenance, Sample},
    workout::Workout,
};

/// Whose data it is when nobody says so.
pub const DEFAULT_ORIGIN: &str = "default";

/// Whether this can name whose data it is: 1 to 64 letters, digits, spaces or `._-`.
pub fn is_origin(name: &str) -> bool {
    /// A name, not a novel.
    const LONGEST: usize = 64;

    let allowed = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-');
    !name.is_empty()
        && name.chars().count() <= LONGEST
        && name.trim() == name
        && name.chars().all(allowed)
}

/// The id of a stored thing.
pub type Id = [u8; 16];

/// The id in the usual form of a UUID.
pub fn uuid(id: &Id) -> String {
    crate::batch::uuid_text(id)
        .iter()
        .map(|byte| char::from(*byte))
        .collect()
}

/// Ordinals that fit into an id.
pub const MAX_ORDINAL: u32 = 0x00ff_ffff;

/// A key, hashed; the ordinal is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Id);

impl Key {
    /// The key of a record of one origin.
    pub fn of_sample(origin: &str, sample: &Sample) -> Self {
        let Sample {
            kind,
            start_ms,
            end_ms,
            provenance,
            external_id,
            ..
        } = sample;
        Self::new(
            ["sample", origin, kind],
            (*start_ms, *end_ms),
            Some(provenance),
            external_id.as_ref(),
        )
    }

    /// The key of a workout of one origin.
    pub fn of_workout(origin: &str, workout: &Workout) -> Self {
        let Workout {
            activity,
            start_ms,
            end_ms,
            provenance,
            external_id,
            ..
        } = workout;
        let names = ["workout", origin, activity];
        Self::new(
            names,
            (*start_ms, *end_ms),
            Some(provenance),
            external_id.as_ref(),
        )
    }

    /// The key of a correlation of one origin.
    pub fn of_correlation(origin: &str, correlation: &Correlation) -> Self {
        let Correlation {
            kind,
            start_ms,
            end_ms,
            provenance,
            external_id,
            ..
        } = correlation;
        let names = ["correlation", origin, kind];
        Self::new(
            names,
            (*start_ms, *end_ms),
            Some(provenance),
            external_id.as_ref(),
        )
    }

    /// The key of a document of one origin. One that names no writer has an empty one.
    pub fn of_document(origin: &str, document: &Document) -> Self {
        let Document {
            noun,
            start_ms,
            end_ms,
            provenance,
            external_id,
            ..
        } = document;
        let names = ["document", origin, noun.as_str()];
        Self::new(
            names,
            (*start_ms, *end_ms),
            provenance.as_deref(),
            external_id.as_ref(),
        )
    }

    fn new(
        names: [&str; 3],
        instants: (i64, i64),
        provenance: Option<&Provenance>,
        external_id: Option<&String>,
    ) -> Self {
        Self::finish(hash_of(names, provenance, external_id), instants)
    }

    fn finish(mut hash: Sha256, instants: (i64, i64)) -> Self {
        hash.update(instants.0.to_be_bytes());
        hash.update(instants.1.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, ..] = digest;
        let (version, variant) = (0x80 | (b6 & 0x0f), 0x80 | (b8 & 0x3f));
        Self([
            b0, b1, b2, b3, b4, b5, version, b7, variant, b9, b10, b11, b12, 0, 0, 0,
        ])
    }

    /// The id of the record with this ordinal among those of the key.
    pub fn id(self, ordinal: u32) -> Id {
        let [.., o1, o2, o3] = ordinal.min(MAX_ORDINAL).to_be_bytes();
        let [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, ..] = self.0;
        [
            b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, o1, o2, o3,
        ]
    }

    /// The key that an id belongs to.
    pub fn of_id(id: Id) -> Self {
        Self(Self(id).id(0))
    }
}

/// What the records of one type and writer share, hashed.
fn hash_of(
    names: [&str; 3],
    provenance: Option<&Provenance>,
    external_id: Option<&String>,
) -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(b"healthsync id 1\n");
    // A length before each text keeps neighbours apart.
    let mut text = |text: &str| {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        hash.update(length.to_be_bytes());
        hash.update(text);
    };
    names.into_iter().for_each(&mut text);
    if let Some(id) = external_id {
        text("external");
        text(id);
    } else {
        text("source");
        let source = provenance.map(|writer| writer.canonical_source.as_str());
        let hardware = provenance.and_then(|writer| writer.hardware.as_deref());
        text(source.unwrap_or_default());
        text(hardware.unwrap_or_default());
    }
    hash
}

/// Makes the keys of the records of one origin, one after another: what a record shares with the one
/// before is not hashed again.
#[derive(Debug)]
pub struct Keys {
    origin: Arc<str>,
    last: Option<(Kind, Arc<Provenance>, Sha256)>,
}

impl Keys {
    /// For records of this origin.
    pub fn new(origin: Arc<str>) -> Self {
        Self { origin, last: None }
    }

    /// The origin.
    pub fn origin(&self) -> Arc<str> {
        Arc::clone(&self.origin)
    }

    /// [`Key::of_sample`].
    pub fn of_sample(&mut self, sample: &Sample) -> Key {
        if sample.external_id.is_some() {
            return Key::of_sample(&self.origin, sample);
        }
        let shared = match &self.last {
            Some((kind, writer, hash))
                if *kind == sample.kind && Arc::ptr_eq(writer, &sample.provenance) =>
            {
                hash.clone()
            }
            _ => {
                let names = ["sample", &*self.origin, &sample.kind];
                let hash = hash_of(names, Some(&sample.provenance), None);
                let writer = Arc::clone(&sample.provenance);
                self.last = Some((sample.kind.clone(), writer, hash.clone()));
                hash
            }
        };
        Key::finish(shared, (sample.start_ms, sample.end_ms))
    }
}

/// The ordinal in an id.
pub fn ordinal(id: Id) -> u32 {
    let [.., o1, o2, o3] = id;
    u32::from_be_bytes([0, o1, o2, o3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Metadata, Value};

    fn sample() -> Sample {
        Sample {
            kind: Kind::stored("steps"),
            unit: "count".into(),
            value: Value::Quantity {
                value: 100.0,
                tolerance: 0.5,
            },
            start_ms: 1_718_442_000_000,
            end_ms: 1_718_443_800_000,
            created_ms: None,
            provenance: Arc::new(Provenance {
                source_name: "Ana’s iPhone".to_owned(),
                canonical_source: "Ana's iPhone".to_owned(),
                source_version: Some("18.2".to_owned()),
                device: Some("name:iPhone, hardware:iPhone15,3".to_owned()),
                hardware: Some("iPhone15,3".to_owned()),
            }),
            external_id: None,
            metadata: Metadata::default(),
        }
    }

    fn hex(id: Id) -> String {
        format!("{:032x}", u128::from_be_bytes(id))
    }

    /// Computed with Python's hashlib from the description above; never to be changed.
    #[test]
    fn the_algorithm_is_frozen() {
        let key = Key::of_sample("default", &sample());
        assert_eq!(hex(key.id(0)), "ae3d99731788886d8d6c0ffece000000");
        assert_eq!(hex(key.id(258)), "ae3d99731788886d8d6c0ffece000102");
        let external = Sample {
            external_id: Some("A-1".to_owned()),
            ..sample()
        };
        assert_eq!(
            hex(Key::of_sample("default", &external).id(0)),
            "093027c51de18493a37ba65cca000000"
        );
    }

    /// As above.
    #[test]
    fn the_keys_of_documents_are_frozen() {
        use crate::document::Noun;

        let mut document =
            Document::new(Noun::ActivitySummary, 1_718_409_600_000, 1_718_496_000_000);
        let key = |document: &Document| hex(Key::of_document("default", document).id(0));
        assert_eq!(key(&document), "bcbaa9041049893b83624ffc71000000");
        document.provenance = Some(sample().provenance);
        assert_eq!(key(&document), "dea57efd1e288cf3857f756289000000");
        document.external_id = Some("A-1".to_owned());
        assert_eq!(key(&document), "79e48a8b65398758a5cb9fd6d7000000");
    }

    #[test]
    fn origins_are_names() {
        for (name, expected) in [
            ("default", true),
            ("Anna’s iPhone", false),
            ("Anna iPhone 15.2_b-c", true),
            ("Älteres Gerät", true),
            ("", false),
            (" anna", false),
            ("a/b", false),
            ("a\u{202e}b", false),
            (&"x".repeat(65), false),
        ] {
            assert_eq!(is_origin(name), expected, "{name:?}");
        }
    }

    #[test]
    fn only_what_stays_is_in_the_key() {
        let key = Key::of_sample("default", &sample());
        let mut other = sample();
        other.value = Value::Quantity {
            value: 7.0,
            tolerance: 0.5,
        };
        other.created_ms = Some(1);
        other.provenance = Arc::new(Provenance {
            source_name: "Ana's iPhone".to_owned(),
            source_version: None,
            device: None,
            ..(*sample().provenance).clone()
        });
        assert_eq!(Key::of_sample("default", &other), key);
        assert_ne!(Key::of_sample("ana", &sample()), key);
        for change in [
            |sample: &mut Sample| sample.kind = Kind::stored("flightsClimbed"),
            |sample: &mut Sample| sample.start_ms -= 1,
            |sample: &mut Sample| sample.end_ms += 1,
            |sample: &mut Sample| sample.external_id = Some(String::new()),
            |sample: &mut Sample| {
                Arc::make_mut(&mut sample.provenance).hardware = None;
            },
            |sample: &mut Sample| {
                Arc::make_mut(&mut sample.provenance).canonical_source = "x".to_owned();
            },
        ] {
            let mut changed = sample();
            change(&mut changed);
            assert_ne!(Key::of_sample("default", &changed), key);
        }
        assert_ne!(
            Key::of_sample(
                "a",
                &Sample {
                    kind: Kind::stored("bc"),
                    ..sample()
                }
            ),
            Key::of_sample(
                "ab",
                &Sample {
                    kind: Kind::stored("c"),
                    ..sample()
                }
            ),
        );
    }

    #[test]
    fn what_is_shared_changes_no_key() {
        let mut keys = Keys::new("default".into());
        let mut check = |sample: &Sample| {
            assert_eq!(keys.of_sample(sample), Key::of_sample("default", sample));
        };
        let first = sample();
        check(&first);
        check(&first);
        for change in [
            |sample: &mut Sample| sample.start_ms += 1,
            |sample: &mut Sample| sample.kind = Kind::stored("flightsClimbed"),
            |sample: &mut Sample| Arc::make_mut(&mut sample.provenance).hardware = None,
            |sample: &mut Sample| sample.external_id = Some("A-1".to_owned()),
        ] {
            let mut changed = first.clone();
            change(&mut changed);
            check(&changed);
            check(&first);
        }
    }

    #[test]
    fn ids_are_uuids_of_version_8_and_neighbours() {
        let key = Key::of_sample("default", &sample());
        for number in [0, 1, 255, 65_536, MAX_ORDINAL] {
            let id = key.id(number);
            assert_eq!((id[6] >> 4, id[8] >> 6), (8, 2));
            assert_eq!(ordinal(id), number);
            assert_eq!(Key::of_id(id), key);
            assert!(key.id(0) <= id && id <= key.id(MAX_ORDINAL));
        }
    }
}
