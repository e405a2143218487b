//! One read, as the audit log knows it: who, which types, how many rows, and how it ended.
//!
//! No row leaves before the log names the read. An answer that fits into one piece makes one entry,
//! written before it leaves. A longer one makes two: `BEGUN` before its first piece leaves, and one
//! with the rows before its last. So a server that is killed in the middle leaves a `BEGUN` without
//! an end, and a client that goes away makes it end with `CUT`.

use healthsync_core::{api::Code, query::Query};
use healthsync_pairing::audit::{Audit, AuditError, Event, Note, OK};

use crate::{app::App, gate::RequestId, permit, permit::Permit};

/// Rows may have left; how the read ended stands in a later entry.
const BEGUN: &str = "BEGUN";
/// The answer broke off; the rows are those that were given out up to there.
const CUT: &str = "CUT";

/// A read under way.
#[derive(Debug)]
pub(super) struct Reading {
    audit: Audit,
    note: Note,
    request: String,
    rows: u64,
    is_begun: bool,
}

impl Reading {
    pub(super) fn new(app: &App, event: Event, permit: &Permit, id: &RequestId) -> Self {
        let record = permit.record();
        Self {
            audit: app.audit().clone(),
            note: Note::new(event)
                .of(record.pair)
                .by(record.key)
                .asked_in(&id.0),
            request: id.0.clone(),
            rows: 0,
            is_begun: false,
        }
    }

    /// The request's id.
    pub(super) fn request(&self) -> &str {
        &self.request
    }

    /// What is asked for; no types mean all of them.
    pub(super) fn about(&mut self, query: &Query) {
        let words: Vec<String> = query.types.iter().map(permit::word).collect();
        let note = self.note.clone();
        self.note = if words.is_empty() {
            note.about(["all"])
        } else {
            note.about(words.iter().map(String::as_str))
        };
    }

    /// The same in words, of what is no sample.
    pub(super) fn about_words(&mut self, words: &[String]) {
        self.note = self.note.clone().about(words.iter().map(String::as_str));
    }

    /// More rows are on their way.
    pub(super) fn add(&mut self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.rows = self.rows.saturating_add(rows);
    }

    /// The first of several pieces is about to leave.
    pub(super) fn begin(&mut self) -> Result<(), AuditError> {
        self.is_begun = true;
        self.audit.record_blocking(self.note.clone().ending(BEGUN))
    }

    /// Everything is ready to leave.
    pub(super) fn end(&mut self) -> Result<(), AuditError> {
        self.is_begun = false;
        let note = self.note.clone().with_rows(self.rows);
        self.audit.record_blocking(note.ending(OK))
    }

    /// It was refused.
    pub(super) fn refuse(&self, code: Code) -> Result<(), AuditError> {
        let note = self.note.clone().with_rows(0);
        self.audit.record_blocking(note.ending(code.as_str()))
    }

    /// It was refused by what is no thread that may wait; the log is told in the background.
    pub(super) fn refuse_soon(&self, code: Code) {
        let note = self.note.clone().with_rows(0);
        self.audit.note(note.ending(code.as_str()));
    }

    /// The same as [`Self::end`] for an answer of one piece whose rows are counted already.
    pub(super) async fn record(self, rows: usize) -> Result<(), AuditError> {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        let note = self.note.clone().with_rows(rows);
        self.audit.record(note).await
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if self.is_begun {
            let note = self.note.clone().with_rows(self.rows);
            self.audit.note(note.ending(CUT));
        }
    }
}
