//! What to do next: one cure for each cause, with the command that brings it about.

use super::{Failure, Phase, Subject};

impl Failure {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let text = match (self.code, self.subject) {
            ("CERT_HAS_EXPIRED", Subject::Client) => {
                "pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("CERT_HAS_EXPIRED", Subject::Ca) => {
                "compare the clocks of both computers (`date`); if they are right, pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("CERT_HAS_EXPIRED", Subject::Server) => {
                "compare the clocks of both computers (`date`); if they are right, restart `healthsync-server start`, which makes a new certificate"
            }
            ("CERT_NOT_YET_VALID", _) => {
                "compare the clocks of both computers (`date`) and set the wrong one; then run `healthsync status`"
            }
            ("CERT_REVOKED", _) => {
                "the owner of the server ended this pairing: `healthsync unpair`, then `healthsync scan`"
            }
            ("CERT_COMMON_NAME_INVALID", _) => {
                "this address is not the server of this pair: check `healthsync config show`, or give the right one with `--host`"
            }
            ("SELF_SIGNED_CERT_IN_CHAIN", _) => {
                "another service answers at this address, or somebody is in the middle: check `healthsync config show`, or give the right one with `--host`"
            }
            ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Subject::Server) => {
                "this address is not the server you paired with: check `--host`; if the server was set up anew, pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Subject::Ca) => {
                "look at it with `healthsync cert info --ca`; then pair again: `healthsync unpair`, then `healthsync scan`"
            }
            (
                "NO_CLIENT_CERTIFICATE" | "CERT_REJECTED" | "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
                Subject::Client,
            ) => {
                "look at `healthsync cert info`; then pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("CERT_REJECTED" | "NO_CLIENT_CERTIFICATE", _) => {
                "see which check failed with `healthsync status --debug-tls`; if this is your server, pair again: `healthsync unpair`, then `healthsync scan`"
            }
            ("PAIR_UNKNOWN", _) => {
                "the server has no such pair (any more): `healthsync unpair`, then `healthsync scan`"
            }
            ("UNSUPPORTED_PROTOCOL", _) => {
                "only TLS 1.3 with HTTP is spoken here: make sure that `healthsync-server` and nothing else answers at this address, and update the older end (`healthsync-server --version`)"
            }
            ("NOT_TLS", _) => {
                "another service answers on this port: check `healthsync config show` or give `--host ADDRESS:PORT`"
            }
            ("ECONNREFUSED", _) => {
                "start it with `healthsync-server start`, or give its address with `--host`"
            }
            ("ENOTFOUND", _) => "give the server's IP address with `--host`",
            ("EHOSTUNREACH", _) => {
                "check that both computers are in the same network (not a guest network), or give the server's address with `--host`"
            }
            ("ETIMEDOUT", _) => match self.phase {
                Phase::Connect => {
                    "check that the server's computer is awake, that `healthsync-server start` runs and that both computers are in the same network, or give its address with `--host`"
                }
                Phase::Handshake => {
                    "the port answers, but not as a server should: restart `healthsync-server start`, or wait longer with `--timeout 30000`"
                }
                Phase::Exchange => {
                    "wait longer with `--timeout 60000`, or restart `healthsync-server start`"
                }
            },
            ("ECONNRESET", _) => {
                "check that `healthsync-server start` runs and answers at this address (`healthsync config show`), then run `healthsync status`"
            }
            ("TLS_FAILED", _) => {
                "see where it breaks off with `healthsync status --debug-tls`; make sure that nothing else answers at this address"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
