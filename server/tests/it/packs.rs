//! Long answers from batches that are encoded already.

use std::{fs, time::Duration};

use healthsync_core::{
    batch::SampleBatch,
    format::{ArrowStream, Options, by_name},
    store::{Packs, Scanned, Store},
};
use healthsync_server::{config::DataFolder, packing};
use tokio::time::{sleep, timeout};

use crate::house::{Device, House};

const ARROW: &str = "application/vnd.apache.arrow.stream";

/// The lines of an answer as CSV.
async fn lines(device: &Device, query: &str, accept: &str) -> Vec<String> {
    let url = device.url(&format!("/api/v1/samples?{query}"));
    let request = device.client().get(url).header("accept", accept);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{query}");
    let bytes = answer.bytes().await.expect("a whole body");
    let mut csv = bytes.to_vec();
    if accept == ARROW {
        let mut stream = ArrowStream::<SampleBatch>::default();
        let batches = stream.push(&bytes).expect("batches");
        stream.finish().expect("the end");
        let mut encoder = (by_name("csv").expect("a format").encoder)(&Options::default());
        csv.clear();
        encoder.start(&mut csv).expect("a header");
        for batch in &batches {
            encoder.batch(batch, &mut csv).expect("lines");
        }
    }
    let text = String::from_utf8(csv).expect("text");
    text.lines().map(str::to_owned).collect()
}

/// Both formats say the same; gives the number of samples.
async fn check(device: &Device, query: &str) -> usize {
    let packed = lines(device, query, ARROW).await;
    assert_eq!(packed, lines(device, query, "text/csv").await, "{query}");
    packed.len() - 1
}

/// What a long answer that found no packs says.
fn long() -> Scanned {
    Scanned {
        loose: 100_000,
        ..Scanned::default()
    }
}

/// A server with 5,000 steps and an hour of sleep, and the steps packed.
async fn packed() -> House {
    let house = House::open();
    house.fill(5000);
    packing::answered(&house.app, None, &long());
    finished(&house).await;
    house
}

/// Imports the steps again; some of each pack have another number.
fn change(folder: &DataFolder) -> Store {
    let mut store = Store::open(&folder.health_db()).expect("a store");
    let other = crate::house::export(5000).replace("value=\"7\"", "value=\"700\"");
    store
        .import(
            "default",
            &mut std::io::Cursor::new(other),
            None,
            &healthsync_core::store::ImportOptions::default(),
            &mut |_| {},
        )
        .expect("imported");
    store
}

async fn finished(house: &House) {
    let ended = async {
        while house.app.packing_turn().is_none() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_mins(1), ended)
        .await
        .expect("the packs are made");
}

/// Samples that an answer to everything takes from the packs.
fn taken(house: &House) -> u64 {
    let folder = house.app.folder();
    let store = Store::open(&folder.health_db()).expect("a store");
    let packs = Packs::open(&folder.packs_db()).expect("packs");
    let all = healthsync_core::query::Query::default();
    let scanned = store
        .scan_packed(&all, Some(&packs), &mut |_| {
            std::ops::ControlFlow::Continue(())
        })
        .expect("a scan");
    scanned.packed
}

#[tokio::test]
async fn answers_from_packs_are_those_from_rows() {
    let house = packed().await;
    assert_eq!(taken(&house), 5000);
    let device = house.pair("Anna").await;
    for (query, samples) in [
        ("", 5001),
        ("types=steps", 5000),
        ("limit=3000", 3000),
        ("limit=8192", 5001),
        ("offset=4000", 1001),
        ("start=2026-01-02", 5001 - 1440),
        ("start=2026-01-02&end=2026-01-03", 1441),
    ] {
        assert_eq!(check(&device, query).await, samples, "{query}");
    }
    house.close().await;
}

#[tokio::test]
async fn packs_show_nobody_what_may_not_be_read() {
    let house = packed().await;
    let device = house.pair("Anna").await;
    let allowed = house.app.trust().allow("Anna", |scope| {
        scope.types = Some(vec!["sleepAnalysis".to_owned()]);
    });
    allowed.expect("changed");
    assert_eq!(check(&device, "").await, 1);
    let allowed = house.app.trust().allow("Anna", |scope| {
        scope.types = None;
        scope.origins = Some(vec!["ben".to_owned()]);
    });
    allowed.expect("changed");
    assert_eq!(check(&device, "").await, 0);
    house.close().await;
}

#[tokio::test]
async fn an_import_drops_the_packs_that_it_makes_untrue() {
    let house = packed().await;
    let device = house.pair("Anna").await;
    let folder = house.app.folder();
    let store = change(folder);
    assert_eq!(check(&device, "").await, 5001);
    packing::imported(folder, &store);
    assert_eq!(taken(&house), 0);
    packing::answered(&house.app, None, &long());
    finished(&house).await;
    assert_eq!(taken(&house), 5000);
    assert_eq!(check(&device, "").await, 5001);
    house.close().await;
}

#[tokio::test]
async fn short_answers_make_no_packs() {
    let house = House::open();
    house.fill(3000);
    let device = house.pair("Anna").await;
    assert_eq!(check(&device, "").await, 3001);
    let short = Scanned {
        count: 1_000_000,
        loose: 99_999,
        ..Scanned::default()
    };
    packing::answered(&house.app, None, &short);
    finished(&house).await;
    assert!(!house.app.folder().packs_db().exists());
    house.close().await;
}

#[tokio::test]
async fn packs_wait_for_those_who_are_answered() {
    let house = House::open();
    house.fill(5000);
    let answer = house.app.scan_turn().await.expect("a turn");
    packing::answered(&house.app, None, &long());
    // Far longer than it takes.
    sleep(Duration::from_millis(400)).await;
    assert!(house.app.packing_turn().is_none(), "somebody waits");
    assert_eq!(taken(&house), 0);
    drop(answer);
    finished(&house).await;
    assert_eq!(taken(&house), 5000);
    house.close().await;
}

#[tokio::test]
async fn a_start_drops_what_was_deleted_meanwhile() {
    let house = packed().await;
    let folder = house.app.folder();
    change(folder);
    packing::started(&house.app);
    finished(&house).await;
    assert_eq!(taken(&house), 0);
    house.close().await;
}

#[tokio::test]
async fn damaged_packs_are_given_up_and_made_anew() {
    let house = packed().await;
    let device = house.pair("Anna").await;
    let path = house.app.folder().packs_db();
    for damage in ["not a database", ""] {
        let mut bytes = fs::read(&path).expect("packs");
        if damage.is_empty() {
            // The header is whole, the pages are not.
            let body = bytes.iter_mut().skip(100);
            body.for_each(|byte| *byte ^= 0xa5);
        } else {
            bytes.splice(..damage.len(), damage.bytes());
        }
        fs::write(&path, bytes).expect("written");
        // The answer that meets the damage is whole, too.
        assert_eq!(check(&device, "").await, 5001);
        assert!(!path.exists(), "it was removed");
        packing::answered(&house.app, None, &long());
        finished(&house).await;
        assert_eq!(taken(&house), 5000);
    }
    house.close().await;
}
