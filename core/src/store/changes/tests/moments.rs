//! Many samples that begin together.

use arrow_array::Float64Array;

use super::*;

#[test]
fn samples_of_one_moment_are_told_once_and_as_they_are() {
    let export = |values: &dyn Fn(u32) -> u32| {
        let records = (0..300).map(|number| {
            let (source, day) = (number % 100, number % 3 + 1);
            format!(
                "<Record type=\"HKQuantityTypeIdentifierStepCount\" unit=\"count\" sourceName=\"{source}\" \
                 startDate=\"2026-01-0{day} 08:00:00 +0000\" endDate=\"2026-01-0{day} 09:00:00 +0000\" \
                 value=\"{}\"/>",
                values(number)
            )
        });
        let records: String = records.collect();
        format!(
            "<HealthData><ExportDate value=\"2026-02-01 08:00:00 +0000\"/>{records}</HealthData>"
        )
    };
    let mut store = Store::in_memory().unwrap();
    let (mut seen, mut position) = (Vec::new(), None);
    let plain = |number| number;
    let odd_ones_changed = |number: u32| number + number % 2 * 1000;
    let files: [&dyn Fn(u32) -> u32; 2] = [&plain, &odd_ones_changed];
    for values in files {
        let options = ImportOptions::default();
        store
            .import(
                "ana",
                &mut Cursor::new(export(values)),
                None,
                &options,
                &mut |_| (),
            )
            .unwrap();
        for limit in [1, 7, 1000] {
            let mut query = ChangesQuery {
                after: position,
                limit,
                ..query(&[], &[])
            };
            let mut rows = Vec::new();
            loop {
                let page = store.changes(&query).unwrap();
                let (ids, numbers): (StringArray, Float64Array) =
                    (column(&page.batch, 3), column(&page.batch, 5));
                rows.extend(
                    (0..page.batch.len())
                        .map(|row| (ids.value(row).to_owned(), numbers.value(row))),
                );
                query.after = Some(page.next);
                if !page.has_more {
                    break;
                }
            }
            seen.push((rows, query.after));
        }
        position = seen.last().unwrap().1;
    }
    let [one, seven, all, changed_one, changed_seven, changed] = &seen[..] else {
        panic!("six");
    };
    assert_eq!((one, seven), (all, all));
    assert_eq!((changed_one, changed_seven), (changed, changed));
    let distinct: BTreeMap<_, _> = all.0.iter().cloned().collect();
    assert_eq!((all.0.len(), distinct.len()), (300, 300));
    // Each of those that changed, in the place of what it was.
    assert_eq!(changed.0.len(), 150);
    assert!(changed.0.iter().all(|(id, value)| {
        distinct
            .get(id)
            .is_some_and(|before| value - before > 999.0)
    }));
}
