//! Mutations without an engine: the same ones for the same number.

/// A small generator (`SplitMix64`), seeded.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this number.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }
}

/// Bytes at which readers often change their mind.
const TELLING: &[&[u8]] = &[
    &[0],
    &[1],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0xff, 0xff],
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    b"\r\n",
    b"\n",
    b" ",
    b"\"",
    b"{",
    b"]",
    b":",
    b"=",
    b"-1",
    b"18446744073709551616",
    b"\\u0000",
    "\u{202e}".as_bytes(),
];

/// No input grows beyond.
const LONGEST: usize = 32 * 1024;

/// `seed` with one to four changes; some of them take a piece of `other`.
pub fn mutate(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        let end = (at + 1 + random.below(16)).min(data.len());
        match random.below(9) {
            0 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = random.next().to_le_bytes()[0];
                }
            }
            2 => {
                let telling = TELLING[random.below(TELLING.len())];
                data.splice(at..at, telling.iter().copied());
            }
            3 => {
                let telling = TELLING[random.below(TELLING.len())];
                let end = (at + telling.len()).min(data.len());
                data.splice(at..end, telling.iter().copied());
            }
            4 => drop(data.drain(at..end)),
            5 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            6 => data.truncate(at),
            7 => {
                let from = random.below(other.len() + 1);
                let to = (from + 1 + random.below(64)).min(other.len());
                data.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                // Half of one, half of the other.
                data.truncate(at);
                data.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
        }
        data.truncate(LONGEST);
    }
    data
}
