//! What a scanner tells, as the console is told it. Pure. Nothing hides in a text that came through the air.

use fieldgate_api::scanner::{
    AdapterStep, AdapterView, AdapterWord, CaptureView, CharacteristicAt, FieldView, FreshnessWord,
    GattCharacteristicView, GattServiceView, GattValueView, GattView, HeardPage, HeardView,
    KeyTrialView, LessonExampleView, PacketPartView, PacketView, PacketsIgnored, PairingQuestion,
    PairingWants, ProfileView, ProposalView, SealWord, TaughtPointDraft,
};
use fieldgate_kit::{
    format::value_json,
    scanner::{
        AdapterReport, AdapterState, CaptureState, CharacteristicRef, Freshness, GattTree,
        GattValue, Heard, HeardDetail, HeardField, KeyTrial, LessonExample, Packet, PairingPrompt,
        PairingWish, Proposal, ScanMode, Seal, TaughtPoint,
    },
};

use crate::web::value::{shown, text};

pub fn adapter(adapter: AdapterReport) -> AdapterView {
    let steps = adapter.steps.into_iter();
    AdapterView {
        id: shown(&adapter.id),
        address: adapter.address,
        state: match adapter.state {
            AdapterState::Missing => AdapterWord::Missing,
            AdapterState::NoDaemon => AdapterWord::NoDaemon,
            AdapterState::NoPermission => AdapterWord::NoPermission,
            AdapterState::Blocked => AdapterWord::Blocked,
            AdapterState::Off => AdapterWord::Off,
            AdapterState::Starting => AdapterWord::Starting,
            AdapterState::Listening => AdapterWord::Listening,
            AdapterState::Deaf => AdapterWord::Deaf,
            AdapterState::Recovering => AdapterWord::Recovering,
            AdapterState::Standby => AdapterWord::Standby,
        },
        words: shown(&adapter.words),
        mode: adapter.mode.map(|mode| match mode {
            ScanMode::Active => "active".to_owned(),
            ScanMode::Passive => "passive".to_owned(),
        }),
        packets_per_s: adapter.packets_per_s,
        connections: adapter.connections.0,
        most_connections: adapter.connections.1,
        steps: steps
            .map(|(at, words)| AdapterStep {
                at,
                words: shown(&words),
            })
            .collect(),
    }
}

/// The address stays as it is, so that it can be asked for: the source wrote it, not the device.
pub fn heard(heard: Heard) -> HeardView {
    HeardView {
        address: heard.address,
        address_kind: heard.address_kind.to_owned(),
        name: heard.name.as_deref().map(shown),
        vendor: heard.vendor.as_deref().map(shown),
        rssi: heard.rssi.filter(|rssi| rssi.is_finite()),
        rssi_history: heard.rssi_history,
        distance_m: heard.distance_m.filter(|metres| metres.is_finite()),
        present: heard.present,
        interval_ms: heard
            .interval
            .map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)),
        first: heard.first,
        last: heard.last,
        freshness: freshness(heard.freshness),
        adapter: shown(&heard.adapter),
        packets: heard.packets,
        connectable: heard.connectable,
        profile: heard.profile.map(|(id, title)| ProfileView {
            id,
            title: shown(&title),
        }),
        fields: heard.fields.into_iter().map(field).collect(),
        seal: match heard.seal {
            Seal::Open => SealWord::Open,
            Seal::NeedsKey => SealWord::NeedsKey,
            Seal::WrongKey => SealWord::WrongKey,
            Seal::Opened => SealWord::Opened,
        },
        added: heard.added.map(|device| device.to_string()),
        ignored: heard.ignored,
        connected: heard.connected,
        bonded: heard.bonded,
    }
}

pub fn freshness(freshness: Freshness) -> FreshnessWord {
    match freshness {
        Freshness::Learning => FreshnessWord::Learning,
        Freshness::OnTime => FreshnessWord::OnTime,
        Freshness::Late => FreshnessWord::Late,
        Freshness::Silent => FreshnessWord::Silent,
        Freshness::Sleeping => FreshnessWord::Sleeping,
    }
}

fn field(field: HeardField) -> FieldView {
    FieldView {
        id: shown(&field.id),
        text: text(&field.value),
        value: value_json(&field.value),
        unit: field.unit.as_deref().map(shown),
        event: field.event,
    }
}

