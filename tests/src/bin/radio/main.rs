//! Drives the system's Bluetooth by JSON lines, for the system tests and by hand: a command a line on stdin, answers and events on stdout.
//!
//! `radio` takes commands: `{"do":"listen","adapter":"hci0","mode":"active"}`. `radio count SECONDS` counts advertisements, and
//! `radio ceiling SECONDS` the signals that a plain listener gets at the same bus.

#![expect(clippy::unwrap_used, reason = "it serves tests")]

use std::{
    collections::{HashMap, HashSet},
    env,
    io::{BufRead as _, Write as _},
    time::{Duration, Instant},
};

use dbus::{
    Message,
    channel::{BusType, Channel},
};
use fieldgate_ble::{
    Address, Advertisement,
    radio::{
        CharacteristicId, Connection, Radio, RadioError, RadioEvent, Radios as _, SystemRadios,
        Write,
    },
    uuid_of,
};
use fieldgate_kit::scanner::{PairingReply, PairingWish, ScanMode};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

type Connections = HashMap<String, Box<dyn Connection>>;
type Events = Option<mpsc::Receiver<RadioEvent>>;
type Answer = Result<Json, RadioError>;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let seconds = arguments.get(1).and_then(|text| text.parse().ok());
    let limit = Duration::from_secs(seconds.unwrap_or(10));
    match arguments.first().map(String::as_str) {
        Some("count") => count(limit).await,
        Some("ceiling") => ceiling(limit),
        _ => serve().await,
    }
}

fn say(value: &Json) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}").unwrap();
    out.flush().unwrap();
}

/// Takes commands until stdin ends.
async fn serve() {
    let radios = SystemRadios::default();
    let (lines, mut commands) = mpsc::channel::<Json>(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines
                .blocking_send(serde_json::from_str(&line).unwrap())
                .is_err()
            {
                return;
            }
        }
    });
    let mut radio: Option<Box<dyn Radio>> = None;
    let mut events: Events = None;
    let mut connections = Connections::new();
    loop {
        let command = tokio::select! {
            event = next(&mut events) => {
                say(&told(&event));
                continue;
            }
            command = commands.recv() => match command {
                Some(command) => command,
                None => return,
            },
        };
        let answer = match command["do"].as_str().unwrap() {
            "open" => {
                connections.clear();
                radio = None;
                match radios.open().await {
                    Ok((opened, told)) => {
                        radio = Some(opened);
                        events = Some(told);
                        Ok(Json::Null)
                    }
                    Err(error) => Err(error),
                }
            }
            "answer" => reply(radio.as_deref().unwrap(), &command),
            _ => {
                let radio = radio.as_deref().unwrap();
                let asked = ask(radio, &mut connections, &command);
                tokio::pin!(asked);
                // A device that pairs asks meanwhile, and is answered by another command.
                loop {
                    tokio::select! {
                        answer = &mut asked => break answer,
                        event = next(&mut events) => say(&told(&event)),
                        Some(command) = commands.recv() => drop(reply(radio, &command)),
                    }
                }
            }
        };
        say(&match answer {
            Ok(answer) => json!({ "ok": answer }),
            Err(error) => json!({ "error": kind(&error), "words": error.to_string() }),
        });
    }
}

async fn next(events: &mut Events) -> RadioEvent {
    loop {
        match events {
            Some(receiver) => match receiver.recv().await {
                Some(event) => return event,
                None => *events = None,
            },
            None => std::future::pending().await,
        }
    }
}

fn kind(error: &RadioError) -> String {
    let text = format!("{error:?}");
    text.split('(').next().unwrap().to_owned()
}

fn reply(radio: &dyn Radio, command: &Json) -> Answer {
    let reply = match &command["reply"] {
        Json::Bool(true) => PairingReply::Yes,
        Json::Bool(false) => PairingReply::No,
        number => PairingReply::Passkey(u32::try_from(number.as_u64().unwrap()).unwrap()),
    };
    let prompt = command["prompt"].as_u64().unwrap();
    radio.answer(prompt, reply).map(|()| Json::Null)
}

