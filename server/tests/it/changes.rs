//! What changed since a cursor, over HTTP: pages, waiting for an import, other rights, another store.

use std::{path::PathBuf, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use healthsync_core::api::{ErrorBody, HAS_MORE, NEXT_CURSOR};
use healthsync_server::limits::Limits;
use serde_json::Value;
use tokio::time::Instant;

use crate::house::{Device, House, fill_as};

/// One page: rows, the next cursor, whether there is more.
struct Page {
    rows: Vec<Value>,
    next: String,
    has_more: bool,
}

async fn page(device: &Device, query: &str) -> Result<Page, String> {
    let url = device.url(&format!("/api/v1/changes?{query}"));
    let request = device.client().get(url);
    let request = request.header("accept", "application/x-ndjson");
    let answer = request.send().await.expect("an answer");
    if answer.status() != 200 {
        let status = answer.status().as_u16();
        assert_eq!(status == 429, answer.headers().contains_key("retry-after"));
        let error: ErrorBody = answer.json().await.expect("an error");
        return Err(format!("{status} {}", error.code));
    }
    let header = |name: &str| {
        let value = answer.headers().get(name).expect("a header");
        value.to_str().expect("text").to_owned()
    };
    let (next, has_more) = (header(NEXT_CURSOR), header(HAS_MORE) == "true");
    let text = answer.text().await.expect("text");
    let rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    Ok(Page {
        rows: rows.collect(),
        next,
        has_more,
    })
}

async fn reads(house: &House) -> Vec<(String, Option<u64>)> {
    let audit = house.app.audit();
    audit.settle().await.expect("written");
    let entries = audit.entries(0, 0, 100).expect("entries").into_iter();
    let reads = entries.filter(|entry| entry.event == "read-changes");
    reads.map(|entry| (entry.result, entry.rows)).collect()
}

#[tokio::test]
async fn series_are_asked_for_by_true_or_false() {
    let house = House::open();
    house.fill(5);
    let device = house.pair("Anna").await;
    for (query, good) in [
        ("series=true", true),
        ("series=false", true),
        ("series=1", false),
    ] {
        match page(&device, query).await {
            Ok(page) => assert!(good && page.rows.len() == 6, "{query}"),
            Err(code) => assert!(!good && code == "400 BAD_REQUEST", "{query}: {code}"),
        }
    }
}

#[tokio::test]
async fn pages_lead_to_the_end_and_stay_there() {
    let house = House::open();
    house.fill(5);
    let device = house.pair("Anna").await;
    let (mut rows, mut query) = (Vec::new(), "limit=4".to_owned());
    loop {
        let page = page(&device, &query).await.expect("a page");
        rows.extend(page.rows);
        query = format!("limit=4&after={}", page.next);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(rows.len(), 6);
    let first = &rows[0];
    assert_eq!(first["seq"], 1);
    assert_eq!(
        (&first["noun"], &first["deleted"]),
        (&"sample".into(), &false.into())
    );
    assert_eq!(
        (&first["type"], &first["value"]),
        (&"steps".into(), &1.into())
    );
    assert_eq!(first["origin"], "default");
    let again = page(&device, &query).await.expect("a page");
    assert!(again.rows.is_empty() && !again.has_more);
    // What found nothing gave nothing away.
    let read = |rows| ("OK".to_owned(), Some(rows));
    assert_eq!(reads(&house).await, [read(4), read(2)]);

    let document = device.get("/api/v1/changes?limit=4").await;
    let document: Value = document.json().await.expect("JSON");
    assert_eq!(
        (&document["count"], &document["hasMore"]),
        (&4.into(), &true.into())
    );
    assert!(document["nextCursor"].is_string());
    for (query, expected) in [
        ("after=00", "400 INVALID_CURSOR"),
        ("limit=0", "400 BAD_REQUEST"),
        ("limit=20001", "400 BAD_REQUEST"),
        ("wait=61", "400 BAD_REQUEST"),
        ("types=steps", "400 BAD_REQUEST"),
    ] {
        assert_eq!(page(&device, query).await.err().as_deref(), Some(expected));
    }
    house.close().await;
}

/// Imports after the request has begun to wait, as another process would.
fn import_soon(database: PathBuf, count: u32) -> tokio::task::JoinHandle<Instant> {
    tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(400));
        fill_as(&database, "default", count);
        Instant::now()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_of_an_import_within_a_second() {
    let house = House::open();
    house.fill(5);
    let device = house.pair("Anna").await;
    let start = page(&device, "").await.expect("a page");
    let import = import_soon(house.app.folder().health_db(), 8);
    let query = format!("wait=15&after={}", start.next);
    let told = page(&device, &query).await.expect("a page");
    let now = Instant::now();
    assert_eq!(told.rows.len(), 3);
    let imported = import.await.expect("imported");
    assert!(now.duration_since(imported) < Duration::from_secs(1));
    // Nothing comes: the wait ends by itself.
    let query = format!("wait=1&after={}", told.next);
    let silent = page(&device, &query).await.expect("a page");
    assert!(silent.rows.is_empty() && silent.next == told.next);
    house.close().await;
}

/// Open files of this process that are this one.
#[cfg(target_os = "linux")]
fn descriptors(of: &std::path::Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").expect("a folder");
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link == of).count()
}

/// However many wait, one connection to the store watches for them, and who has too many is told so
/// at once.
#[tokio::test(flavor = "multi_thread")]
async fn few_may_wait_and_they_hold_nothing() {
    let house = House::with(Limits {
        scans: 1,
        ..Limits::standard()
    });
    house.fill(5);
    let device = house.pair("Anna").await;
    let start = page(&device, "").await.expect("a page");
    let query = format!("wait=15&after={}", start.next);
    let mut waiting: FuturesUnordered<_> = (0..5).map(|_| page(&device, &query)).collect();
    let first = tokio::time::timeout(Duration::from_secs(10), waiting.next());
    let refused = first.await.expect("one too many").expect("an answer");
    assert_eq!(refused.err().as_deref(), Some("429 RATE_LIMITED"));
    // Another device has places of its own, and who does not wait is answered.
    let other = house.pair("Ben").await;
    let query = format!("wait=1&after={}", start.next);
    assert!(page(&other, &query).await.is_ok());
    assert!(page(&device, "").await.is_ok());
    // Nor does a request need a place whose answer is there at once.
    assert!(page(&device, "wait=15").await.is_ok());
    let database = house.app.folder().health_db();
    #[cfg(target_os = "linux")]
    {
        let begun = Instant::now();
        // The look-out's, and one that SQLite keeps for the next look as long as the first is open.
        while descriptors(&database) > 2 {
            assert!(begun.elapsed() < Duration::from_secs(10), "they hold files");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let import = import_soon(database, 8);
    let mut told = 0;
    while let Some(page) = waiting.next().await {
        assert_eq!(page.expect("a page").rows.len(), 3);
        told += 1;
    }
    assert_eq!(told, 4);
    import.await.expect("imported");
    // Whoever goes away gives the place back.
    for _ in 0..6 {
        let last = page(&device, "").await.expect("a page");
        let query = query_of(15, &last);
        let gone = tokio::time::timeout(Duration::from_millis(300), page(&device, &query)).await;
        assert!(gone.is_err(), "it waits");
    }
    house.close().await;
}

fn query_of(seconds: u32, page: &Page) -> String {
    format!("wait={seconds}&after={}", page.next)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_when_the_server_stops_gets_an_empty_page_at_once() {
    let house = House::open();
    house.fill(5);
    let device = house.pair("Anna").await;
    let start = page(&device, "").await.expect("a page");
    let query = query_of(60, &start);
    let (silent, took) = tokio::join!(page(&device, &query), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let stopped = Instant::now();
        house.close().await;
        stopped.elapsed()
    });
    let silent = silent.expect("a page");
    assert!(silent.rows.is_empty() && silent.next == start.next && !silent.has_more);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_has_the_rights_of_the_moment_of_the_answer() {
    let house = House::open();
    house.fill(5);
    let device = house.pair("Anna").await;
    for (pause, expected) in [(true, "423 LOCKED"), (false, "410 SCOPE_CHANGED")] {
        let start = page(&device, "").await.expect("a page");
        let query = format!("wait=15&after={}", start.next);
        let (database, count) = (house.app.folder().health_db(), if pause { 7 } else { 9 });
        let app = std::sync::Arc::clone(&house.app);
        let change = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(300));
            if pause {
                app.set_paused(true);
            } else {
                let types = Some(vec!["heartRate".to_owned()]);
                app.trust()
                    .allow("Anna", |scope| scope.types = types)
                    .expect("changed");
            }
            fill_as(&database, "default", count);
        });
        assert_eq!(page(&device, &query).await.err().as_deref(), Some(expected));
        change.await.expect("changed");
        house.app.set_paused(false);
    }
    house.close().await;
}

#[tokio::test]
async fn other_rights_and_another_store_begin_anew() {
    let house = House::open();
    house.fill(5);
    fill_as(&house.app.folder().health_db(), "ben", 3);
    let device = house.pair("Anna").await;
    let all = page(&device, "").await.expect("a page");
    assert_eq!(all.rows.len(), 10);
    let after = format!("after={}", all.next);
    let allow = |types: Option<&[&str]>, origins: Option<&[&str]>| {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let changed = house.app.trust().allow("Anna", |scope| {
            scope.types = types.map(owned);
            scope.origins = origins.map(owned);
        });
        changed.expect("changed");
    };
    allow(Some(&["steps"]), Some(&["ben"]));
    let changed = "410 SCOPE_CHANGED";
    assert_eq!(page(&device, &after).await.err().as_deref(), Some(changed));
    let some = page(&device, "").await.expect("a page");
    assert!(
        some.rows
            .iter()
            .all(|row| row["type"] == "steps" && row["origin"] == "ben")
    );
    assert_eq!(some.rows.len(), 3);
    // Rights that are as they were have the cursors of before.
    allow(None, None);
    assert!(page(&device, &after).await.is_ok());
    allow(Some(&[]), None);
    let refused = "403 TYPE_NOT_ALLOWED";
    assert_eq!(page(&device, "").await.err().as_deref(), Some(refused));
    allow(None, None);

    let database = house.app.folder().health_db();
    for ending in ["", "-wal", "-shm"] {
        let mut name = database.clone().into_os_string();
        name.push(ending);
        drop(std::fs::remove_file(PathBuf::from(name)));
    }
    fill_as(&database, "default", 20);
    let gone = "410 HISTORY_GONE";
    assert_eq!(page(&device, &after).await.err().as_deref(), Some(gone));
    house.close().await;
}
