//! `/api/v1/kinds`: everything that can be configured, with the schemas that the console draws its forms from.

use fieldgate_api::{
    config::{Kind, Kinds},
    endpoint::GetKinds,
};

use super::mount::{Answer, Call, Mounts};
use crate::{config::RouteSettings, registry::Registry, rules::RuleSettings};

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetKinds, _, _>(|call: Call<GetKinds>| async move { kinds(&call) });
}

fn kinds(call: &Call<GetKinds>) -> Answer<GetKinds> {
    Ok(all(&call.shared.gateway.registry))
}

fn all(registry: &Registry) -> Kinds {
    let kind = |kind: &str, title: &str, about: &str, schema| Kind {
        kind: kind.into(),
        title: title.into(),
        about: about.into(),
        schema,
        discovers: None,
        searches: None,
        explores: false,
        scans: false,
        shows: false,
    };
    let sources = registry.sources.iter();
    let destinations = registry.destinations.iter();
    Kinds {
        sources: sources
            .map(|source| Kind {
                discovers: source.discovers.map(str::to_owned),
                searches: source.nearby.map(|nearby| nearby.ports.to_vec()),
                explores: source.explores,
                scans: source.scans,
                shows: source.shows,
                ..kind(source.kind, source.title, source.about, source.schema())
            })
            .collect(),
        destinations: destinations
            .map(|to| kind(to.kind, to.title, to.about, to.schema()))
            .collect(),
        routes: kind(
            "route",
            "Route",
            "Takes points by patterns, shapes their readings step by step, and sends them to one destination.",
            schemars::schema_for!(RouteSettings).to_value(),
        ),
        rules: kind(
            "rule",
            "Rule",
            "When something comes true at a point of one source, it gives a command to another one: an alarm saves a clip, a threshold writes a set point.",
            schemars::schema_for!(RuleSettings).to_value(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_a_form() {
        let kinds = all(&Registry::all());
        let all = kinds.sources.iter().chain(&kinds.destinations);
        for kind in all.chain([&kinds.routes, &kinds.rules]) {
            assert!(kind.schema["properties"].is_object(), "{}", kind.kind);
            assert!(!kind.about.is_empty(), "{}", kind.kind);
        }
    }
}
