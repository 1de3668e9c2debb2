//! Explore ▸ Bluetooth in a real browser, with the simulated radio: from the box to the broker, a key, a connection, a lesson.

use fieldgate_api::{
    config::Draft,
    endpoint::{GetSource, GetSources, IgnoreHeard, PutSource},
    scanner::IgnoreDraft,
    state::SourceView,
};
use fieldgate_tests::{
    broker::Broker,
    browser::Browser,
    gateway::{self, Gateway},
    subscriber::Subscriber,
    wait::{SOON, until, until_true},
};
use serde_json::{Value as Json, json};

use crate::line;

const COLD_STORE: &str = "C0:DE:0F:E1:00:01";
const SEALED: &str = "C0:DE:0F:E1:00:05";
const OVEN: &str = "C0:DE:0F:E1:00:06";
const KEY: &str = "231d39c1d7cc1ab1aee224cd096db932";

/// A gateway whose radio is a simulated one.
fn listening(config: &str) -> Gateway {
    let gateway = Gateway::start(&format!("[gateway]\nname = \"test\"\n{config}"));
    let draft = Draft {
        kind: "ble".into(),
        paused: false,
        settings: json!({ "radio": "simulated" }),
    };
    let saved = gateway.api.call::<PutSource>(&["bluetooth"], &draft);
    assert!(saved.is_ok(), "{saved:?}");
    gateway
        .api
        .source_is("bluetooth", |status| status.state == "running");
    gateway
}

fn of(address: &str) -> String {
    format!("[data-test=heard][data-address='{address}']")
}

#[test]
fn from_the_box_to_the_broker() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let gateway = listening(&line::destination("broker", &broker.url()));
    let browser = Browser::start();
    browser.open(&format!("{}/explore/bluetooth", gateway.url));
    browser.wait_for(&of(COLD_STORE));
    browser.text_is("[data-test=near]", |text| {
        text.contains("Cold store") && text.contains("°C") && text.contains("eeds its key")
    });
    browser.wait_for("[data-test=adapter][data-state=Listening]");
    browser.text_is("[data-test=passing]", |text| {
        text.contains("passing device")
    });
    browser.assert_fits();

    // What it is narrowed to stands in the URL.
    browser.fill("[data-test=search]", "cold");
    until_true("one row", SOON, || browser.count("[data-test=heard]") == 1);
    browser.open(&format!(
        "{}/explore/bluetooth?decoded=yes&q=oven",
        gateway.url
    ));
    browser.text_is("[data-test=near]", |text| {
        text.contains("No row matches the search.")
    });
    browser.open(&format!("{}/explore/bluetooth?q=cold", gateway.url));

    browser.click("[data-test=add-heard]");
    browser.click("[data-test=make-route]");
    browser.wait_for("[data-test=sent][data-acknowledged=true]");
    browser.wait_for("[data-test=added]");
    let temperature = subscriber.message("the cold store's temperature", 0, |message| {
        message.json()["temperature"]["Value"].as_f64()
    });
    assert!((-21.0..-16.0).contains(&temperature), "{temperature}");
    browser.assert_fits();

    browser.click("[data-test=added]");
    browser.text_is("[data-test=freshness]", |text| text.contains("On time"));
    browser.assert_fits();
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_key_is_tried_and_kept() {
    let gateway = listening("");
    let browser = Browser::start();
    let page = format!("{}/explore/bluetooth/{SEALED}", gateway.url);
    // Nobody is there before it was heard.
    browser.open(&format!("{}/explore/bluetooth", gateway.url));
    browser.click(&of(SEALED));
    browser.text_is("[data-test=key]", |text| text.contains("encrypted"));
    browser.fill("#bind-key", "12");
    browser.click("[data-test=try-key]");
    browser.text_is("[data-test=key] [role=alert]", |text| {
        text.contains("hexadecimal digits")
    });
    browser.fill("#bind-key", KEY);
    browser.click("[data-test=try-key]");
    browser.text_is("[data-test=trial]", |text| text.contains("decrypted"));
    browser.assert_fits();
    browser.click("[data-test=keep-key]");
    browser.text_is("#offer-title", |text| text == "It goes nowhere yet");
    let settings = |gateway: &Gateway| {
        let source = gateway.api.get::<GetSource>(&["bluetooth"]);
        source.item.draft.settings["devices"][0].clone()
    };
    let rule = settings(&gateway);
    assert_eq!(rule["address"], SEALED);
    assert!(rule["bind_key"]["secret"].is_string(), "{rule}");
    browser.open(&page);
    browser.text_is("[data-test=readings]", |text| text.contains("°C"));
    browser.assert_fits();
}

