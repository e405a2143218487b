//! What a file does not say stays.

use super::*;

fn record(version: &str, resource: Option<&str>, name: Option<&str>) -> Item {
    let mut document = Document::new(Noun::ClinicalRecord, 0, 0);
    document.external_id = Some("L-1".to_owned());
    document.body.set("fhirVersion", version);
    if let Some(name) = name {
        document.body.set_identity("name", name);
    }
    if let Some(text) = resource {
        assert!(document.body.set_resource(text));
    }
    item(document)
}

#[test]
fn an_update_without_the_resource_and_the_identity_keeps_them() {
    let mut store = Store::in_memory().unwrap();
    let options = ImportOptions {
        with_identity: true,
        ..ImportOptions::default()
    };
    let whole = record("4.0.1", Some("{\"value\": 1.10}"), Some("A"));
    write_with(&mut store, "ana", vec![whole], &options);
    let less = record("4.3.0", None, None);
    let imported = write(&mut store, "ana", vec![less]);
    assert_eq!(imported.documents[&Noun::ClinicalRecord], tally(1, 0, 1, 0));
    let stored = documents(&store, Noun::ClinicalRecord, &Range::default()).remove(0);
    assert_eq!(
        stored.body,
        "{\"fhirVersion\":\"4.3.0\",\"identity\":{\"name\":\"A\"},\
         \"resource\":{\"value\": 1.10}}"
    );
}

#[test]
fn an_update_without_the_points_keeps_them() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, "ana", vec![item(route(0, 5000, None))]);
    let mut named = route(0, 0, None);
    named.series = None;
    named.body.set("name", "Park");
    let imported = write(&mut store, "ana", vec![item(named)]);
    assert_eq!(imported.documents[&Noun::Route], tally(1, 0, 1, 0));
    let stored = documents(&store, Noun::Route, &Range::default()).remove(0);
    assert_eq!(
        (stored.points, stored.body.as_str()),
        (5000, "{\"name\":\"Park\"}")
    );
    assert_eq!(points(&store, stored.id)[0].len(), 5000);
    let mut again = route(0, 5000, None);
    again.body.set("name", "Park");
    let imported = write(&mut store, "ana", vec![item(again)]);
    assert_eq!(imported.documents[&Noun::Route], tally(1, 0, 0, 1));
}

#[test]
fn what_only_a_later_version_knows_is_not_deleted() {
    let mut store = Store::in_memory().unwrap();
    write(
        &mut store,
        "ana",
        vec![item(rings(1, 400.0, 0.5)), item(rings(2, 400.0, 0.5))],
    );
    store
        .connection
        .execute(
            "UPDATE document SET noun = 'dream' WHERE start_ms = 86400000",
            [],
        )
        .unwrap();
    let options = ImportOptions {
        prune: Some(Consent::new(|_| true)),
        ..ImportOptions::default()
    };
    let items = vec![Item::Exported(0), item(rings(3, 400.0, 0.5))];
    let imported = write_with(&mut store, "ana", items, &options);
    assert_eq!(imported.documents[&Noun::ActivitySummary].deleted, 1);
    let told: Vec<_> = imported
        .skipped
        .iter()
        .map(|it| (&*it.reason, it.count))
        .collect();
    assert_eq!(
        told,
        [(
            "documents of a kind that this version does not know (not deleted)",
            1
        )]
    );
    let left: i64 = store
        .connection
        .query_row(
            "SELECT count(*) FROM document WHERE noun = 'dream'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 1);
}

fn nameless(id: &str, file: &str, resource: Option<&str>) -> Item {
    let mut document = Document::new(Noun::ClinicalRecord, 0, 0);
    document.external_id = Some(format!("clinic\ntype\n{id}"));
    document.body.set(Body::RESOURCE_FILE, file);
    if let Some(text) = resource {
        assert!(document.body.set_resource(text));
    }
    item(document)
}

/// A clinic may give several records of one second no identifier.
#[test]
fn a_record_without_an_identifier_never_gets_the_resource_of_another() {
    let mut store = Store::in_memory().unwrap();
    let mut check = |items: Vec<Item>, expected, bodies: &[&str]| {
        let imported = write(&mut store, "ana", items);
        assert_eq!(imported.documents[&Noun::ClinicalRecord], expected);
        let stored = documents(&store, Noun::ClinicalRecord, &Range::default());
        let mut stored: Vec<_> = stored.into_iter().map(|document| document.body).collect();
        stored.sort();
        assert_eq!(stored, bodies);
    };
    let a = "{\"resourceFilePath\":\"a.json\",\"resource\":{\"of\":\"a\"}}";
    let b = "{\"resourceFilePath\":\"b.json\"}";
    check(
        vec![nameless("", "a.json", Some("{\"of\":\"a\"}"))],
        tally(1, 1, 0, 0),
        &[a],
    );
    check(
        vec![nameless("", "b.json", None)],
        tally(1, 1, 0, 0),
        &[a, b],
    );
    // Its own file comes later.
    let whole = "{\"resourceFilePath\":\"b.json\",\"resource\":{\"of\":\"b\"}}";
    check(
        vec![
            nameless("", "b.json", Some("{\"of\":\"b\"}")),
            nameless("", "a.json", None),
        ],
        tally(2, 0, 1, 1),
        &[a, whole],
    );
    // One with an identifier is the same under another file's name.
    check(
        vec![nameless("7", "c.json", Some("{\"of\":\"c\"}"))],
        tally(1, 1, 0, 0),
        &[
            a,
            whole,
            "{\"resourceFilePath\":\"c.json\",\"resource\":{\"of\":\"c\"}}",
        ],
    );
    check(
        vec![nameless("7", "d.json", None)],
        tally(1, 0, 1, 0),
        &[
            a,
            whole,
            "{\"resourceFilePath\":\"d.json\",\"resource\":{\"of\":\"c\"}}",
        ],
    );
}
