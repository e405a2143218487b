//! `Correlation` with the records that belong together.

use super::{
    element::{ElementReader, FRAME, Reason},
    limits,
    metadata::external_id,
    tag::Tag,
    tokens::Token,
};
use crate::{correlation::Correlation, import::ReadError, kind::Kind, sample::Metadata};

impl ElementReader<'_, '_> {
    /// A correlation, all of it read; or why it cannot be kept.
    pub(super) fn correlation(
        &mut self,
        tag: &Tag,
        token: Token,
    ) -> Result<Result<Correlation, Reason>, ReadError> {
        let kind = tag
            .value("type")
            .filter(|name| !name.is_empty())
            .map(Kind::from_healthkit);
        let frame = self.frame(tag);
        let mut metadata = Metadata::default();
        self.other_attributes(tag, &[FRAME, &["type"]].concat(), &mut metadata)?;
        let mut members = Vec::new();
        if token == Token::Open {
            self.children(&mut |reader, child, token| {
                if reader.metadata_entry(child, &mut metadata)? {
                    return reader.leave(child, token);
                }
                if child.name() != "Record" {
                    return reader.pass_over(child, token);
                }
                let line = reader.tokens.line();
                match reader.record(child, token)? {
                    Ok(sample) if members.len() < limits::PARTS => members.push(sample),
                    Ok(_) => reader.skipped(line, "members beyond the limit".into())?,
                    Err(reason) => reader.skipped(line, reason)?,
                }
                Ok(())
            })?;
        }
        let Some(kind) = kind else {
            return Ok(Err("correlations without a type".into()));
        };
        Ok(frame.map(|frame| Correlation {
            kind,
            start_ms: frame.start_ms,
            end_ms: frame.end_ms,
            created_ms: frame.created_ms,
            provenance: frame.provenance,
            external_id: external_id(&metadata),
            metadata,
            members,
        }))
    }
}
