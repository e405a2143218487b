//! Why there was no answer: the error's own chain, else a second look.
//!
//! TLS 1.3 tells a client late that it was refused, and an HTTP client loses that on the way. A
//! second, bare connection finds it out.

use std::{net::SocketAddr, sync::Arc};

use healthsync_core::api::Code;
use healthsync_pairing::{
    certificate::{Validity, check_leaf},
    tls::{
        client::{self, Shown},
        failure::{self, Failure, Subject},
    },
};

use super::Link;
use crate::error::CliError;

impl Link {
    /// An answer that broke off, with the reason if there is one.
    pub(crate) async fn broken(&self, error: &reqwest::Error, address: SocketAddr) -> CliError {
        let failure = self.diagnose(error, address).await;
        if failure.is_unreachable() {
            return CliError::new(Code::AnswerDamaged, "the answer was cut off")
                .because(one_line(&failure));
        }
        self.told(address, failure)
    }

    /// Why a request failed: its own chain, else a second look.
    pub(super) async fn diagnose(&self, error: &reqwest::Error, address: SocketAddr) -> Failure {
        let found = failure::cause(error);
        let failure = match found {
            Some(failure) if !is_unclear(&failure) => failure,
            unclear => match self.look(address).await {
                Err(failure) => failure,
                Ok(_) => unclear.unwrap_or_else(|| {
                    let (code, message) = if error.is_timeout() {
                        ("ETIMEDOUT", "the server did not answer in time")
                    } else {
                        ("ECONNRESET", "the connection broke off")
                    };
                    Failure {
                        code,
                        subject: Subject::Server,
                        message: message.to_owned(),
                        alert: None,
                        source: None,
                    }
                }),
            },
        };
        self.with_own_dates(failure)
    }

    /// One alert stands for "expired" and "not yet valid": our own certificate tells which.
    pub(super) fn with_own_dates(&self, mut failure: Failure) -> Failure {
        let own = || {
            check_leaf(
                &self.credentials.leaf,
                &self.credentials.ca,
                false,
                self.now,
            )
        };
        if failure.code == Code::CertHasExpired.as_str() && failure.subject == Subject::Client {
            match own() {
                Validity::NotYetValid => {
                    failure.code = Code::CertNotYetValid.as_str();
                    "this computer's certificate is not yet valid by the clocks of both computers"
                        .clone_into(&mut failure.message);
                }
                Validity::Expired => {
                    "this computer's certificate has expired".clone_into(&mut failure.message);
                }
                Validity::Valid | Validity::Untrusted(_) => {}
            }
        }
        failure
    }

    /// What a connection of its own shows, or why there is none.
    pub(crate) async fn look(&self, address: SocketAddr) -> Result<Shown, Failure> {
        client::look(
            Arc::clone(&self.tls),
            &self.credentials.pair,
            address,
            self.patience,
        )
        .await
        .map_err(|failure| self.with_own_dates(failure))
    }

    /// A failure at one address, with that address.
    pub(crate) fn told(&self, address: SocketAddr, failure: Failure) -> CliError {
        tracing::debug!(%address, alert = ?failure.alert, subject = failure.subject.as_str(), "failed");
        let name = &self.server.name;
        if failure.is_unreachable() {
            CliError::from(failure)
                .within(format!("could not reach the server {name:?} at {address}"))
        } else {
            CliError::from(failure)
                .within(format!("no trusted connection to {name:?} at {address}"))
        }
    }

    /// No address led to the server: what counts is a peer that is not trusted, else the first.
    pub(super) fn unreached(&self, mut failures: Vec<(SocketAddr, Failure)>) -> CliError {
        let told = failures
            .iter()
            .position(|(_, failure)| !failure.is_unreachable())
            .unwrap_or(0);
        if failures.is_empty() {
            return CliError::new(
                Code::Enotfound,
                format!("no address of {:?} is known", self.server.name),
            );
        }
        let (address, failure) = failures.swap_remove(told);
        for (address, failure) in &failures {
            tracing::debug!(%address, "{}", one_line(failure));
        }
        self.told(address, failure)
    }
}

/// A cut connection may hide an alert; so may silence.
fn is_unclear(failure: &Failure) -> bool {
    matches!(failure.code, "ECONNRESET")
}

fn one_line(failure: &Failure) -> String {
    failure.message.clone()
}
