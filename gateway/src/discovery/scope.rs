//! `Scope`: what a search sends, to whom and for how long, told before it is started. Pure.

use std::{net::SocketAddr, time::Duration};

use fieldgate_kit::{
    Nearby, Question,
    discovery::{Nature, Range},
};

use super::{mdns, scan};

/// The most ports at each address.
const MOST_PORTS: usize = 8;

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Everybody in the local network, at once.
    Everybody(Question),
    /// Each address of a range, at each of some ports.
    Range { range: Range, ports: Vec<u16> },
}

/// Whether a person said that addresses which are not private ones are the plant's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Unsaid,
    Ours,
}

/// What a search sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub asked: Asked,
    pub nature: Nature,
}

// === impl Scope ===

impl Scope {
    /// One question to the local network.
    #[must_use]
    pub fn question(nearby: Nearby) -> Self {
        Self {
            asked: Asked::Everybody(nearby.question),
            nature: Nature::Local,
        }
    }

    /// A scan of a range as a person wrote it, at these ports or at the kind's usual ones.
    ///
    /// # Errors
    /// In words, what is wrong with the range or the ports.
    pub fn scan(range: &str, ports: &[u16], nearby: Nearby) -> Result<Self, String> {
        let range: Range = range
            .parse()
            .map_err(|why| format!("this range cannot be asked: {why}"))?;
        let mut ports = match ports {
            [] => nearby.ports.to_vec(),
            ports => ports.to_vec(),
        };
        ports.sort_unstable();
        ports.dedup();
        if ports.len() > MOST_PORTS || ports.contains(&0) {
            return Err(format!("name at most {MOST_PORTS} ports from 1 to 65535"));
        }
        match range.nature() {
            Nature::Nobody => Err(format!(
                "this range cannot be asked: {range} holds addresses that no machine has (multicast, broadcast or reserved ones)"
            )),
            nature => Ok(Self {
                asked: Asked::Range { range, ports },
                nature,
            }),
        }
    }

    /// # Errors
    /// In words, when it leaves the private networks and nobody said that this is meant.
    pub fn permit(&self, owner: Owner) -> Result<(), String> {
        match (self.nature, owner) {
            (Nature::Public, Owner::Unsaid) => Err(
                "these are public addresses, perhaps of somebody else, who may take a scan for an attack; say that they are yours (`public`), or name a range of a private network"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// How many addresses; none for a question to everybody.
    #[must_use]
    pub fn addresses(&self) -> u64 {
        match &self.asked {
            Asked::Everybody(_) => 0,
            Asked::Range { range, .. } => range.count(),
        }
    }

    #[must_use]
    pub fn ports(&self) -> &[u16] {
        match &self.asked {
            Asked::Everybody(_) => &[],
            Asked::Range { ports, .. } => ports,
        }
    }

    /// How many connections are tried, beyond those to who answers.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.addresses() * self.ports().len() as u64
    }

    /// How long it takes when nobody answers; who answers takes a little more.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        match &self.asked {
            Asked::Everybody(Question::Service(_)) => mdns::PATIENCE,
            Asked::Everybody(Question::Own { lasts, .. }) => *lasts,
            Asked::Range { .. } => {
                let rounds = self.connections().div_ceil(scan::AT_ONCE as u64);
                let silent = scan::PATIENCE * u32::try_from(rounds).unwrap_or(u32::MAX);
                silent.max(scan::pace(self.connections()))
            }
        }
    }

