//! The characters of an export, without those that XML forbids.
//!
//! App names have been seen with U+000B in them. Such characters are dropped, bytes that are not
//! UTF-8 become U+FFFD, and both are counted. Reading and decompression happen in a thread of
//! their own, which hands over pieces of fixed size.

use std::{
    io::{self, BufRead, Read},
    mem,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
};

use super::limits;

const PIECE: usize = 256 * 1024;
const PIECES_WAITING: usize = 4;

/// What was changed, and where first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) controls: Found,
    pub(super) invalid: Found,
}

/// How often, and the line of the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) count: u64,
    pub(super) line: u64,
}

impl Found {
    pub(super) fn add(&mut self, count: u64, line: u64) {
        if self.count == 0 {
            self.line = line;
        }
        self.count += count;
    }
}

enum Message {
    Piece(String),
    End(Cleaned),
    Failed(io::Error),
}

/// The writing and the reading end.
pub(super) fn pipe() -> (Pump, Chunks) {
    let (sender, receiver) = sync_channel(PIECES_WAITING);
    let (used, free) = channel();
    let chunks = Chunks {
        receiver,
        used,
        piece: String::new(),
        position: 0,
        since_token: 0,
        cleaned: None,
        failure: None,
    };
    (Pump { sender, free }, chunks)
}

/// The writing end.
pub(super) struct Pump {
    sender: SyncSender<Message>,
    free: Receiver<String>,
}

impl Pump {
    /// Reads to the end, or until nobody listens.
    pub(super) fn run(self, reader: &mut dyn Read) {
        let mut cleaner = Cleaner::default();
        let mut space = vec![0; PIECE];
        loop {
            let mut piece = self.free.try_recv().unwrap_or_default().into_bytes();
            piece.clear();
            piece.append(&mut cleaner.carried);
            let outcome = fill(&mut piece, reader, &mut space);
            // What came before a failure is still good.
            let last = !matches!(outcome, Ok(true));
            let piece = cleaner.clean(piece, last);
            if !piece.is_empty() && self.sender.send(Message::Piece(piece)).is_err() {
                return;
            }
            let end = match outcome {
                Ok(true) => continue,
                Ok(false) => Message::End(cleaner.cleaned),
                Err(error) => Message::Failed(error),
            };
            drop(self.sender.send(end));
            return;
        }
    }
}

