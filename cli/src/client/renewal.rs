//! A new key and certificate for this computer, without a person.
//!
//! ```text
//! ask, over mutual TLS ─ write `client-next:<pair>` ─ try it by a handshake ─ replace `client:<pair>`
//! ```
//!
//! The server retires the old key when the new one is first used, and takes a retired key for a
//! stolen one. So the new item is written before it is tried, a left one is tried before the old
//! one is used, and no key is replaced while another command of this computer uses it.

use std::{fs, io, net::SocketAddr, sync::Arc};

use healthsync_core::{
    api::{self, Code},
    report::Hint as _,
    time::rfc3339,
};
use healthsync_pairing::{
    certificate::Certificate,
    credentials::ClientCredentials,
    keystore::KeyStore,
    renewal::{self, NewKey},
    tls::{
        channel::Channel,
        client::{self, look_again},
        failure::{Failure, Subject},
    },
};
use http_body_util::Full;
use hyper::{Request, StatusCode, body::Bytes, header};
use tokio::task::spawn_blocking;

use super::{Connection, Link};
use crate::{
    config::{Server, make_private},
    error::CliError,
    keys,
    settings::Settings,
};

/// The pair's key is in use: shared by all commands, alone while it is replaced.
#[derive(Debug)]
pub(super) struct KeyInUse(fs::File);

impl KeyInUse {
    /// Waits while another command replaces the key. `None` where no lock can be made: the key is
    /// used then, and never replaced.
    pub(super) async fn shared(settings: &Settings, server: &Server) -> Option<Self> {
        let path = settings.home.join(format!("{}.lock", server.pair));
        let home = settings.home.clone();
        let locked = spawn_blocking(move || {
            make_private(&home)?;
            let file = fs::File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)?;
            file.lock_shared()?;
            Ok::<_, io::Error>(Self(file))
        });
        match locked.await {
            Ok(Ok(lock)) => Some(lock),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the use of the key cannot be announced");
                None
            }
            Err(_) => None,
        }
    }

    /// Alone, if no other command uses the key now. The key may have changed in between.
    fn alone(&self) -> bool {
        self.0.unlock().is_ok() && self.0.try_lock().is_ok()
    }

    fn share_again(&self) {
        drop(self.0.unlock());
        drop(self.0.lock_shared());
    }
}

/// What a try of a new certificate showed.
enum Tried {
    Works,
    Refused,
    Unclear,
}

impl Link {
    /// Before the first request: finishes a renewal that broke off, and renews when it is time. A
    /// renewal that fails is told only when the end is near: the certificate still works.
    pub(super) async fn keep_fresh(
        &mut self,
        store: &dyn KeyStore,
        settings: &Settings,
    ) -> Result<(), CliError> {
        self.finish_renewal(store, settings).await?;
        let Ok(leaf) = Certificate::from_der(&self.credentials.leaf) else {
            return Ok(());
        };
        let mut chance = [0; 8];
        if settings.environment.entropy.fill(&mut chance).is_err() {
            tracing::debug!("no randomness: renewal comes exactly in time");
        }
        if self.now > leaf.not_after {
            return self.revive(&leaf, store, settings).await;
        }
        if !renewal::is_due(&leaf, self.now, u64::from_be_bytes(chance)) {
            return Ok(());
        }
        match self.renew(store, settings).await {
            Ok(()) => settings.printer.note(&format!(
                "Renewed this computer's certificate, now valid until {}.",
                self.last_day()
            )),
            Err(error) if renewal::is_late(&leaf, self.now) => settings.printer.warn(&format!(
                "this computer's certificate could not be renewed ({error}); it ends on {}",
                self.last_day()
            )),
            Err(error) => tracing::debug!(code = error.code(), "not renewed: {error}"),
        }
        Ok(())
    }

    /// The certificate has run out: nothing else works before it is renewed.
    async fn revive(
        &mut self,
        leaf: &Certificate,
        store: &dyn KeyStore,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let ended = self.last_day();
        let renewed = self.renew(store, settings).await;
        // Another command may have done it while this one waited.
        let is_new = Certificate::from_der(&self.credentials.leaf)
            .is_ok_and(|present| present.not_after > leaf.not_after);
        match renewed {
            Err(error) if !is_new => Err(error.within(format!(
                "this computer's certificate ended on {ended} and could not be renewed"
            ))),
            _ => {
                settings.printer.note(&format!(
                    "Renewed this computer's certificate, which had ended on {ended}; now valid until {}.",
                    self.last_day()
                ));
                Ok(())
            }
        }
    }

