//! F1 to F3: until a device has the window's slot.
//!
//! By QR code nothing is counted and nothing is answered before the tag in F1 proves that the device
//! knows the secret on this very channel. By typed code F1 can prove nothing; there the first proof
//! is F3, and each wrong one is counted before it is answered.

use tokio::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use super::{Exchange, Fault, INTERNAL, broken, granted, left_behind, unless_closed};
use crate::{
    defence::{Defence, holds},
    enroll::{
        frame::{Abort, Hello, Mode, Share, VERSION, hello_without_tag, kind, read_proof},
        pake::{Pake, Side},
        transcript::{Transcript, equal},
        wire::{FRAME_TIME, body},
    },
};

const NOT_OURS: Fault = Fault::silent("not a hello of this window");

/// A good F1, answered by what it leads to.
struct Hailed {
    transcript: Transcript,
    /// Our share, if F1 had one.
    share: Vec<u8>,
    /// The typed code that this is about.
    code: Option<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<'_, S> {
    /// Gives the transcript up to F3, and nS, which is still secret.
    pub(super) async fn greet(
        &mut self,
        exporter: [u8; 32],
    ) -> Result<(Transcript, Zeroizing<[u8; 32]>), Fault> {
        let f1 = unless_closed(&mut self.closing, self.wire.read(kind::HELLO, FRAME_TIME))
            .await
            .map_err(|_| Fault::silent("the window closed"))?
            .map_err(|_| NOT_OURS)?;
        let versions = Hello::read_versions(body(&f1)).map_err(|_| NOT_OURS)?;
        if !versions.contains(&VERSION) {
            let abort = Abort::Version(vec![VERSION]);
            return Err(Fault::said("no version in common", abort));
        }
        let hello = Hello::read(body(&f1)).map_err(|_| NOT_OURS)?;
        let Hailed {
            mut transcript,
            share,
            code,
        } = match hello.mode {
            Mode::Qr => self.by_invitation(&hello, &f1, exporter)?,
            Mode::Code => self.by_code(&hello, exporter)?,
        };
        transcript.add(&f1);

        let mut nonce = Zeroizing::new([0; 32]);
        self.trust
            .environment()
            .entropy
            .fill(nonce.as_mut())
            .map_err(|_| INTERNAL)?;
        let f2 = Share {
            version: VERSION,
            share,
            commit: transcript.commit(&nonce),
        }
        .write()?;
        self.wire.write(&f2).await.map_err(broken)?;
        transcript.add(&f2);

        let f3 = unless_closed(&mut self.closing, self.wire.read(kind::PROOF, FRAME_TIME))
            .await
            .map_err(left_behind)?
            .map_err(broken)?;
        let proof = read_proof(body(&f3)).map_err(|_| Fault::silent("a malformed frame"))?;
        let is_right = equal(&proof, &transcript.client_proof()?);
        if !is_right && holds(Defence::ClientProof) {
            let Some(number) = code else {
                return Err(Fault::silent("a wrong proof"));
            };
            self.admission.count_wrong(number);
            return Err(Fault::said("a wrong typed code", Abort::WrongCode));
        }
        granted(self.admission.take_slot(code), &self.closing)?;
        transcript.add(&f3);
        Ok((transcript, nonce))
    }

    fn by_invitation(&self, hello: &Hello, f1: &[u8], exporter: [u8; 32]) -> Result<Hailed, Fault> {
        let transcript = self
            .admission
            .transcript(hello.session, exporter)
            .ok_or(NOT_OURS)?;
        let tag = hello_without_tag(f1)
            .and_then(|covered| transcript.hello_tag(covered))
            .map_err(|_| NOT_OURS)?;
        if holds(Defence::HelloTag) && !equal(&tag, &hello.tag) {
            return Err(NOT_OURS);
        }
        granted(self.admission.greet(), &self.closing)?;
        Ok(Hailed {
            transcript,
            share: Vec::new(),
            code: None,
        })
    }

    fn by_code(&self, hello: &Hello, exporter: [u8; 32]) -> Result<Hailed, Fault> {
        let challenge = match self.admission.challenge() {
            Ok(challenge) => challenge,
            Err(step) => {
                granted(step, &self.closing)?;
                return Err(INTERNAL);
            }
        };
        let entropy = &*self.trust.environment().entropy;
        let (pake, share) =
            Pake::start(Side::Server, &challenge.code, &exporter, entropy).map_err(|_| INTERNAL)?;
        let shared = pake.finish(&hello.share).map_err(|_| NOT_OURS)?;
        Ok(Hailed {
            transcript: Transcript::new(exporter, &challenge.key, &shared),
            share,
            code: Some(challenge.number),
        })
    }
}
