//! `Near`: which addresses are in one of this machine's own networks. The only place that knows the library that lists them.

use std::{io, net::IpAddr};

use if_addrs::{IfAddr, get_if_addrs};

/// The networks of this machine's interfaces as they are now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Near {
    networks: Vec<Network>,
    /// The numbers of the interfaces that lead to this machine alone.
    loopback: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    own: IpAddr,
    /// The leading bits that its addresses have in common.
    bits: u8,
}

// === impl Near ===

impl Near {
    /// # Errors
    /// When the system does not list its interfaces.
    pub fn of_this_machine() -> io::Result<Self> {
        let mut near = Self::default();
        for interface in get_if_addrs()? {
            if interface.is_loopback() {
                near.loopback.extend(interface.index);
                continue;
            }
            let (own, bits) = match interface.addr {
                IfAddr::V4(of) => (IpAddr::V4(of.ip), of.prefixlen),
                IfAddr::V6(of) => (IpAddr::V6(of.ip), of.prefixlen),
            };
            near.networks.push(Network { own, bits });
        }
        Ok(near)
    }

    /// Whether an address is on one of the networks; or on this machine itself, where it was heard of by these interfaces: on
    /// the network anybody can say `127.0.0.1`, which is another machine for each that hears it.
    pub fn has(&self, address: IpAddr, heard_by: impl IntoIterator<Item = u32>) -> bool {
        match address.to_canonical() {
            address if address.is_loopback() => {
                let mut heard_by = heard_by.into_iter();
                heard_by.any(|interface| self.loopback.contains(&interface))
            }
            address => self.networks.iter().any(|network| network.has(address)),
        }
    }

    /// With these networks, and the loopback interface 1.
    #[cfg(test)]
    pub fn with(networks: &[(&str, u8)]) -> Self {
        let network = |(own, bits): &(&str, u8)| Network {
            own: own.parse().expect("an address"),
            bits: *bits,
        };
        Self {
            networks: networks.iter().map(network).collect(),
            loopback: vec![1],
        }
    }
}

// === impl Network ===

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        let differs = match (self.own, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u32::from(own) ^ u32::from(other)).leading_zeros()
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (u128::from(own) ^ u128::from(other)).leading_zeros()
            }
            _ => return false,
        };
        differs >= u32::from(self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_on_a_network_of_ours_or_heard_of_on_this_machine() {
        let near = Near::with(&[("10.1.2.3", 24), ("192.168.0.7", 16), ("fd00::7", 64)]);
        for (address, heard_by, expected) in [
            ("10.1.2.200", 2, true),
            ("10.1.3.200", 2, false),
            ("192.168.77.1", 2, true),
            ("172.16.0.1", 2, false),
            ("8.8.8.8", 2, false),
            ("fd00::1:2", 2, true),
            ("fd00:0:0:1::1", 2, false),
            ("::ffff:10.1.2.9", 2, true),
            ("127.0.0.1", 2, false),
            ("127.0.0.1", 1, true),
            ("::1", 2, false),
            ("::1", 1, true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(near.has(address, [heard_by]), expected, "{address}");
        }
        assert!(Near::with(&[("10.0.0.1", 0)]).has("8.8.8.8".parse().unwrap(), []));
        assert!(!Near::with(&[("10.0.0.1", 32)]).has("10.0.0.2".parse().unwrap(), []));
    }

    #[test]
    fn this_machine_has_a_loopback_interface() {
        let near = Near::of_this_machine().unwrap();
        assert!(!near.loopback.is_empty(), "{near:?}");
        assert!(near.has([127, 0, 0, 1].into(), near.loopback.clone()));
    }
}
