//! Start and end tags of the export, with their lines.
//!
//! No tag is copied before it is whole, and each is looked through once: the importer spends its time
//! here. What stands between tags is stepped over.

use memchr::{memchr2, memmem};

use super::{
    archive, limits, prolog,
    tag::{Ended, Tag, end_of_tag},
    text::{Chunks, Cleaned, Found, count_lines},
};
use crate::import::ReadError;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A start tag.
    Open,
    /// A start tag that is its own end.
    Empty,
    /// The end of the innermost open element.
    Close,
    /// The end of the file.
    End,
}

/// The tags of an export, from its root on.
pub(super) struct Tokens {
    chunks: Chunks,
    /// What was read, from the token on that is looked at.
    text: String,
    at: usize,
    /// Names of the open elements, one behind the other, and where each begins.
    names: String,
    open: Vec<usize>,
    /// Line on which the last token began.
    line: u64,
    /// Line on which the next one begins.
    next_line: u64,
    controls: Found,
}

impl Tokens {
    /// Steps over the prolog.
    pub(super) fn new(mut chunks: Chunks) -> Result<Self, ReadError> {
        let (text, line) = prolog::skip(&mut chunks)?;
        Ok(Self {
            chunks,
            text,
            at: 0,
            names: String::new(),
            open: Vec::new(),
            line,
            next_line: line,
            controls: Found::default(),
        })
    }

