//! Documents, workouts and correlations: written, met again, read back.

mod beyond;
mod correlation;
mod kept;
mod together;

use std::{ops::ControlFlow, sync::Arc};

use super::{pipeline::Keying, *};
use crate::{
    document::{Body, Document},
    identity::{Id, Keys},
    import::Item,
    kind::Kind,
    sample::{Metadata, Provenance},
    series::SeriesBuilder,
    store::{Place, Range, Store, StoredDocument, StoredWorkout, Tally},
    workout::{Activity, Event, Statistic, Workout},
};

const MINUTE: i64 = 60_000;

/// Writes items as an importer that reads them from a file would.
fn write(store: &mut Store, origin: &str, items: Vec<Item>) -> Imported {
    write_with(store, origin, items, &ImportOptions::default())
}

fn write_with(
    store: &mut Store,
    origin: &str,
    items: Vec<Item>,
    options: &ImportOptions,
) -> Imported {
    let transaction = store.connection.transaction().unwrap();
    let mut ingest = Ingest::new(&transaction, origin, "appleHealth").unwrap();
    ingest.with_identity = options.with_identity;
    let mut keying = Keying {
        keys: Keys::new(origin.into()),
        keep_origins: false,
    };
    let mut batch: Vec<_> = items
        .into_iter()
        .map(|item| Keyed::new(&mut keying, item))
        .collect();
    ingest.take(&mut batch).unwrap();
    let imported = ingest.finish(options).unwrap();
    transaction.commit().unwrap();
    imported
}

impl Store {
    /// The same for tests of other modules.
    pub(crate) fn keep(&mut self, origin: &str, items: Vec<Item>) -> Imported {
        write(self, origin, items)
    }
}

fn writer() -> Arc<Provenance> {
    Arc::new(Provenance {
        source_name: "Ana’s Watch".to_owned(),
        canonical_source: "Ana's Watch".to_owned(),
        source_version: Some("11.2".to_owned()),
        device: Some("name:Apple Watch, hardware:Watch7,2".to_owned()),
        hardware: Some("Watch7,2".to_owned()),
    })
}

fn statistic(sum: f64) -> Statistic {
    Statistic {
        kind: Kind::stored("distanceWalkingRunning"),
        unit: "m".into(),
        start_ms: None,
        end_ms: None,
        average: None,
        minimum: None,
        maximum: None,
        sum: Some(sum),
        tolerance: 0.5,
    }
}

fn workout(start_ms: i64) -> Workout {
    let event = |name: &str| Event {
        name: name.to_owned(),
        at_ms: start_ms + MINUTE,
        duration_s: None,
        metadata: Metadata::default(),
    };
    Workout {
        activity: "running".to_owned(),
        start_ms,
        end_ms: start_ms + 30 * MINUTE,
        created_ms: None,
        duration_s: Some(1700.0),
        provenance: writer(),
        external_id: None,
        metadata: Metadata::default(),
        statistics: vec![statistic(5000.0)],
        events: vec![event("pause")],
        activities: vec![Activity {
            uuid: Some("U-1".to_owned()),
            start_ms,
            end_ms: Some(start_ms + MINUTE),
            duration_s: Some(60.0),
            metadata: Metadata::default(),
            statistics: vec![statistic(200.0)],
            events: vec![event("lap")],
        }],
    }
}

fn route(start_ms: i64, points: u32, workout: Option<u64>) -> Document {
    let mut document = Document::new(Noun::Route, start_ms, start_ms + MINUTE);
    document.provenance = Some(writer());
    document.workout = workout;
    let mut series = SeriesBuilder::new(Noun::Route.columns().len());
    for n in 0..points {
        let n = f64::from(n);
        series.push(&[n * 1000.0, 40.0 + n / 1e5, -73.0, f64::NAN, 2.5, 90.0, 4.0]);
    }
    document.series = Some(series.finish());
    document
}

fn rings(day: i64, energy: f64, half: f64) -> Document {
    let start_ms = day * 86_400_000;
    let mut document = Document::new(Noun::ActivitySummary, start_ms, start_ms + 86_400_000);
    document.local_date = Some(format!("2026-01-{day:02}"));
    document.body.set_number("activeEnergyBurned", energy, half);
    document.body.set("standHours", 12);
    document
}

fn item(document: Document) -> Item {
    Item::Document(Box::new(document))
}

