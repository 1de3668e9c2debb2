//! Commands: what is allowed at a device, doing it, and the record of what was done.

use std::time::Duration;

use fieldgate_api::{
    command::{CommandAnswer, CommandView, NodeOffers, OfferView},
    endpoint::{GetCommands, GetNodeOffers, GetOffers, SendCommand},
};
use fieldgate_kit::{
    command::{Draft, Parts, action_of_json},
    format::value_json,
};
use fieldgate_model::{DeviceId, Offer};
use serde_json::Value as Json;

use super::{
    error::Failure,
    mount::{Answer, Call, Caller, Mounts},
    value::shown,
};
use crate::commands::{Asker, Commands, Entry, Way};

/// Commands of one answer, unless it is said otherwise, and at most.
const SOME: usize = 50;
const MOST: usize = 2000;

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<SendCommand, _, _>(send);
    mounts.mount::<GetCommands, _, _>(|call: Call<GetCommands>| async move { Ok(list(&call)) });
    mounts.mount::<GetOffers, _, _>(|call: Call<GetOffers>| async move { offers(&call) });
    mounts.mount::<GetNodeOffers, _, _>(|call: Call<GetNodeOffers>| async move { of_node(&call) });
}

async fn send(call: Call<SendCommand>) -> Answer<SendCommand> {
    let target = call.place.parse();
    let target = target.map_err(|_| Failure::no_such("point", &call.place))?;
    let asked = call.body;
    let parts = Parts {
        value: asked.value,
        arguments: asked.arguments,
        comment: asked.comment,
        event: asked.event,
    };
    let action = action_of_json(&asked.action, parts);
    let draft = Draft {
        id: asked.id,
        target,
        action: action.map_err(Failure::Malformed)?,
        issued: asked.issued,
        ttl: asked
            .ttl_s
            .map(|seconds| Duration::from_secs(seconds.into())),
    };
    let (who, way) = match call.caller {
        Caller::Console => ("console", Way::Console),
        Caller::CommandLine => ("command line", Way::CommandLine),
    };
    let asker = Asker {
        who: who.into(),
        way,
        reply: None,
    };
    let answer = Commands::ask(&call.shared.gateway, draft, asker).await;
    Ok(CommandAnswer {
        outcome: answer.outcome,
        words: shown(&answer.words),
        status: answer.status.as_deref().map(shown),
        value: answer.value.as_ref().map(value_json),
        old: answer.old.as_ref().map(value_json),
    })
}

fn list(call: &Call<GetCommands>) -> Vec<CommandView> {
    let limit = call
        .body
        .limit
        .map_or(SOME, |limit| limit as usize)
        .min(MOST);
    let wanted = |entry: &Entry| match &call.body.device {
        None => true,
        Some(device) => {
            let point = entry.begun.target.strip_prefix(device.as_str());
            point.is_some_and(|point| point.starts_with('/'))
        }
    };
    let last = call.shared.gateway.commands.last().into_iter();
    last.filter(wanted).take(limit).map(view).collect()
}

fn view(entry: Entry) -> CommandView {
    let known = |json: Json| (!json.is_null()).then_some(json);
    let Entry { begun, ended, .. } = entry;
    CommandView {
        id: shown(&begun.id),
        at: begun.at,
        who: shown(&begun.who),
        target: begun.target,
        action: begun.action,
        value: begun.value,
        ended: ended.as_ref().map(|ended| ended.at),
        answer: ended.map(|ended| CommandAnswer {
            outcome: ended.outcome,
            words: shown(&ended.words),
            status: ended.status.as_deref().map(shown),
            value: known(ended.value),
            old: known(ended.old),
        }),
    }
}

fn offers(call: &Call<GetOffers>) -> Answer<GetOffers> {
    let no_such = || Failure::no_such("device", &call.place);
    let device: DeviceId = call.place.parse().map_err(|_| no_such())?;
    let gateway = &call.shared.gateway;
    let desk = gateway.running(|running| {
        let source = running.sources.get(device.source());
        source.map(|state| state.desk.borrow().clone())
    });
    let desk = desk.ok_or_else(no_such)?;
    let offers = desk.iter().flat_map(|desk| desk.offers.iter());
    let of_it = offers.filter(|offer| offer.target.device_path() == device.as_str());
    Ok(of_it.map(offer).collect())
}

fn of_node(call: &Call<GetNodeOffers>) -> Answer<GetNodeOffers> {
    let (source, address) = (&call.place, &call.body.address);
    let gateway = &call.shared.gateway;
    let found = gateway.running(|running| {
        let state = running.sources.get(source.as_str())?;
        let devices = state.devices.borrow();
        let points = devices.iter().flat_map(|device| &device.points);
        let points = points.filter(|point| point.address == *address);
        let desk = state.desk.borrow();
        let offers = desk.iter().flat_map(|desk| desk.offers.iter());
        let here = offers.filter(|offer| offer.address == *address);
        Some(NodeOffers {
            points: points.map(|point| point.id.to_string()).collect(),
            offers: here.map(offer).collect(),
        })
    });
    found.ok_or_else(|| Failure::no_such("source", source))
}

fn offer(offer: &Offer) -> OfferView {
    OfferView {
        target: offer.target.to_string(),
        name: shown(&offer.name),
        address: shown(&offer.address),
        allow: offer.allow.clone(),
        data_type: offer.data_type.as_deref().map(shown),
        inputs: offer.inputs.clone(),
        outputs: offer.outputs.clone(),
    }
}
