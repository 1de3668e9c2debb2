//! Tests of `reach.rs`: S21 and S22 as tables.

use proptest::prelude::*;

use super::*;

#[test]
fn nothing_is_sent_where_no_device_is() {
    let check = |ip: &str, network: bool, this_machine: bool| {
        let ip: IpAddr = ip.parse().unwrap();
        assert_eq!(
            (
                Reach::Network.check(ip).is_ok(),
                Reach::ThisMachineToo.check(ip).is_ok()
            ),
            (network, this_machine),
            "{ip}"
        );
    };
    check("192.168.1.20", true, true);
    check("169.254.7.7", true, true);
    check("fe80::1", true, true);
    check("127.0.0.1", false, true);
    check("127.9.9.9", false, true);
    check("::1", false, true);
    check("::ffff:127.0.0.1", false, true);
    check("0.0.0.0", false, false);
    check("::", false, false);
    check("169.254.169.254", false, false);
    check("::ffff:169.254.169.254", false, false);
    check("fd00:ec2::254", false, false);
    check("239.255.255.250", false, false);
    check("255.255.255.255", false, false);
}

fn told(text: &str) -> Option<(String, String)> {
    let device = Url::parse("http://192.168.1.20:8080/onvif/device_service").unwrap();
    Told::read(text, &device, &["rtsp", "http"]).map(|told| {
        let place = match told.place {
            Place::Device => "device".to_owned(),
            Place::Elsewhere { host } => host,
        };
        (told.uri, place)
    })
}

#[test]
fn addresses_that_a_device_tells_stay_on_it_or_are_told_as_elsewhere() {
    let check = |text: &str, uri: &str, place: &str| {
        assert_eq!(
            told(text),
            Some((uri.to_owned(), place.to_owned())),
            "{text}"
        )
    };
    check(
        "rtsp://192.168.1.20/main",
        "rtsp://192.168.1.20/main",
        "device",
    );
    check(
        " rtsp://192.168.1.20:554/a?b=c#d ",
        "rtsp://192.168.1.20:554/a?b=c",
        "device",
    );
    check(
        "rtsp://u:CANARY@192.168.1.20/main",
        "rtsp://192.168.1.20/main",
        "device",
    );
    check(
        "http://0xC0A80114/s.jpg",
        "http://192.168.1.20/s.jpg",
        "device",
    );
    check("rtsp://3232235796/main", "rtsp://3232235796/main", "device");
    check(
        "rtsp://[::ffff:192.168.1.20]/main",
        "rtsp://[::ffff:c0a8:114]/main",
        "device",
    );
    check(
        "http://127.0.0.1:9100/metrics",
        "http://127.0.0.1:9100/metrics",
        "127.0.0.1",
    );
    check("http://2130706433/x", "http://127.0.0.1/x", "127.0.0.1");
    check(
        "http://169.254.169.254/latest",
        "http://169.254.169.254/latest",
        "169.254.169.254",
    );
    check(
        "rtsp://192.168.1.20.evil.example/main",
        "rtsp://192.168.1.20.evil.example/main",
        "192.168.1.20.evil.example",
    );
    check(
        "rtsp://192.168.1.20@evil.example/main",
        "rtsp://evil.example/main",
        "evil.example",
    );
    for wrong in [
        "",
        "rtsp:",
        "rtsp:///main",
        "/main",
        "file:///etc/passwd",
        "rtsps://192.168.1.20/x",
        "javascript:alert(1)",
    ] {
        assert_eq!(told(wrong), None, "{wrong}");
    }
}

#[test]
fn a_device_behind_a_translated_address_is_asked_at_its_own() {
    let device = Url::parse("http://203.0.113.9:8080/onvif/device_service").unwrap();
    let read = Told::read("rtsp://10.0.0.7:554/main?x=1", &device, &["rtsp"]).unwrap();
    assert_eq!(read.at_device, "rtsp://203.0.113.9:554/main?x=1");
    let url = on_device("http://10.0.0.7/onvif/media", &device).unwrap();
    assert_eq!(url.as_str(), "http://203.0.113.9:8080/onvif/media");
    assert_eq!(on_device("rtsp://10.0.0.7/", &device), None);
}

#[test]
fn names_are_compared_without_case_and_final_dot() {
    let device = Url::parse("http://Camera.Local./x").unwrap();
    assert_eq!(
        place(&Url::parse("rtsp://CAMERA.local/main").unwrap(), &device),
        Place::Device
    );
}

#[test]
fn passwords_in_paths_are_masked() {
    for (url, expected) in [
        (
            "rtsp://h/user=admin_password=CANARY_channel=1.sdp",
            "rtsp://h/user=admin_password=…_channel=1.sdp",
        ),
        (
            "rtsp://h/a?user=b&PWD=CANARY&x=1&token=CANARY",
            "rtsp://h/a?user=b&PWD=…&x=1&token=…",
        ),
        ("rtsp://h/main", "rtsp://h/main"),
    ] {
        assert_eq!(masked(url), expected);
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_or_left(text in ".{0,80}", path in "\\PC{0,40}") {
        let _ = told(&text);
        let _ = masked(&text);
        if let Some((uri, _)) = told(&format!("rtsp://u:CANARY@192.168.1.20/{path}")) {
            prop_assert!(!uri.contains("u:CANARY@"));
        }
    }
}
