//! What the local network shows of a computer that does not answer.
//!
//! Whether an access point keeps its devices apart cannot be seen from one of them: what can be seen is
//! whether the address belongs to a network of ours, and whether its computer answered there below TCP
//! (ARP). The rest is told as a suspicion.

use std::net::{IpAddr, Ipv4Addr};

use healthsync_pairing::tls::failure::Failure;

/// The kernel's table of neighbours, on Linux.
const TABLE: &str = "/proc/net/arp";

/// What is known of an address without asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Neighbour {
    /// Not in a network of ours: routers stand between.
    Elsewhere,
    /// In a network of ours, and it answered there.
    Answers,
    /// In a network of ours, and nobody answers there.
    Silent,
    /// In a network of ours; whether it answers cannot be seen.
    Unknown,
}

impl Neighbour {
    /// What the system knows now.
    pub(crate) fn of(address: IpAddr) -> Self {
        let IpAddr::V4(address) = address else {
            return Self::Elsewhere;
        };
        let networks = if_addrs::get_if_addrs().unwrap_or_default();
        let is_local = networks
            .iter()
            .filter(|network| !network.is_loopback())
            .any(|network| match &network.addr {
                if_addrs::IfAddr::V4(own) => same_network(own.ip, own.netmask, address),
                if_addrs::IfAddr::V6(_) => false,
            });
        if !is_local {
            return Self::Elsewhere;
        }
        match std::fs::read_to_string(TABLE) {
            Ok(table) => in_table(&table, address),
            Err(_) => Self::Unknown,
        }
    }

    /// Adds what it means to a failure to connect.
    pub(crate) fn explain(self, mut failure: Failure) -> Failure {
        let text = match self {
            Self::Elsewhere => return failure,
            Self::Answers => {
                "its computer is in this network and answers below TCP (ARP): a firewall there drops the connection, or, suspected, the access point keeps its devices apart (\"client isolation\", guest network)"
            }
            Self::Silent => {
                "the address is in this network, but no computer answers there (ARP): it is off, asleep or has another address by now; or, suspected, the access point keeps its devices apart (\"client isolation\", guest network)"
            }
            Self::Unknown => {
                "the address is in this network: its computer is off or asleep, a firewall there drops the connection, or, suspected, the access point keeps its devices apart (\"client isolation\", guest network)"
            }
        };
        failure.source = Some(text.into());
        failure
    }
}

fn same_network(own: Ipv4Addr, mask: Ipv4Addr, other: Ipv4Addr) -> bool {
    let mask = u32::from(mask);
    own != other && mask != 0 && u32::from(own) & mask == u32::from(other) & mask
}

/// Lines of `IP address  HW type  Flags  HW address  Mask  Device`; flag 2 says that the entry is
/// complete.
fn in_table(table: &str, address: Ipv4Addr) -> Neighbour {
    for line in table.lines().skip(1) {
        let mut columns = line.split_whitespace();
        let (Some(ip), Some(flags)) = (columns.next(), columns.nth(1)) else {
            continue;
        };
        if ip.parse() != Ok(address) {
            continue;
        }
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
        return if flags & 2 == 2 {
            Neighbour::Answers
        } else {
            Neighbour::Silent
        };
    }
    // Nobody was asked for yet, or long ago.
    Neighbour::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "\
IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         02:00:00:00:00:01     *        wlan0
192.168.1.20     0x1         0x0         00:00:00:00:00:00     *        wlan0
";

    #[test]
    fn the_table_of_neighbours_is_read() {
        for (address, expected) in [
            ([192, 168, 1, 1], Neighbour::Answers),
            ([192, 168, 1, 20], Neighbour::Silent),
            ([192, 168, 1, 2], Neighbour::Unknown),
        ] {
            assert_eq!(in_table(EXAMPLE, address.into()), expected);
        }
        assert_eq!(in_table("", [1, 2, 3, 4].into()), Neighbour::Unknown);
    }

    #[test]
    fn a_network_is_told_by_its_mask() {
        let own = Ipv4Addr::new(192, 168, 1, 7);
        let mask = Ipv4Addr::new(255, 255, 255, 0);
        assert!(same_network(own, mask, [192, 168, 1, 20].into()));
        assert!(!same_network(own, mask, [192, 168, 2, 20].into()));
        assert!(!same_network(own, mask, own));
        assert!(!same_network(
            own,
            Ipv4Addr::UNSPECIFIED,
            [8, 8, 8, 8].into()
        ));
    }

    #[test]
    fn isolation_is_a_suspicion_only() {
        use healthsync_pairing::tls::failure::Subject;
        let failure = || Failure::new("ETIMEDOUT", Subject::Server, "no answer");
        for neighbour in [Neighbour::Answers, Neighbour::Silent, Neighbour::Unknown] {
            let told = neighbour
                .explain(failure())
                .source
                .expect("a cause")
                .to_string();
            assert!(told.contains("suspected"), "{told}");
        }
        assert!(Neighbour::Elsewhere.explain(failure()).source.is_none());
    }
}
