//! A radio over the API: who is near, keys, connections, pairing, captures, lessons, and what becomes of the configuration.

mod double;

use std::sync::Arc;

use fieldgate::registry::Registry;
use fieldgate_api::{
    config::Saved,
    endpoint::*,
    scanner::*,
    state::{DevicePage, DeviceView},
    trouble::Trouble,
};
use fieldgate_kit::{SourceKind, scanner::ScannerOffer};
use fieldgate_model::{Device, DeviceId};
use serde_json::json;

use self::double::{FRIDGE, HOSTILE, Radio, SEALED};
use crate::{
    client::{ask, call, get},
    rig::Rig,
};

const CONFIG: &str = r#"
[[destination]]
id = "broker"
kind = "mqtt"
paused = true
url = "mqtt://127.0.0.1:1"

[[route]]
id = "others"
from = ["gateway/**"]
to = "broker"
"#;

fn registry() -> Registry {
    let mut registry = Registry::all();
    registry.sources.retain(|kind| kind.kind != "ble");
    registry.sources.push(SourceKind::of::<double::Kind>());
    registry
}

/// A gateway with a source that listens, and its radio.
async fn listening() -> (Rig, Arc<Radio>, ScannerOffer) {
    let rig = Rig::start_with(CONFIG, &registry()).await;
    let source = fieldgate_api::config::Draft {
        kind: "ble".into(),
        paused: false,
        settings: json!({}),
    };
    ask::<PutSource>(rig.address, &["bluetooth"], &source).await;
    let radio = Arc::new(Radio::default());
    let scanning = rig
        .gateway
        .running(|running| running.scanning(&"bluetooth".into()));
    let offer = scanning.offer(radio.clone());
    (rig, radio, offer)
}

fn at(address: &str) -> HeardAt {
    HeardAt {
        address: address.into(),
    }
}