async fn ask(radio: &dyn Radio, connections: &mut Connections, command: &Json) -> Answer {
    let adapter = command["adapter"].as_str().unwrap_or("hci0");
    let key = command["address"].as_str().unwrap_or_default().to_owned();
    let address = || key.parse::<Address>().unwrap();
    let broken = || RadioError::Broken("no such connection".to_owned());
    let none = |()| Json::Null;
    match command["do"].as_str().unwrap() {
        "adapters" => {
            let all = radio.adapters().await?;
            let all = all.iter().map(|facts| {
                json!({
                    "id": &*facts.id, "address": facts.address.map(|address| address.to_string()),
                    "state": format!("{:?}", facts.state), "scanning": facts.scanning, "passive": facts.passive,
                    "connections": facts.connections,
                })
            });
            Ok(all.collect())
        }
        "listen" => {
            let mode = match command["mode"].as_str() {
                Some("passive") => ScanMode::Passive,
                _ => ScanMode::Active,
            };
            radio.listen(adapter, mode).await.map(none)
        }
        "rest" => radio.rest(adapter).await.map(none),
        "power" => {
            let on = command["on"].as_bool().unwrap();
            radio.power(adapter, on).await.map(none)
        }
        "connect" => {
            let limit = Duration::from_millis(command["limit_ms"].as_u64().unwrap_or(20_000));
            let connection = radio.connect(adapter, address(), limit).await?;
            let services = connection.services();
            let services = services.iter().map(|service| {
                let all = service.characteristics.iter();
                let all: Vec<_> = all.map(|one| one.uuid.to_string()).collect();
                json!({ "uuid": service.uuid.to_string(), "characteristics": all })
            });
            let services = services.collect();
            connections.insert(key, connection);
            Ok(services)
        }
        "pair" => radio.pair(adapter, address()).await.map(none),
        "forget" => radio.forget(adapter, address()).await.map(none),
        "bonds" => {
            let bonds = radio.bonds(adapter).await?;
            Ok(bonds.iter().map(ToString::to_string).collect())
        }
        "close" => {
            let connection = connections.remove(&key).ok_or_else(broken)?;
            connection.close().await.map(none)
        }
        _ => gatt(connections.get_mut(&key).ok_or_else(broken)?, command).await,
    }
}

async fn gatt(connection: &mut Box<dyn Connection>, command: &Json) -> Answer {
    let uuid = |name: &str| uuid_of(command[name].as_str().unwrap()).unwrap();
    let id = || CharacteristicId {
        service: uuid("service"),
        characteristic: uuid("characteristic"),
    };
    let none = |()| Json::Null;
    match command["do"].as_str().unwrap() {
        "read" => connection.read(id()).await.map(|value| json!(hex(&value))),
        "write" => {
            let how = match command["command"].as_bool() {
                Some(true) => Write::WithoutResponse,
                _ => Write::WithResponse,
            };
            let value = unhex(command["value"].as_str().unwrap());
            connection.write(id(), value, how).await.map(none)
        }
        "subscribe" => connection.subscribe(id()).await.map(none),
        "unsubscribe" => connection.unsubscribe(id()).await.map(none),
        "notified" => {
            let told = connection.notified().await?;
            let characteristic = told.characteristic.characteristic.to_string();
            Ok(json!({ "characteristic": characteristic, "value": hex(&told.value) }))
        }
        "alive" => connection.alive().await.map(Json::Bool),
        other => panic!("no command {other}"),
    }
}

fn told(event: &RadioEvent) -> Json {
    match event {
        RadioEvent::Heard(heard) => {
            json!({ "event": "heard", "adapter": &*heard.adapter, "heard": advertised(&heard.advertisement) })
        }
        RadioEvent::Missed(count) => json!({ "event": "missed", "count": count }),
        RadioEvent::AdaptersChanged => json!({ "event": "adapters" }),
        RadioEvent::Disconnected(address) => {
            json!({ "event": "disconnected", "address": address.to_string() })
        }
        RadioEvent::Pairing(prompt) => {
            let (wants, number) = match prompt.wants {
                PairingWish::Passkey => ("passkey", None),
                PairingWish::Compare(number) => ("compare", Some(number)),
                PairingWish::Show(number) => ("show", Some(number)),
                PairingWish::Allow => ("allow", None),
            };
            json!({
                "event": "pairing", "prompt": prompt.id, "address": prompt.address.to_string(), "wants": wants,
                "number": number,
            })
        }
        RadioEvent::Over(error) => {
            json!({ "event": "over", "error": kind(error), "words": error.to_string() })
        }
    }
}

