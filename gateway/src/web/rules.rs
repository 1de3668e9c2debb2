//! Rules: as configured and how they are; creating, changing and removing them.

use std::{collections::BTreeSet, time::Instant};

use fieldgate_api::{
    config::Item,
    endpoint::{DeleteRule, GetRule, GetRules, PutRule},
    state::{Level, RuleView, Status},
};
use fieldgate_model::{Outcome, Pattern, PointId};

use super::{
    Shared,
    error::Failure,
    mount::{Answer, Call, Mounts},
    points, routes,
    value::shown,
    words::count,
};
use crate::{config::Section, rules::Told, supervisor::UnitName};

/// What a rule's status depends on.
#[derive(Debug, Clone, Copy)]
struct Facts<'a> {
    paused: bool,
    /// How many points it watches.
    watches: u64,
    told: &'a Told,
    /// Why no rule's command is given; none when they are.
    stuck: Option<&'a str>,
}

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<GetRules, _, _>(|call: Call<GetRules>| async move { Ok(list(&call.shared)) });
    mounts.mount::<GetRule, _, _>(|call: Call<GetRule>| async move { one(&call) });
    mounts.mount::<PutRule, _, _>(|call: Call<PutRule>| call.put(Section::Rule));
    mounts.mount::<DeleteRule, _, _>(|call: Call<DeleteRule>| call.remove(Section::Rule));
}

fn list(shared: &Shared) -> Vec<RuleView> {
    let ids = points::ids(&shared.gateway);
    let items = &shared.desired.current().rules;
    items.iter().map(|item| view(shared, item, &ids)).collect()
}

fn one(call: &Call<GetRule>) -> Answer<GetRule> {
    let loaded = call.shared.desired.current();
    let item = loaded.item(Section::Rule, &call.place);
    let item = item.ok_or_else(|| Failure::no_such("rule", &call.place))?;
    Ok(view(&call.shared, item, &points::ids(&call.shared.gateway)))
}

fn view(shared: &Shared, item: &Item, ids: &BTreeSet<PointId>) -> RuleView {
    let loaded = shared.desired.current();
    let mut wanted = loaded.config.rules.iter();
    let when = wanted.find(|rule| *rule.id == *item.id);
    let when = when.into_iter().flat_map(|rule| &rule.settings.when);
    let patterns: Vec<Pattern> = when.filter_map(|text| text.parse().ok()).collect();
    let watches = routes::taken(&patterns, ids).count() as u64;
    let score = shared
        .gateway
        .running(|running| running.rules.get(item.id.as_str()).cloned());
    let told = score.map(|score| score.told(Instant::now()));
    let told = told.unwrap_or_default();
    let unit = shared.gateway.board.status(&UnitName::Rules);
    let unit = unit.filter(|unit| unit.level >= Level::Warning);
    let status = status(Facts {
        paused: item.draft.paused,
        watches,
        told: &told,
        stuck: unit.as_ref().map(|unit| unit.words.as_str()),
    });
    let (last_fired, last_point) = told.last.unzip();
    let (last_outcome, last_words) = told
        .ended
        .map(|ended| (ended.outcome, shown(&ended.words)))
        .unzip();
    RuleView {
        item: item.clone(),
        status,
        watches,
        fired: told.fired,
        last_fired,
        last_point: last_point.map(|point| point.to_string()),
        last_outcome,
        last_words,
        rests_until: told.rests_until,
        outcomes: told
            .outcomes
            .into_iter()
            .map(|(outcome, count)| (outcome.to_owned(), count))
            .collect(),
        missed: told
            .missed
            .into_iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), count))
            .collect(),
    }
}

/// How a rule is: it has no task of its own, so this follows from its points and its last command.
fn status(facts: Facts<'_>) -> Status {
    let watches = || format!("watches {}", count(facts.watches, "point"));
    let since = facts.told.last.as_ref().map(|(at, _)| *at);
    let ended = facts.told.ended.as_ref();
    let (level, state, words, since) = match (facts, ended) {
        (Facts { paused: true, .. }, _) => (
            Level::Idle,
            "paused",
            "paused in the configuration".to_owned(),
            None,
        ),
        (
            Facts {
                stuck: Some(why), ..
            },
            _,
        ) => {
            let words = format!("no rule gives commands at the moment: {why}");
            (Level::Bad, "stopped", words, None)
        }
        (_, Some(ended)) if ended.outcome != Outcome::Done => {
            let words = format!(
                "its last command was not carried out: {}",
                shown(&ended.words)
            );
            (Level::Warning, ended.outcome.as_str(), words, since)
        }
        (Facts { watches: 0, .. }, _) => {
            // An alarm that was never raised has no point yet, so this is nothing to warn of.
            let words = "no point that it would watch is known yet; one of events is known once the first one came";
            (Level::Idle, "waiting", words.to_owned(), None)
        }
        (_, Some(ended)) => {
            let words = format!("{}; its last command: {}", watches(), shown(&ended.words));
            (Level::Good, "running", words, since)
        }
        (_, None) => (Level::Good, "running", watches(), None),
    };
    Status {
        level,
        state: state.into(),
        words,
        since,
        ..Status::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::Ended;

    use super::*;

    fn ended(outcome: Outcome, words: &str) -> Told {
        let words = words.to_owned();
        Told {
            ended: Some(Ended { outcome, words }),
            ..Told::default()
        }
    }

    #[test]
    fn a_rule_is_what_follows_from_its_points_and_its_last_command() {
        let (none, done) = (Told::default(), ended(Outcome::Done, "1 was written"));
        let refused = ended(Outcome::Refused, "call is not allowed at gate/camera/clip");
        for (paused, watches, told, stuck, expected) in [
            (
                true,
                5,
                &none,
                None,
                (Level::Idle, "paused", "in the configuration"),
            ),
            (false, 0, &none, None, (Level::Idle, "waiting", "no point")),
            (
                false,
                5,
                &none,
                None,
                (Level::Good, "running", "watches 5 points"),
            ),
            (
                false,
                5,
                &done,
                None,
                (Level::Good, "running", "1 was written"),
            ),
            (
                false,
                5,
                &refused,
                None,
                (Level::Warning, "refused", "is not allowed"),
            ),
            (
                false,
                5,
                &done,
                Some("broken"),
                (Level::Bad, "stopped", "broken"),
            ),
        ] {
            let status = status(Facts {
                paused,
                watches,
                told,
                stuck,
            });
            let (level, state, words) = expected;
            assert_eq!((status.level, status.state.as_str()), (level, state));
            assert!(status.words.contains(words), "{}", status.words);
        }
    }
}
