//! What the new device checks before it believes F7. The digits were right by then, but a host can
//! be faulty, and nothing that it sends is stored unseen.

use std::net::SocketAddr;

use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::{frame::Issued, name};
use crate::{
    ca,
    certificate::{Certificate, Validity, check_ca, check_leaf},
    defence::{Defence, holds},
    id::{KeyDigest, PairId},
    invite::is_local,
};

/// F7, believed.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) leaf: Vec<u8>,
    pub(super) ca: Vec<u8>,
    pub(super) renew_after: i64,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) server_name: String,
}

/// Checks F7 for our `key` and the pair that both ends derived, which is none of those that we have
/// already; `Err` says what is wrong.
pub(super) fn check(
    issued: Issued,
    key: KeyDigest,
    pair: &PairId,
    have: &[PairId],
    dialled: SocketAddr,
    now: i64,
) -> Result<Checked, &'static str> {
    if have.contains(pair) {
        return Err("its pair has the id of another one");
    }
    let derived = holds(Defence::DerivedPairId);
    if check_ca(&issued.ca, now) != Validity::Valid || derived && !is_for(&issued.ca, pair) {
        return Err("its CA does not have the agreed form");
    }
    if check_leaf(&issued.leaf, &issued.ca, false, now) != Validity::Valid {
        return Err("its certificate for this device does not have the agreed form");
    }
    let leaf = Certificate::from_der(&issued.leaf).map_err(|_| "its certificate is damaged")?;
    if leaf.key != key {
        return Err("its certificate is for another key");
    }
    if derived && leaf.san != [format!("URI:{}", ca::client_name(pair))] {
        return Err("its certificate is for another pair");
    }
    let mut addresses = vec![dialled];
    for address in issued.addresses {
        if !is_local(&address) && holds(Defence::IssuedAddresses) {
            return Err("it names an address that is not local");
        }
        let address = SocketAddr::new(address, dialled.port());
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let server_name = name::parse(&issued.server_name).ok_or("its name is not printable")?;
    let renew_after = i64::try_from(issued.renew_after).unwrap_or(i64::MAX);
    Ok(Checked {
        renew_after: renew_after.clamp(leaf.not_before, leaf.not_after),
        leaf: issued.leaf,
        ca: issued.ca,
        addresses,
        server_name: name::inert(&server_name),
    })
}

/// Whether the CA may sign for this pair's two server names and for nothing else.
fn is_for(ca: &[u8], pair: &PairId) -> bool {
    let Ok((_, parsed)) = parse_x509_certificate(ca) else {
        return false;
    };
    let Ok(Some(constraints)) = parsed.name_constraints() else {
        return false;
    };
    let permitted = constraints.value.permitted_subtrees.iter().flatten();
    let permitted: Vec<_> = permitted.map(|subtree| &subtree.base).collect();
    let names = ca::server_names(pair);
    permitted
        == names
            .each_ref()
            .map(|name| GeneralName::DNSName(name))
            .iter()
            .collect::<Vec<_>>()
}

#[cfg(test)]
#[expect(clippy::unwrap_in_result, reason = "the result is what is tested")]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use super::*;
    use crate::{
        device::DeviceKey,
        environment::{Clock, Environment, SystemEntropy},
    };

    const NOW: i64 = 1_800_000_000;
    const PAIR: PairId = PairId([7; 16]);

    #[derive(Debug)]
    struct At(i64);
    impl Clock for At {
        fn now(&self) -> i64 {
            self.0
        }
    }

    fn at(now: i64) -> Environment {
        Environment {
            clock: Arc::new(At(now)),
            entropy: Arc::new(SystemEntropy),
        }
    }

    struct Host {
        ca: ca::Authority,
        key: DeviceKey,
    }

    impl Host {
        fn new(pair: &PairId) -> Self {
            Self {
                ca: ca::authority(pair, &at(NOW)).unwrap(),
                key: DeviceKey::generate().unwrap(),
            }
        }

        fn issue(&self, pair: &PairId, now: i64) -> Issued {
            let spki = self.key.spki();
            let leaf = ca::client_leaf(
                &self.ca.key,
                &self.ca.certificate,
                pair,
                &spki,
                30,
                &at(now),
            );
            Issued {
                leaf: leaf.unwrap(),
                ca: self.ca.certificate.clone(),
                renew_after: NOW.try_into().unwrap(),
                addresses: vec![IpAddr::from([192, 168, 1, 2])],
                server_name: b"Mac 123456".to_vec(),
            }
        }

        fn check(&self, issued: Issued) -> Result<Checked, &'static str> {
            let dialled = "192.168.1.2:8443".parse().unwrap();
            check(
                issued,
                self.key.digest(),
                &PAIR,
                &[PairId([8; 16])],
                dialled,
                NOW,
            )
        }
    }

    #[test]
    fn a_proper_answer_is_believed() {
        let host = Host::new(&PAIR);
        let checked = host.check(host.issue(&PAIR, NOW)).unwrap();
        assert_eq!(checked.server_name, "Mac ####");
        assert_eq!(checked.addresses, ["192.168.1.2:8443".parse().unwrap()]);
        assert_eq!(checked.renew_after, NOW);

        // The same for a pair that this device has already.
        let dialled = "192.168.1.2:8443".parse().unwrap();
        let issued = host.issue(&PAIR, NOW);
        assert!(check(issued, host.key.digest(), &PAIR, &[PAIR], dialled, NOW).is_err());
    }

    #[test]
    fn anything_else_is_not() {
        let host = Host::new(&PAIR);
        let other = Host::new(&PAIR);
        let foreign_pair = PairId([8; 16]);
        let good = || host.issue(&PAIR, NOW);
        let server_leaf = ca::server_leaf(
            &host.ca.key,
            &host.ca.certificate,
            &PAIR,
            &host.key.spki(),
            &at(NOW),
        );
        let bad = [
            ("another key", other.issue(&PAIR, NOW)),
            ("another pair", host.issue(&foreign_pair, NOW)),
            ("a CA for another pair", {
                let foreign = Host::new(&foreign_pair);
                let leaf = ca::client_leaf(
                    &foreign.ca.key,
                    &foreign.ca.certificate,
                    &PAIR,
                    &host.key.spki(),
                    30,
                    &at(NOW),
                );
                Issued {
                    leaf: leaf.unwrap(),
                    ca: foreign.ca.certificate,
                    ..good()
                }
            }),
            (
                "another CA",
                Issued {
                    ca: other.ca.certificate,
                    ..good()
                },
            ),
            (
                "a leaf as the CA",
                Issued {
                    ca: good().leaf,
                    ..good()
                },
            ),
            (
                "the CA as the leaf",
                Issued {
                    leaf: good().ca,
                    ..good()
                },
            ),
            (
                "a server's leaf",
                Issued {
                    leaf: server_leaf.unwrap(),
                    ..good()
                },
            ),
            ("not valid yet", host.issue(&PAIR, NOW + 1000)),
            ("over", host.issue(&PAIR, NOW - 31 * 86_400)),
            (
                "no certificate",
                Issued {
                    leaf: vec![1, 2, 3],
                    ..good()
                },
            ),
            (
                "a public address",
                Issued {
                    addresses: vec![IpAddr::from([8, 8, 8, 8])],
                    ..good()
                },
            ),
            (
                "a name that rings",
                Issued {
                    server_name: b"a\x07".to_vec(),
                    ..good()
                },
            ),
        ];
        for (what, issued) in bad {
            assert!(host.check(issued).is_err(), "{what}");
        }
    }
}
