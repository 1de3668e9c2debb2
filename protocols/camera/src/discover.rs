//! Asking at one address what camera is there: its ONVIF service without signing in, and whether it streams. Asks no other machine.

use fieldgate_kit::{Discovered, Way};
use fieldgate_onvif::{Client, Device as _, Reach};
use fieldgate_rtsp::Address;
use serde_json::json;
use url::Url;

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
    let local =
        host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    let mut settings = fieldgate_onvif::Settings::new(&service).map_err(|no| no.to_string())?;
    if local {
        settings.reach = Reach::ThisMachineToo;
    }
    let client = Client::new(settings).map_err(|no| no.to_string())?;
    let rtsp = format!("rtsp://{}/", bare(&host));
    // The time is told without signing in by everybody who speaks ONVIF.
    let clock = client.clock().await;
    let way = |address: String, words: &str, mut settings: serde_json::Value| {
        if local {
            settings["allow_local"] = true.into();
        }
        Way {
            address,
            words: words.to_owned(),
            needs: Some(NEEDS.to_owned()),
            settings,
        }
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
                identity,
                product: maker.trim().to_owned(),
                addresses: vec![service.clone()],
                ways: vec![way(
                    service.clone(),
                    "ONVIF: its streams, movement and events are found by themselves",
                    json!({ "onvif": service }),
                )],
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
