//! Correlations, read back.

use super::*;
use crate::{
    correlation::Correlation,
    sample::{Sample, Value},
};

#[test]
fn correlations_come_back_with_their_samples() {
    let sample = |kind: &str, value: f64| Sample {
        kind: Kind::stored(kind),
        unit: "mmHg".into(),
        value: Value::Quantity {
            value,
            tolerance: 0.5,
        },
        start_ms: 0,
        end_ms: 0,
        created_ms: None,
        provenance: writer(),
        external_id: None,
        metadata: Metadata::default(),
    };
    let members = vec![
        sample("bloodPressureSystolic", 118.0),
        sample("bloodPressureDiastolic", 76.0),
    ];
    let correlation = Correlation {
        kind: Kind::stored("bloodPressure"),
        start_ms: 0,
        end_ms: 0,
        created_ms: None,
        provenance: writer(),
        external_id: None,
        metadata: Metadata::default(),
        members: members.clone(),
    };
    let mut items = vec![Item::Correlation(Box::new(correlation))];
    // The systolic one stands at top level, too; the other is missing there.
    items.push(Item::Sample(members[0].clone()));
    let mut store = Store::in_memory().unwrap();
    write(&mut store, "ana", items);
    let mut found = Vec::new();
    store
        .correlations(&[], &Range::default(), &mut |correlation| {
            found.push(correlation);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(found.len(), 1);
    let told: Vec<_> = found[0]
        .members
        .iter()
        .map(|it| (it.kind.as_str(), it.value, it.unit.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("bloodPressureSystolic", Some(118.0), Some("mmHg")),
            ("bloodPressureDiastolic", None, None)
        ]
    );
}
