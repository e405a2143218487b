use std::{ops::ControlFlow, path::Path};

use healthsync_core::{
    format::{Options, by_name},
    query::Query,
    report::Hint as _,
    store::{ImportOptions, Store},
};

use super::*;
use crate::{args::OutputFormat, output::Output};

/// Samples of different numbers, one a batch.
fn batches() -> Vec<SampleBatch> {
    let mut export = "<HealthData><ExportDate value=\"2026-02-01 08:00:00 +0000\"/>".to_owned();
    for minute in 0..6 {
        let at = format!("2026-01-10 10:0{minute}:00 +0000");
        let record = format!(
            "<Record type=\"HKQuantityTypeIdentifierStepCount\" unit=\"count\" sourceName=\"W{minute}\" \
             creationDate=\"{at}\" startDate=\"{at}\" endDate=\"{at}\" value=\"{minute}\"/>"
        );
        export.push_str(&record);
    }
    export.push_str("</HealthData>");
    let mut store = Store::in_memory().unwrap();
    let mut export = std::io::Cursor::new(export);
    let options = ImportOptions::default();
    store
        .import("ana", &mut export, None, &options, &mut |_| ())
        .unwrap();
    let mut batches = Vec::new();
    for offset in 0..6 {
        let query = Query {
            limit: Some(1),
            offset,
            ..Query::default()
        };
        store
            .scan(&query, &mut |batch| {
                batches.push(batch);
                ControlFlow::Continue(())
            })
            .unwrap();
    }
    assert_eq!(batches.len(), 6);
    batches
}

/// In this format: the header, each batch, the end.
fn encoded(format: &str, batches: &[SampleBatch]) -> Vec<Vec<u8>> {
    let mut encoder = (by_name(format).unwrap().encoder)(&Options::default());
    let mut parts = vec![Vec::new()];
    encoder.start(&mut parts[0]).unwrap();
    for batch in batches {
        let mut part = Vec::new();
        encoder.batch(batch, &mut part).unwrap();
        parts.push(part);
    }
    let mut end = Vec::new();
    encoder.finish(&End::default(), &mut end).unwrap();
    parts.push(end);
    parts
}

fn sent(pieces: Vec<Piece>) -> mpsc::Receiver<Piece> {
    let (sender, receiver) = mpsc::channel(pieces.len().max(1));
    for piece in pieces {
        sender.try_send(piece).unwrap();
    }
    receiver
}

fn bytes(part: &[u8]) -> Piece {
    Piece::Bytes(bytes::Bytes::copy_from_slice(part))
}

/// All of it, one piece a part.
fn whole<P: AsRef<[u8]>>(parts: &[P]) -> Vec<Piece> {
    let pieces = parts.iter().map(|part| bytes(part.as_ref()));
    pieces.chain([Piece::End]).collect()
}

fn writer(format: OutputFormat, path: &Path) -> (Writer, Waiting) {
    let output = Output::open(Some(path), false).unwrap();
    let sink = Sink::new(format, &Options::default(), output, 0).unwrap();
    Writer::new(sink, End::default(), ProgressBar::hidden())
}

fn write(format: OutputFormat, pieces: Vec<Piece>, path: &Path) -> Result<u64, &'static str> {
    let (writer, _waiting) = writer(format, path);
    let outcome = writer.run(sent(pieces));
    outcome
        .map(|(end, _)| end.count)
        .map_err(|error| error.code())
}

fn position(bytes: &[u8], part: &[u8]) -> usize {
    let mut windows = bytes.windows(part.len());
    windows.position(|window| window == part).unwrap()
}

