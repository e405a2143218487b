//! Bodies that are equal, and those that are not.

use super::*;

#[test]
fn names_are_found_again() {
    for noun in Noun::ALL {
        assert_eq!(noun.as_str().parse(), Ok(*noun));
    }
    assert!(Noun::ALL.is_sorted_by_key(|noun| noun.as_str()));
    assert_eq!("record".parse::<Noun>(), Err(UnknownNoun));
}

/// What waits between the stages of an import is bounded by this.
#[test]
fn what_is_nested_has_its_weight() {
    let mut body = Body::default();
    body.set("labels", vec!["x".repeat(1000); 900]);
    let mut objects = Map::new();
    objects.insert("k".repeat(5000), serde_json::json!({"a": "y".repeat(5000)}));
    body.set("associations", objects);
    assert!(
        (910_000..2_000_000).contains(&body.size()),
        "{}",
        body.size()
    );
}

fn rings(energy: f64, half: f64, minutes: u32) -> Body {
    let mut body = Body::default();
    body.set_number("activeEnergyBurned", energy, half);
    body.set("exerciseTime", minutes);
    body
}

#[test]
fn numbers_are_equal_up_to_their_print() {
    let kilocalories = rings(412.345, 0.0005, 30);
    let kilojoules = rings(412.344_646, 0.000_119_5, 30);
    let check =
        |body: &Body, other: &Body| body.equals(&other.to_json(), other.halves().as_deref());
    assert!(check(&kilocalories, &kilojoules) && check(&kilojoules, &kilocalories));
    assert!(!check(&kilocalories, &rings(412.35, 0.0005, 30)));
    assert!(!check(&kilocalories, &rings(412.345, 0.0005, 31)));
    let mut more = kilocalories.clone();
    more.set("moveTime", 1);
    assert!(!check(&kilocalories, &more) && !check(&more, &kilocalories));
    assert!(!kilocalories.equals("no json", None));
}

#[test]
fn what_is_not_at_hand_says_nothing() {
    let mut whole = Body::default();
    whole.set("sampleRate", 512);
    whole.set_printed("classification", "Sinus Rhythm");
    whole.set_identity("name", "A");
    assert!(whole.set_resource("{\"a\":1.0}"));
    let stored = whole.to_json();
    assert_eq!(
        stored,
        "{\"identity\":{\"name\":\"A\"},\"printed\":{\"classification\":\"Sinus Rhythm\"},\
         \"sampleRate\":512,\"resource\":{\"a\":1.0}}"
    );
    let mut less = Body::default();
    less.set("sampleRate", 512);
    less.set_printed("classification", "洞調律");
    assert!(less.equals(&stored, None) && !whole.equals(&less.to_json(), None));
    let mut other = whole.clone();
    assert!(other.set_resource("{\"a\":2.0}"));
    assert!(!other.equals(&stored, None));
    assert!(whole.drop_identity() && !whole.drop_identity());
    assert!(!whole.to_json().contains("name"));
}

#[test]
fn a_resource_is_kept_byte_by_byte() {
    let mut body = Body::default();
    let resource = "{ \"value\": 1.10 }";
    assert!(body.set_resource(&format!("{resource}\n")));
    assert_eq!(body.to_json(), format!("{{\"resource\":{resource}}}"));
    body.set("fhirVersion", "4.0.1");
    let json = body.to_json();
    assert_eq!(
        json,
        format!("{{\"fhirVersion\":\"4.0.1\",\"resource\":{resource}}}")
    );
    assert!(body.equals(&json, None));
    assert!(!body.set_resource("{ \"value\": "));
}

#[test]
fn what_is_not_at_hand_is_kept() {
    let mut stored = Body::default();
    stored.set("fhirVersion", "4.0.1");
    stored.set_identity("name", "A");
    assert!(stored.set_resource("{\"value\": 1.10}"));
    let json = stored.to_json();
    let mut less = Body::default();
    less.set("fhirVersion", "4.3.0");
    less.keep_what_is_not_at_hand(&json);
    assert_eq!(
        less.to_json(),
        "{\"fhirVersion\":\"4.3.0\",\"identity\":{\"name\":\"A\"},\"resource\":{\"value\": 1.10}}"
    );
    let mut other = Body::default();
    other.set_identity("name", "B");
    assert!(other.set_resource("{}"));
    other.keep_what_is_not_at_hand(&json);
    assert_eq!(
        other.to_json(),
        "{\"identity\":{\"name\":\"B\"},\"resource\":{}}"
    );
    other.keep_what_is_not_at_hand("no JSON");
}