    /// Asks for a certificate for a new key, tries it, and puts both in the place of the old ones.
    pub(crate) async fn renew(
        &mut self,
        store: &dyn KeyStore,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let busy = || {
            CliError::new(
                Code::ConfigFailed,
                "another command uses the key of this pair",
            )
            .with_hint("run `healthsync cert renew` when it has ended")
        };
        let Some(lock) = self.in_use.take() else {
            return Err(busy());
        };
        let is_alone = lock.alone();
        let renewed = if is_alone {
            self.renew_alone(store, settings).await
        } else {
            Err(busy())
        };
        let lock = spawn_blocking(move || {
            lock.share_again();
            lock
        });
        self.in_use = lock.await.ok();
        if !is_alone {
            // Whoever used it may have replaced it.
            self.reload(store, settings)?;
        }
        renewed
    }

    async fn renew_alone(
        &mut self,
        store: &dyn KeyStore,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let before = self.credentials.leaf.clone();
        self.reload(store, settings)?;
        if self.credentials.leaf != before {
            // Another command renewed a moment ago.
            return Ok(());
        }
        let internal =
            |error| CliError::new(Code::Internal, "the system could not make a key").because(error);
        let key = NewKey::generate().map_err(internal)?;
        let answer = self.ask(&key, settings).await?;
        let next = key
            .accept(&answer, &self.credentials, self.now)
            .map_err(|error| {
                CliError::new(Code::AnswerDamaged, error.to_string())
                    .with_hint("compare the clocks of both computers (`date`), then try again")
            })?;
        store.write(&ClientCredentials::next_item(&next.pair), &next.encode()?)?;
        match self.take(next, store, settings).await? {
            Tried::Works => Ok(()),
            Tried::Refused | Tried::Unclear => Err(CliError::new(
                Code::Econnreset,
                "the new certificate could not be tried",
            )),
        }
    }

    /// Uses what a renewal that broke off left. The old key may be retired by now.
    pub(crate) async fn finish_renewal(
        &mut self,
        store: &dyn KeyStore,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let item = ClientCredentials::next_item(&self.credentials.pair);
        let Some(next) = store.read(&item)? else {
            return Ok(());
        };
        match ClientCredentials::decode(&next) {
            Ok(next) => {
                self.take(next, store, settings).await?;
            }
            Err(_) => {
                store.delete(&item)?;
            }
        }
        Ok(())
    }

    /// Tries `next`. If it works, it replaces the old item. If the server does not know it, the
    /// server has not retired the old one for it: it goes. Where neither is sure it is kept, and
    /// used by this command: it is good if the old one is.
    async fn take(
        &mut self,
        next: ClientCredentials,
        store: &dyn KeyStore,
        settings: &Settings,
    ) -> Result<Tried, CliError> {
        let item = ClientCredentials::next_item(&next.pair);
        let tls = Self::tls(&next, settings, &self.trace)?;
        let mut tried = Tried::Unclear;
        for address in &self.addresses {
            let wait = self.connect_timeout;
            match look_again(Arc::clone(&tls), &next.pair, *address, wait, &self.trace).await {
                Ok(_) => {
                    tried = Tried::Works;
                    break;
                }
                Err(failure) if failure.alert.as_deref() == Some("access_denied") => {
                    tried = Tried::Refused;
                    break;
                }
                Err(failure) => tracing::debug!(%address, code = failure.code, "not tried"),
            }
        }
        if matches!(tried, Tried::Refused) {
            store.delete(&item)?;
            return Ok(tried);
        }
        if matches!(tried, Tried::Works) {
            store.write(&ClientCredentials::item(&next.pair), &next.encode()?)?;
            store.delete(&item)?;
            if let Err(error) = store.publish_certificates(&next.pair, &next.leaf, &next.ca) {
                tracing::warn!(code = error.code(), "the certificates were not published");
            }
        }
        self.credentials = next;
        self.tls = tls;
        self.http = None;
        Ok(tried)
    }

