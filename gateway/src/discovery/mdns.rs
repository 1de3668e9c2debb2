//! One question by multicast DNS (RFC 6762, DNS-SD: RFC 6763), and the answers of the next seconds. The only place that knows the library.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    time::Duration,
};

use fieldgate_kit::{Announcement, discovery::Nature};
use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

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

/// Asks who offers `service`, and tells who answered until the time is over or somebody stops it.
///
/// # Errors
/// In words, when this machine cannot ask.
pub async fn ask(service: &str, stopped: &CancellationToken) -> Result<Vec<Announcement>, String> {
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
    while heard.len() < MOST {
        let answer = tokio::select! {
            () = stopped.cancelled() => break,
            answer = timeout_at(until, answers.recv_async()) => answer,
        };
        match answer {
            Ok(Ok(ServiceEvent::ServiceResolved(one))) => {
                if let Some(one) = read(&one, service) {
                    heard.insert(one.instance.clone(), one);
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    if let Ok(closed) = asking.0.shutdown() {
        let _in_time = timeout_at(Instant::now() + CLOSING, closed.recv_async()).await;
    }
    let mut heard: Vec<Announcement> = heard.into_values().collect();
    heard.sort_by(|a, b| a.instance.cmp(&b.instance));
    Ok(heard)
}

/// The library's thread, which has to be told to end: also when nobody waits for the answers any more.
struct Asking(ServiceDaemon);

impl Drop for Asking {
    fn drop(&mut self) {
        // Whether it was told before does not matter.
        let _told = self.0.shutdown();
    }
}

fn read(one: &ResolvedService, service: &str) -> Option<Announcement> {
    let text = one.txt_properties.iter();
    announcement(
        &one.fullname,
        service,
        &one.host,
        one.addresses.iter().map(|address| address.to_ip_addr()),
        one.port,
        text.map(|property| (property.key(), property.val_str())),
    )
}

/// What is kept of an answer; none for one that leads nowhere. Only this machine, its link and private networks are near:
/// whoever announces another address wants us to ask somebody else.
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
