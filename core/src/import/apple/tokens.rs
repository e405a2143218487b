//! Start and end tags of the export, with their lines.

use std::io::BufRead;

use quick_xml::{Reader, errors::Error, events::Event};

use super::{
    archive, limits,
    prolog::{self, Rest},
    tag::Tag,
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
    xml: Reader<Rest>,
    buffer: Vec<u8>,
    depth: usize,
    /// Line on which the last token began.
    line: u64,
    /// Line on which the next one begins.
    next_line: u64,
    controls: Found,
}

impl Tokens {
    /// Steps over the prolog.
    pub(super) fn new(chunks: Chunks) -> Result<Self, ReadError> {
        let (reader, line) = prolog::skip(chunks)?;
        let mut xml = Reader::from_reader(reader);
        xml.config_mut().allow_dangling_amp = true;
        let controls = Found::default();
        Ok(Self {
            xml,
            buffer: Vec::new(),
            depth: 0,
            line,
            next_line: line,
            controls,
        })
    }

    /// Line on which the last token began.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Reads on to the next tag; fills `tag` when it is a start tag.
    pub(super) fn next(&mut self, tag: &mut Tag) -> Result<Token, ReadError> {
        loop {
            self.buffer.clear();
            self.xml.get_mut().get_mut().1.begin_token();
            let event = match self.xml.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => return Err(self.failed(&error)),
            };
            self.line = self.next_line;
            self.next_line += count_lines(event.as_bytes());
            let token = match event {
                Event::Start(_) | Event::Empty(_) if self.depth >= limits::DEPTH => {
                    let reason = "elements are nested too deeply".into();
                    return Err(ReadError::Malformed {
                        line: self.line,
                        reason,
                    });
                }
                Event::Start(start) => {
                    tag.assign(start.name().0, start.attributes_raw());
                    self.depth += 1;
                    Token::Open
                }
                Event::Empty(start) => {
                    tag.assign(start.name().0, start.attributes_raw());
                    Token::Empty
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Token::Close);
                }
                Event::Eof => return Ok(Token::End),
                Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => continue,
            };
            if tag.controls > 0 {
                self.controls.add(tag.controls, self.line);
            }
            return Ok(token);
        }
    }

    /// Steps over all that the element holds whose start tag was read last.
    pub(super) fn skip_children(&mut self, tag: &mut Tag) -> Result<(), ReadError> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
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

    /// Reads what stands behind the root, so that the checksum of the archive is looked at, and
    /// says what was cleaned in the whole file, and on which line text stands behind the root.
    pub(super) fn finish(mut self) -> Result<(Cleaned, Option<u64>), ReadError> {
        let mut behind = None;
        let mut line = self.next_line;
        let (rest, chunks) = self.xml.get_mut().get_mut();
        let left = rest.fill_buf().unwrap_or_default();
        if let Some(at) = first_visible(left) {
            behind = Some(line + count_lines(left.get(..at).unwrap_or_default()));
        }
        line += count_lines(left);
        loop {
            chunks.begin_token();
            let piece = match chunks.fill_buf() {
                Ok([]) => break,
                Ok(piece) => piece,
                Err(error) => {
                    let error = chunks.take_failure().unwrap_or(error);
                    return Err(broken_off(error, line));
                }
            };
            if let (None, Some(at)) = (behind, first_visible(piece)) {
                behind = Some(line + count_lines(piece.get(..at).unwrap_or_default()));
            }
            line += count_lines(piece);
            let length = piece.len();
            chunks.consume(length);
        }
        let mut cleaned = chunks.cleaned().unwrap_or_default();
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

    fn failed(&mut self, error: &Error) -> ReadError {
        let line = self.next_line;
        let (_, chunks) = self.xml.get_mut().get_mut();
        if let Some(failure) = chunks.take_failure() {
            return broken_off(failure, line);
        }
        let reason = match error {
            _ if chunks.is_over_limit() => "an element is too long",
            Error::Syntax(quick_xml::errors::SyntaxError::InvalidBangMarkup)
                if chunks.cleaned().is_none() =>
            {
                "markup that is not known"
            }
            Error::Syntax(_) => return ReadError::Truncated { line },
            Error::IllFormed(_) => "an element ends that is not the open one",
            Error::Io(error) => {
                return ReadError::Read(std::io::Error::new(error.kind(), error.to_string()));
            }
            _ => "this is not XML",
        };
        ReadError::Malformed {
            line,
            reason: reason.into(),
        }
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
