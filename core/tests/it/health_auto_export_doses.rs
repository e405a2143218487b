//! Doses of Health Auto Export, whose dates mean different things in different files.

use healthsync_core::{document::Noun, store::Store};
use serde_json::Value;

use crate::{
    documents::{documents, tallies},
    fixtures::import,
    health_auto_export::kept,
    health_auto_export_events::{kept_once, of},
};

fn bodies(store: &Store, noun: Noun) -> Vec<Value> {
    let documents = documents(store, noun);
    let bodies = documents.iter();
    bodies
        .map(|document| serde_json::from_str(&document.body).expect("JSON"))
        .collect()
}

#[test]
fn a_dose_is_known_by_when_it_was_due() {
    let dose = |day: &str| {
        format!(
            "{{\"displayText\":\"Aspirin\",\"start\":\"2024-01-01 08:00:00 -0800\",\"end\":null,\
             \"scheduledDate\":\"2024-02-{day} 08:00:00 -0800\",\"status\":\"Taken\",\
             \"codings\":[{{\"code\":\"1191\",\"system\":\"rxnorm\"}}]}}"
        )
    };
    let (mut store, _) = kept(&of("medications", &dose("06")));
    let next = of("medications", &dose("07"));
    let next = import(&mut store, next.as_bytes()).expect("an import");
    assert_eq!(tallies(&next)["medication"], [1, 1, 0, 0]);
    let found = bodies(&store, Noun::Medication);
    assert_eq!(found.len(), 2);
    assert_eq!(found[1]["scheduledDate"], "2024-02-07T16:00:00Z");
    assert_eq!(found[1]["start"], "2024-01-01T16:00:00Z");
    // An end that is set later, or printed in another zone, is the same dose.
    let ended = dose("07").replace("null", "\"2024-02-07 09:00:00 -0800\"");
    let (mut store, _) = kept_once(
        "medications",
        &ended,
        &[
            ("2024-01-01 08:00:00 -0800", "2024-01-01 17:00:00 +0100"),
            ("2024-02-07 09:00:00 -0800", "2024-02-07 18:00:00 +0100"),
            ("2024-02-07 08:00:00 -0800", "2024-02-07 17:00:00 +0100"),
        ],
    );
    let opened = of("medications", &dose("07"));
    let opened = import(&mut store, opened.as_bytes()).expect("an import");
    assert_eq!(tallies(&opened)["medication"], [1, 0, 1, 0]);
}

#[test]
fn a_dose_that_is_taken_later_is_an_update() {
    let dose = |name: &str, start: &str, status: &str| {
        format!(
            "{{\"displayText\":\"{name}\",\"start\":\"2024-02-06 {start} -0800\",\"codings\":[],\
             \"scheduledDate\":\"2024-02-06 07:00:00 -0800\",\"status\":\"{status}\"}}"
        )
    };
    let due = [
        dose("Aspirin", "07:00:00", "Not Logged"),
        dose("Iron", "07:00:00", "Not Logged"),
    ];
    let (mut store, _) = kept(&of("medications", &due.join(",")));
    let taken = of("medications", &dose("Iron", "06:57:56", "Taken"));
    let taken = import(&mut store, taken.as_bytes()).expect("an import");
    assert_eq!(tallies(&taken)["medication"], [1, 0, 1, 0]);
    let found = bodies(&store, Noun::Medication);
    assert_eq!(found.len(), 2);
    // Two of one code (and of two strengths) are two.
    let coded = |name: &str| {
        let codings = "\"codings\":[{\"code\":\"1191\",\"system\":\"rxnorm\"}]";
        dose(name, "07:00:00", "Taken").replace("\"codings\":[]", codings)
    };
    let both = [coded("Aspirin 100"), coded("Aspirin 500")].join(",");
    let (mut store, _) = kept(&of("medications", &both));
    let one = of(
        "medications",
        &coded("Aspirin 500").replace("Taken", "Skipped"),
    );
    import(&mut store, one.as_bytes()).expect("an import");
    let mut found: Vec<_> = bodies(&store, Noun::Medication)
        .iter()
        .map(|body| format!("{} {}", body["displayText"], body["status"]))
        .collect();
    found.sort();
    assert_eq!(
        found,
        ["\"Aspirin 100\" \"Taken\"", "\"Aspirin 500\" \"Skipped\""]
    );
}