#[test]
fn what_a_device_has_is_read_and_becomes_a_point() {
    let gateway = listening("");
    let browser = Browser::start();
    browser.open(&format!("{}/explore/bluetooth", gateway.url));
    browser.click(&of(OVEN));
    browser.click("[data-test=connect]");
    browser.text_is("[data-test=gatt]", |text| {
        text.contains("Battery") && text.contains("Environmental Sensing")
    });
    browser.click("[data-test=characteristic] [data-test=read]");
    browser.text_is("[data-test=gatt-value]", |text| !text.is_empty());
    browser.assert_fits();
    browser.click("[data-test=characteristic] [data-test=add-point]");
    until("the point in the settings", SOON, || {
        let source = gateway.api.get::<GetSource>(&["bluetooth"]);
        let rule = source.item.draft.settings["devices"][0].clone();
        match rule["characteristics"].as_array() {
            Some(all) if all.len() == 1 => Ok(()),
            _ => Err(rule.to_string()),
        }
    });
}

#[test]
fn a_decoder_is_taught_by_what_a_display_shows() {
    let gateway = listening("");
    let browser = Browser::start();
    browser.open(&format!("{}/explore/bluetooth", gateway.url));
    browser.click(&of(OVEN));
    browser.click("[data-test=teach]");
    // Its bytes 3 and 4 are tenths of a degree; the display is played by the test.
    let mut former = String::new();
    for _ in 0..3 {
        let bytes = browser.text_is("[data-test=newest]", |text| text != former);
        let pairs: Vec<u8> = bytes
            .split(' ')
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect();
        let tenths = i16::from_be_bytes([pairs[3], pairs[4]]);
        browser.fill("#display", &(f64::from(tenths) / 10.0).to_string());
        browser.click("[data-test=take]");
        former = bytes;
    }
    assert_eq!(browser.count("[data-test=example]"), 3);
    browser.click("[data-test=propose]");
    browser.wait_for("#proposal-0");
    browser.assert_fits();
    browser.click("[data-test=take-proposal]");
    browser.fill("#profile-title-field", "Oven");
    browser.assert_fits();
    browser.click("[data-test=learn]");
    browser.text_is("[data-test=readings]", |text| {
        text.contains("temperature") && text.contains("°C")
    });
}

#[test]
fn who_is_ignored_goes_and_comes_back() {
    let gateway = listening("");
    let browser = Browser::start();
    browser.open(&format!("{}/explore/bluetooth", gateway.url));
    browser.wait_for(&of(COLD_STORE));
    let draft = IgnoreDraft {
        add: vec![COLD_STORE.into()],
        remove: vec![],
    };
    let saved = gateway.api.call::<IgnoreHeard>(&["bluetooth"], &draft);
    assert!(saved.is_ok(), "{saved:?}");
    until_true("it to go", SOON, || browser.count(&of(COLD_STORE)) == 0);
    browser.click("[data-test=ignored] > summary");
    browser.assert_fits();
    browser.click("[data-test=unignore]");
    browser.wait_for(&of(COLD_STORE));
}

#[test]
fn one_button_lets_a_gateway_listen() {
    let gateway = Gateway::start("[gateway]\nname = \"test\"\n");
    let browser = Browser::start();
    browser.open(&format!("{}/explore/bluetooth", gateway.url));
    browser.wait_for("[data-test=listen]");
    browser.assert_fits();
    browser.click("[data-test=listen]");
    until("the source", SOON, || {
        let sources = gateway.api.get::<GetSources>(&[]);
        let own = |source: &SourceView| source.item.id == "bluetooth";
        match sources.iter().any(own) {
            true => Ok(()),
            false => Err("there is none"),
        }
    });
    // Whether this machine has Bluetooth or not, the page says how it is.
    browser.wait_for("[data-test=radios], [data-test=not-listening]");
    browser.assert_fits();
}

#[test]
fn the_command_line_lists_who_is_near() {
    let gateway = listening("");
    let state = gateway.state();
    let scan = |words: &[&str]| {
        let state = state.to_str().unwrap();
        let words = words.iter().copied().chain(["--state", state]);
        let arguments: Vec<&str> = std::iter::once("scan").chain(words).collect();
        let (status, output) = gateway::fieldgate(&arguments, std::path::Path::new("/"));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(output.stdout), text(output.stderr))
    };
    until("the cold store in the list", SOON, || {
        let (code, out, complaint) = scan(&["cold"]);
        assert_eq!(code, Some(0), "{complaint}");
        match out.contains("Cold store") && out.contains("temperature") {
            true => Ok(()),
            false => Err(out),
        }
    });
    let (code, out, _) = scan(&["--seconds", "1", "-o", "json"]);
    let view: Json = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &view["source"]), (Some(0), &json!("bluetooth")));
    assert_eq!(scan(&["--source", "nobody"]).0, Some(2));
}
