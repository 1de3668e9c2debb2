//! A test of settings, rung by rung: keys and profiles, Bluetooth itself, the adapters, and somebody who is heard.

use std::{sync::Arc, time::Duration};

use fieldgate_kit::{Probe, ProbeCtx, scanner::AdapterState};
use futures::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::{
    RadioChoice, Settings,
    profile::Profiles,
    radio::{AdapterFacts, RadioError, RadioEvent, Radios, SystemRadios},
    rules, sim, table,
};
use fieldgate_kit::scanner::ScanMode;

/// How long somebody is listened for.
const LISTENING: Duration = Duration::from_secs(5);

pub(crate) async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
    // The rung that broke has been written down; there is nothing more to say.
    let _climbed = climb(&settings, &ctx, probe).await;
}

/// `None` as soon as a rung breaks.
async fn climb(settings: &Settings, ctx: &ProbeCtx, probe: &mut Probe) -> Option<()> {
    let (profiles, problems) = Profiles::with_folders(&table::profile_folders(&ctx.state_dir));
    let prepared = rules::prepare(&ctx.id, settings, &ctx.secrets, &profiles);
    let wrong: Vec<_> = prepared
        .rules
        .all()
        .filter_map(|known| Some(format!("{}: {}", known.address, known.problem.as_deref()?)))
        .chain(problems)
        .collect();
    if wrong.is_empty() {
        let (devices, all) = (settings.devices.len(), profiles.all().len());
        probe.ok("Devices", format!("{devices} devices, {all} profiles"));
    } else {
        probe.failed("Devices", wrong.join("; "));
        return None;
    }
    match &settings.radio {
        RadioChoice::System => system(settings, probe).await,
        RadioChoice::Simulated => {
            probe.ok("Bluetooth", "simulated: no device that is heard exists");
            Some(())
        }
        RadioChoice::Replay(file) => {
            match sim::replayed(file) {
                Ok(_) => probe.ok("Bluetooth", format!("{} is replayed", file.display())),
                Err(why) => probe.failed("Bluetooth", why),
            }
            Some(())
        }
    }
}

async fn system(settings: &Settings, probe: &mut Probe) -> Option<()> {
    let (radio, mut events) = held(probe, "Bluetooth", SystemRadios::default().open().await)?;
    probe.ok("Bluetooth", "the system's Bluetooth answers");
    let adapters = held(probe, "Adapter", radio.adapters().await)?;
    let wanted = |facts: &&AdapterFacts| {
        settings.adapters.is_empty() || settings.adapters.iter().any(|id| **id == *facts.id)
    };
    let ready = |facts: &&AdapterFacts| {
        matches!(
            facts.state,
            AdapterState::Listening
                | AdapterState::Starting
                | AdapterState::Standby
                | AdapterState::Off
        )
    };
    let Some(adapter) = adapters.iter().filter(wanted).find(ready) else {
        let words = adapters
            .iter()
            .map(|facts| format!("{}: {}", facts.id, facts_words(facts)))
            .collect::<Vec<_>>();
        probe.failed(
            "Adapter",
            if words.is_empty() {
                "there is no Bluetooth adapter; plug one in".to_owned()
            } else {
                words.join("; ")
            },
        );
        return None;
    };
    probe.ok("Adapter", format!("{} is there and on", adapter.id));
    let listening = if adapter.scanning {
        Ok(())
    } else {
        radio.listen(&adapter.id, ScanMode::Active).await
    };
    held(probe, "Scan", listening)?;
    let until = Instant::now() + LISTENING;
    let mut heard = 0_u32;
    let stream = futures::stream::poll_fn(move |cx| events.poll_recv(cx));
    let mut stream = std::pin::pin!(stream);
    while let Ok(Some(event)) = timeout_at(until, stream.next()).await {
        heard += u32::from(matches!(event, RadioEvent::Heard(_)));
    }
    if heard == 0 {
        probe.failed(
            "Scan",
            format!(
                "{} scans, and nothing is heard within {} s; is any device near, and the antenna connected?",
                adapter.id,
                LISTENING.as_secs()
            ),
        );
        return None;
    }
    probe.ok(
        "Scan",
        format!("{heard} packets in {} s", LISTENING.as_secs()),
    );
    Some(())
}

/// What the state of an adapter means, and what to do.
fn facts_words(facts: &AdapterFacts) -> &'static str {
    match facts.state {
        AdapterState::Blocked => {
            "it is blocked; `rfkill unblock bluetooth` or its switch lets it go"
        }
        AdapterState::Off => "it is off, and is switched on when the source runs",
        AdapterState::NoPermission => "we may not use it; see the policy of D-Bus for org.bluez",
        _ => "it is not ready; see `bluetoothctl show`",
    }
}

fn held<T>(probe: &mut Probe, rung: &str, result: Result<T, RadioError>) -> Option<T> {
    result
        .map_err(|error| probe.failed(rung, error.to_string()))
        .ok()
}
