//! `Reach`: which addresses a server of a set may have. A server can name any machine of the world as its partner, and what it
//! names is only asked where a person named it or where it is near: nothing is sent into a network that nobody asked for. Pure.

use std::net::IpAddr;

use fieldgate_kit::discovery::Nature;

/// Where a server may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anywhere: a person named it.
    #[default]
    Named,
    /// Another server named it, which is at these addresses: there, or in a private network.
    Near(Vec<IpAddr>),
}

// === impl Reach ===

impl Reach {
    /// The address that it may not have. One is enough: which of them is dialled is not ours to say.
    pub(crate) fn forbids(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let Self::Near(here) = self else {
            return None;
        };
        // This machine itself is near to those on it, and to nobody else.
        let on_this_machine = here.iter().any(IpAddr::is_loopback);
        let is_near = |address: &&IpAddr| {
            let address = address.to_canonical();
            here.contains(&address)
                || (Nature::of(address) == Nature::Local
                    && (on_this_machine || !address.is_loopback()))
        };
        addresses.iter().find(|address| !is_near(address)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_names_is_near_or_is_not_asked() {
        for (here, addresses, forbidden) in [
            (&["10.0.0.1"][..], &["10.0.0.2"][..], None),
            (&["10.0.0.1"], &["192.168.7.2", "fd00::1"], None),
            (&["10.0.0.1"], &["8.8.8.8"], Some("8.8.8.8")),
            (&["10.0.0.1"], &["10.0.0.2", "8.8.8.8"], Some("8.8.8.8")),
            (&["10.0.0.1"], &["127.0.0.1"], Some("127.0.0.1")),
            (
                &["10.0.0.1"],
                &["::ffff:127.0.0.1"],
                Some("::ffff:127.0.0.1"),
            ),
            (&["10.0.0.1"], &["0.0.0.0"], Some("0.0.0.0")),
            (&["10.0.0.1"], &["224.0.0.1"], Some("224.0.0.1")),
            (&["127.0.0.1"], &["::1", "127.0.0.1"], None),
            (&["8.8.8.8"], &["8.8.8.8"], None),
            (&["8.8.8.8"], &["8.8.4.4"], Some("8.8.4.4")),
        ] {
            let read = |texts: &[&str]| -> Vec<IpAddr> {
                texts.iter().map(|text| text.parse().unwrap()).collect()
            };
            let forbids = Reach::Near(read(here)).forbids(&read(addresses));
            let forbids = forbids.map(|address| address.to_string());
            assert_eq!(forbids.as_deref(), forbidden, "{here:?} {addresses:?}");
            assert_eq!(Reach::Named.forbids(&read(addresses)), None);
        }
    }
}
