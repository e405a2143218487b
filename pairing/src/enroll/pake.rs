//! SPAKE2 over the typed code, bound to one channel: what both ends share, without the code itself
//! or anything that a listener could try codes on.
//!
//! The crate is not audited, has no key confirmation of its own and takes the identity as a share.
//! So a share is checked here before it sees it, the names of both sides hold the channel's
//! exporter value, and F3 and F4 confirm the key. Nothing of the invitation's mode depends on it.

use curve25519_dalek::edwards::CompressedEdwardsY;
use rand_core::{CryptoRng, RngCore};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::{
    frame::{Malformed, SHARE_LENGTH},
    transcript::bound,
};
use crate::{
    code::TypedCode,
    defence::{Defence, holds},
    environment::{Entropy, EntropyUnavailable},
    secret::Secret,
};

/// Whether this build pairs by typed codes.
pub const AVAILABLE: bool = true;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The new device.
    Client,
    /// The host.
    Server,
}

impl Side {
    /// The first byte of its share.
    const fn direction(self) -> u8 {
        match self {
            Self::Client => 0x41,
            Self::Server => 0x42,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// One end's half of the exchange.
pub struct Pake {
    side: Side,
    half: Spake2<Ed25519Group>,
}

impl Pake {
    /// Draws a share: 33 bytes for the other end.
    pub fn start(
        side: Side,
        code: &TypedCode,
        exporter: &[u8; 32],
        entropy: &dyn Entropy,
    ) -> Result<(Self, Vec<u8>), EntropyUnavailable> {
        let mut drawn = Drawn::new(entropy)?;
        let password = Password::new(code.symbols().expose());
        let name = |of: &[u8]| Identity::new(&[of, &bound(*exporter)].concat());
        let client = name(b"healthsync pair v1 client");
        let server = name(b"healthsync pair v1 server");
        let start = match side {
            Side::Client => Spake2::start_a_with_rng,
            Side::Server => Spake2::start_b_with_rng,
        };
        let (half, share) = start(&password, &client, &server, &mut drawn);
        // The crate asks for 64 bytes once; were it to ask for more, they would not be random.
        if drawn.is_spent_exactly() {
            Ok((Self { side, half }, share))
        } else {
            Err(EntropyUnavailable)
        }
    }

    /// What both ends have in common if both know the code; checks the other end's share first.
    pub fn finish(self, share: &[u8]) -> Result<Secret, Malformed> {
        check_share(self.side.other(), share)?;
        let shared = self.half.finish(share).map_err(|_| Malformed)?;
        Ok(Secret::new(shared))
    }
}

impl std::fmt::Debug for Pake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pake(..)")
    }
}

/// A share of `side`: its direction byte, then a point that decodes and is not of small order.
fn check_share(side: Side, share: &[u8]) -> Result<(), Malformed> {
    if !holds(Defence::ShareCheck) {
        return Ok(());
    }
    let (direction, point) = share.split_first().ok_or(Malformed)?;
    let point: [u8; SHARE_LENGTH - 1] = point.try_into().map_err(|_| Malformed)?;
    let point = CompressedEdwardsY(point).decompress().ok_or(Malformed)?;
    if *direction == side.direction() && !point.is_small_order() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

/// Bytes drawn beforehand, because our source can fail and the crate's cannot.
struct Drawn {
    bytes: Zeroizing<[u8; 64]>,
    asked_for: usize,
}

impl Drawn {
    fn new(entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let mut bytes = Zeroizing::new([0; 64]);
        entropy.fill(bytes.as_mut())?;
        Ok(Self {
            bytes,
            asked_for: 0,
        })
    }

    fn is_spent_exactly(&self) -> bool {
        self.asked_for == self.bytes.len()
    }
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, wanted: &mut [u8]) {
        let left = self.bytes.get(self.asked_for..).unwrap_or_default();
        for (to, from) in wanted.iter_mut().zip(left) {
            *to = *from;
        }
        self.asked_for = self.asked_for.saturating_add(wanted.len());
    }

    fn try_fill_bytes(&mut self, wanted: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(wanted);
        Ok(())
    }
}

impl CryptoRng for Drawn {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SystemEntropy;

    const EXPORTER: [u8; 32] = [3; 32];

    fn code(text: &str) -> TypedCode {
        TypedCode::parse(text).unwrap()
    }

    fn shared(one: &TypedCode, other: &TypedCode, exporters: [[u8; 32]; 2]) -> [Vec<u8>; 2] {
        let (client, to_server) =
            Pake::start(Side::Client, one, &exporters[0], &SystemEntropy).unwrap();
        let (server, to_client) =
            Pake::start(Side::Server, other, &exporters[1], &SystemEntropy).unwrap();
        [
            client.finish(&to_client).unwrap().expose().to_vec(),
            server.finish(&to_server).unwrap().expose().to_vec(),
        ]
    }

    #[test]
    fn the_same_code_on_the_same_channel_gives_the_same_secret() {
        let (one, other) = (code("K7QF-3M9X-5"), code("0000-0000-8"));
        let [a, b] = shared(&one, &one, [EXPORTER; 2]);
        assert_eq!(a, b);
        assert_eq!(a.len(), 32);
        let [again, _] = shared(&one, &one, [EXPORTER; 2]);
        assert_ne!(a, again);
        let [a, b] = shared(&one, &other, [EXPORTER; 2]);
        assert_ne!(a, b);
        let [a, b] = shared(&one, &one, [EXPORTER, [4; 32]]);
        assert_ne!(a, b);
    }

    #[test]
    fn shares_are_checked() {
        let start = || {
            Pake::start(
                Side::Server,
                &code("K7QF-3M9X-5"),
                &EXPORTER,
                &SystemEntropy,
            )
            .unwrap()
        };
        let (_, own) = start();
        let point = |bytes: [u8; 32]| [&[0x41], &bytes[..]].concat();
        let mut wrong = vec![
            ("its own share", own),
            ("no share", Vec::new()),
            ("too short", point([9; 32])[..32].to_vec()),
            ("too long", [&point([9; 32])[..], &[0]].concat()),
            ("not a point", {
                let mut bytes = [0; 32];
                bytes[0] = 2;
                point(bytes)
            }),
        ];
        // Every encoding of a point whose order divides 8 (dalek's own table), the identity first.
        for small in curve25519_dalek::constants::EIGHT_TORSION {
            wrong.push(("a point of small order", point(small.compress().0)));
        }
        for (what, share) in wrong {
            assert_eq!(start().0.finish(&share).err(), Some(Malformed), "{what}");
        }
    }

    #[test]
    fn a_source_that_is_asked_for_more_is_noticed() {
        let mut drawn = Drawn::new(&SystemEntropy).unwrap();
        drawn.fill_bytes(&mut [0; 64]);
        assert!(drawn.is_spent_exactly());
        drawn.fill_bytes(&mut [0; 1]);
        assert!(!drawn.is_spent_exactly());
    }
}
