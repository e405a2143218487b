//! What a paired device asks and gets.

use healthsync_core::{
    api::{DataResponse, ErrorBody, NEXT_CURSOR, Status, Types},
    format::ArrowStream,
};
use serde_json::{Value, json};

use crate::house::House;

#[tokio::test]
async fn status_and_types_tell_what_is_there() {
    let house = House::open();
    house.fill(10);
    let device = house.pair("Anna").await;
    let status: Status = device
        .get("/api/v1/status")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!((status.status.as_str(), status.samples), ("ok", 11));
    assert_eq!(status.device_name, "Test house");
    assert_eq!(status.enabled_types, ["sleepAnalysis", "steps"]);
    let types: Types = device
        .get("/api/v1/health/types")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(types.enabled_types, ["sleepAnalysis", "steps"]);
    let steps = &types.types[1];
    assert_eq!(
        (steps.name.as_str(), steps.unit.as_str(), steps.count),
        ("steps", "count", 10)
    );
    assert_eq!(steps.first_date, "2026-01-01T00:00:00Z");
    assert_eq!(steps.last_date, "2026-01-01T00:09:00Z");
    house.close().await;
}

#[tokio::test]
async fn samples_come_in_every_format_over_both_protocols() {
    let house = House::open();
    house.fill(3000);
    let device = house.pair("Anna").await;
    for client in [device.client(), device.old_client()] {
        for (accept, media_type) in [
            ("text/csv", "text/csv"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("application/json", "application/json"),
            ("*/*", "application/json"),
            (
                "application/vnd.apache.arrow.stream",
                "application/vnd.apache.arrow.stream",
            ),
        ] {
            let answer = client
                .get(device.url("/api/v1/samples?types=steps"))
                .header("accept", accept)
                .send()
                .await
                .expect("an answer");
            assert_eq!(answer.status(), 200, "{accept}");
            let kind = answer.headers()["content-type"]
                .to_str()
                .expect("a type")
                .to_owned();
            assert!(kind.starts_with(media_type), "{accept}: {kind}");
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let bytes = answer.bytes().await.expect("a whole body");
            let text = String::from_utf8_lossy(&bytes);
            let rows = match media_type {
                "text/csv" => text.lines().count() - 1,
                "application/x-ndjson" => text.lines().count(),
                "application/json" => {
                    let value: DataResponse = serde_json::from_str(&text).expect("JSON");
                    assert!(!value.has_more);
                    value.samples.len()
                }
                _ => {
                    let mut stream = ArrowStream::default();
                    let batches = stream.push(&bytes).expect("batches");
                    stream.finish().expect("the end");
                    batches
                        .iter()
                        .map(healthsync_core::batch::SampleBatch::len)
                        .sum()
                }
            };
            assert_eq!(rows, 3000, "{accept}");
        }
    }
    house.close().await;
}

#[tokio::test]
async fn pages_join_without_gap() {
    let house = House::open();
    house.fill(50);
    let device = house.pair("Anna").await;
    let mut cursor = String::new();
    let mut ids = Vec::new();
    let mut pages = 0;
    loop {
        let answer = device
            .get(&format!("/api/v1/samples?limit=20{cursor}"))
            .await;
        let next = answer
            .headers()
            .get(NEXT_CURSOR)
            .map(|value| value.to_str().expect("text").to_owned());
        let page: DataResponse = answer.json().await.expect("JSON");
        assert_eq!((page.has_more, &page.next_cursor), (next.is_some(), &next));
        ids.extend(page.samples.into_iter().map(|sample| sample.id));
        pages += 1;
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((pages, ids.len()), (3, 51));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 51);
    house.close().await;
}

#[tokio::test]
async fn documented_request_keeps_its_shape() {
    let house = House::open();
    house.fill(1200);
    let device = house.pair("Anna").await;
    let ask = |body: Value| {
        device
            .client()
            .post(device.url("/api/v1/health/data"))
            .json(&body)
            .send()
    };
    let range = json!({
        "startDate": "2026-01-01T00:00:00Z", "endDate": "2026-01-02T00:00:00Z", "types": ["steps"],
    });
    let answer: DataResponse = ask(range.clone())
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(answer.status, "ok");
    assert_eq!(
        (answer.samples.len(), answer.returned_count, answer.has_more),
        (1000, 1000, true)
    );
    let mut rest = range.clone();
    rest["offset"] = json!(1000);
    let answer: DataResponse = ask(rest)
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!((answer.samples.len(), answer.has_more), (200, false));
    let sample = &answer.samples[0];
    assert_eq!(
        (sample.kind.as_str(), sample.unit.as_str()),
        ("steps", "count")
    );
    assert_eq!(sample.start_date, "2026-01-01T16:40:00Z");
    house.close().await;
}

#[tokio::test]
async fn mistakes_have_codes() {
    let house = House::open();
    house.fill(1);
    let device = house.pair("Anna").await;
    let client = device.client();
    let get = |path: &str| client.get(device.url(path));
    let post_as = |media_type: &str, body: &str| {
        client
            .post(device.url("/api/v1/health/data"))
            .header("content-type", media_type)
            .body(body.to_owned())
    };
    let post = |body: &str| post_as("application/json", body);
    let range = |types: &str, start: &str, end: &str| {
        format!(r#"{{"startDate":"{start}","endDate":"{end}","types":{types}}}"#)
    };
    for (request, status, code) in [
        (get("/api/v1/nothing"), 404, "NOT_FOUND"),
        (get("/"), 404, "NOT_FOUND"),
        (get("/api/v1/pair/ack"), 405, "METHOD_NOT_ALLOWED"),
        (
            client.delete(device.url("/api/v1/status")),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (get("/api/v1/samples?types=stpes"), 400, "UNKNOWN_TYPE"),
        (
            get("/api/v1/samples?start=2026-01-02&end=2026-01-01"),
            400,
            "INVALID_RANGE",
        ),
        (get("/api/v1/samples?limit=-5"), 400, "BAD_REQUEST"),
        (get("/api/v1/samples?what=ever"), 400, "BAD_REQUEST"),
        (get("/api/v1/samples?cursor=zz"), 400, "INVALID_CURSOR"),
        (
            get("/api/v1/samples").header("accept", "text/html"),
            406,
            "NOT_ACCEPTABLE",
        ),
        (
            get("/api/v1/status").header("origin", "https://evil.example"),
            403,
            "CROSS_ORIGIN_REFUSED",
        ),
        (
            get("/api/v1/status").header("host", "evil.example"),
            421,
            "MISDIRECTED_REQUEST",
        ),
        (post("{"), 400, "BAD_REQUEST"),
        (post("[]"), 400, "BAD_REQUEST"),
        (
            post(&range(r#"["steps"]"#, "2026-01-02", "2026-01-01")),
            400,
            "INVALID_RANGE",
        ),
        (
            post(&range(r#"["steps"]"#, "soon", "2026-01-01")),
            400,
            "INVALID_RANGE",
        ),
        (
            post(&range(r#"["stpes"]"#, "2026-01-01", "2026-01-02")),
            400,
            "UNKNOWN_TYPE",
        ),
        (
            post(&range("[]", "2026-01-01", "2026-01-02")),
            400,
            "BAD_REQUEST",
        ),
        (post_as("text/plain", "x"), 415, "UNSUPPORTED_MEDIA_TYPE"),
    ] {
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{code}");
        let id = answer.headers()["healthsync-request-id"]
            .to_str()
            .expect("text")
            .to_owned();
        if status == 405 {
            assert!(
                answer.headers().contains_key("allow"),
                "RFC 9110, section 15.5.6"
            );
        }
        let body: ErrorBody = answer.json().await.expect("JSON");
        assert_eq!(body.code, code);
        assert_eq!(body.request_id, id);
        assert!(body.hint.is_some_and(|hint| !hint.is_empty()));
    }
    let body: ErrorBody = device
        .get("/api/v1/samples?types=stpes")
        .await
        .json()
        .await
        .expect("JSON");
    assert!(body.hint.expect("a hint").contains("`steps`"));
    house.close().await;
}
