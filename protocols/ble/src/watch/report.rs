//! How the adapters are, in words.

use std::time::Instant;

use fieldgate_kit::scanner::{AdapterReport, AdapterState};

use super::{Adapter, Watch, ladder::Expected};
use crate::radio::{RadioError, TAKEN_AWAY};

/// After so long people are told that nothing is heard; something is done about it later.
const TELL_S: u64 = 20;

impl Watch {
    /// The adapters, and those that are wanted and missing. `budget`: the connections that each may have.
    #[must_use]
    pub fn reports(&self, now: Instant, budget: u32) -> Vec<AdapterReport> {
        if let Some(trouble) = &self.trouble {
            return vec![missing("", state_of(trouble), trouble.to_string())];
        }
        let mut reports: Vec<_> = self
            .order
            .iter()
            .filter_map(|id| self.adapters.get(id))
            .map(|adapter| self.report(now, adapter, budget))
            .collect();
        if !self.looked {
            if reports.is_empty() {
                let words = "the system is asked for its Bluetooth adapters".to_owned();
                reports.push(missing("", AdapterState::Starting, words));
            }
            return reports;
        }
        let taken_away = self.adapters.contains_key(TAKEN_AWAY);
        for id in &self.preferred {
            if !taken_away && !self.adapters.contains_key(id.as_str()) {
                let words = format!(
                    "{id} is not there: plug it in, or take it out of the source's adapters; `bluetoothctl list` shows \
                     those that are there"
                );
                reports.push(missing(id, AdapterState::Missing, words));
            }
        }
        if reports.is_empty() {
            let words = "there is no Bluetooth adapter: plug one in; one that is built in may need its firmware (`dmesg \
                         | grep -i bluetooth`)";
            reports.push(missing("", AdapterState::Missing, words.to_owned()));
        }
        reports
    }

    /// A sentence: who listens, and what is wrong if something is.
    #[must_use]
    pub fn words(&self, now: Instant) -> String {
        let reports = self.reports(now, 0);
        let listens = self.chosen.as_ref().map(|chosen| &*chosen.id);
        let of_chosen = reports.iter().find(|report| Some(&*report.id) == listens);
        let report = of_chosen.or_else(|| reports.first());
        report.map_or_else(String::new, |report| {
            let begins = ["is ", "listens", "stands", "begins", "does", "pauses"];
            match begins.iter().any(|begin| report.words.starts_with(begin)) {
                true => format!("{} {}", report.id, report.words),
                false if report.id.is_empty() || report.words.starts_with(&report.id) => {
                    report.words.clone()
                }
                false => format!("{}: {}", report.id, report.words),
            }
        })
    }

    fn report(&self, now: Instant, adapter: &Adapter, budget: u32) -> AdapterReport {
        let chosen = self.chosen.as_ref();
        let chosen = chosen.filter(|chosen| chosen.id == adapter.facts.id);
        let per_s = adapter.rate.per_s(now);
        let allowed =
            self.allowed().contains(&adapter.facts.id) || *adapter.facts.id == *TAKEN_AWAY;
        let (state, words) = if !allowed {
            (
                AdapterState::Standby,
                "is not among the source's adapters".to_owned(),
            )
        } else if !adapter.is_usable() {
            (adapter.facts.state, unusable(adapter).to_owned())
        } else if let Some(chosen) = chosen {
            let last = self.population.last();
            let since = match self.ladder.acted() {
                // Until it hears again, also when it was asked anew or a connection was tried meanwhile.
                Some(_) => last.unwrap_or(chosen.since),
                None => last.map_or(chosen.since, |last| last.max(chosen.since)),
            };
            let silent = now.duration_since(since).as_secs();
            self.listening(adapter, chosen.asked.is_some(), silent, per_s)
        } else if self.chosen.is_none() {
            (AdapterState::Starting, "begins to listen".to_owned())
        } else {
            (
                AdapterState::Standby,
                "stands by: another adapter listens".to_owned(),
            )
        };
        AdapterReport {
            id: adapter.facts.id.to_string(),
            address: adapter.facts.address.map(|address| address.to_string()),
            state,
            words,
            mode: chosen.and_then(|chosen| chosen.asked).map(|(_, mode)| mode),
            packets_per_s: per_s,
            connections: (adapter.facts.connections, budget),
            steps: adapter.steps.iter().cloned().collect(),
        }
    }

    fn listening(
        &self,
        adapter: &Adapter,
        asked: bool,
        silent: u64,
        per_s: f64,
    ) -> (AdapterState, String) {
        if self.connecting > 0 {
            return (
                AdapterState::Listening,
                "pauses for a connection that is being made".to_owned(),
            );
        }
        if !asked {
            return match adapter.steps.back() {
                Some((_, step)) if adapter.steps.len() > 1 => (
                    AdapterState::Recovering,
                    format!("does not listen yet: {step}"),
                ),
                _ => (AdapterState::Starting, "begins to listen".to_owned()),
            };
        }
        if silent < TELL_S {
            return (
                AdapterState::Listening,
                format!("listens, {per_s:.1} packets/s"),
            );
        }
        let connected = self.population.connections();
        if connected > 0 && self.population.patience().1 == Expected::Nobody {
            let devices = match connected {
                1 => "a device is".to_owned(),
                _ => format!("{connected} devices are"),
            };
            return (
                AdapterState::Listening,
                format!("listens; {devices} connected, and nobody else is heard"),
            );
        }
        if self.ladder.acted().is_some() {
            let step = adapter.steps.back().map_or("", |(_, step)| step.as_str());
            return (
                AdapterState::Recovering,
                format!("scanning, nothing heard for {silent} s; the last step: {step}"),
            );
        }
        if self.population.is_empty() {
            return (
                AdapterState::Deaf,
                format!(
                    "scanning, nothing heard for {silent} s: nobody may be near; see whether the antenna is connected and a \
                     phone nearby is found"
                ),
            );
        }
        (
            AdapterState::Deaf,
            format!("scanning, nothing heard for {silent} s, which is longer than usual"),
        )
    }
}

/// What is worth a step when an adapter comes into a state by itself.
pub(super) fn change(state: AdapterState) -> Option<&'static str> {
    match state {
        AdapterState::Blocked => Some("is blocked by rfkill"),
        AdapterState::Off => Some("went off"),
        AdapterState::Starting => Some("is on"),
        _ => None,
    }
}

fn unusable(adapter: &Adapter) -> &'static str {
    match adapter.facts.state {
        AdapterState::Blocked => {
            "is blocked by rfkill: `rfkill unblock bluetooth` frees it, unless a switch of the machine holds it"
        }
        AdapterState::Off if adapter.power.count > 1 => {
            "is off, and switching it on fails: see `journalctl -u bluetooth` and `dmesg`, and plug it in anew"
        }
        AdapterState::Off => "is off, and is switched on",
        _ => "is not ready",
    }
}

fn state_of(trouble: &RadioError) -> AdapterState {
    match trouble {
        RadioError::NoPermission(_) => AdapterState::NoPermission,
        RadioError::NoAdapter(_) => AdapterState::Missing,
        RadioError::Busy(_) => AdapterState::Recovering,
        _ => AdapterState::NoDaemon,
    }
}

fn missing(id: &str, state: AdapterState, words: String) -> AdapterReport {
    AdapterReport {
        id: id.to_owned(),
        address: None,
        state,
        words,
        mode: None,
        packets_per_s: 0.0,
        connections: (0, 0),
        steps: Vec::new(),
    }
}