    /// Each place that is asked, port by port of one address after another.
    pub fn sockets(&self) -> Box<dyn Iterator<Item = SocketAddr> + Send + '_> {
        match &self.asked {
            Asked::Everybody(_) => Box::new(std::iter::empty()),
            Asked::Range { range, ports } => Box::new(range.addresses().flat_map(|address| {
                ports
                    .iter()
                    .map(move |port| SocketAddr::new(address, *port))
            })),
        }
    }

    /// What is searched, in a few words.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.asked {
            Asked::Everybody(_) => "Ask the local network".to_owned(),
            Asked::Range { range, .. } => format!("Scan of {range}"),
        }
    }

    /// What it sends, in sentences.
    #[must_use]
    pub fn words(&self) -> String {
        let seconds = self.lasts().as_secs().max(1);
        match &self.asked {
            Asked::Everybody(Question::Own { words, .. }) => format!(
                "{words} on each interface of this machine, heard within its own network segments only; {seconds} s. Only who answers is asked further"
            ),
            Asked::Everybody(Question::Service(service)) => format!(
                "one question by multicast DNS ({service}) on each interface of this machine, heard within its own network segments only; {seconds} s. Only who answers is asked further"
            ),
            Asked::Range { range, ports } => {
                let names: Vec<String> = ports.iter().map(u16::to_string).collect();
                format!(
                    "{} from {range}, at {} {}: this sends one TCP connection to each, {} in all, at most {} at once and {} a second; about {seconds} s when nobody answers. Who answers is asked who it is",
                    counted(range.count(), "address", "addresses"),
                    if ports.len() == 1 {
                        "port"
                    } else {
                        "the ports"
                    },
                    names.join(", "),
                    self.connections(),
                    scan::AT_ONCE,
                    scan::PER_SECOND,
                )
            }
        }
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEARBY: Nearby = Nearby {
        question: Question::Service("_opcua-tcp._tcp"),
        ports: &[4840],
    };

    #[test]
    fn a_scan_says_what_it_sends_before_it_does() {
        for (range, ports, connections, seconds, part) in [
            (
                "127.0.0.0/29",
                &[][..],
                6,
                1,
                "6 addresses from 127.0.0.1 to 127.0.0.6, at port 4840",
            ),
            (
                "10.0.0.7",
                &[4840, 4841, 4840],
                2,
                1,
                "1 address from 10.0.0.7, at the ports 4840, 4841",
            ),
            (
                "10.0.0.0/24",
                &[],
                254,
                4,
                "254 in all, at most 64 at once and 100 a second; about 4 s",
            ),
            ("10.0.0.0/20", &[], 4094, 64, "4094 in all"),
            (
                "10.0.0.0/20",
                &[1, 2, 3, 4, 5, 6, 7, 8],
                32_752,
                512,
                "about 512 s",
            ),
        ] {
            let scope = Scope::scan(range, ports, NEARBY).unwrap();
            assert_eq!(scope.connections(), connections, "{range}");
            assert_eq!(scope.sockets().count() as u64, connections, "{range}");
            assert_eq!(scope.lasts().as_secs(), seconds, "{range}");
            assert!(scope.words().contains(part), "{}", scope.words());
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for (range, ports, part) in [
            ("10.0.0.0/8", &[][..], "more than 4096"),
            ("nonsense", &[], "is no address"),
            ("224.0.0.0/28", &[], "no machine has"),
            ("0.0.0.0/28", &[], "no machine has"),
            ("10.0.0.1", &[0], "from 1 to 65535"),
            ("10.0.0.1", &[1, 2, 3, 4, 5, 6, 7, 8, 9], "at most 8 ports"),
        ] {
            let why = Scope::scan(range, ports, NEARBY).unwrap_err();
            assert!(why.contains(part), "{range}: {why}");
        }
    }

    #[test]
    fn public_addresses_need_a_persons_word() {
        for (range, owner, good) in [
            ("192.168.1.0/24", Owner::Unsaid, true),
            ("8.8.8.8", Owner::Unsaid, false),
            ("8.8.8.8", Owner::Ours, true),
            ("2001:db8::1-2001:db8::9", Owner::Unsaid, false),
        ] {
            let scope = Scope::scan(range, &[], NEARBY).unwrap();
            assert_eq!(scope.permit(owner).is_ok(), good, "{range}");
        }
        assert!(Scope::question(NEARBY).permit(Owner::Unsaid).is_ok());
    }

    #[test]
    fn a_question_connects_to_nobody() {
        let scope = Scope::question(NEARBY);
        assert_eq!((scope.connections(), scope.sockets().count()), (0, 0));
        assert!(scope.words().contains("_opcua-tcp._tcp"));
    }
}
