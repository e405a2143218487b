//! What an import says that it did.

use std::fmt::Write as _;

use healthsync_core::{
    report::inert,
    store::{Imported, SkippedCount, Tally},
};
use serde_json::{Map, Value, json};

/// The event of a file, or of all of them.
pub(super) fn event(name: &str, imported: &Imported, is_trial: bool) -> Map<String, Value> {
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
    let documents: Map<String, Value> = imported
        .documents
        .iter()
        .map(|(noun, tally)| (noun.to_string(), counts(*tally)))
        .collect();
    let fields = [
        ("event", name.into()),
        ("dryRun", is_trial.into()),
        ("read", imported.read.into()),
        ("new", imported.new.into()),
        ("updated", imported.updated.into()),
        ("unchanged", imported.unchanged.into()),
        ("deleted", imported.deleted.into()),
        ("workouts", counts(imported.workouts)),
        ("correlations", counts(imported.correlations)),
        ("documents", documents.into()),
        ("skipped", skipped.into()),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn counts(tally: Tally) -> Value {
    json!({
        "read": tally.read,
        "new": tally.new,
        "updated": tally.updated,
        "unchanged": tally.unchanged,
        "deleted": tally.deleted,
    })
}

/// The same for people: a line of records, then one a noun, then what was passed over.
pub(super) fn summary(imported: &Imported) -> String {
    let skipped: u64 = imported.skipped.iter().map(|skipped| skipped.count).sum();
    let records = Tally {
        read: imported.read,
        new: imported.new,
        updated: imported.updated,
        unchanged: imported.unchanged,
        deleted: imported.deleted,
    };
    let mut text = format!("{} / {skipped} skipped", line(records));
    let nouns = [
        ("workouts", imported.workouts),
        ("correlations", imported.correlations),
    ];
    let documents = imported
        .documents
        .iter()
        .map(|(noun, tally)| (noun.plural(), *tally));
    for (name, tally) in nouns.into_iter().chain(documents) {
        if tally != Tally::default() {
            // Writing to a String cannot fail.
            write!(text, "\n  {name}: {}", line(tally)).unwrap_or_default();
        }
    }
    for SkippedCount {
        reason,
        count,
        first_line,
    } in &imported.skipped
    {
        let reason = inert(reason);
        write!(text, "\n  skipped {count}: {reason}").unwrap_or_default();
        // What is no line of the export (another file in the archive) has none.
        if *first_line > 0 {
            write!(text, " (first in line {first_line})").unwrap_or_default();
        }
    }
    text
}

fn line(tally: Tally) -> String {
    let mut text = format!(
        "{} read / {} new / {} updated / {} unchanged",
        tally.read, tally.new, tally.updated, tally.unchanged
    );
    if tally.deleted > 0 {
        write!(text, " / {} deleted", tally.deleted).unwrap_or_default();
    }
    text
}

/// Adds what another file did.
pub(super) fn add(total: &mut Imported, imported: Imported) {
    total.read += imported.read;
    total.new += imported.new;
    total.updated += imported.updated;
    total.unchanged += imported.unchanged;
    total.deleted += imported.deleted;
    add_tally(&mut total.workouts, imported.workouts);
    add_tally(&mut total.correlations, imported.correlations);
    for (noun, tally) in imported.documents {
        add_tally(total.documents.entry(noun).or_default(), tally);
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

fn add_tally(sum: &mut Tally, tally: Tally) {
    sum.read += tally.read;
    sum.new += tally.new;
    sum.updated += tally.updated;
    sum.unchanged += tally.unchanged;
    sum.deleted += tally.deleted;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use healthsync_core::document::Noun;

    use super::*;

    fn imported() -> Imported {
        let tally = Tally {
            read: 2,
            new: 1,
            unchanged: 1,
            deleted: 4,
            ..Tally::default()
        };
        Imported {
            read: 10,
            new: 7,
            updated: 1,
            unchanged: 2,
            documents: BTreeMap::from([(Noun::Route, tally)]),
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
             workout routes: 2 read / 1 new / 0 updated / 1 unchanged / 4 deleted\n  \
             skipped 3: no start date (first in line 42)"
        );
        let mut beside = imported();
        beside.skipped[0].first_line = 0;
        assert!(summary(&beside).ends_with("\n  skipped 3: no start date"));
        let mut total = imported();
        add(&mut total, imported());
        assert_eq!((total.read, total.skipped[0].count), (20, 6));
        assert_eq!(total.documents[&Noun::Route].deleted, 8);
    }

    #[test]
    fn event_has_the_documented_shape() {
        let none = json!({"read": 0, "new": 0, "updated": 0, "unchanged": 0, "deleted": 0});
        let expected = json!({
            "event": "imported", "dryRun": false,
            "read": 10, "new": 7, "updated": 1, "unchanged": 2, "deleted": 0,
            "workouts": none, "correlations": none,
            "documents": {
                "route": {"read": 2, "new": 1, "updated": 0, "unchanged": 1, "deleted": 4},
            },
            "skipped": [{"reason": "no start date", "count": 3, "firstLine": 42}],
        });
        assert_eq!(
            Value::Object(event("imported", &imported(), false)),
            expected
        );
    }
}
