//! Connections that have not shown a certificate yet: few, and fair to every address, so that a flood
//! from one place cannot keep others out.

use std::{net::IpAddr, sync::Arc};

use healthsync_pairing::defence::{Defence, holds};

use crate::{
    crowd::{Admission, Crowd, Rules},
    limits::Limits,
};

/// Who is at the door.
#[derive(Debug)]
pub struct Strangers(Arc<Crowd<IpAddr>>);

impl Strangers {
    /// Nobody yet.
    pub fn new(limits: &Limits) -> Self {
        Self(Crowd::new(Rules {
            most: limits.strangers,
            most_each: limits.strangers_per_address,
            is_capped: || holds(Defence::StrangersCap),
            is_fair: || holds(Defence::StrangersFairness),
        }))
    }

    /// Lets a connection wait at the door; `number` is unique and grows.
    pub fn admit(&self, number: u64, from: IpAddr) -> Admission<IpAddr> {
        self.0.admit(number, place(from))
    }

    /// Sends the connection away that goes first, because something else than a place has run out;
    /// `false`: nobody waits.
    pub fn make_room(&self) -> bool {
        self.0.make_room()
    }
}

/// What counts as one address: an IPv4 address, or the /64 that one IPv6 customer has.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(prefix.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_of_the_same_address_makes_room() {
        let strangers = strangers(10, 2);
        let from: IpAddr = "10.0.0.1".parse().unwrap();
        let [first, second] = [1, 2].map(|number| strangers.admit(number, from));
        let third = strangers.admit(3, "::ffff:10.0.0.1".parse().unwrap());
        assert!(first.is_turned_away());
        assert!(!second.is_turned_away() && !third.is_turned_away());
    }

    #[test]
    fn flood_does_not_push_out_others() {
        let strangers = strangers(4, 4);
        let honest = strangers.admit(1, "10.0.0.9".parse().unwrap());
        let flood: Vec<_> = (2..100)
            .map(|number| strangers.admit(number, format!("2001:db8::{number:x}").parse().unwrap()))
            .collect();
        let late = strangers.admit(100, "10.0.0.8".parse().unwrap());
        assert!(!late.is_turned_away() && !honest.is_turned_away());
        let left = flood.iter().filter(|one| !one.is_turned_away()).count();
        assert_eq!(left, 2);
    }

    fn strangers(most: usize, most_each: usize) -> Strangers {
        Strangers::new(&Limits {
            strangers: most,
            strangers_per_address: most_each,
            ..Limits::standard()
        })
    }
}
