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
    Piece(Vec<u8>),
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
        piece: Vec::new(),
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
    free: Receiver<Vec<u8>>,
}

impl Pump {
    /// Reads to the end, or until nobody listens.
    pub(super) fn run(self, reader: &mut dyn Read) {
        let mut cleaner = Cleaner::default();
        loop {
            let mut piece = self.free.try_recv().unwrap_or_default();
            piece.clear();
            piece.append(&mut cleaner.carried);
            let wanted = PIECE.saturating_sub(piece.len());
            let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
            let read = match reader.take(wanted).read_to_end(&mut piece) {
                Ok(read) => read,
                Err(error) => {
                    // What came before the failure is still good.
                    cleaner.clean(&mut piece, true);
                    drop(self.sender.send(Message::Piece(piece)));
                    drop(self.sender.send(Message::Failed(error)));
                    return;
                }
            };
            cleaner.clean(&mut piece, read == 0);
            if !piece.is_empty() && self.sender.send(Message::Piece(piece)).is_err() {
                return;
            }
            if read == 0 {
                drop(self.sender.send(Message::End(cleaner.cleaned)));
                return;
            }
        }
    }
}

#[derive(Default)]
struct Cleaner {
    /// Line feeds so far.
    lines: u64,
    /// The beginning of a character whose end stands in the next piece.
    carried: Vec<u8>,
    cleaned: Cleaned,
}

impl Cleaner {
    fn clean(&mut self, piece: &mut Vec<u8>, last: bool) {
        match std::str::from_utf8(piece) {
            Ok(_) => {}
            Err(error) if error.error_len().is_none() && !last => {
                self.carried = piece.split_off(error.valid_up_to());
            }
            Err(_) => self.replace_invalid(piece, last),
        }
        if has_forbidden(piece) {
            let (controls, lines) = (&mut self.cleaned.controls, self.lines);
            let mut line = lines + 1;
            piece.retain(|byte| {
                line += u64::from(*byte == b'\n');
                let forbidden = is_forbidden(*byte);
                if forbidden {
                    controls.add(1, line);
                }
                !forbidden
            });
        }
        self.lines += count_lines(piece);
    }

    fn replace_invalid(&mut self, piece: &mut Vec<u8>, last: bool) {
        let old = mem::take(piece);
        let mut rest = old.as_slice();
        loop {
            let Err(error) = std::str::from_utf8(rest) else {
                piece.extend_from_slice(rest);
                return;
            };
            let (valid, behind) = rest
                .split_at_checked(error.valid_up_to())
                .unwrap_or_default();
            piece.extend_from_slice(valid);
            let length = match error.error_len() {
                Some(length) => length,
                None if last => behind.len(),
                None => {
                    behind.clone_into(&mut self.carried);
                    return;
                }
            };
            let line = self.lines + 1 + count_lines(piece);
            self.cleaned.invalid.add(1, line);
            piece.extend_from_slice("\u{fffd}".as_bytes());
            rest = behind.get(length..).unwrap_or_default();
        }
    }
}

/// What XML 1.0 does not allow, not even as a reference.
pub(super) fn is_forbidden(byte: u8) -> bool {
    byte < 0x20 && byte != b'\t' && byte != b'\n' && byte != b'\r'
}

/// Whether a byte is [forbidden](is_forbidden); eight at a time.
fn has_forbidden(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    let in_words = words.iter().any(|bytes| {
        let word = u64::from_ne_bytes(*bytes);
        let is_any_low = word.wrapping_sub(ONES * 0x20) & !word & (ONES * 0x80) != 0;
        is_any_low && bytes.iter().copied().any(is_forbidden)
    });
    in_words || rest.iter().copied().any(is_forbidden)
}

/// Line feeds in a text.
pub(super) fn count_lines(text: &[u8]) -> u64 {
    let count = memchr::memchr_iter(b'\n', text).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The reading end.
pub(super) struct Chunks {
    receiver: Receiver<Message>,
    used: Sender<Vec<u8>>,
    piece: Vec<u8>,
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
            match self.receiver.recv() {
                Ok(Message::Piece(piece)) => {
                    let used = mem::replace(&mut self.piece, piece);
                    self.position = 0;
                    // The other end may be gone already; then nobody needs the memory.
                    drop(self.used.send(used));
                }
                Ok(Message::End(cleaned)) => self.cleaned = Some(cleaned),
                Ok(Message::Failed(error)) => {
                    let kind = error.kind();
                    self.failure = Some(error);
                    return Err(kind.into());
                }
                Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        Ok(self.piece.get(self.position..).unwrap_or_default())
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
