//! The frames F1..F7 and Abort of docs/protocol.md: bytes in and out; no I/O.
//!
//! Reading is strict: a length outside its range, a byte left over or a value that has no meaning
//! is [`Malformed`], and the connection ends. There are no unknown fields; a change is a new version.

use std::net::IpAddr;

use crate::{
    defence::{Defence, holds},
    device::SPKI_LENGTH,
};

/// The only version of the exchange so far.
pub const VERSION: u16 = 1;
/// A body is at most so long.
pub const MAX_BODY: usize = 4096;
/// Type and length.
pub const HEADER: usize = 3;

/// A share of SPAKE2: its direction, and a point.
pub const SHARE_LENGTH: usize = 33;

/// Type bytes.
pub mod kind {
    /// Abort, either direction.
    pub const ABORT: u8 = 0;
    /// F1, client to server.
    pub const HELLO: u8 = 1;
    /// F2, server to client.
    pub const SHARE: u8 = 2;
    /// F3, client to server.
    pub const PROOF: u8 = 3;
    /// F4, server to client.
    pub const CONFIRM: u8 = 4;
    /// F5, client to server.
    pub const ENROL: u8 = 5;
    /// F6, server to client.
    pub const PENDING: u8 = 6;
    /// F7, server to client.
    pub const ISSUED: u8 = 7;
}

/// Bytes that are not the frame they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame is malformed")]
pub struct Malformed;

/// Splits a header: type and length of the body.
pub fn header(bytes: [u8; HEADER]) -> Result<(u8, usize), Malformed> {
    let [kind, high, low] = bytes;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_BODY {
        return Err(Malformed);
    }
    Ok((kind, length))
}

/// What the two ends share beside the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The secret of the invitation.
    Qr,
    /// A typed code.
    Code,
}

/// F1: the client says hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// 1 to 8 versions, ascending.
    pub versions: Vec<u16>,
    /// QR or code.
    pub mode: Mode,
    /// Session of the window; zeros in code mode.
    pub session: [u8; 8],
    /// 0 bytes, in code mode 33.
    pub share: Vec<u8>,
    /// Proves knowledge of the secret on this channel; zeros in code mode.
    pub tag: [u8; 32],
}

impl Hello {
    /// The versions alone: their place never changes, so any version can answer "none in common".
    pub fn read_versions(body: &[u8]) -> Result<Vec<u16>, Malformed> {
        Reader(body).versions()
    }

    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(body);
        let versions = reader.versions()?;
        let mode = match reader.u8()? {
            1 => Mode::Qr,
            2 => Mode::Code,
            _ => return Err(Malformed),
        };
        let session = reader.array()?;
        let share = reader.share()?;
        let tag = reader.array()?;
        reader.end()?;
        let fits = match mode {
            Mode::Qr => share.is_empty(),
            Mode::Code => share.len() == SHARE_LENGTH && session == [0; 8] && tag == [0; 32],
        };
        if !fits {
            return Err(Malformed);
        }
        Ok(Self {
            versions,
            mode,
            session,
            share,
            tag,
        })
    }

    /// The whole frame.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = vec![u8::try_from(self.versions.len()).map_err(|_| Malformed)?];
        for version in &self.versions {
            body.extend(version.to_be_bytes());
        }
        body.push(match self.mode {
            Mode::Qr => 1,
            Mode::Code => 2,
        });
        body.extend(self.session);
        push_short(&mut body, &self.share)?;
        body.extend(self.tag);
        frame(kind::HELLO, &body)
    }
}

/// The bytes of a Hello frame that its tag covers: all but the tag.
pub fn hello_without_tag(whole: &[u8]) -> Result<&[u8], Malformed> {
    let length = whole.len().checked_sub(32).ok_or(Malformed)?;
    whole.get(..length).ok_or(Malformed)
}

/// F2: the server's choice and its commitment.
#[expect(
    clippy::struct_field_names,
    reason = "frame and field have the protocol's names"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Highest version in common.
    pub version: u16,
    /// 0 bytes, in code mode 33.
    pub share: Vec<u8>,
    /// Commits to nS.
    pub commit: [u8; 32],
}

