//! A radio that hears what a test wants, and a kind of source for it, of which only the settings are used.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fieldgate_kit::{
    ExploreError, Probe, Problem, Scanner, SecretRef, Source, SourceCtx, SourceError,
    explore::Explored, scanner::*, source::ProbeCtx,
};
use fieldgate_model::{DeviceId, Timestamp, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

pub const FRIDGE: &str = "A4:C1:38:0B:11:11";
pub const SEALED: &str = "A4:C1:38:0B:22:22";
pub const HOSTILE: &str = "C0:FF:EE:00:66:66";
pub const KEY: &str = "231d39c1d7cc1ab1aee224cd096db932";

/// The settings of a source that listens, as far as the API changes them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its devices.
    #[serde(default)]
    devices: Vec<Rule>,
    /// Whom it ignores.
    #[serde(default)]
    #[expect(dead_code, reason = "it is only kept")]
    ignore: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "they are only kept")]
struct Rule {
    address: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    profile: Option<String>,
    #[serde(default)]
    bind_key: Option<SecretRef>,
    #[serde(default)]
    characteristics: Vec<Json>,
}

/// The kind.
pub struct Kind;

impl Source for Kind {
    const KIND: &'static str = "ble";
    const TITLE: &'static str = "Radio";
    const ABOUT: &'static str = "Hears what a test wants.";
    const SCANS: bool = true;
    type Settings = Settings;

    fn check(settings: &Settings) -> Vec<Problem> {
        let bad = |(at, rule): (usize, &Rule)| {
            let path = ["devices".to_owned(), at.to_string(), "address".to_owned()];
            (rule.address.len() != 17).then(|| Problem::new(path, "is no address", "copy it"))
        };
        settings
            .devices
            .iter()
            .enumerate()
            .filter_map(bad)
            .collect()
    }

    async fn run(_: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
        ctx.shutdown.cancelled().await;
        Ok(())
    }

    async fn probe(_: Arc<Settings>, _: ProbeCtx, _: &mut Probe) {}
}

/// What it hears, and what it was told.
#[derive(Default)]
pub struct Radio {
    state: Mutex<State>,
    answered: Notify,
}

#[derive(Default)]
struct State {
    added: Vec<(String, DeviceId)>,
    trial: Option<KeyTrial>,
    notified: Vec<GattValue>,
    prompt: Option<PairingPrompt>,
    replies: Vec<String>,
    capture: Option<CaptureState>,
}

fn no(words: &str) -> ExploreError {
    ExploreError::Refused(words.into())
}

fn heard(address: &str, name: &str, vendor: &str, rssi: f64) -> Heard {
    Heard {
        address: address.into(),
        address_kind: "public",
        name: Some(name.into()),
        vendor: Some(vendor.into()),
        rssi: Some(rssi),
        rssi_history: vec![-60, -52, -55],
        distance_m: Some(2.0),
        present: true,
        interval: Some(Duration::from_secs(2)),
        first: Timestamp::from_millis(1_700_000_000_000),
        last: Timestamp::from_millis(1_700_000_060_000),
        freshness: Freshness::OnTime,
        adapter: "hci0".into(),
        packets: 30,
        connectable: Some(true),
        profile: Some(("ruuvi-5".into(), "RuuviTag".into())),
        fields: vec![
            field("temperature", 4.5, "Cel"),
            field("battery", 87.0, "%"),
        ],
        seal: Seal::Open,
        added: None,
        ignored: false,
        connected: false,
        bonded: false,
    }
}

fn field(id: &str, value: f64, unit: &str) -> HeardField {
    HeardField {
        id: id.into(),
        value: Value::Float(value),
        unit: Some(unit.into()),
        event: false,
    }
}

// === impl Radio ===

impl Radio {
    pub fn add(&self, address: &str, device: &DeviceId) {
        let mut state = self.state.lock().unwrap();
        state.added.push((address.into(), device.clone()));
    }

    pub fn replies(&self) -> Vec<String> {
        self.state.lock().unwrap().replies.clone()
    }

    fn table(&self) -> Vec<Heard> {
        let mut table = vec![
            heard(FRIDGE, "Ruuvi fridge", "Ruuvi Innovations Ltd.", -52.0),
            Heard {
                profile: Some(("mibeacon".into(), "Xiaomi".into())),
                fields: vec![],
                seal: Seal::NeedsKey,
                name: None,
                ..heard(SEALED, "", "Xiaomi Inc.", -58.0)
            },
            Heard {
                address_kind: "random, static",
                profile: None,
                fields: vec![],
                ..heard(
                    HOSTILE,
                    "<img src=x onerror=alert(1)>\u{202e}\r\nadmin",
                    "Nobody",
                    -70.0,
                )
            },
            Heard {
                ignored: true,
                ..heard("A4:C1:38:0B:00:00", "neighbour", "Apple, Inc.", -90.0)
            },
        ];
        for number in 0..6 {
            let address = format!("A4:C1:38:0B:77:0{number}");
            table.push(heard(&address, &format!("tag {number}"), "Maker", -80.0));
        }
        let state = self.state.lock().unwrap();
        for known in &mut table {
            let mut added = state.added.iter();
            let device = added.find(|(address, _)| *address == known.address);
            known.added = device.map(|(_, device)| device.clone());
        }
        table
    }
}