#[test]
fn a_file_appears_only_if_the_whole_stream_came() {
    let folder = tempfile::tempdir().unwrap();
    let whole = encoded("arrow", &[]).concat();
    let cut = whole.len() - 4;
    for format in [OutputFormat::Csv, OutputFormat::Arrow] {
        let path = folder.path().join("a");
        for pieces in [
            vec![],
            vec![Piece::End],
            vec![bytes(&whole)],
            vec![bytes(&whole[..cut]), Piece::End],
            vec![bytes(b"<html>not arrow</html>"), Piece::End],
            vec![bytes(&whole), bytes(b"more"), Piece::End],
        ] {
            assert_eq!(write(format, pieces, &path), Err("ANSWER_DAMAGED"));
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        let pieces = vec![bytes(&whole[..cut]), bytes(&whole[cut..]), Piece::End];
        assert_eq!(write(format, pieces, &path), Ok(0));
        let written = std::fs::read(&path).unwrap();
        if format == OutputFormat::Arrow {
            // As it came.
            assert_eq!(written, whole);
        } else {
            assert!(written.starts_with(b"id,type,value"));
        }
        std::fs::remove_file(&path).unwrap();
    }
}

/// A server's schema may tell readers of the file what nobody here checks, so it is not passed on.
#[test]
fn only_our_own_schema_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let ours = encoded("arrow", &[]).concat();
    // The stream begins with its schema, whose table of metadata has our key.
    let key = b"healthsync.schema";
    let at = position(&ours, key);
    let mut other = ours.clone();
    other[at..at + key.len()].copy_from_slice(b"ARROW:extension:n");
    for parts in [vec![&other[..]], vec![&other[..at + 3], &other[at + 3..]]] {
        assert_eq!(write(OutputFormat::Arrow, whole(&parts), &path), Ok(0));
        assert_eq!(std::fs::read(&path).unwrap(), ours);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn every_batch_is_read_whoever_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let batches = batches();
    let parts = encoded("arrow", &batches);
    assert_eq!(write(OutputFormat::Arrow, whole(&parts), &path), Ok(6));
    assert_eq!(std::fs::read(&path).unwrap(), parts.concat());
    std::fs::remove_file(&path).unwrap();
    let ids = encoded("ndjson", &batches);
    for damaged in 1..=6 {
        // An id that is no text: only who decodes the batch can see it.
        let id = position(&ids[damaged], b"\"id\":\"") + 6;
        let id = &ids[damaged][id..id + 36];
        let mut parts = parts.clone();
        let at = position(&parts[damaged], id);
        parts[damaged][at] = 0xff;
        assert_eq!(
            write(OutputFormat::Arrow, whole(&parts), &path),
            Err("ANSWER_DAMAGED"),
            "{damaged}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn batches_of_a_foreign_schema_stay_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let ours = encoded("arrow", &batches());
    let mut parts = ours.clone();
    let key = b"healthsync.schema";
    let at = position(&parts[0], key);
    parts[0][at..at + key.len()].copy_from_slice(b"ARROW:extension:n");
    assert_eq!(write(OutputFormat::Arrow, whole(&parts), &path), Ok(6));
    assert_eq!(std::fs::read(&path).unwrap(), ours.concat());
}

/// A stream of dictionaries without end must not be collected.
#[test]
fn messages_do_not_wait_for_a_batch_for_ever() {
    let parts = encoded("arrow", &batches());
    let mut messages = ArrowMessages::<SampleBatch>::default();
    messages.push(&parts[0][..]).unwrap();
    let first = messages.push(&parts[1][..]).unwrap();
    assert!(!first[0].is_batch);
    let dictionary = &parts[1][..first[0].size()];
    let many = 3 * MOST_WAITING / dictionary.len();
    let stream = [parts[0].clone(), dictionary.repeat(many), parts[7].clone()];
    let (steps, ready) = sync_channel(1000);
    read(sent(whole(&stream)), &steps, true, &AtomicUsize::new(0)).unwrap();
    drop(steps);
    let mut all = 0;
    for step in ready {
        if let Step::Messages(messages) = step {
            let bytes: usize = messages.iter().map(ArrowMessage::size).sum();
            assert!(bytes <= MOST_WAITING + dictionary.len(), "{bytes}");
            all += messages.len();
        }
    }
    // With the schema and the end.
    assert_eq!(all, many + 2);
}

/// Small messages may unpack to a lot: of that only so much waits.
#[test]
fn batches_are_left_to_the_writer_while_much_is_read() {
    let parts = encoded("arrow", &batches());
    for (is_read, read_here) in [(0, 3), (MOST_READ + 1, 0)] {
        let (steps, ready) = sync_channel(1000);
        let is_read = AtomicUsize::new(is_read);
        read(sent(whole(&parts)), &steps, true, &is_read).unwrap();
        drop(steps);
        let (mut batches, mut left) = (0, 0);
        for step in ready {
            match step {
                Step::Batch(_, size) => {
                    is_read.fetch_sub(size, Ordering::Relaxed);
                    batches += 1;
                }
                Step::Messages(messages) => {
                    left += messages.iter().filter(|it| it.is_batch).count();
                }
                Step::Bytes(_) | Step::End => {}
            }
        }
        assert_eq!((batches, left), (read_here, 6 - read_here));
        assert!(is_read.into_inner() == 0 || read_here == 0);
    }
}

#[test]
fn what_nobody_waits_for_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let parts = encoded("arrow", &batches());
    let (writer, waiting) = writer(OutputFormat::Arrow, &path);
    drop(waiting);
    let outcome = writer.run(sent(whole(&parts)));
    assert_eq!(outcome.unwrap_err().code(), "ANSWER_DAMAGED");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
