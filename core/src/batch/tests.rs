use super::*;

/// Samples with everything that can be hard to write: no value, no category, texts with quotes,
/// separators, line breaks and other scripts, numbers and dates at their ends.
pub(crate) fn hard_samples(include_metadata: bool) -> SampleBatch {
    let mut builder = BatchBuilder::new(include_metadata, 4);
    push_hard_samples(&mut builder);
    builder.take().unwrap()
}

/// Type, value, unit, source, category and start.
type Hard = (
    &'static str,
    Option<f64>,
    &'static str,
    &'static str,
    Option<&'static str>,
    i64,
);

fn push_hard_samples(builder: &mut BatchBuilder) {
    let rows: [Hard; 5] = [
        (
            "steps",
            Some(523.0),
            "count",
            "Ana’s iPhone",
            None,
            1_768_021_200_000,
        ),
        (
            "steps",
            Some(0.1 + 0.2),
            "count",
            "a,b;c\t\"d\"\r\ne",
            None,
            1_768_021_200_001,
        ),
        ("sleepAnalysis", None, "", "", Some("asleepCore"), -1),
        ("x\\y\u{1}\u{7f}", Some(-1e-300), "%", "日本 🏃", None, 0),
        (
            "steps",
            Some(f64::MAX),
            "count",
            "Ana’s iPhone",
            None,
            253_402_300_799_999,
        ),
    ];
    for (n, (kind, value, unit, source, category, start_ms)) in (0_u8..).zip(rows) {
        let row = Row {
            id: [n; 16],
            kind: builder.kinds.add(kind),
            value,
            unit: builder.units.add(unit),
            start_ms,
            end_ms: start_ms.saturating_add(60_000).min(253_402_300_799_999),
            source: builder.sources.add(source),
            category: category.map(|name| builder.categories.add(name)),
        };
        builder.push(&row);
        if let Some(more) = builder.more() {
            let some = n % 2 == 0;
            let device = some.then(|| more.devices.add("Watch, \"7\""));
            let origin = more.origins.add("default");
            more.push(&More {
                origin,
                device,
                created_ms: some.then_some(start_ms),
                metadata: some.then_some(r#"{"HKTimeZone":"Europe/Vienna","a":"\"\n,"}"#),
            });
        }
    }
}

#[test]
fn the_columns_and_their_version_are_frozen() {
    let told: Vec<String> = schema(true)
        .fields()
        .iter()
        .map(|field| {
            let null = if field.is_nullable() { " null" } else { "" };
            format!("{} {}{null}", field.name(), field.data_type())
        })
        .collect();
    assert_eq!(
        told,
        [
            "id Utf8",
            "type Dictionary(Int32, Utf8)",
            "value Float64 null",
            "unit Dictionary(Int32, Utf8)",
            "startDate Timestamp(ms, \"UTC\")",
            "endDate Timestamp(ms, \"UTC\")",
            "sourceName Dictionary(Int32, Utf8)",
            "category Dictionary(Int32, Utf8) null",
            "origin Dictionary(Int32, Utf8)",
            "device Dictionary(Int32, Utf8) null",
            "creationDate Timestamp(ms, \"UTC\") null",
            "metadata Utf8 null",
        ]
    );
    assert_eq!(
        schema(false).fields()[..],
        schema(true).fields()[..BASE_COLUMNS]
    );
    assert_eq!(schema(false).metadata()["healthsync.schema"], "1");
}

#[test]
fn our_batches_pass_our_check() {
    for include_metadata in [false, true] {
        let batch = hard_samples(include_metadata);
        let again = SampleBatch::new(batch.columns().clone()).unwrap();
        assert_eq!((again.len(), again.is_empty()), (5, false));
        assert_eq!(again.has_metadata(), include_metadata);
        let base = SampleBatch::new(again.base_columns().unwrap()).unwrap();
        assert!(!base.has_metadata());
        assert_eq!(base.columns().columns(), &batch.columns().columns()[..8]);
    }
}

#[test]
fn other_columns_are_refused() {
    let batch = hard_samples(true).columns().clone();
    let renamed = {
        let mut fields: Vec<Field> = schema(true)
            .fields()
            .iter()
            .map(|f| (**f).clone())
            .collect();
        fields[0] = fields[0].clone().with_name("uuid");
        RecordBatch::try_new(Arc::new(Schema::new(fields)), batch.columns().to_vec()).unwrap()
    };
    let with_nulls = {
        let fields: Vec<Field> = schema(false)
            .fields()
            .iter()
            .map(|field| (**field).clone().with_nullable(true))
            .collect();
        let mut columns = batch.columns()[..8].to_vec();
        columns[0] = array(StringArray::from(vec![None::<&str>; 5]));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    let cases = [
        (batch.project(&[0, 1, 2]).unwrap(), "there are 3 columns"),
        (
            batch.project(&[0, 1, 2, 3, 4, 5, 7, 6]).unwrap(),
            "\"category\" is not sourceName",
        ),
        (renamed, "\"uuid\" is not id"),
        (with_nulls, "id has nulls"),
    ];
    for (foreign, expected) in cases {
        let SchemaMismatch(why) = SampleBatch::new(foreign).unwrap_err();
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn a_dictionary_is_made_again_only_for_a_new_text() {
    let mut builder = BatchBuilder::new(false, 4);
    let mut take = || {
        push_hard_samples(&mut builder);
        let full = builder.is_full();
        let texts = builder.take().unwrap();
        let source: &arrow_array::DictionaryArray<Int32Type> = texts.column(6).unwrap();
        (full, Arc::clone(source.values()))
    };
    let ((full, first), (_, second)) = (take(), take());
    assert!(full && Arc::ptr_eq(&first, &second));
    let _new = builder.sources.add("another");
    push_hard_samples(&mut builder);
    let third = builder.take().unwrap();
    assert_eq!(third.names(6).unwrap().distinct().count(), first.len() + 1);
    assert_eq!((builder.len(), builder.take().unwrap().len()), (0, 0));
}
