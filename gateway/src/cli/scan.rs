//! `fieldgate scan`: who is near by radio, with what they say, as the running gateway hears it.

use std::{process::ExitCode, thread::sleep, time::Duration};

use clap::Args as ClapArgs;
use fieldgate_api::{
    endpoint::{GetScan, GetScanners},
    scanner::{AdapterView, FieldView, HeardView, ScanQuery, ScanView, SealWord},
};

use super::{
    client::{Client, Failure},
    output::{Remote, table},
};

/// The longest that is listened before anything is printed, in seconds.
const LONGEST: u64 = 3600;
/// As many as one answer holds.
const MOST: u32 = 2_000;

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The source that listens. Left out: the only one.
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// List only who is heard within so many seconds from now. Left out: who was heard lately, at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    seconds: Option<u64>,
    /// List only those with at least this signal strength, in dBm: -70.
    #[arg(long, value_name = "DBM", allow_negative_numbers = true)]
    rssi: Option<i16>,
    /// List only those that something decodes.
    #[arg(long)]
    decoded: bool,
    /// List only those with these words in name, maker, address or profile.
    words: Vec<String>,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.remote.client()?;
    let source = source(&client, args.source.as_deref())?;
    let query = ScanQuery {
        text: (!args.words.is_empty()).then(|| args.words.join(" ")),
        rssi: args.rssi,
        decoded: args.decoded.then(|| "yes".to_owned()),
        limit: Some(MOST),
    };
    let mut view = scan(&client, &source, &query)?;
    if let Some(seconds) = args.seconds {
        let since = view.now;
        sleep(Duration::from_secs(seconds));
        view = scan(&client, &source, &query)?;
        view.heard.retain(|heard| Some(heard.last) >= since);
    }
    args.remote.print(&view, told)?;
    Ok(ExitCode::SUCCESS)
}

/// The source that is meant; who listens to nothing is told what to do.
fn source(client: &Client, wanted: Option<&str>) -> Result<String, Failure> {
    let scanners = client.call::<GetScanners>(&[], &())?;
    let all: Vec<&str> = scanners
        .iter()
        .map(|scanner| scanner.source.as_str())
        .collect();
    match (wanted, &all[..]) {
        (_, []) => Err(Failure::Usage(
            "no source listens to a radio; add one of the kind `ble`, in the console under Explore, Bluetooth, or in a file: \
             [[source]] id = \"bluetooth\" kind = \"ble\""
                .into(),
        )),
        (None, [one]) => Ok((*one).to_owned()),
        (None, _) => Err(Failure::Usage(format!(
            "several sources listen; name one with --source: {}",
            all.join(", ")
        ))),
        (Some(wanted), _) if all.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(Failure::Usage(format!(
            "no source `{}` listens to a radio; there is {}",
            wanted.escape_debug(),
            all.join(", ")
        ))),
    }
}

fn scan(client: &Client, source: &str, query: &ScanQuery) -> Result<ScanView, Failure> {
    let view = client.call::<GetScan>(&[source], query)?;
    if view.listening {
        return Ok(view);
    }
    let status = &view.status;
    let why = match status.words.is_empty() {
        true => status.state.clone(),
        false => format!("{}: {}", status.state, status.words),
    };
    Err(Failure::Usage(format!(
        "the source `{source}` does not listen right now ({why})"
    )))
}

fn told(view: &ScanView) -> String {
    let rows: Vec<[String; 6]> = view.heard.iter().map(|heard| row(heard, view)).collect();
    let mut text = table(
        ["address", "name", "dBm", "heard", "state", "values"],
        &rows,
    );
    let left_out = view.matching.saturating_sub(view.heard.len() as u64);
    if left_out > 0 {
        text.push_str(&format!("and {left_out} more\n"));
    }
    if view.passing > 0 {
        text.push_str(&format!(
            "and {} passing with random addresses\n",
            view.passing
        ));
    }
    // What stands for no adapter is what the words say.
    for adapter in view.adapters.iter().filter(|one| !one.id.is_empty()) {
        text.push_str(&format!("{}\n", adapter_line(adapter)));
    }
    text + &view.words
}

fn adapter_line(adapter: &AdapterView) -> String {
    let mode = adapter.mode.as_deref().map(|mode| format!(", {mode} scan"));
    format!(
        "{}: {}{}",
        adapter.id,
        adapter.words,
        mode.unwrap_or_default()
    )
}

fn row(heard: &HeardView, view: &ScanView) -> [String; 6] {
    let profile = heard.profile.as_ref().map(|profile| &profile.title);
    let name = heard.name.as_ref().or(profile).or(heard.vendor.as_ref());
    let age = view
        .now
        .map(|now| (now.millis() - heard.last.millis()).max(0));
    let state = match heard.seal {
        SealWord::NeedsKey => "needs key",
        SealWord::WrongKey => "wrong key",
        SealWord::Open | SealWord::Opened => heard.freshness.as_str(),
    };
    let values: Vec<String> = heard.fields.iter().map(value).collect();
    [
        heard.address.clone(),
        name.cloned().unwrap_or_default(),
        heard
            .rssi
            .map(|rssi| format!("{rssi:.0}"))
            .unwrap_or_default(),
        age.map(|age| format!("{:.0} s ago", age as f64 / 1000.0))
            .unwrap_or_default(),
        match &heard.added {
            Some(device) => format!("{state}, is {device}"),
            None => state.to_owned(),
        },
        values.join(", "),
    ]
}

fn value(field: &FieldView) -> String {
    match field.unit.as_deref() {
        Some(unit) => format!("{} {} {unit}", field.id, field.text),
        None => format!("{} {}", field.id, field.text),
    }
}

#[cfg(test)]
mod tests {
    use fieldgate_api::scanner::{AdapterWord, FreshnessWord};
    use fieldgate_model::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_near_is_told_in_a_table() {
        let heard = HeardView {
            address: "A4:C1:38:0B:F5:11".into(),
            address_kind: "public".into(),
            name: Some("ATC_0BF511".into()),
            vendor: None,
            rssi: Some(-66.7),
            rssi_history: vec![],
            distance_m: None,
            present: true,
            interval_ms: None,
            first: Timestamp::from_millis(0),
            last: Timestamp::from_millis(8_000),
            freshness: FreshnessWord::OnTime,
            adapter: "hci0".into(),
            packets: 3,
            connectable: None,
            profile: None,
            fields: vec![FieldView {
                id: "temperature".into(),
                text: "21.4".into(),
                value: json!(21.4),
                unit: Some("Cel".into()),
                event: false,
            }],
            seal: SealWord::Open,
            added: None,
            ignored: false,
            connected: false,
            bonded: false,
        };
        let adapter = AdapterView {
            id: "hci0".into(),
            address: None,
            state: AdapterWord::Listening,
            words: "listens".into(),
            mode: Some("active".into()),
            packets_per_s: 3.0,
            connections: 0,
            most_connections: 5,
            steps: vec![],
        };
        let missing = AdapterView {
            id: String::new(),
            ..adapter.clone()
        };
        let view = ScanView {
            heard: vec![heard],
            adapters: vec![missing, adapter],
            passing: 7,
            matching: 1,
            words: "all is well".into(),
            now: Some(Timestamp::from_millis(10_000)),
            ..ScanView::default()
        };
        assert_eq!(
            told(&view),
            "ADDRESS            NAME        DBM    HEARD  STATE    VALUES\n\
             A4:C1:38:0B:F5:11  ATC_0BF511  -67  2 s ago  on time  temperature 21.4 Cel\n\
             and 7 passing with random addresses\nhci0: listens, active scan\nall is well"
        );
    }
}