impl Share {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(body);
        let read = Self {
            version: reader.u16()?,
            share: reader.share()?,
            commit: reader.array()?,
        };
        reader.end()?;
        Ok(read)
    }

    /// The whole frame.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = self.version.to_be_bytes().to_vec();
        push_short(&mut body, &self.share)?;
        body.extend(self.commit);
        frame(kind::SHARE, &body)
    }
}

/// The body of F3 and of F4: a proof and nothing else.
pub fn read_proof(body: &[u8]) -> Result<[u8; 32], Malformed> {
    body.try_into().map_err(|_| Malformed)
}

/// F3 or F4, the whole frame.
pub fn write_proof(kind: u8, proof: &[u8; 32]) -> Result<Vec<u8>, Malformed> {
    frame(kind, proof)
}

/// F5: what the client says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrol {
    /// nC, random.
    pub nonce: [u8; 32],
    /// The new key. Its form is checked where its signature is.
    pub spki: [u8; SPKI_LENGTH],
    /// 1 to 64 bytes; its characters are checked in [`super::name`].
    pub name: Vec<u8>,
    /// The pair that this one replaces, with the signature by its key.
    pub replaces: Option<Replaces>,
    /// By the new key.
    pub signature: [u8; 64],
}

/// The old pair that a device leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    /// Its id.
    pub pair: [u8; 16],
    /// By its client's key.
    pub signature: [u8; 64],
}

impl Enrol {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(body);
        let nonce = reader.array()?;
        let spki = reader.array()?;
        let name = reader.name()?;
        let replaces = match reader.u8()? {
            0 => None,
            1 => Some(Replaces {
                pair: reader.array()?,
                signature: reader.array()?,
            }),
            _ => return Err(Malformed),
        };
        let signature = reader.array()?;
        reader.end()?;
        Ok(Self {
            nonce,
            spki,
            name,
            replaces,
            signature,
        })
    }

    /// The body up to the old signature: what the old key signs.
    pub fn body_before_old_signature(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = self.nonce.to_vec();
        body.extend(self.spki);
        push_name(&mut body, &self.name)?;
        match &self.replaces {
            None => body.push(0),
            Some(old) => {
                body.push(1);
                body.extend(old.pair);
            }
        }
        Ok(body)
    }

    /// The body up to the signature: what the new key signs.
    pub fn body_before_signature(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = self.body_before_old_signature()?;
        if let Some(old) = &self.replaces {
            body.extend(old.signature);
        }
        Ok(body)
    }

    /// The whole frame.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = self.body_before_signature()?;
        body.extend(self.signature);
        frame(kind::ENROL, &body)
    }
}

/// F6: the server opens its commitment and asks its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// nS.
    pub nonce: [u8; 32],
    /// Seconds to decide.
    pub seconds: u8,
}

impl Pending {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(body);
        let read = Self {
            nonce: reader.array()?,
            seconds: reader.u8()?,
        };
        reader.end()?;
        Ok(read)
    }

    /// The whole frame.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = self.nonce.to_vec();
        body.push(self.seconds);
        frame(kind::PENDING, &body)
    }
}

/// F7: the certificate and where to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The client's leaf, DER.
    pub leaf: Vec<u8>,
    /// The pair's CA, DER.
    pub ca: Vec<u8>,
    /// Unix seconds.
    pub renew_after: u64,
    /// At most 8; the port is the one dialled.
    pub addresses: Vec<IpAddr>,
    /// 1 to 64 bytes.
    pub server_name: Vec<u8>,
}

impl Issued {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(body);
        let leaf = reader.certificate()?;
        let ca = reader.certificate()?;
        let renew_after = u64::from_be_bytes(reader.array()?);
        let count = reader.u8()?;
        if usize::from(count) > MAX_ADDRESSES {
            return Err(Malformed);
        }
        let mut addresses = Vec::new();
        for _ in 0..count {
            addresses.push(match reader.u8()? {
                4 => IpAddr::from(reader.array::<4>()?),
                16 => IpAddr::from(reader.array::<16>()?),
                _ => return Err(Malformed),
            });
        }
        let server_name = reader.name()?;
        reader.end()?;
        Ok(Self {
            leaf,
            ca,
            renew_after,
            addresses,
            server_name,
        })
    }

    /// The whole frame.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let mut body = Vec::new();
        for certificate in [&self.leaf, &self.ca] {
            let length = u16::try_from(certificate.len()).map_err(|_| Malformed)?;
            body.extend(length.to_be_bytes());
            body.extend(certificate);
        }
        body.extend(self.renew_after.to_be_bytes());
        if self.addresses.len() > MAX_ADDRESSES {
            return Err(Malformed);
        }
        body.push(u8::try_from(self.addresses.len()).map_err(|_| Malformed)?);
        for address in &self.addresses {
            match address {
                IpAddr::V4(v4) => push_short(&mut body, &v4.octets())?,
                IpAddr::V6(v6) => push_short(&mut body, &v6.octets())?,
            }
        }
        push_name(&mut body, &self.server_name)?;
        frame(kind::ISSUED, &body)
    }
}

