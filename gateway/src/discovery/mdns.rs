//! One question by multicast DNS (RFC 6762, DNS-SD: RFC 6763), and the answers of the next seconds. The only place that knows the library.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    time::Duration,
};

use fieldgate_kit::{Announcement, discovery::Nature};
use mdns_sd::{ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::near::Near;

/// How long answers are waited for. RFC 6762, 6: they come within half a second, for a machine that sleeps a little later.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// How long the library may take to leave.
const CLOSING: Duration = Duration::from_secs(1);
/// Devices that are listened to; anybody can pretend to be a thousand.
const MOST: usize = 256;
const MOST_ADDRESSES: usize = 4;
const MOST_KEYS: usize = 16;
/// The longest name or value that is kept, in bytes.
const LONGEST: usize = 255;

/// Who answered.
#[derive(Debug, Default)]
pub struct Heard {
    pub near: Vec<Announcement>,
    /// So many lead elsewhere, or nowhere.
    pub passed_over: usize,
}

/// Asks who offers `service`, and tells who answered until the time is over or somebody stops it.
///
/// # Errors
/// In words, when this machine cannot ask.
pub async fn ask(service: &str, stopped: &CancellationToken) -> Result<Heard, String> {
    let near = Near::of_this_machine().map_err(|error| {
        format!(
            "the local network cannot be asked: this machine's interfaces are not known ({error})"
        )
    })?;
    let failed = |why: mdns_sd::Error| {
        format!(
            "the local network cannot be asked: {why}; is there a network interface that is up?"
        )
    };
    let asking = Asking(ServiceDaemon::new().map_err(failed)?);
    let answers = asking
        .0
        .browse(&format!("{service}.local."))
        .map_err(failed)?;
    let until = Instant::now() + PATIENCE;
    let mut heard: HashMap<String, Announcement> = HashMap::new();
    let mut passed_over: HashSet<String> = HashSet::new();
    while heard.len() < MOST && passed_over.len() < MOST {
        let answer = tokio::select! {
            () = stopped.cancelled() => break,
            answer = timeout_at(until, answers.recv_async()) => answer,
        };
        match answer {
            Ok(Ok(ServiceEvent::ServiceResolved(one))) => match read(&one, service, &near) {
                Some(read) => {
                    passed_over.remove(&one.fullname);
                    heard.insert(read.instance.clone(), read);
                }
                None => {
                    passed_over.insert(one.fullname);
                }
            },
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    if let Ok(closed) = asking.0.shutdown() {
        let _in_time = timeout_at(Instant::now() + CLOSING, closed.recv_async()).await;
    }
    let mut heard: Vec<Announcement> = heard.into_values().collect();
    heard.sort_by(|a, b| a.instance.cmp(&b.instance));
    Ok(Heard {
        near: heard,
        passed_over: passed_over.len(),
    })
}

/// The library's thread, which has to be told to end: also when nobody waits for the answers any more.
struct Asking(ServiceDaemon);

impl Drop for Asking {
    fn drop(&mut self) {
        // Whether it was told before does not matter.
        let _told = self.0.shutdown();
    }
}

fn read(one: &ResolvedService, service: &str, near: &Near) -> Option<Announcement> {
    let text = one.txt_properties.iter();
    let addresses = one.addresses.iter().filter(|address| {
        let heard_by: Vec<u32> = match address {
            ScopedIp::V4(of) => of.interface_ids().iter().map(|id| id.index).collect(),
            ScopedIp::V6(of) => vec![of.scope_id().index],
            _ => Vec::new(),
        };
        near.has(address.to_ip_addr(), heard_by)
    });
    announcement(
        &one.fullname,
        service,
        &one.host,
        addresses.map(ScopedIp::to_ip_addr),
        one.port,
        text.map(|property| (property.key(), property.val_str())),
    )
}

/// What is kept of an answer at addresses that are near; none for one that leads nowhere. Whoever announces an address of another
/// network, or a public one, wants us to ask somebody else.
fn announcement<'a>(
    full_name: &str,
    service: &str,
    host: &str,
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
    text: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Announcement> {
    let instance = full_name
        .split(&format!(".{service}"))
        .next()
        .unwrap_or_default();
    let near = |address: &IpAddr| Nature::of(*address) == Nature::Local && !needs_scope(address);
    let mut addresses: Vec<IpAddr> = addresses.filter(near).collect();
    // A machine behind several networks: what most servers listen at first.
    addresses.sort_by_key(|address| (address.is_ipv6(), address.is_loopback(), *address));
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    if addresses.is_empty() || port == 0 || instance.is_empty() {
        return None;
    }
    let text = text.filter(|(key, value)| key.len() <= LONGEST && value.len() <= LONGEST);
    let text: BTreeMap<String, String> = text
        .take(MOST_KEYS)
        .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Some(Announcement {
        instance: cut(instance),
        host: cut(host.trim_end_matches('.')),
        addresses,
        port,
        text,
    })
}

/// `fe80::…` is a place only together with an interface, which a URL cannot say.
fn needs_scope(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "_opcua-tcp._tcp";

    fn read(
        name: &str,
        addresses: &[&str],
        port: u16,
        text: &[(&str, &str)],
    ) -> Option<Announcement> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        announcement(
            name,
            SERVICE,
            "plc1.local.",
            addresses,
            port,
            text.iter().copied(),
        )
    }

    #[test]
    fn an_answer_becomes_an_announcement() {
        let one = read(
            "Press 4._opcua-tcp._tcp.local.",
            &["fd00::1", "10.0.0.4", "fe80::1", "10.0.0.4"],
            4841,
            &[("Path", "/UA"), ("caps", "DA,HD")],
        )
        .unwrap();
        assert_eq!(one.instance, "Press 4");
        assert_eq!((one.host.as_str(), one.port), ("plc1.local", 4841));
        let addresses: Vec<String> = one.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(addresses, ["10.0.0.4", "fd00::1"]);
        assert_eq!(one.text["path"], "/UA");
        assert_eq!(one.text["caps"], "DA,HD");
    }

    #[test]
    fn an_answer_that_leads_away_or_nowhere_is_passed_over() {
        let name = "a._opcua-tcp._tcp.local.";
        for (name, addresses, port) in [
            (name, &["8.8.8.8"][..], 4840),
            (name, &["224.0.0.251", "0.0.0.0"], 4840),
            (name, &["fe80::1"], 4840),
            (name, &[], 4840),
            (name, &["10.0.0.1"], 0),
            ("._opcua-tcp._tcp.local.", &["10.0.0.1"], 4840),
            ("", &["10.0.0.1"], 4840),
        ] {
            assert_eq!(
                read(name, addresses, port, &[]),
                None,
                "{name:?} {addresses:?} {port}"
            );
        }
    }

    #[test]
    fn an_answer_cannot_be_endless() {
        let long = "x".repeat(10_000);
        let keys: Vec<String> = (0..1000).map(|key| key.to_string()).collect();
        let mut text: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        text.insert(0, ("path", &long));
        let addresses: Vec<String> = (1..=200).map(|host| format!("10.0.0.{host}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let one = read(&format!("{long}.{SERVICE}.local."), &addresses, 1, &text).unwrap();
        assert_eq!(one.instance.len(), LONGEST);
        assert_eq!(
            (one.addresses.len(), one.text.len()),
            (MOST_ADDRESSES, MOST_KEYS)
        );
        assert!(!one.text.contains_key("path"));
    }
}
