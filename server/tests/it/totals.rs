//! Totals over HTTP: every format, what a device may read, and the audit log.

use healthsync_core::api::{ErrorBody, TotalRecord};
use serde_json::Value;

use crate::house::{Device, House, fill_as};

async fn lines(device: &Device, query: &str) -> Vec<String> {
    let url = device.url(&format!("/api/v1/aggregates?timezone=UTC{query}"));
    let request = device.client().get(url).header("accept", "text/csv");
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{query}");
    let text = answer.text().await.expect("text");
    let cut = |line: &str| line.split(',').take(10).collect::<Vec<_>>().join(",");
    text.lines().map(cut).collect()
}

const HEADER: &str = "date,type,total,average,min,max,count,unit,category,origin";

#[tokio::test]
async fn totals_come_by_day_in_every_format() {
    let house = House::open();
    // A minute each from midnight on, with 1 to 90 steps.
    house.fill(90);
    let device = house.pair("Anna").await;
    assert_eq!(
        lines(&device, "").await,
        [
            HEADER,
            "2026-01-02,sleepAnalysis,60,,,,1,min,asleepCore,default",
            "2026-01-01,steps,4095,,,,90,count,,default"
        ]
    );
    assert_eq!(
        lines(&device, "&period=hourly&types=steps").await,
        [
            HEADER,
            "2026-01-01T00:00:00+00:00,steps,1830,,,,60,count,,default",
            "2026-01-01T01:00:00+00:00,steps,2265,,,,30,count,,default"
        ]
    );
    let answer = device
        .get("/api/v1/aggregates?period=monthly&timezone=Europe/Vienna&types=steps")
        .await;
    let document: Value = answer.json().await.expect("JSON");
    assert_eq!(document["timezone"], "Europe/Vienna");
    assert_eq!(document["period"], "monthly");
    assert_eq!(document["count"], 1);
    let first = document["aggregations"][0].clone();
    let record: TotalRecord = serde_json::from_value(first).expect("a total");
    assert_eq!((record.total, record.count), (Some(4095.0), 90));
    assert_eq!(record.start_date, "2025-12-31T23:00:00Z");
    assert_eq!(record.end_date, "2026-01-31T23:00:00Z");
    house.close().await;
}

#[tokio::test]
async fn totals_say_nothing_about_what_may_not_be_read() {
    let house = House::open();
    house.fill(10);
    fill_as(&house.app.folder().health_db(), "ben", 4);
    let device = house.pair("Anna").await;
    let allow = |types: Option<&[&str]>, origins: Option<&[&str]>| {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let changed = house.app.trust().allow("Anna", |scope| {
            scope.types = types.map(owned);
            scope.origins = origins.map(owned);
        });
        changed.expect("changed");
    };
    let code = |query: &'static str| {
        let device = &device;
        async move {
            let answer = device.get(&format!("/api/v1/aggregates?{query}")).await;
            let error: ErrorBody = answer.json().await.expect("an error");
            error.code
        }
    };
    allow(Some(&["steps"]), Some(&["ben"]));
    let steps = "2026-01-01,steps,10,,,,4,count,,ben";
    assert_eq!(lines(&device, "").await, [HEADER, steps]);
    for query in ["types=sleepAnalysis", "origin=default", "types=heartRate"] {
        assert_eq!(code(query).await, "TYPE_NOT_ALLOWED", "{query}");
    }
    // One category of sleep is no way to another.
    allow(Some(&["sleepAnalysis:asleepREM"]), None);
    assert_eq!(lines(&device, "").await, [HEADER]);
    assert_eq!(code("types=sleep").await, "TYPE_NOT_ALLOWED");
    allow(Some(&[]), None);
    assert_eq!(code("").await, "TYPE_NOT_ALLOWED");

    let audit = house.app.audit();
    audit.settle().await.expect("written");
    let entries = audit.entries(0, 0, 100).expect("entries");
    let reads: Vec<_> = entries
        .iter()
        .filter(|entry| entry.event == "read-aggregates")
        .map(|entry| (entry.result.as_str(), entry.rows))
        .collect();
    let refused = ("TYPE_NOT_ALLOWED", Some(0));
    assert_eq!(
        reads,
        [
            ("OK", Some(1)),
            refused,
            refused,
            refused,
            ("OK", Some(0)),
            refused,
            refused
        ]
    );
    house.close().await;
}