/// Fills a piece; says whether there may be more.
fn fill(piece: &mut Vec<u8>, reader: &mut dyn Read, space: &mut [u8]) -> io::Result<bool> {
    /// What was carried on and cleaned may fill the piece already.
    const LEAST: usize = 4096;

    let mut wanted = PIECE.saturating_sub(piece.len()).max(LEAST);
    while wanted > 0 {
        let target = space.get_mut(..wanted).unwrap_or_default();
        match reader.read(target) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                piece.extend_from_slice(target.get(..read).unwrap_or_default());
                wanted = wanted.saturating_sub(read);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[derive(Default)]
struct Cleaner {
    /// Line feeds so far.
    lines: u64,
    /// What stands behind the last tag, which the next piece begins with: so a tag is seldom in two
    /// pieces, and a character never.
    carried: Vec<u8>,
    cleaned: Cleaned,
}

impl Cleaner {
    fn clean(&mut self, piece: Vec<u8>, last: bool) -> String {
        let mut text = match String::from_utf8(piece) {
            Ok(text) => text,
            Err(error) => self.replace_invalid(error.as_bytes(), last),
        };
        if has_forbidden(text.as_bytes()) {
            let (controls, lines) = (&mut self.cleaned.controls, self.lines);
            let mut line = lines + 1;
            text.retain(|character| {
                line += u64::from(character == '\n');
                let forbidden = u8::try_from(character).is_ok_and(is_forbidden);
                if forbidden {
                    controls.add(1, line);
                }
                !forbidden
            });
        }
        if !last && let Some(at) = memchr::memrchr(b'>', text.as_bytes()) {
            let mut behind = text.split_off(at + 1).into_bytes();
            behind.append(&mut self.carried);
            self.carried = behind;
        }
        self.lines += count_lines(text.as_bytes());
        text
    }

    fn replace_invalid(&mut self, bytes: &[u8], last: bool) -> String {
        let mut text = String::with_capacity(bytes.len());
        let mut rest = bytes;
        loop {
            let error = match std::str::from_utf8(rest) {
                Ok(rest) => {
                    text.push_str(rest);
                    return text;
                }
                Err(error) => error,
            };
            let (valid, behind) = rest
                .split_at_checked(error.valid_up_to())
                .unwrap_or_default();
            text.push_str(std::str::from_utf8(valid).unwrap_or_default());
            let length = match error.error_len() {
                Some(length) => length,
                None if last => behind.len(),
                None => {
                    behind.clone_into(&mut self.carried);
                    return text;
                }
            };
            let line = self.lines + 1 + count_lines(text.as_bytes());
            self.cleaned.invalid.add(1, line);
            text.push('\u{fffd}');
            rest = behind.get(length..).unwrap_or_default();
        }
    }
}

/// What XML 1.0 does not allow, not even as a reference.
pub(super) fn is_forbidden(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r'
}

/// Whether a byte is [forbidden](is_forbidden); eight at a time, as few are even suspicious.
fn has_forbidden(text: &[u8]) -> bool {
    const LOW: u64 = 0x2020_2020_2020_2020;
    const TOP: u64 = 0x8080_8080_8080_8080;

    let any = |bytes: &[u8]| bytes.iter().any(|byte| is_forbidden(*byte));
    let (words, rest) = text.as_chunks::<8>();
    let among = |word: &[u8; 8]| {
        let eight = u64::from_ne_bytes(*word);
        // A bit is set if, and only if, some byte is below 0x20.
        eight.wrapping_sub(LOW) & !eight & TOP != 0 && any(word)
    };
    words.iter().any(among) || any(rest)
}

/// Line feeds in a text.
pub(super) fn count_lines(text: &[u8]) -> u64 {
    let count = memchr::memchr_iter(b'\n', text).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The reading end.
pub(super) struct Chunks {
    receiver: Receiver<Message>,
    used: Sender<String>,
    piece: String,
    position: usize,
    since_token: usize,
    cleaned: Option<Cleaned>,
    failure: Option<io::Error>,
}

impl Chunks {
    /// A token begins; the bound of its length counts from here.
    pub(super) fn begin_token(&mut self) {
        self.since_token = 0;
    }

    /// Whether the token that is being read is longer than any real one.
    pub(super) fn is_over_limit(&self) -> bool {
        self.since_token > limits::TOKEN
    }

    /// The next piece, if there is one; another one that was read comes back to be filled again.
    pub(super) fn next_piece(&mut self, used: String) -> io::Result<Option<String>> {
        // The other end may be gone already; then nobody needs the memory.
        drop(self.used.send(used));
        if self.cleaned.is_some() {
            return Ok(None);
        }
        match self.receiver.recv() {
            Ok(Message::Piece(piece)) => Ok(Some(piece)),
            Ok(Message::End(cleaned)) => {
                self.cleaned = Some(cleaned);
                Ok(None)
            }
            Ok(Message::Failed(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Why reading failed.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// What was changed in the whole text; known at its end.
    pub(super) fn cleaned(&self) -> Option<Cleaned> {
        self.cleaned
    }
}

impl Read for Chunks {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let read = available.read(target)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position >= self.piece.len() && self.cleaned.is_none() {
            if self.is_over_limit() {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            let used = mem::take(&mut self.piece);
            self.position = 0;
            match self.next_piece(used) {
                Ok(piece) => self.piece = piece.unwrap_or_default(),
                Err(error) => {
                    let kind = error.kind();
                    self.failure = Some(error);
                    return Err(kind.into());
                }
            }
        }
        let piece = self.piece.as_bytes();
        Ok(piece.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position += amount;
        self.since_token = self.since_token.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(input: &[u8]) -> (String, Cleaned) {
        let (pump, mut chunks) = pipe();
        let mut output = String::new();
        std::thread::scope(|scope| {
            scope.spawn(move || pump.run(&mut OneByOne(input)));
            chunks.read_to_string(&mut output).unwrap();
        });
        (output, chunks.cleaned().unwrap())
    }

    /// Readers may give as little as they like.
    struct OneByOne<'a>(&'a [u8]);
    impl Read for OneByOne<'_> {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            let length = target.len().min(1);
            self.0.read(&mut target[..length])
        }
    }

    #[test]
    fn forbidden_characters_are_dropped_and_counted() {
        let (text, cleaned) = clean(b"a\nb\x0bc\t\r\n\x00d\x1f");
        assert_eq!(text, "a\nbc\t\r\nd");
        assert_eq!(cleaned.controls, Found { count: 3, line: 2 });
        assert_eq!(cleaned.invalid, Found::default());
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_counted() {
        let (text, cleaned) = clean(b"\n\n\xff\xe2\x82 \xe2\x82\xac\xe2\x82");
        assert_eq!(text, "\n\n\u{fffd}\u{fffd} \u{20ac}\u{fffd}");
        assert_eq!(cleaned.invalid, Found { count: 3, line: 3 });
    }

    #[test]
    fn characters_may_stand_across_pieces() {
        for shift in 0..4 {
            let mut input = "x".repeat(PIECE - shift);
            input.push_str("Здоровье 🏃");
            let (text, cleaned) = clean(input.as_bytes());
            assert!(text == input, "shifted by {shift}");
            assert_eq!(cleaned, Cleaned::default());
        }
    }

    #[test]
    fn a_forbidden_byte_is_seen_at_every_place_beside_every_kind() {
        for byte in 0..=u8::MAX {
            for (length, beside) in [(1, b' '), (8, b'\n'), (19, 0x80), (24, b'\t'), (30, 0xff)] {
                for at in 0..length {
                    let mut text = vec![beside; length];
                    text[at] = byte;
                    assert_eq!(has_forbidden(&text), is_forbidden(byte), "{text:?}");
                }
            }
        }
        assert_eq!(count_lines("a\n\nb\n".repeat(300).as_bytes()), 900);
        assert_eq!(count_lines(b""), 0);
    }
}