fn advertised(heard: &Advertisement) -> Json {
    let manufacturer = heard.manufacturer.iter();
    let manufacturer: serde_json::Map<_, _> = manufacturer
        .map(|(company, data)| (company.to_string(), json!(hex(data))))
        .collect();
    let service_data = heard.service_data.iter();
    let service_data: serde_json::Map<_, _> = service_data
        .map(|(uuid, data)| (uuid.to_string(), json!(hex(data))))
        .collect();
    let services: Vec<_> = heard.services.iter().map(ToString::to_string).collect();
    json!({
        "address": heard.address.to_string(), "random": heard.random, "name": heard.name, "rssi": heard.rssi,
        "tx_power": heard.tx_power, "manufacturer": manufacturer, "service_data": service_data, "services": services,
    })
}

/// Counts what comes out of the radio, from the first that was heard on.
async fn count(limit: Duration) {
    let (radio, mut events) = SystemRadios::default().open().await.unwrap();
    radio.listen("hci0", ScanMode::Active).await.unwrap();
    say(&json!("listening"));
    let (mut heard, mut missed, mut begin, mut last) = (0u64, 0u64, None, Instant::now());
    let mut distinct = HashSet::new();
    let end = tokio::time::sleep(limit);
    tokio::pin!(end);
    let (cpu, mut cpu_then) = (cpu_s(), 0.0);
    loop {
        let event = tokio::select! { () = &mut end => break, event = events.recv() => event };
        match event {
            Some(RadioEvent::Heard(it)) => {
                let Some((_, data)) = it.advertisement.manufacturer.first() else {
                    continue;
                };
                if begin.is_none() {
                    begin = Some(Instant::now());
                    cpu_then = cpu_s();
                }
                last = Instant::now();
                heard += 1;
                distinct.insert(u32::from_be_bytes(data[1..5].try_into().unwrap()));
            }
            Some(RadioEvent::Missed(count)) => missed += count,
            Some(_) => {}
            None => break,
        }
    }
    let over = begin.map_or(0.0, |begin| last.duration_since(begin).as_secs_f64());
    say(&json!({
        "heard": heard, "missed": missed, "distinct": distinct.len(), "per_s": rate(heard, over),
        "cpu_percent": 100.0 * (cpu_s() - cpu_then.max(cpu)) / over.max(0.001),
    }));
}

/// Counts the signals that a listener gets that does nothing with them.
fn ceiling(limit: Duration) {
    let channel = Channel::get_private(BusType::System).unwrap();
    let rule = "type='signal',sender='org.bluez',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'";
    let call = Message::call_with_args(
        "org.freedesktop.DBus",
        "/org/freedesktop/DBus",
        "org.freedesktop.DBus",
        "AddMatch",
        (rule,),
    );
    let limit_of_call = Duration::from_secs(5);
    channel
        .send_with_reply_and_block(call, limit_of_call)
        .unwrap();
    say(&json!("listening"));
    let end = Instant::now() + limit;
    let (mut heard, mut begin, mut last) = (0u64, None, Instant::now());
    while Instant::now() < end {
        channel
            .read_write(Some(Duration::from_millis(100)))
            .unwrap();
        while let Some(message) = channel.pop_message() {
            if message.member().as_deref() == Some("PropertiesChanged") {
                begin.get_or_insert_with(Instant::now);
                last = Instant::now();
                heard += 1;
            }
        }
    }
    let over = begin.map_or(0.0, |begin| last.duration_since(begin).as_secs_f64());
    say(&json!({ "heard": heard, "per_s": rate(heard, over) }));
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn rate(count: u64, over_s: f64) -> f64 {
    count as f64 / over_s.max(0.001)
}

/// Seconds of processor time that this process took, by the kernel's hundredths.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    f64::from(ticks) / 100.0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
