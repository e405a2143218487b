//! The four functions in which an import and a fetch spend their time:
//! `cargo bench -p healthsync-core --bench hot`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a benchmark fails"
)]

use std::{fmt::Write as _, io::Cursor, ops::ControlFlow, sync::Arc};

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use healthsync_core::{
    format::{Options, by_name},
    identity::Keys,
    import::{IMPORTERS, Item},
    query::Query,
    sample::Sample,
    store::{ImportOptions, Store},
};

const RECORDS: usize = 20_000;

fn main() {
    divan::main();
}

/// An `export.xml`: heart rates with metadata and a device, in the order in which Apple writes them.
fn export() -> Vec<u8> {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<HealthData locale=\"en_US\">\n\
         <ExportDate value=\"2026-01-01 00:00:00 +0000\"/>\n",
    );
    for n in 0..RECORDS {
        let at = format!(
            "2025-{:02}-{:02} {:02}:{:02}:{:02} +0100",
            1 + n / 1728,
            1 + n / 64 % 27,
            n / 60 % 24,
            n % 60,
            n / 1728 % 60
        );
        writeln!(
            xml,
            " <Record type=\"HKQuantityTypeIdentifierHeartRate\" sourceName=\"Ana’s Apple Watch\" \
             sourceVersion=\"11.1\" device=\"&lt;&lt;HKDevice: 0x30{:07x}&gt;, name:Apple Watch, \
             manufacturer:Apple Inc., model:Watch, hardware:Watch7,2, software:11.1&gt;\" \
             unit=\"count/min\" creationDate=\"{at}\" startDate=\"{at}\" endDate=\"{at}\" \
             value=\"{}\">\n  <MetadataEntry key=\"HKMetadataKeyHeartRateMotionContext\" \
             value=\"{}\"/>\n </Record>",
            n / 500,
            50 + n * 7919 % 110,
            n % 3
        )
        .expect("memory");
    }
    xml.push_str("</HealthData>\n");
    xml.into_bytes()
}

fn read(export: &[u8], sink: &mut dyn FnMut(Sample)) {
    let mut hand_on = |item| {
        if let Item::Sample(sample) = item {
            sink(sample);
        }
        Ok(())
    };
    IMPORTERS[0]
        .read(&mut Cursor::new(export), &mut hand_on)
        .expect("an export");
}

fn filled(export: &[u8]) -> Store {
    let mut store = Store::in_memory().expect("a store");
    let imported = store.import(
        "default",
        &mut Cursor::new(export),
        None,
        &ImportOptions::default(),
        &mut |_| {},
    );
    drop(black_box(imported.expect("an import")));
    store
}

/// Text of an export to samples.
#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let export = export();
    bencher
        .counter(BytesCount::of_slice(&export))
        .bench_local(|| read(&export, &mut |sample| drop(black_box(sample))));
}

/// Samples to the keys by which duplicates are found.
#[divan::bench]
fn key(bencher: Bencher<'_, '_>) {
    let mut samples = Vec::new();
    read(&export(), &mut |sample| samples.push(sample));
    bencher
        .counter(ItemsCount::new(samples.len()))
        .bench_local(|| {
            let mut keys = Keys::new(Arc::from("default"));
            for sample in &samples {
                black_box(keys.of_sample(sample));
            }
        });
}

/// An export to a new store in memory: both above, and the rows.
#[divan::bench]
fn import(bencher: Bencher<'_, '_>) {
    let export = export();
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench_local(|| filled(&export));
}

/// Rows of a store to bytes of an answer.
#[divan::bench(args = ["csv", "json", "arrow"])]
fn answer(bencher: Bencher<'_, '_>, name: &str) {
    let store = filled(&export());
    let format = by_name(name).expect("a format");
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let mut encoder = (format.encoder)(&Options::default());
        let mut out = Vec::new();
        encoder.start(&mut out).expect("a header");
        let scanned = store.scan(&Query::default(), &mut |batch| {
            encoder.batch(&batch, &mut out).expect("rows");
            black_box(&out);
            out.clear();
            ControlFlow::Continue(())
        });
        scanned.expect("rows")
    });
}
