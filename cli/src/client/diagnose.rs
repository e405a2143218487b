//! Why there was no answer: what TLS and TCP said, else a second look.
//!
//! TLS 1.3 tells a client late that it was refused, and that alert may be lost on the way when the
//! connection is cut. A second, bare connection finds it out.

use std::{net::SocketAddr, sync::Arc};

use healthsync_core::api::Code;
use healthsync_pairing::{
    certificate::{Certificate, Validity, check_leaf},
    tls::{
        client::{self, Shown},
        failure::{Failure, Phase, Subject},
    },
};

use super::{Link, connection::Broken, neighbour::Neighbour};
use crate::error::CliError;

impl Link {
    /// An answer that broke off, with the reason if there is one.
    pub(crate) async fn broken(&self, broken: Broken, address: SocketAddr) -> CliError {
        let failure = self.diagnose_exchange(broken, address).await;
        if failure.is_unreachable() {
            return CliError::new(Code::AnswerDamaged, "the answer was cut off")
                .because(failure.message);
        }
        self.told(address, failure)
    }

    /// Why an exchange on an open connection ended.
    pub(super) async fn diagnose_exchange(&self, broken: Broken, address: SocketAddr) -> Failure {
        let failure = match &broken.reason {
            Some(_) => broken.into_failure(),
            // Silence and a cut may both hide an alert.
            None => match self.second_look(address).await {
                Err(failure) => failure,
                Ok(_) => broken.into_failure(),
            },
        };
        self.better(failure, address).await
    }

    /// Why no connection came about.
    pub(super) async fn diagnose(&self, failure: Failure, address: SocketAddr) -> Failure {
        let failure = if failure.code == Code::Econnreset.as_str() {
            match self.second_look(address).await {
                Err(second) => second,
                Ok(_) => failure,
            }
        } else {
            failure
        };
        self.better(failure, address).await
    }

    /// What a connection of its own shows, or why there is none.
    async fn second_look(&self, address: SocketAddr) -> Result<Shown, Failure> {
        self.trace.tell("second-look", || {
            vec![("address", address.to_string().into())]
        });
        client::look_again(
            Arc::clone(&self.tls),
            &self.credentials.pair,
            address,
            self.patience,
            &self.trace,
        )
        .await
    }

    /// Adds what this computer knows besides: its own certificate, the clocks, the local network.
    async fn better(&self, failure: Failure, address: SocketAddr) -> Failure {
        let is_about_dates = failure.code == Code::CertHasExpired.as_str()
            || failure.code == Code::CertNotYetValid.as_str();
        if is_about_dates && failure.subject == Subject::Client {
            return self.with_own_dates(failure);
        }
        if is_about_dates {
            return Box::pin(self.with_clocks(failure, address)).await;
        }
        if failure.phase == Phase::Connect
            && (failure.code == Code::Etimedout.as_str()
                || failure.code == Code::Ehostunreach.as_str())
        {
            return Neighbour::of(address.ip()).explain(failure);
        }
        failure
    }

    /// One alert stands for "expired" and "not yet valid": our own certificate tells which.
    pub(super) fn with_own_dates(&self, mut failure: Failure) -> Failure {
        if failure.code != Code::CertHasExpired.as_str() || failure.subject != Subject::Client {
            return failure;
        }
        let own = check_leaf(
            &self.credentials.leaf,
            &self.credentials.ca,
            false,
            self.now,
        );
        match own {
            Validity::NotYetValid => {
                failure.code = Code::CertNotYetValid.as_str();
                "this computer's certificate is not yet valid by the clocks of both computers"
                    .clone_into(&mut failure.message);
            }
            Validity::Expired => {
                "this computer's certificate has expired".clone_into(&mut failure.message);
            }
            Validity::Valid | Validity::Untrusted(_) => {
                if let Ok(leaf) = Certificate::from_der(&self.credentials.leaf) {
                    failure.source = Some(
                        format!(
                            "by this computer's clock it is valid from {} to {}: the clocks of the two computers differ (compare `date` on both)",
                            super::clock::utc(leaf.not_before),
                            super::clock::utc(leaf.not_after),
                        )
                        .into(),
                    );
                }
            }
        }
        failure
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
            tracing::debug!(%address, "{}", failure.message);
        }
        self.told(address, failure)
    }
}
