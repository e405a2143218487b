//! Connections of one kind: few, and fair to everybody who has some of them.
//!
//! When there are too many, the oldest of whoever has the most goes, so that one who opens many
//! cannot keep others out, and a newcomer always gets its turn.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// Who is here; `K` tells them apart.
#[derive(Debug)]
pub struct Crowd<K> {
    members: Mutex<VecDeque<Member<K>>>,
    rules: Rules,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Altogether.
    pub most: usize,
    /// Of one.
    pub most_each: usize,
    /// Whether the limits hold: always, but in a build that is made to break them.
    pub is_capped: fn() -> bool,
    /// Whether who has the most makes room; the same.
    pub is_fair: fn() -> bool,
}

#[derive(Debug)]
struct Member<K> {
    number: u64,
    whose: K,
    turned_away: CancellationToken,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Admission<K: Copy + Eq> {
    crowd: Arc<Crowd<K>>,
    number: u64,
    turned_away: CancellationToken,
}

impl<K: Copy + Eq> Admission<K> {
    /// Completes when this connection has to make room.
    pub async fn turned_away(&self) {
        self.turned_away.cancelled().await;
    }

    /// Whether it has to.
    pub fn is_turned_away(&self) -> bool {
        self.turned_away.is_cancelled()
    }
}

impl<K: Copy + Eq> Drop for Admission<K> {
    fn drop(&mut self) {
        self.crowd
            .with(|members| members.retain(|other| other.number != self.number));
    }
}

impl<K: Copy + Eq> Crowd<K> {
    /// Nobody yet.
    pub fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Self {
            members: Mutex::new(VecDeque::new()),
            rules,
        })
    }

    /// Lets a connection in; `number` is unique and grows.
    pub fn admit(self: &Arc<Self>, number: u64, whose: K) -> Admission<K> {
        let turned_away = CancellationToken::new();
        self.with(|members| {
            if !(self.rules.is_capped)() {
                // As it would be without any limit.
            } else if count(members, &whose) >= self.rules.most_each {
                evict(members, whose);
            } else if members.len() >= self.rules.most {
                self.evict_of_busiest(members);
            }
            members.push_back(Member {
                number,
                whose,
                turned_away: turned_away.clone(),
            });
        });
        Admission {
            crowd: Arc::clone(self),
            number,
            turned_away,
        }
    }

    /// Sends the connection away that goes first, because something else than a place has run out;
    /// `false`: nobody is here.
    pub fn make_room(&self) -> bool {
        self.with(|members| self.evict_of_busiest(members))
    }

    fn evict_of_busiest(&self, members: &mut VecDeque<Member<K>>) -> bool {
        self.busiest(members)
            .is_some_and(|whose| evict(members, whose))
    }

    /// Who has the most connections; of several, the one that has been here longest: whoever comes
    /// last would else never get its turn when everybody has one connection.
    fn busiest(&self, members: &VecDeque<Member<K>>) -> Option<K> {
        if !(self.rules.is_fair)() {
            return members.front().map(|oldest| oldest.whose);
        }
        members
            .iter()
            .map(|other| other.whose)
            .rev()
            .max_by_key(|whose| count(members, whose))
    }

    fn with<T>(&self, work: impl FnOnce(&mut VecDeque<Member<K>>) -> T) -> T {
        work(&mut self.members.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn count<K: Eq>(members: &VecDeque<Member<K>>, whose: &K) -> usize {
    members.iter().filter(|other| other.whose == *whose).count()
}

fn evict<K: Copy + Eq>(members: &mut VecDeque<Member<K>>, whose: K) -> bool {
    let oldest = members.iter().position(|other| other.whose == whose);
    let Some(oldest) = oldest.and_then(|index| members.remove(index)) else {
        return false;
    };
    oldest.turned_away.cancel();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(crowd: &Crowd<u8>) -> Vec<u64> {
        crowd.with(|members| members.iter().map(|other| other.number).collect())
    }

    fn crowd(most: usize, most_each: usize) -> Arc<Crowd<u8>> {
        Crowd::new(Rules {
            most,
            most_each,
            is_capped: || true,
            is_fair: || true,
        })
    }

    #[test]
    fn whoever_has_the_most_makes_room() {
        let crowd = crowd(4, 4);
        let honest = crowd.admit(1, 1);
        let many: Vec<_> = (2..100).map(|number| crowd.admit(number, 2)).collect();
        let late = crowd.admit(100, 3);
        assert!(!honest.is_turned_away() && !late.is_turned_away());
        assert_eq!(numbers(&crowd), [1, 98, 99, 100]);
        drop((honest, many, late));
        assert!(numbers(&crowd).is_empty());
    }

    #[test]
    fn nobody_has_more_than_a_share() {
        let crowd = crowd(10, 2);
        let places: Vec<_> = (1..=3).map(|number| crowd.admit(number, 7)).collect();
        assert!(places[0].is_turned_away());
        assert_eq!(numbers(&crowd), [2, 3]);
    }

    #[test]
    fn the_newest_of_many_gets_its_turn() {
        let crowd = crowd(4, 4);
        let places: Vec<_> = (1..=4)
            .map(|number| crowd.admit(number.into(), number))
            .collect();
        let _newest = crowd.admit(5, 5);
        let _after = crowd.admit(6, 6);
        assert_eq!(numbers(&crowd), [3, 4, 5, 6]);
        assert!(crowd.make_room());
        assert_eq!(numbers(&crowd), [4, 5, 6]);
        assert!(places[2].is_turned_away());
        assert!(!self::crowd(4, 4).make_room());
    }
}