    /// Line on which the last token began.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Reads on to the next tag; fills `tag` when it is a start tag.
    pub(super) fn next(&mut self, tag: &mut Tag) -> Result<Token, ReadError> {
        loop {
            if !self.step_over_text()? {
                return Ok(Token::End);
            }
            self.line = self.next_line;
            match self.rest().as_bytes().get(1) {
                None => self.more_of_token()?,
                Some(b'/') => return self.close(),
                Some(b'!') => self.step_over_markup()?,
                Some(b'?') => self.step_over("?>", 2)?,
                Some(_) => return self.start(tag),
            }
        }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Says whether there is a tag behind it.
    fn step_over_text(&mut self) -> Result<bool, ReadError> {
        let mut length = 0_usize;
        loop {
            let rest = self.rest().as_bytes();
            let found = memchr2(b'<', b'&', rest);
            let step = found.unwrap_or(rest.len());
            let is_tag = found.is_some_and(|at| rest.get(at) == Some(&b'<'));
            // A reference begins another text.
            let step = step + usize::from(found.is_some() && !is_tag);
            let lines = count_lines(rest.get(..step).unwrap_or_default());
            self.next_line += lines;
            self.at += step;
            if is_tag {
                return Ok(true);
            }
            if found.is_some() {
                length = 0;
                continue;
            }
            length = length.saturating_add(step);
            if length > limits::TOKEN {
                return Err(self.too_long());
            }
            if !self.more()? {
                return Ok(false);
            }
        }
    }

    /// Reads the next piece behind what is left; says whether there was one.
    fn more(&mut self) -> Result<bool, ReadError> {
        let left = self.text.split_off(self.at);
        if left.len() > limits::TOKEN {
            return Err(self.too_long());
        }
        let used = std::mem::take(&mut self.text);
        self.at = 0;
        let line = self.next_line;
        let piece = self
            .chunks
            .next_piece(used)
            .map_err(|error| broken_off(error, line))?;
        let is_more = piece.is_some();
        let piece = piece.unwrap_or_default();
        self.text = if left.is_empty() {
            piece
        } else {
            left + &piece
        };
        Ok(is_more)
    }

    /// As [`Self::more`], in the middle of a tag.
    fn more_of_token(&mut self) -> Result<(), ReadError> {
        if self.more()? {
            Ok(())
        } else {
            Err(self.truncated())
        }
    }

    /// A start tag.
    fn start(&mut self, tag: &mut Tag) -> Result<Token, ReadError> {
        let Ended {
            length,
            is_empty,
            lines,
        } = loop {
            if let Some(ended) = tag.read(self.rest()) {
                break ended;
            }
            self.more_of_token()?;
        };
        if self.open.len() >= limits::DEPTH {
            return Err(self.malformed("elements are nested too deeply"));
        }
        self.at += length;
        self.next_line += lines;
        if tag.controls > 0 {
            self.controls.add(tag.controls, self.line);
        }
        if is_empty {
            return Ok(Token::Empty);
        }
        self.open.push(self.names.len());
        self.names.push_str(tag.name());
        Ok(Token::Open)
    }

    /// An end tag.
    fn close(&mut self) -> Result<Token, ReadError> {
        let end = loop {
            if let Some(end) = end_of_tag(self.rest().as_bytes()) {
                break end;
            }
            self.more_of_token()?;
        };
        let tag = self.rest().get(..end).unwrap_or_default();
        let name = tag.get(2..).unwrap_or_default().trim_ascii_end();
        let open = self.open.last().copied();
        if open.and_then(|at| self.names.get(at..)) != Some(name) {
            return Err(self.malformed("an element ends that is not the open one"));
        }
        self.next_line += count_lines(tag.as_bytes());
        self.open.pop();
        self.names.truncate(open.unwrap_or_default());
        self.at += end + 1;
        Ok(Token::Close)
    }

    /// `<!-- -->`, `<![CDATA[ ]]>`, `<!DOCTYPE >`.
    fn step_over_markup(&mut self) -> Result<(), ReadError> {
        loop {
            let rest = self.rest();
            if rest.starts_with("<!--") {
                return self.step_over("-->", 4);
            }
            if rest.starts_with("<![CDATA[") {
                return self.step_over("]]>", 9);
            }
            if rest.len() >= 9 {
                let is_type = rest
                    .get(..9)
                    .is_some_and(|head| head.eq_ignore_ascii_case("<!DOCTYPE"));
                return if is_type {
                    self.step_over(">", 9)
                } else {
                    Err(self.malformed("markup that is not known"))
                };
            }
            self.more_of_token()?;
        }
    }

    /// Steps over a token that ends so, at the earliest so many bytes behind its beginning.
    fn step_over(&mut self, end: &str, from: usize) -> Result<(), ReadError> {
        let length = loop {
            let rest = self.rest().as_bytes();
            let behind = rest.get(from..).unwrap_or_default();
            if let Some(at) = memmem::find(behind, end.as_bytes()) {
                break from + at + end.len();
            }
            self.more_of_token()?;
        };
        let token = self.rest().as_bytes().get(..length).unwrap_or_default();
        self.next_line += count_lines(token);
        self.at += length;
        Ok(())
    }

    /// Steps over all that the element holds whose start tag was read last.
    pub(super) fn skip_children(&mut self, tag: &mut Tag) -> Result<(), ReadError> {
        let outside = self.open.len().saturating_sub(1);
        while self.open.len() > outside {
            if self.next(tag)? == Token::End {
                return Err(self.truncated());
            }
        }
        Ok(())
    }

    /// The file ends here and should not.
    pub(super) fn truncated(&self) -> ReadError {
        ReadError::Truncated {
            line: self.next_line,
        }
    }

    fn malformed(&self, reason: &'static str) -> ReadError {
        ReadError::Malformed {
            line: self.line,
            reason: reason.into(),
        }
    }

    fn too_long(&self) -> ReadError {
        ReadError::Malformed {
            line: self.next_line,
            reason: "an element is too long".into(),
        }
    }

    /// Reads what stands behind the root, so that the checksum of the archive is looked at, and
    /// says what was cleaned in the whole file, and on which line text stands behind the root.
    pub(super) fn finish(mut self) -> Result<(Cleaned, Option<u64>), ReadError> {
        let mut behind = None;
        let mut line = self.next_line;
        let mut piece = self.text.split_off(self.at);
        loop {
            let bytes = piece.as_bytes();
            if let (None, Some(at)) = (behind, first_visible(bytes)) {
                behind = Some(line + count_lines(bytes.get(..at).unwrap_or_default()));
            }
            line += count_lines(bytes);
            match self.chunks.next_piece(piece) {
                Ok(Some(next)) => piece = next,
                Ok(None) => break,
                Err(error) => return Err(broken_off(error, line)),
            }
        }
        let mut cleaned = self.chunks.cleaned().unwrap_or_default();
        if self.controls.count > 0 {
            let first = match cleaned.controls.line {
                0 => self.controls.line,
                line => line.min(self.controls.line),
            };
            cleaned.controls.add(self.controls.count, first);
            cleaned.controls.line = first;
        }
        Ok((cleaned, behind))
    }
}

/// A failed reader; one that only ends too early left the lines before.
pub(super) fn broken_off(error: std::io::Error, line: u64) -> ReadError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => ReadError::Truncated { line },
        _ => archive::unreadable(error),
    }
}

fn first_visible(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests;