    fn reload(&mut self, store: &dyn KeyStore, settings: &Settings) -> Result<(), CliError> {
        let credentials = keys::read(store, &self.server)?;
        if credentials.leaf != self.credentials.leaf {
            self.tls = Self::tls(&credentials, settings, &self.trace)?;
            self.credentials = credentials;
            self.http = None;
        }
        Ok(())
    }

    /// The server's answer to the new key. By a clock that is slow a certificate that has run out looks
    /// good: when the server says that it has, the door for such certificates is tried as well.
    async fn ask(&self, key: &NewKey, settings: &Settings) -> Result<Vec<u8>, CliError> {
        let leaf = Certificate::from_der(&self.credentials.leaf)
            .map_err(|error| CliError::new(Code::KeyMissing, error.to_string()))?;
        let has_ended = self.now > leaf.not_after;
        if has_ended && !renewal::is_in_grace(&leaf, self.now) {
            return Err(Failure::new(
                Code::CertHasExpired.as_str(),
                Subject::Client,
                "a certificate can be renewed for 90 days after its end, and no longer",
            )
            .into());
        }
        match self.ask_at_door(key, has_ended, settings).await {
            Err(error) if !has_ended && error.is_own_end() => {
                let late = self.ask_at_door(key, true, settings).await;
                late.map_err(|second| {
                    tracing::debug!(code = second.code(), "not renewed late: {second}");
                    error
                })
            }
            asked => asked,
        }
    }

    async fn ask_at_door(
        &self,
        key: &NewKey,
        late: bool,
        settings: &Settings,
    ) -> Result<Vec<u8>, CliError> {
        let environment = &settings.environment;
        let tls = client::traced_renewal(&self.credentials, environment, late, &self.trace)
            .map_err(|error| CliError::new(Code::KeyMissing, error.to_string()))?;
        let mut failures = Vec::new();
        for address in &self.addresses {
            let stream = client::dial(
                Arc::clone(&tls),
                &self.credentials.pair,
                *address,
                self.connect_timeout,
                &self.trace,
            );
            match stream.await {
                Ok(stream) => {
                    return Box::pin(self.exchange_keys(stream, key, *address)).await;
                }
                Err(failure) if late && failure.wants_another_protocol() => {
                    return Err(CliError::too_old_to_renew(failure));
                }
                Err(failure) => failures.push((*address, self.diagnose(failure, *address).await)),
            }
        }
        Err(self.unreached(failures))
    }

    async fn exchange_keys(
        &self,
        channel: Channel,
        key: &NewKey,
        address: SocketAddr,
    ) -> Result<Vec<u8>, CliError> {
        let pair = &self.credentials.pair;
        let internal = |error: &dyn std::error::Error| {
            CliError::new(Code::Internal, "the request could not be made")
                .because(error.to_string())
        };
        let exporter = renewal::exporter(channel.connection()).map_err(|error| internal(&error))?;
        let body = key
            .request(&exporter, pair)
            .map_err(|error| internal(&error))?;
        let request = Request::post(api::PAIR_RENEW)
            .header(header::HOST, pair.server_name())
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| internal(&error))?;
        let connection = Connection::new(channel, address, self.read_timeout, &self.trace).await;
        let answer = match connection {
            Ok(mut connection) => connection.send(request).await,
            Err(broken) => Err(broken),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(broken) => {
                let failure = self.diagnose_exchange(broken, address).await;
                return Err(self.told(address, failure));
            }
        };
        if answer.status() != StatusCode::OK {
            return Err(self.refused(answer).await);
        }
        let body = self.body(answer).await?;
        if body.len() > renewal::ANSWER_LIMIT {
            return Err(CliError::new(
                Code::AnswerDamaged,
                "the server's answer is far too long",
            ));
        }
        Ok(body)
    }

    /// The UTC day on which this computer's certificate ends.
    pub(crate) fn last_day(&self) -> String {
        let end = Certificate::from_der(&self.credentials.leaf).map_or(0, |leaf| leaf.not_after);
        let time = rfc3339(end.saturating_mul(1000));
        time.split('T').next().unwrap_or_default().to_owned()
    }
}