fn one(device: AddDevice) -> AddDraft {
    AddDraft {
        devices: vec![device],
        names: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_near_is_told_and_can_be_narrowed() {
    let (rig, _radio, offer) = listening().await;
    let to = rig.address;
    let all = ask::<GetScanners>(to, &[], &()).await;
    assert_eq!((all.len(), all[0].listening), (1, true));
    let scan = async |query: ScanQuery| ask::<GetScan>(to, &["bluetooth"], &query).await;
    let view = scan(ScanQuery::default()).await;
    assert_eq!(
        (view.heard.len(), view.heard_total, view.passing),
        (9, 9, 42)
    );
    assert_eq!(view.ignored.len(), 1);
    assert_eq!(view.adapters[0].state, AdapterWord::Listening);
    let narrowed = async |query: ScanQuery| {
        let view = scan(query).await;
        (view.heard.len() as u64, view.matching, view.heard_total)
    };
    let text = |text: &str| ScanQuery {
        text: Some(text.into()),
        ..ScanQuery::default()
    };
    assert_eq!(narrowed(text("RUUVI fridge")).await, (1, 1, 9));
    assert_eq!(narrowed(text("zeppelin")).await, (0, 0, 9));
    let rssi = ScanQuery {
        rssi: Some(-60),
        ..ScanQuery::default()
    };
    assert_eq!(narrowed(rssi).await, (2, 2, 9));
    let decoded = ScanQuery {
        decoded: Some("yes".into()),
        limit: Some(1),
        ..ScanQuery::default()
    };
    assert_eq!(narrowed(decoded).await, (1, 8, 9));

    drop(offer);
    let view = scan(ScanQuery::default()).await;
    assert_eq!((view.listening, view.heard.len()), (false, 0));
    let refused = call::<GetHeard>(to, &["bluetooth"], &at(FRIDGE), None).await;
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("does not listen right now"));
    for place in ["nobody", "gateway"] {
        let refused = call::<GetScan>(to, &[place], &ScanQuery::default(), None).await;
        assert_eq!(refused.status, 404, "{place}");
    }
}

/// What a device says is data: nothing hides in it, nothing is taken for something else.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_hides_in_what_a_device_says() {
    let (rig, _radio, _offer) = listening().await;
    let page = ask::<GetHeard>(rig.address, &["bluetooth"], &at(HOSTILE)).await;
    assert_eq!(
        page.heard.name.as_deref(),
        Some("<img src=x onerror=alert(1)>\\u{202e}\\r\\nadmin")
    );
    assert!(page.packets[0].words.contains("\\u{0}"));
    let draft = one(AddDevice {
        address: HOSTILE.into(),
        ..AddDevice::default()
    });
    let done = ask::<AddHeard>(rig.address, &["bluetooth"], &draft).await;
    assert_eq!(
        done.devices,
        ["bluetooth/img-src-x-onerror-alert-1-admin-6666"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_added_in_one_revision_and_once() {
    let (rig, _radio, _offer) = listening().await;
    let to = rig.address;
    let fridge = one(AddDevice {
        address: FRIDGE.into(),
        name: Some("fridge".into()),
        ..AddDevice::default()
    });
    let done = ask::<AddHeard>(to, &["bluetooth"], &fridge).await;
    assert_eq!(done.devices, ["bluetooth/fridge"]);
    assert!(done.routes.is_empty());
    assert_eq!(done.from.as_deref(), Some("bluetooth/**"));
    assert_eq!(done.destinations, ["broker"]);
    let again = ask::<AddHeard>(to, &["bluetooth"], &fridge).await;
    assert_eq!(
        (again.saved.revision, again.saved.diff.as_str()),
        (done.saved.revision, "")
    );

    let route = fieldgate_api::config::Draft {
        kind: "route".into(),
        paused: false,
        settings: json!({ "from": ["bluetooth/*/temperature"], "to": "broker" }),
    };
    ask::<PutRoute>(to, &["near"], &route).await;
    let several = AddDraft {
        devices: [FRIDGE, SEALED]
            .map(|address| AddDevice {
                address: address.to_ascii_lowercase(),
                ..AddDevice::default()
            })
            .to_vec(),
        names: Some("{vendor}-{mac4}".into()),
    };
    let done = ask::<AddHeard>(to, &["bluetooth"], &several).await;
    // The one that has a name keeps it, and a sealed one says nothing yet that a route could take.
    assert_eq!(done.devices, ["bluetooth/fridge", "bluetooth/Xiaomi-2222"]);
    assert!(done.routes.is_empty() && done.from.is_some());
    assert_eq!(
        done.saved.diff.matches("\n+").count(),
        2,
        "{}",
        done.saved.diff
    );

    let key = one(AddDevice {
        address: SEALED.into(),
        key: Some(double::KEY.into()),
        characteristics: vec![json!({ "service": "180f", "characteristic": "2a19" })],
        ..AddDevice::default()
    });
    let keyed = ask::<AddHeard>(to, &["bluetooth"], &key).await;
    assert!(!keyed.saved.diff.contains(double::KEY));
    let again = ask::<AddHeard>(to, &["bluetooth"], &key).await;
    assert_eq!(
        again.saved.revision, keyed.saved.revision,
        "{}",
        again.saved.diff
    );
    let source = ask::<GetSource>(to, &["bluetooth"], &()).await;
    let rule = &source.item.draft.settings["devices"][1];
    assert!(rule["bind_key"]["secret"].is_string(), "{rule}");

    // Undone as everywhere: by the revision before.
    let before = (done.saved.revision - 1).to_string();
    let undone: Saved = ask::<RevertTo>(to, &[&before], &()).await;
    assert!(undone.diff.contains("-"));
    let source = ask::<GetSource>(to, &["bluetooth"], &()).await;
    assert_eq!(
        source.item.draft.settings["devices"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_settings_is_refused_with_its_reason() {
    let (rig, _radio, _offer) = listening().await;
    let bad = one(AddDevice {
        address: "fridge".into(),
        name: Some("x".into()),
        ..AddDevice::default()
    });
    let refused = call::<AddHeard>(rig.address, &["bluetooth"], &bad, None).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let trouble: Trouble = refused.json();
    assert_eq!(trouble.problems[0].path, ["devices", "0", "address"]);
    let nobody = call::<AddHeard>(rig.address, &["bluetooth"], &AddDraft::default(), None).await;
    assert_eq!(nobody.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_ignored_can_come_back() {
    let (rig, _radio, _offer) = listening().await;
    let to = rig.address;
    let ignore = async |add: &[&str], remove: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|entry| (*entry).to_owned()).collect();
        let draft = IgnoreDraft {
            add: own(add),
            remove: own(remove),
        };
        ask::<IgnoreHeard>(to, &["bluetooth"], &draft).await;
        ask::<GetScan>(to, &["bluetooth"], &ScanQuery::default())
            .await
            .ignore
    };
    assert_eq!(
        ignore(&[FRIDGE, "vendor:Apple"], &[]).await,
        [FRIDGE, "vendor:Apple"]
    );
    assert_eq!(ignore(&[FRIDGE], &["VENDOR:apple"]).await, [FRIDGE]);
    assert!(ignore(&[], &[FRIDGE]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_a_connection_and_a_pairing_go_to_the_radio() {
    let (rig, radio, _offer) = listening().await;
    let to = rig.address;
    let key = |key: &str| KeyDraft {
        address: SEALED.into(),
        key: key.into(),
    };
    let refused = call::<TryKey>(to, &["bluetooth"], &key("12"), None).await;
    assert!(
        refused.text().contains("32 hexadecimal digits"),
        "{}",
        refused.text()
    );
    assert_eq!(
        call::<TryKey>(to, &["bluetooth"], &key(double::KEY), None)
            .await
            .status,
        204
    );
    let page = ask::<GetHeard>(to, &["bluetooth"], &at(SEALED)).await;
    assert_eq!(page.trial.unwrap().words, "3 of 3 packets decrypted");

    let tree = ask::<GetServices>(to, &["bluetooth"], &at(FRIDGE)).await;
    assert_eq!(tree.services[0].name.as_deref(), Some("Battery Service"));
    let battery = CharacteristicAt {
        address: FRIDGE.into(),
        service: "180f".into(),
        characteristic: "2a19".into(),
    };
    let value = ask::<ReadCharacteristic>(to, &["bluetooth"], &battery).await;
    assert_eq!(
        (value.hex.as_str(), value.fields[0].text.as_str()),
        ("57", "87")
    );
    let notify = NotifyDraft {
        at: battery,
        on: true,
    };
    assert_eq!(
        call::<NotifyCharacteristic>(to, &["bluetooth"], &notify, None)
            .await
            .status,
        204
    );
    let page = ask::<GetHeard>(to, &["bluetooth"], &at(FRIDGE)).await;
    assert_eq!(page.notified.len(), 1);
    assert_eq!(
        call::<DisconnectHeard>(to, &["bluetooth"], &at(FRIDGE), None)
            .await
            .status,
        204
    );

    let fridge = at(FRIDGE);
    let pairing = ask::<PairHeard>(to, &["bluetooth"], &fridge);
    let answering = async {
        let prompt = loop {
            let view = ask::<GetScan>(to, &["bluetooth"], &ScanQuery::default()).await;
            if let Some(prompt) = view.prompts.into_iter().next() {
                break prompt;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(
            (prompt.wants, prompt.number.as_deref()),
            (PairingWants::Compare, Some("001234"))
        );
        let answer = PairingAnswer {
            prompt: prompt.id,
            yes: true,
            passkey: None,
        };
        assert_eq!(
            call::<AnswerPairing>(to, &["bluetooth"], &answer, None)
                .await
                .status,
            204
        );
        let late = call::<AnswerPairing>(to, &["bluetooth"], &answer, None).await;
        assert_eq!(late.status, 503);
    };
    let (paired, ()) = tokio::join!(pairing, answering);
    assert_eq!(paired.words, "paired");
    assert_eq!(radio.replies(), ["Yes"]);
    let wrong = PairingAnswer {
        prompt: 9,
        yes: true,
        passkey: Some(1_000_000),
    };
    assert_eq!(
        call::<AnswerPairing>(to, &["bluetooth"], &wrong, None)
            .await
            .status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_a_file_and_a_lesson_a_profile() {
    let (rig, _radio, _offer) = listening().await;
    let to = rig.address;
    let draft = CaptureDraft {
        address: Some(FRIDGE.into()),
        seconds: 60,
    };
    let capture = ask::<StartCapture>(to, &["bluetooth"], &draft).await;
    let path = format!("/api/v1/export/scanners/bluetooth/captures/{}", capture.id);
    let file = get(to, &path).await;
    assert_eq!((file.status, file.text()), (200, "{\"hex\":\"00\"}\n"));
    let stopped = ask::<StopCapture>(to, &["bluetooth"], &CaptureAt { id: capture.id }).await;
    assert!(!stopped.running);
    let too_long = CaptureDraft {
        seconds: 601,
        ..draft
    };
    assert_eq!(
        call::<StartCapture>(to, &["bluetooth"], &too_long, None)
            .await
            .status,
        400
    );
    assert_eq!(
        get(to, "/api/v1/export/scanners/bluetooth/captures/99")
            .await
            .status,
        503
    );

    let example = |hex: &str, shown: f64| LessonExampleView {
        part: "manufacturer 0x0001".into(),
        hex: hex.into(),
        shown,
    };
    let examples = vec![example("0a", 10.0), example("14", 20.0)];
    let lesson = LessonDraft {
        address: FRIDGE.into(),
        examples: examples.clone(),
    };
    let proposals = ask::<TeachDecoder>(to, &["bluetooth"], &lesson).await;
    assert_eq!(proposals[0].reads, [10.0, 20.0]);
    let taught = TaughtDraft {
        address: FRIDGE.into(),
        title: "Kettle".into(),
        points: vec![TaughtPointDraft {
            id: "temperature".into(),
            unit: Some("Cel".into()),
            proposal: proposals[0].clone(),
            examples,
        }],
    };
    let learnt = ask::<LearnProfile>(to, &["bluetooth"], &taught).await;
    assert_eq!(learnt.words, "learnt Kettle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_as_fresh_as_its_source_knows() {
    let (rig, radio, _offer) = listening().await;
    let id = DeviceId::new("bluetooth", "fridge").unwrap();
    radio.add(FRIDGE, &id);
    let (_, _, devices) = rig
        .gateway
        .running(|running| running.source(&"bluetooth".into()));
    devices.announce(Device {
        id: id.clone(),
        name: "fridge".into(),
        model: None,
        address: FRIDGE.into(),
        points: vec![],
    });
    let page: DevicePage = ask::<GetDevice>(rig.address, &[id.as_str()], &()).await;
    let presence = page.device.presence.unwrap();
    assert_eq!(presence.freshness, FreshnessWord::OnTime);
    assert_eq!((presence.rssi, presence.battery), (Some(-52.0), Some(87.0)));
    let list: Vec<DeviceView> = ask::<GetDevices>(rig.address, &[], &()).await;
    assert!(list.iter().any(|device| device.presence.is_some()));
}
