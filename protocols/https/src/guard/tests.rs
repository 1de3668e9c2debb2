//! No way to write an address leads past the guard, and no answer of a name server that changes.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::settings::UrlTemplate;

/// A name server with one answer after the other.
struct Flips {
    answers: Vec<&'static str>,
    asked: AtomicUsize,
}

impl Resolver for Flips {
    fn look_up<'a>(
        &'a self,
        _host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[turn.min(self.answers.len() - 1)];
        let addresses = answer.split_whitespace();
        let addresses = addresses.map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
        let addresses: Vec<SocketAddr> = addresses.collect();
        Box::pin(async move { Ok(addresses) })
    }
}

fn machine(answers: &[&'static str]) -> Surroundings {
    Surroundings {
        resolver: Arc::new(Flips {
            answers: answers.to_vec(),
            asked: AtomicUsize::new(0),
        }),
        own_ports: || vec![8443],
    }
}

async fn ask(
    surroundings: &Surroundings,
    url: &str,
    allow_local: bool,
) -> Result<usize, SinkError> {
    let url: UrlTemplate = url.parse().unwrap();
    let addresses = surroundings.addresses(url.server(), allow_local).await?;
    Ok(addresses.len())
}

#[tokio::test]
async fn no_address_of_this_machine_is_asked_however_it_is_written() {
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "2130706433",
        "0x7f000001",
        "0177.0.0.01",
        "127.1",
        "0.0.0.0",
        "0",
        "0.1.2.3",
        "169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.254.1.1",
        "100.100.100.200",
        "168.63.129.16",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}/in");
            let denied = ask(&machine(&["10.0.0.1"]), &url, false).await;
            let Err(SinkError::Denied(words)) = denied else {
                panic!("{url}: {denied:?}");
            };
            assert!(words.contains("allow_local = true"), "{words}");
            assert_eq!(ask(&machine(&[""]), &url, true).await, Ok(1), "{url}");
        }
    }
}

#[tokio::test]
async fn plants_have_private_addresses_and_nobody_has_these() {
    for host in [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "93.184.216.34",
        "[fd12::1]",
        "[2001:db8::1]",
    ] {
        assert_eq!(
            ask(&machine(&[""]), &format!("https://{host}/"), false).await,
            Ok(1),
            "{host}"
        );
    }
    for host in ["224.0.0.1", "255.255.255.255", "[ff02::1]"] {
        let denied = ask(&machine(&[""]), &format!("https://{host}/"), true).await;
        assert!(matches!(denied, Err(SinkError::Denied(_))), "{host}");
    }
}

#[tokio::test]
async fn one_bad_address_among_good_ones_is_enough() {
    for answer in [
        "10.0.0.1 127.0.0.1",
        "::1 10.0.0.1",
        "10.0.0.1 169.254.169.254",
        "::ffff:10.0.0.1 ::ffff:127.0.0.1",
    ] {
        let denied = ask(&machine(&[answer]), "https://host.plant/", false).await;
        let Err(SinkError::Denied(words)) = denied else {
            panic!("{answer}: {denied:?}");
        };
        assert!(words.contains("host.plant:443 is not asked"), "{words}");
    }
    let nobody = ask(&machine(&[""]), "https://host.plant/", false).await;
    assert!(
        matches!(nobody, Err(SinkError::Unreachable(_))),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn a_name_that_flips_is_judged_each_time_it_is_looked_up() {
    let machine = machine(&["10.0.0.1", "127.0.0.1"]);
    assert_eq!(ask(&machine, "https://host.plant/", false).await, Ok(1));
    let denied = ask(&machine, "https://host.plant/", false).await;
    assert!(matches!(denied, Err(SinkError::Denied(_))), "{denied:?}");
}

#[tokio::test]
async fn the_gateways_own_ports_stay_closed_whatever_is_allowed() {
    for host in ["127.0.0.1", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        let denied = ask(&machine(&[""]), &format!("http://{host}:8443/"), true).await;
        let Err(SinkError::Denied(words)) = denied else {
            panic!("{host}: {denied:?}");
        };
        assert!(words.contains("this gateway itself"), "{words}");
        assert_eq!(
            ask(&machine(&[""]), &format!("http://{host}:8444/"), true).await,
            Ok(1)
        );
    }
    // The same port of another machine is another matter. 192.0.2.0/24 is nobody's (RFC 5737).
    assert_eq!(
        ask(&machine(&[""]), "http://192.0.2.1:8443/", false).await,
        Ok(1)
    );
}
