//! Connections that have not shown a certificate yet: few, and fair to every address.
//!
//! When there are too many, the oldest of the address that has the most goes, so that a flood from
//! one place cannot keep others out, and a newcomer always gets its turn.

use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use healthsync_pairing::defence::{Defence, holds};
use tokio_util::sync::CancellationToken;

/// Who is at the door.
#[derive(Debug)]
pub struct Strangers {
    waiting: Mutex<VecDeque<Waiting>>,
    most: usize,
    most_per_address: usize,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    place: IpAddr,
    turned_away: CancellationToken,
}

/// A place at the door; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    strangers: Arc<Strangers>,
    number: u64,
    turned_away: CancellationToken,
}

impl Admission {
    /// Completes when this connection has to make room.
    pub async fn turned_away(&self) {
        self.turned_away.cancelled().await;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.strangers
            .with(|waiting| waiting.retain(|other| other.number != self.number));
    }
}

impl Strangers {
    /// Nobody yet.
    pub fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(VecDeque::new()),
            most,
            most_per_address,
        })
    }

    /// Lets a connection wait at the door; `number` is unique and grows.
    pub fn admit(self: &Arc<Self>, number: u64, from: IpAddr) -> Admission {
        let place = place(from);
        let turned_away = CancellationToken::new();
        self.with(|waiting| {
            let here = |other: &Waiting| other.place == place;
            if !holds(Defence::StrangersCap) {
                // As it would be without any limit.
            } else if waiting.iter().filter(|other| here(other)).count() >= self.most_per_address {
                evict(waiting, place);
            } else if waiting.len() >= self.most {
                evict_of_busiest(waiting);
            }
            waiting.push_back(Waiting {
                number,
                place,
                turned_away: turned_away.clone(),
            });
        });
        Admission {
            strangers: Arc::clone(self),
            number,
            turned_away,
        }
    }

    /// Sends the connection away that goes first, because something else than a place has run out;
    /// `false`: nobody waits.
    pub fn make_room(&self) -> bool {
        self.with(evict_of_busiest)
    }

    fn with<T>(&self, work: impl FnOnce(&mut VecDeque<Waiting>) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn evict_of_busiest(waiting: &mut VecDeque<Waiting>) -> bool {
    busiest(waiting).is_some_and(|place| evict(waiting, place))
}

fn evict(waiting: &mut VecDeque<Waiting>, place: IpAddr) -> bool {
    let oldest = waiting.iter().position(|other| other.place == place);
    let Some(oldest) = oldest.and_then(|index| waiting.remove(index)) else {
        return false;
    };
    oldest.turned_away.cancel();
    true
}

/// The address with the most connections; of several, the one that has been here longest: whoever
/// comes last would else never get its turn when every address has one connection.
fn busiest(waiting: &VecDeque<Waiting>) -> Option<IpAddr> {
    if !holds(Defence::StrangersFairness) {
        return waiting.front().map(|oldest| oldest.place);
    }
    let count = |place: IpAddr| waiting.iter().filter(|other| other.place == place).count();
    waiting
        .iter()
        .map(|other| other.place)
        .rev()
        .max_by_key(|&place| count(place))
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

    fn addresses(strangers: &Strangers) -> Vec<u64> {
        strangers.with(|waiting| waiting.iter().map(|other| other.number).collect())
    }

    #[test]
    fn oldest_of_the_same_address_makes_room() {
        let strangers = Strangers::new(10, 2);
        let from: IpAddr = "10.0.0.1".parse().unwrap();
        let first = strangers.admit(1, from);
        let second = strangers.admit(2, from);
        let third = strangers.admit(3, "::ffff:10.0.0.1".parse().unwrap());
        assert!(first.turned_away.is_cancelled());
        assert!(!second.turned_away.is_cancelled() && !third.turned_away.is_cancelled());
        drop((first, second));
        assert_eq!(addresses(&strangers), [3]);
    }

    #[test]
    fn flood_does_not_push_out_others() {
        let strangers = Strangers::new(4, 4);
        let honest = strangers.admit(1, "10.0.0.9".parse().unwrap());
        let flood: Vec<_> = (2..100)
            .map(|number| strangers.admit(number, format!("2001:db8::{number:x}").parse().unwrap()))
            .collect();
        assert!(!honest.turned_away.is_cancelled());
        assert_eq!(addresses(&strangers).len(), 4);
        let late = strangers.admit(100, "10.0.0.8".parse().unwrap());
        assert!(!late.turned_away.is_cancelled() && !honest.turned_away.is_cancelled());
        assert_eq!(
            flood
                .iter()
                .filter(|one| !one.turned_away.is_cancelled())
                .count(),
            2
        );
    }

    #[test]
    fn the_newest_of_many_addresses_gets_its_turn() {
        let strangers = Strangers::new(4, 4);
        let crowd: Vec<_> = (1..=4)
            .map(|number| strangers.admit(number, format!("10.0.0.{number}").parse().unwrap()))
            .collect();
        let _newest = strangers.admit(5, "10.0.0.5".parse().unwrap());
        let _after = strangers.admit(6, "10.0.0.6".parse().unwrap());
        assert_eq!(addresses(&strangers), [3, 4, 5, 6]);
        assert!(strangers.make_room());
        assert_eq!(addresses(&strangers), [4, 5, 6]);
        assert!(crowd[2].turned_away.is_cancelled());
        assert!(!Strangers::new(4, 4).make_room());
    }
}