pub fn page(detail: HeardDetail) -> HeardPage {
    HeardPage {
        heard: heard(detail.heard),
        settings: detail.settings,
        packets: detail.packets.into_iter().map(packet).collect(),
        trial: detail.trial.map(trial),
        notified: detail.notified.into_iter().map(value).collect(),
    }
}

fn packet(packet: Packet) -> PacketView {
    let parts = packet.parts.into_iter();
    PacketView {
        at: packet.at,
        rssi: packet.rssi,
        parts: parts
            .map(|part| PacketPartView {
                title: shown(&part.title),
                hex: part.hex,
            })
            .collect(),
        words: shown(&packet.words),
    }
}

fn trial(trial: KeyTrial) -> KeyTrialView {
    KeyTrialView {
        tried: trial.tried,
        opened: trial.opened,
        words: shown(&trial.words),
    }
}

pub fn tree(tree: GattTree) -> GattView {
    let services = tree.services.into_iter().map(|service| GattServiceView {
        uuid: service.uuid,
        name: service.name.as_deref().map(shown),
        characteristics: service
            .characteristics
            .into_iter()
            .map(|characteristic| GattCharacteristicView {
                uuid: characteristic.uuid,
                name: characteristic.name.as_deref().map(shown),
                properties: characteristic
                    .properties
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                settings: characteristic.settings,
            })
            .collect(),
    });
    GattView {
        services: services.collect(),
    }
}

pub fn characteristic(at: CharacteristicAt) -> CharacteristicRef {
    CharacteristicRef {
        address: at.address,
        service: at.service,
        characteristic: at.characteristic,
    }
}

pub fn value(value: GattValue) -> GattValueView {
    GattValueView {
        characteristic: CharacteristicAt {
            address: value.characteristic.address,
            service: value.characteristic.service,
            characteristic: value.characteristic.characteristic,
        },
        at: value.at,
        hex: value.hex,
        fields: value.fields.into_iter().map(field).collect(),
        trouble: value.trouble.as_deref().map(shown),
    }
}

pub fn not_looked_at((why, packets): (String, u64)) -> PacketsIgnored {
    PacketsIgnored {
        why: shown(&why),
        packets,
    }
}

pub fn prompt(prompt: PairingPrompt) -> PairingQuestion {
    let (wants, number) = match prompt.wants {
        PairingWish::Passkey => (PairingWants::Passkey, None),
        PairingWish::Compare(number) => (PairingWants::Compare, Some(number)),
        PairingWish::Allow => (PairingWants::Allow, None),
        PairingWish::Show(number) => (PairingWants::Show, Some(number)),
    };
    PairingQuestion {
        id: prompt.id,
        address: prompt.address,
        name: prompt.name.as_deref().map(shown),
        wants,
        number: number.map(|number| format!("{number:06}")),
        until: prompt.until,
    }
}

pub fn capture(capture: CaptureState) -> CaptureView {
    CaptureView {
        id: capture.id,
        address: capture.address,
        since: capture.since,
        until: capture.until,
        packets: capture.packets,
        running: capture.running,
    }
}

pub fn example(example: LessonExampleView) -> LessonExample {
    LessonExample {
        part: example.part,
        hex: example.hex,
        shown: example.shown,
    }
}

pub fn proposal(proposal: Proposal) -> ProposalView {
    ProposalView {
        part: proposal.part,
        at: proposal.at as u64,
        data_type: proposal.data_type,
        scale: proposal.scale,
        offset: proposal.offset,
        words: shown(&proposal.words),
        reads: proposal.reads,
        likelihood: proposal.likelihood,
    }
}

pub fn taught(point: TaughtPointDraft) -> TaughtPoint {
    let proposal = point.proposal;
    TaughtPoint {
        id: point.id,
        unit: point.unit.filter(|unit| !unit.is_empty()),
        proposal: Proposal {
            part: proposal.part,
            at: usize::try_from(proposal.at).unwrap_or(usize::MAX),
            data_type: proposal.data_type,
            scale: proposal.scale,
            offset: proposal.offset,
            words: proposal.words,
            reads: proposal.reads,
            likelihood: proposal.likelihood,
        },
        examples: point.examples.into_iter().map(example).collect(),
    }
}