/// Abort: why the exchange ends. No text crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Abort {
    /// 1: no version in common; these are known.
    Version(Vec<u16>),
    /// 2: another device took the window's one slot.
    Busy,
    /// 3: the code is wrong (code mode).
    WrongCode,
    /// 4: refused.
    Refused,
    /// 5: out of time.
    Time,
    /// 6: this mode is off.
    ModeOff,
    /// 7: internal.
    Internal,
}

impl Abort {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(body);
        let read = match reader.u8()? {
            1 => Self::Version(reader.versions()?),
            2 => Self::Busy,
            3 => Self::WrongCode,
            4 => Self::Refused,
            5 => Self::Time,
            6 => Self::ModeOff,
            7 => Self::Internal,
            _ => return Err(Malformed),
        };
        reader.end()?;
        Ok(read)
    }

    /// The whole frame.
    pub fn write(&self) -> Result<Vec<u8>, Malformed> {
        let body = match self {
            Self::Version(versions) => {
                let count = u8::try_from(versions.len()).map_err(|_| Malformed)?;
                let mut body = vec![1, count];
                for version in versions {
                    body.extend(version.to_be_bytes());
                }
                body
            }
            Self::Busy => vec![2],
            Self::WrongCode => vec![3],
            Self::Refused => vec![4],
            Self::Time => vec![5],
            Self::ModeOff => vec![6],
            Self::Internal => vec![7],
        };
        frame(kind::ABORT, &body)
    }
}

/// Takes values off the front; every call checks the length.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        let [value] = self.array()?;
        Ok(value)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn versions(&mut self) -> Result<Vec<u16>, Malformed> {
        let count = self.u8()?;
        if !(1..=8).contains(&count) {
            return Err(Malformed);
        }
        let versions = (0..count)
            .map(|_| self.u16())
            .collect::<Result<Vec<_>, _>>()?;
        if versions.is_sorted_by(|one, next| one < next) {
            Ok(versions)
        } else {
            Err(Malformed)
        }
    }

    fn share(&mut self) -> Result<Vec<u8>, Malformed> {
        let length = usize::from(self.u8()?);
        if length != 0 && length != SHARE_LENGTH {
            return Err(Malformed);
        }
        Ok(self.take(length)?.to_vec())
    }

    fn name(&mut self) -> Result<Vec<u8>, Malformed> {
        let length = usize::from(self.u8()?);
        if !(1..=MAX_NAME).contains(&length) {
            return Err(Malformed);
        }
        Ok(self.take(length)?.to_vec())
    }

    fn certificate(&mut self) -> Result<Vec<u8>, Malformed> {
        let length = usize::from(self.u16()?);
        if length == 0 {
            return Err(Malformed);
        }
        Ok(self.take(length)?.to_vec())
    }

    fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() || !holds(Defence::StrictFrames) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

fn frame(kind: u8, body: &[u8]) -> Result<Vec<u8>, Malformed> {
    if body.len() > MAX_BODY {
        return Err(Malformed);
    }
    let length = u16::try_from(body.len()).map_err(|_| Malformed)?;
    let mut whole = vec![kind];
    whole.extend(length.to_be_bytes());
    whole.extend(body);
    Ok(whole)
}

fn push_short(body: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Malformed> {
    body.push(u8::try_from(bytes.len()).map_err(|_| Malformed)?);
    body.extend(bytes);
    Ok(())
}

fn push_name(body: &mut Vec<u8>, name: &[u8]) -> Result<(), Malformed> {
    if !(1..=MAX_NAME).contains(&name.len()) {
        return Err(Malformed);
    }
    push_short(body, name)
}

const MAX_NAME: usize = 64;
const MAX_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests;