impl Scanner for Radio {
    fn report(&self) -> ScanReport {
        let state = self.state.lock().unwrap();
        let (prompt, capture) = (state.prompt.clone(), state.capture.clone());
        drop(state);
        ScanReport {
            words: "hci0 listens".into(),
            adapters: vec![AdapterReport {
                id: "hci0".into(),
                address: Some("00:11:22:33:44:55".into()),
                state: AdapterState::Listening,
                words: "hears 12 packets a second".into(),
                mode: Some(ScanMode::Active),
                packets_per_s: 12.0,
                connections: (0, 5),
                steps: vec![],
            }],
            heard: self.table(),
            passing: 42,
            packets: 1234,
            packets_per_s: 12.0,
            ignored: vec![("flood".into(), 3)],
            prompts: prompt.into_iter().collect(),
            captures: capture.into_iter().collect(),
        }
    }

    fn detail(&self, address: &str) -> Result<HeardDetail, ExploreError> {
        let table = self.table();
        let mut all = table.into_iter();
        let heard = all.find(|heard| heard.address.eq_ignore_ascii_case(address));
        let heard = heard.ok_or_else(|| no("nobody was heard under this address"))?;
        let state = self.state.lock().unwrap();
        Ok(HeardDetail {
            settings: json!({ "address": heard.address }),
            packets: vec![Packet {
                at: heard.last,
                rssi: Some(-52),
                parts: vec![PacketPart {
                    title: "manufacturer 0x0001".into(),
                    hex: "0a14".into(),
                }],
                words: "no profile fits\0".into(),
            }],
            trial: state.trial.clone(),
            notified: state.notified.clone(),
            heard,
        })
    }

    fn try_key(&self, _: &str, key: &str) -> Result<(), ExploreError> {
        if key.len() != 32 {
            return Err(no("a key has 32 hexadecimal digits"));
        }
        self.state.lock().unwrap().trial = Some(KeyTrial {
            tried: 3,
            opened: 3,
            words: "3 of 3 packets decrypted".into(),
        });
        Ok(())
    }

    fn services(&self, _: String) -> Explored<'_, GattTree> {
        Box::pin(async {
            Ok(GattTree {
                services: vec![GattService {
                    uuid: "180f".into(),
                    name: Some("Battery Service".into()),
                    characteristics: vec![GattCharacteristic {
                        uuid: "2a19".into(),
                        name: Some("Battery Level".into()),
                        properties: vec!["read", "notify"],
                        settings: json!({ "service": "180f", "characteristic": "2a19" }),
                    }],
                }],
            })
        })
    }

    fn read(&self, characteristic: CharacteristicRef) -> Explored<'_, GattValue> {
        Box::pin(async {
            Ok(GattValue {
                characteristic,
                at: Timestamp::from_millis(1_700_000_000_000),
                hex: "57".into(),
                fields: vec![field("battery", 87.0, "%")],
                trouble: None,
            })
        })
    }

    fn notify(&self, characteristic: CharacteristicRef, on: bool) -> Explored<'_, ()> {
        Box::pin(async move {
            let value = self.read(characteristic).await?;
            self.state.lock().unwrap().notified = if on { vec![value] } else { vec![] };
            Ok(())
        })
    }

    fn disconnect(&self, _: String) -> Explored<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn pair(&self, address: String) -> Explored<'_, String> {
        Box::pin(async {
            self.state.lock().unwrap().prompt = Some(PairingPrompt {
                id: 7,
                address,
                name: None,
                wants: PairingWish::Compare(1234),
                until: Timestamp::from_millis(1_700_000_060_000),
            });
            self.answered.notified().await;
            Ok("paired".into())
        })
    }

    fn unpair(&self, _: String) -> Explored<'_, String> {
        Box::pin(async { Ok("forgotten".into()) })
    }

    fn answer(&self, prompt: u64, reply: PairingReply) -> Result<(), ExploreError> {
        let mut state = self.state.lock().unwrap();
        let asked = state.prompt.take_if(|asked| asked.id == prompt);
        asked.ok_or_else(|| no("nobody waits for this answer any more"))?;
        state.replies.push(format!("{reply:?}"));
        self.answered.notify_one();
        Ok(())
    }

    fn capture(&self, address: Option<&str>, time: Duration) -> Result<CaptureState, ExploreError> {
        let since = Timestamp::from_millis(1_700_000_000_000);
        let capture = CaptureState {
            id: 1,
            address: address.map(str::to_owned),
            since,
            until: Timestamp::from_millis(
                since.millis() + i64::try_from(time.as_millis()).unwrap(),
            ),
            packets: 0,
            running: true,
        };
        self.state.lock().unwrap().capture = Some(capture.clone());
        Ok(capture)
    }

    fn captured(&self, id: u64) -> Result<String, ExploreError> {
        match id {
            1 => Ok("{\"hex\":\"00\"}\n".into()),
            _ => Err(no("there is no such capture")),
        }
    }

    fn stop_capture(&self, _: u64) -> Result<CaptureState, ExploreError> {
        let mut state = self.state.lock().unwrap();
        let capture = state.capture.as_mut();
        let capture = capture.ok_or_else(|| no("there is no such capture"))?;
        capture.running = false;
        Ok(capture.clone())
    }

    fn teach(&self, lesson: Lesson) -> Result<Vec<Proposal>, ExploreError> {
        Ok(vec![Proposal {
            part: lesson.examples[0].part.clone(),
            at: 0,
            data_type: "u8".into(),
            scale: 1.0,
            offset: 0.0,
            words: "one byte at 0".into(),
            reads: lesson
                .examples
                .iter()
                .map(|example| example.shown)
                .collect(),
            likelihood: 0.9,
        }])
    }

    fn learn(&self, taught: Taught) -> Result<String, ExploreError> {
        Ok(format!("learnt {}", taught.title))
    }
}
