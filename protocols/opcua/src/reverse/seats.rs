//! `Seats`: connections that wait for their source, bounded for each peer, so that none takes the place of others. Pure.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
};

/// Connections of one peer. Servers keep one in reserve (Part 6, 7.1.3); an older one gives way to a newer.
const MOST_OF_PEER: usize = 2;
/// Connections that wait for one source.
const MOST: usize = 8;

/// Where a connection comes from. A network of IPv6 is one peer: who has an address there, has as many as it likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(IpAddr);

#[derive(Debug)]
pub(super) struct Seats<T> {
    /// The newest last.
    seated: VecDeque<(Peer, T)>,
    /// Whose connection the attempt before took: the next one begins with another one's, if there is one.
    last: Option<Peer>,
}

// === impl Peer ===

impl Peer {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

// === impl Seats ===

impl<T> Default for Seats<T> {
    fn default() -> Self {
        Self {
            seated: VecDeque::new(),
            last: None,
        }
    }
}

impl<T> Seats<T> {
    pub(super) fn len(&self) -> usize {
        self.seated.len()
    }

    /// Makes room at the cost of the peer that has the most, its oldest first.
    pub(super) fn put(&mut self, peer: Peer, one: T) {
        if self.of(peer) >= MOST_OF_PEER {
            self.remove_oldest(peer);
        } else if self.seated.len() >= MOST {
            let all = self.seated.iter().map(|(peer, _)| *peer);
            // Of equal ones the oldest: the last maximum, seen from the newest.
            if let Some(most) = all.rev().max_by_key(|peer| self.of(*peer)) {
                self.remove_oldest(most);
            }
        }
        self.seated.push_back((peer, one));
    }

    /// The newest of whom an attempt began with; or, to begin with, of anybody, but rather not of whom the one before had.
    pub(super) fn take(
        &mut self,
        began_with: Option<Peer>,
        is_live: impl Fn(&T) -> bool,
    ) -> Option<(Peer, T)> {
        self.seated.retain(|(_, one)| is_live(one));
        let newest =
            |is: &dyn Fn(Peer) -> bool| self.seated.iter().rposition(|(peer, _)| is(*peer));
        let at = match began_with {
            Some(peer) => newest(&|other| other == peer),
            None => newest(&|other| Some(other) != self.last).or_else(|| newest(&|_| true)),
        };
        let taken = self.seated.remove(at?)?;
        self.last = Some(taken.0);
        Some(taken)
    }

    fn of(&self, peer: Peer) -> usize {
        let seated = self.seated.iter();
        seated.filter(|(other, _)| *other == peer).count()
    }

    fn remove_oldest(&mut self, peer: Peer) {
        let oldest = self.seated.iter().position(|(other, _)| *other == peer);
        if let Some(at) = oldest {
            let _closed = self.seated.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::of(address.parse().unwrap())
    }

    fn all(seats: &Seats<u32>) -> Vec<u32> {
        seats.seated.iter().map(|(_, one)| *one).collect()
    }

    #[test]
    fn a_peer_is_a_machine_or_a_network_of_ipv6() {
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
        assert_ne!(peer("10.0.0.2"), peer("10.0.0.1"));
        assert_eq!(peer("fd00::1"), peer("fd00::2:0:0:1"));
        assert_ne!(peer("fd00::1"), peer("fd00:0:0:1::1"));
    }

    #[test]
    fn one_peer_cannot_take_all_seats() {
        let (mut seats, server, other) = (Seats::default(), peer("10.0.0.1"), peer("10.0.0.2"));
        seats.put(server, 1);
        for one in 10..100 {
            seats.put(other, one);
        }
        assert_eq!(all(&seats), [1, 98, 99]);
        // Nor can many together take those of one that has few.
        for (one, address) in (100..120).zip(3_u8..) {
            let peer = Peer::of([10, 0, 0, address].into());
            seats.put(peer, one);
            seats.put(peer, one + 1000);
        }
        assert_eq!(seats.len(), MOST);
        seats.put(server, 2);
        assert!(all(&seats).contains(&2));
    }

    #[test]
    fn an_attempt_stays_with_whom_it_began_and_the_next_one_begins_with_another() {
        let (mut seats, server, other) = (Seats::default(), peer("10.0.0.1"), peer("10.0.0.2"));
        let take = |seats: &mut Seats<u32>, began: Option<Peer>| {
            let taken = seats.take(began, |one| *one != 0);
            taken.map(|(peer, one)| (peer == server, one))
        };
        for (peer, one) in [(server, 1), (server, 2), (other, 3), (other, 4), (other, 0)] {
            seats.put(peer, one);
        }
        // The impostor was seated last, and is tried first; but not twice in a row.
        assert_eq!(take(&mut seats, None), Some((false, 4)));
        assert_eq!(take(&mut seats, Some(other)), None);
        seats.put(other, 5);
        assert_eq!(take(&mut seats, None), Some((true, 2)));
        assert_eq!(take(&mut seats, Some(server)), Some((true, 1)));
        assert_eq!(take(&mut seats, Some(server)), None);
        assert_eq!(take(&mut seats, None), Some((false, 5)));
        seats.put(other, 6);
        assert_eq!(
            take(&mut seats, None),
            Some((false, 6)),
            "nobody else is there"
        );
    }
}
