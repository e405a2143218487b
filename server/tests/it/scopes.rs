//! A device that may read only a part gets that part, hears when it asks for more, and learns
//! nothing about the rest.

use healthsync_core::api::{DataResponse, ErrorBody, Status, Types, WhoAmI};
use healthsync_pairing::trust::Scope;
use serde_json::json;

use crate::house::{Device, House, fill_as};

#[expect(
    clippy::unnecessary_wraps,
    reason = "a limit, which `None` would lift; it keeps the tables short"
)]
fn words(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|&text| text.to_owned()).collect())
}

async fn asked(device: &Device, path: &str) -> Result<DataResponse, String> {
    let answer = device.get(path).await;
    if answer.status() == 200 {
        return Ok(answer.json().await.expect("samples"));
    }
    let status = answer.status();
    let error: ErrorBody = answer.json().await.expect("an error");
    Err(format!("{status} {}", error.code))
}

/// Types and how many samples of each.
fn told(answer: &DataResponse) -> Vec<(&str, usize)> {
    let mut told: Vec<(&str, usize)> = Vec::new();
    for sample in &answer.samples {
        match told.last_mut() {
            Some((kind, count)) if *kind == sample.kind => *count += 1,
            _ => told.push((&sample.kind, 1)),
        }
    }
    told
}

const REFUSED: &str = "403 Forbidden TYPE_NOT_ALLOWED";

#[tokio::test]
async fn outside_of_a_scope_is_refused_and_inside_is_all_there_is() {
    let house = House::open();
    house.fill(10);
    fill_as(&house.app.folder().health_db(), "ben", 4);
    let device = house.pair("Anna").await;
    let limit = |types, origins| {
        let changed = house.app.trust().allow("Anna", |scope| {
            *scope = Scope { types, origins };
        });
        changed.expect("changed");
    };

    // A connection that is open already is limited from its next request on.
    let client = device.client();
    let samples = || async {
        let answer = client.get(device.url("/api/v1/samples")).send().await;
        answer
            .expect("an answer")
            .json::<DataResponse>()
            .await
            .expect("JSON")
    };
    assert_eq!(
        told(&samples().await),
        [("sleepAnalysis", 2), ("steps", 14)]
    );
    limit(words(&["steps"]), None);
    assert_eq!(told(&samples().await), [("steps", 14)]);

    for (types, origins, path, expected) in [
        (words(&["steps"]), None, "?types=steps", Ok("steps 14")),
        (words(&["steps"]), None, "?types=all", Ok("steps 14")),
        (
            words(&["steps"]),
            None,
            "?types=sleepAnalysis",
            Err(REFUSED),
        ),
        (
            words(&["steps"]),
            None,
            "?types=steps,heartRate",
            Err(REFUSED),
        ),
        (
            words(&["steps"]),
            None,
            "?types=nonsense",
            Err("400 Bad Request UNKNOWN_TYPE"),
        ),
        (
            words(&["steps"]),
            None,
            "?types=steps&origin=ben",
            Ok("steps 4"),
        ),
        (None, words(&["ben"]), "", Ok("sleepAnalysis 1, steps 4")),
        (None, words(&["ben"]), "?origin=default", Err(REFUSED)),
        (None, words(&["ben"]), "?origin=ben,default", Err(REFUSED)),
        (
            None,
            words(&["ben"]),
            "?origin=ben&types=steps",
            Ok("steps 4"),
        ),
        (
            words(&["sleepAnalysis:asleepREM"]),
            None,
            "?types=sleep",
            Err(REFUSED),
        ),
        (words(&["sleepAnalysis:asleepREM"]), None, "", Ok("")),
        (
            words(&["sleepAnalysis:asleepCore"]),
            None,
            "?types=sleepCore",
            Ok("sleepAnalysis 2"),
        ),
        (words(&[]), None, "", Err(REFUSED)),
        (None, words(&[]), "?types=steps", Err(REFUSED)),
    ] {
        limit(types.clone(), origins.clone());
        let found = asked(&device, &format!("/api/v1/samples{path}")).await;
        let found = found.map(|answer| {
            let told = told(&answer);
            let texts: Vec<_> = told
                .iter()
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            texts.join(", ")
        });
        let found = found.as_ref().map(String::as_str).map_err(String::as_str);
        assert_eq!(found, expected, "{types:?} {origins:?} {path}");
    }
    house.close().await;
}

#[tokio::test]
async fn the_documented_endpoint_keeps_the_same_limits() {
    let house = House::open();
    house.fill(10);
    let device = house.pair("Anna").await;
    let changed = house
        .app
        .trust()
        .allow("Anna", |scope| scope.types = words(&["steps"]));
    changed.expect("changed");
    for (types, status) in [("steps", 200), ("all", 200), ("sleepAnalysis", 403)] {
        let body = json!({
            "startDate": "2026-01-01T00:00:00Z",
            "endDate": "2026-02-01T00:00:00Z",
            "types": [types],
        });
        let request = device
            .client()
            .post(device.url("/api/v1/health/data"))
            .json(&body);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{types}");
        if status == 200 {
            let answer: DataResponse = answer.json().await.expect("JSON");
            assert_eq!(told(&answer), [("steps", 10)]);
        }
    }
    house.close().await;
}

#[tokio::test]
async fn counts_and_dates_do_not_leak_the_rest() {
    let house = House::open();
    house.fill(10);
    fill_as(&house.app.folder().health_db(), "ben", 4);
    let device = house.pair("Anna").await;
    for (types, origins, names, samples, last) in [
        (
            words(&["steps"]),
            words(&["ben"]),
            "steps",
            4,
            "2026-01-01T00:03:00Z",
        ),
        (words(&["steps"]), None, "steps", 14, "2026-01-01T00:09:00Z"),
        (words(&["heartRate"]), None, "", 0, ""),
        (words(&[]), None, "", 0, ""),
    ] {
        let changed = house
            .app
            .trust()
            .allow("Anna", |scope| *scope = Scope { types, origins });
        changed.expect("changed");
        let status: Status = device
            .get("/api/v1/status")
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(
            (status.enabled_types.join(" ").as_str(), status.samples),
            (names, samples)
        );
        let types: Types = device
            .get("/api/v1/health/types")
            .await
            .json()
            .await
            .expect("JSON");
        assert_eq!(types.enabled_types.join(" "), names);
        let count: u64 = types.types.iter().map(|info| info.count).sum();
        assert_eq!(count, samples);
        let found = types
            .types
            .first()
            .map_or("", |info| info.last_date.as_str());
        assert_eq!(found, last);
    }
    house.close().await;
}

#[tokio::test]
async fn a_device_learns_who_it_is() {
    let house = House::open();
    let device = house.pair("Anna").await;
    let changed = house
        .app
        .trust()
        .allow("Anna", |scope| scope.origins = words(&["ana"]));
    let record = changed.expect("changed");
    let who: WhoAmI = device
        .get("/api/v1/whoami")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (who.pair, who.name.as_str()),
        (record.pair.to_string(), "Anna")
    );
    assert_eq!((who.role.as_str(), who.scope.types), ("read", None));
    assert_eq!(who.scope.origins, words(&["ana"]));
    assert_eq!(who.certificate.subject, "CN=healthsync-client");
    assert_eq!(who.certificate.serial, device.serial());
    assert!((363..=365).contains(&who.days_left), "{}", who.days_left);
    house.close().await;
}
