//! Finding cameras: at one address, by its ONVIF service and without signing in; in the local network, by one question to all; and one that
//! is known, at its new address.

use std::time::Duration;

use fieldgate_kit::{Discovered, Way};
use fieldgate_onvif::{Client, Device as _, Found, PORT, Reach, Search, Where, search};
use fieldgate_rtsp::Address;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use url::Url;

/// How long answers are waited for.
pub(crate) const SEEK: Duration = Duration::from_secs(4);
/// The same when one camera is searched for: it is wanted soon.
const FIND_AGAIN: Duration = Duration::from_secs(2);
const BY_ONVIF: &str = "ONVIF: its streams, movement and events are found by themselves";
/// What a person has to give.
const NEEDS: &str = "the user name and the password, where it wants them";

pub(crate) async fn discover(address: &str) -> Result<Vec<Discovered>, String> {
    let host = host(address).ok_or_else(|| {
        format!(
            "`{}` is no address; write it like 192.168.0.40",
            address.escape_debug()
        )
    })?;
    let service = match address.starts_with("http://") || address.starts_with("https://") {
        true => address.trim().to_owned(),
        false => format!("http://{host}/onvif/device_service"),
    };
    let here = is_local(&host);
    let mut settings = fieldgate_onvif::Settings::new(&service).map_err(|no| no.to_string())?;
    if here {
        settings.reach = Reach::ThisMachineToo;
    }
    let client = Client::new(settings).map_err(|no| no.to_string())?;
    let rtsp = format!("rtsp://{}/", bare(&host));
    // The time is told without signing in by everybody who speaks ONVIF.
    let clock = client.clock().await;
    let way = |address: String, words: &str, settings: Json| Way {
        address,
        words: words.to_owned(),
        needs: Some(NEEDS.to_owned()),
        settings: local(settings, here),
    };
    Ok(vec![match clock {
        Ok(_) => {
            let information = client.information().await.unwrap_or_default();
            let scopes = client.scopes().await.unwrap_or_default();
            let identity = client.endpoint_reference().await.unwrap_or_default();
            let maker = [&*information.manufacturer, &*information.model].join(" ");
            let name = scopes.name.unwrap_or_else(|| host.clone());
            Discovered {
                title: name,
                product: maker.trim().to_owned(),
                addresses: vec![service.clone()],
                ways: vec![way(service.clone(), BY_ONVIF, named(&service, &identity))],
                identity,
                silent: None,
            }
        }
        Err(error) => Discovered {
            title: host.clone(),
            identity: String::new(),
            product: String::new(),
            addresses: vec![rtsp.clone()],
            ways: vec![way(
                rtsp.clone(),
                "a stream whose path you know; write it behind the address",
                json!({ "url": rtsp }),
            )],
            silent: Some(format!(
                "no ONVIF service answers ({error}); its stream's path stands in its manual"
            )),
        },
    }])
}

/// Asks all cameras on the networks of this machine who is there (WS-Discovery), and nobody else.
pub(crate) async fn seek() -> Result<Vec<Discovered>, String> {
    let findings = search(everyone(SEEK), |_| {}).await;
    let findings = findings.map_err(|no| no.to_string())?;
    Ok(findings.rows.into_iter().map(found_one).collect())
}

/// The address at which the device of an identity answers now; none when it does not answer.
pub(crate) async fn find_again(identity: &str) -> Option<String> {
    let (tell, mut told) = mpsc::channel(1);
    let asking = search(everyone(FIND_AGAIN), move |found| {
        if found.endpoint.eq_ignore_ascii_case(identity)
            && let Some(address) = found.addresses.first()
        {
            // Full: it answered already.
            let _ = tell.try_send(address.clone());
        }
    });
    // The channel ends with the search, after what it told.
    tokio::select! {
        address = told.recv() => address,
        _ended = asking => told.try_recv().ok(),
    }
}

fn everyone(wait: Duration) -> Search {
    Search {
        place: Where::Everyone,
        wait,
        reach: Reach::ThisMachineToo,
        port: PORT,
    }
}

fn found_one(found: Found) -> Discovered {
    let scopes = &found.scopes;
    let title = scopes
        .name
        .clone()
        .unwrap_or_else(|| found.from.to_string());
    let way = |service: &String| Way {
        address: service.clone(),
        words: BY_ONVIF.to_owned(),
        needs: Some(NEEDS.to_owned()),
        settings: local(named(service, &found.endpoint), is_local(service)),
    };
    let silent = found.addresses.is_empty().then(|| {
        "it names no address of its own network, so nobody knows where to ask it; type its address"
            .to_owned()
    });
    Discovered {
        title,
        product: scopes.hardware.clone().unwrap_or_default(),
        ways: found.addresses.iter().map(way).collect(),
        addresses: [&found.addresses[..], &found.elsewhere].concat(),
        identity: found.endpoint,
        silent,
    }
}

/// Settings of the device at a service, which is found again when its address changes.
fn named(service: &str, identity: &str) -> Json {
    match identity.is_empty() {
        true => json!({ "onvif": service }),
        false => json!({ "onvif": service, "identity": identity }),
    }
}

fn local(mut settings: Json, is_local: bool) -> Json {
    if is_local {
        settings["allow_local"] = true.into();
    }
    settings
}

fn is_local(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]")
}

/// Host and port as they were typed, of an address or a URL.
fn host(address: &str) -> Option<String> {
    let address = address.trim();
    let url = match address.contains("://") {
        true => Url::parse(address),
        false => Url::parse(&format!("http://{address}")),
    };
    let url = url.ok()?;
    let host = url.host_str()?.to_owned();
    Some(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// Without the port, which is another service's.
fn bare(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((bare, port)) if port.parse::<u16>().is_ok() && !bare.ends_with(':') => bare,
        _ => host,
    }
}

/// The camera at an address, whatever service of it is named: its host.
pub(crate) fn place(address: &str) -> Option<String> {
    let text = address.trim();
    let host = match Address::parse(text) {
        Ok(address) => address.host(),
        Err(_) => bare(&host(text)?).to_owned(),
    };
    Some(format!("camera {}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_one_place_whatever_is_asked_of_it() {
        for address in [
            "192.168.0.40",
            "192.168.0.40:8000",
            "http://192.168.0.40/onvif/device_service",
            "rtsp://192.168.0.40:554/stream1",
            " http://192.168.0.40:8899/onvif ",
        ] {
            assert_eq!(
                place(address).as_deref(),
                Some("camera 192.168.0.40"),
                "{address}"
            );
        }
        assert_eq!(place("two words"), None);
    }
}