fn documents(store: &Store, noun: Noun, range: &Range) -> Vec<StoredDocument> {
    let mut found = Vec::new();
    store
        .documents(noun, range, &mut |document| {
            found.push(document);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn workouts(store: &Store) -> Vec<StoredWorkout> {
    let mut found = Vec::new();
    store
        .workouts(&Range::default(), &mut |workout| {
            found.push(workout);
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn points(store: &Store, id: Id) -> Vec<Vec<f64>> {
    let mut found = vec![Vec::new(); 8];
    let count = store.series(id, &mut |columns| {
        for (all, column) in found.iter_mut().zip(columns) {
            all.extend_from_slice(column);
        }
        ControlFlow::Continue(())
    });
    let count = usize::try_from(count.unwrap().expect("a document")).unwrap();
    assert!(found.iter().all(|column| column.len() == count));
    found
}

fn tally(read: u64, new: u64, updated: u64, unchanged: u64) -> Tally {
    Tally {
        read,
        new,
        updated,
        unchanged,
        deleted: 0,
    }
}

#[test]
fn documents_are_met_again_and_read_back() {
    let mut store = Store::in_memory().unwrap();
    let all = |half: f64| {
        vec![
            Item::Workout(Box::new(workout(0))),
            Item::Workout(Box::new(workout(100 * MINUTE))),
            item(route(100 * MINUTE, 9000, Some(1))),
            item(rings(1, 412.345, half)),
            item(rings(2, 300.0, half)),
        ]
    };
    let first = write(&mut store, "ana", all(0.0005));
    assert_eq!(first.documents[&Noun::ActivitySummary], tally(2, 2, 0, 0));
    assert_eq!(first.documents[&Noun::Route], tally(1, 1, 0, 0));
    let again = write(&mut store, "ana", all(0.002));
    assert_eq!(again.documents[&Noun::ActivitySummary], tally(2, 0, 0, 2));
    assert_eq!(again.documents[&Noun::Route], tally(1, 0, 0, 1));
    assert_eq!(again.workouts, tally(2, 0, 0, 2));

    let stored = workouts(&store);
    let routes = documents(&store, Noun::Route, &Range::default());
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].workout, Some(stored[1].id));
    assert_eq!((routes[0].points, routes[0].origin.as_str()), (9000, "ana"));
    assert_eq!(routes[0].source.as_deref(), Some("Ana’s Watch"));
    let columns = points(&store, routes[0].id);
    assert_eq!(
        (columns[0].len(), columns[1][8999]),
        (9000, 40.0 + 8999.0 / 1e5)
    );
    assert!(columns[3].iter().chain(&columns[7]).all(|it| it.is_nan()));
    assert_eq!(
        store
            .series([0; 16], &mut |_| ControlFlow::Continue(()))
            .unwrap(),
        None
    );

    let days = documents(&store, Noun::ActivitySummary, &Range::default());
    assert_eq!(days[0].local_date.as_deref(), Some("2026-01-01"));
    assert_eq!(
        days[0].body,
        r#"{"activeEnergyBurned":412.345,"standHours":12}"#
    );
    let summaries = store.nouns(&["ana".to_owned()]).unwrap();
    let told: Vec<_> = summaries.iter().map(|it| (it.noun, it.count)).collect();
    assert_eq!(told, [(Noun::ActivitySummary, 2), (Noun::Route, 1)]);
    assert_eq!(store.nouns(&["ben".to_owned()]).unwrap(), []);
}

#[test]
fn what_changed_is_written_anew_with_a_later_position() {
    let mut store = Store::in_memory().unwrap();
    write(
        &mut store,
        "ana",
        vec![item(route(0, 10, None)), item(rings(1, 400.0, 0.5))],
    );
    let before = documents(&store, Noun::Route, &Range::default()).remove(0);
    let items = vec![item(route(0, 5000, None)), item(rings(1, 402.0, 0.5))];
    let imported = write(&mut store, "ana", items);
    assert_eq!(imported.documents[&Noun::Route], tally(1, 0, 1, 0));
    assert_eq!(
        imported.documents[&Noun::ActivitySummary],
        tally(1, 0, 1, 0)
    );
    let after = documents(&store, Noun::Route, &Range::default()).remove(0);
    assert_eq!((after.id, after.points), (before.id, 5000));
    assert!(after.seq > before.seq);
    assert_eq!(points(&store, after.id)[0].len(), 5000);
}

#[test]
fn equal_keys_get_ordinals_and_origins_stay_apart() {
    let mut store = Store::in_memory().unwrap();
    let two = || vec![item(route(0, 10, None)), item(route(0, 11, None))];
    write(&mut store, "ana", two());
    let mut turned = two();
    turned.reverse();
    let again = write(&mut store, "ana", turned);
    assert_eq!(again.documents[&Noun::Route], tally(2, 0, 0, 2));
    let other = write(&mut store, "ben", two());
    assert_eq!(other.documents[&Noun::Route], tally(2, 2, 0, 0));
    let of = |origin: &str| Range {
        origins: vec![origin.to_owned()],
        ..Range::default()
    };
    assert_eq!(documents(&store, Noun::Route, &of("ana")).len(), 2);
    assert_eq!(documents(&store, Noun::Route, &of("ben")).len(), 2);
    assert_eq!(documents(&store, Noun::Route, &of("eve")).len(), 0);
}

#[test]
fn pages_go_on_where_they_ended() {
    let mut store = Store::in_memory().unwrap();
    // Several share an instant.
    let items = (0..25).map(|n| item(route(n / 3 * MINUTE, u32::try_from(n).unwrap() + 1, None)));
    write(&mut store, "ana", items.collect());
    let whole = documents(&store, Noun::Route, &Range::default());
    let places: Vec<Place> = whole
        .iter()
        .map(|it| Place {
            start_ms: it.start_ms,
            id: it.id,
        })
        .collect();
    assert!(places.len() == 25 && places.is_sorted());
    let mut paged = Vec::new();
    let mut range = Range {
        limit: Some(4),
        ..Range::default()
    };
    loop {
        let page = store
            .documents(Noun::Route, &range, &mut |document| {
                paged.push(document);
                ControlFlow::Continue(())
            })
            .unwrap();
        range.after = page.next;
        if page.next.is_none() {
            assert_eq!(page.count, 1);
            break;
        }
        assert_eq!(page.count, 4);
    }
    assert_eq!(paged, whole);
    let part = Range {
        start_ms: Some(MINUTE),
        end_ms: Some(3 * MINUTE),
        ..Range::default()
    };
    assert_eq!(documents(&store, Noun::Route, &part), whole[3..9]);
    let mut seen = 0;
    store
        .documents(Noun::Route, &Range::default(), &mut |_| {
            seen += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn a_route_finds_a_workout_that_had_to_wait() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, "ana", vec![Item::Workout(Box::new(workout(0)))]);
    let mut longer = workout(0);
    longer.duration_s = Some(1750.0);
    let items = vec![Item::Workout(Box::new(longer)), item(route(0, 10, Some(0)))];
    let imported = write(&mut store, "ana", items);
    assert_eq!(imported.workouts, tally(1, 0, 1, 0));
    let route = documents(&store, Noun::Route, &Range::default()).remove(0);
    assert_eq!(route.workout, Some(workouts(&store)[0].id));
}

#[test]
fn workouts_come_back_with_their_parts() {
    let mut store = Store::in_memory().unwrap();
    write(&mut store, "ana", vec![Item::Workout(Box::new(workout(0)))]);
    let stored = workouts(&store).remove(0);
    assert_eq!(
        (stored.activity.as_str(), stored.duration_s),
        ("running", Some(1700.0))
    );
    assert_eq!(stored.activities.len(), 1);
    assert_eq!(stored.activities[0].uuid.as_deref(), Some("U-1"));
    let sums: Vec<_> = stored
        .statistics
        .iter()
        .map(|it| (it.activity, it.sum))
        .collect();
    assert_eq!(sums, [(None, Some(5000.0)), (Some(0), Some(200.0))]);
    let events: Vec<_> = stored
        .events
        .iter()
        .map(|it| (it.activity, it.name.as_str()))
        .collect();
    assert_eq!(events, [(None, "pause"), (Some(0), "lap")]);

    // A part that measured something else is a change, and told once.
    let mut other = workout(0);
    other.activities[0].statistics[0].sum = Some(300.0);
    let items = |workout: &Workout| vec![Item::Workout(Box::new(workout.clone()))];
    assert_eq!(
        write(&mut store, "ana", items(&other)).workouts,
        tally(1, 0, 1, 0)
    );
    assert_eq!(
        write(&mut store, "ana", items(&other)).workouts,
        tally(1, 0, 0, 1)
    );
    assert_eq!(workouts(&store)[0].statistics[1].sum, Some(300.0));
}
