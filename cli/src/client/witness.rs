//! This computer as a witness of the server's audit log: it keeps where the log ended, and the first
//! request of each command asks whether that still stands. It costs no request of its own.

use healthsync_core::api::{self, Code};
use healthsync_pairing::audit::{Finding, Head, Seen, compare};
use hyper::HeaderMap;

use super::{Link, connection::Answer};

impl Link {
    /// The place to ask about; `None`: nothing was seen, or the question was answered.
    pub(super) fn question(&self) -> Option<u64> {
        match self.audit {
            None => self.server.audit_head().map(|head| head.sequence),
            Some(_) => None,
        }
    }

    /// Compares the answer with what was seen. Gives the head to keep; a log that is not the one
    /// that was seen gives none, so that every later command says so again.
    pub(super) fn witness(&mut self, answer: &Answer) -> Option<Head> {
        let headers = answer.headers();
        let head: Option<Head> = read(headers, api::AUDIT_HEAD);
        // What never reached the server's gate shows nothing, and need not.
        if head.is_none() && !answer.status().is_success() {
            return None;
        }
        if self.audit.is_none() {
            let seen = self.server.audit_head();
            let found: Option<Seen> = read(headers, api::AUDIT_ENTRY);
            let finding = compare(seen.as_ref(), head.as_ref(), found, self.now);
            self.audit = Some(finding);
            if let (Finding::Rewritten(why), Some(seen)) = (finding, seen) {
                let code = Code::AuditRewritten;
                self.printer.warn(&format!(
                    "the audit log of {:?} is not the one that this computer saw: of entry {} of {}, {why} \
                     [{code}]\n  {}",
                    self.server.name,
                    seen.sequence,
                    healthsync_core::time::rfc3339(seen.time.saturating_mul(1000)),
                    code.advice(),
                ));
            }
        }
        match self.audit {
            Some(Finding::Rewritten(_)) => None,
            _ => head,
        }
    }

    /// What was found; `None` before the first answer.
    pub(crate) const fn audit(&self) -> Option<Finding> {
        self.audit
    }
}

fn read<T: std::str::FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
