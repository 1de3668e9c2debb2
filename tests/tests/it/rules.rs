//! Rules between real servers: an alarm of one calls a method and writes a node of another, once, and the record says who.

use fieldgate_api::{
    command::{CommandDraft, CommandQuery, CommandView},
    config::Draft,
    endpoint::{
        DeleteRule, GetCommands, GetRule, GetRules, Method, PutRule, SendCommand, path_and_query,
    },
    state::{Level, RuleView},
};
use fieldgate_model::Outcome;
use fieldgate_tests::{
    alarm_server::{AlarmServer, alarm},
    browser::Browser,
    gateway::Gateway,
    wait::{SOON, until},
};
use serde_json::{Value as Json, json};

use crate::{browser::assert_accessible_everywhere, commands};

const STARTS: &str = "press/Press/Starts";
const MODE: &str = "press/Press/Mode";

fn config(oven: u16, press: u16) -> String {
    format!(
        r#"
[gateway]
name = "test"
[[source]]
id = "oven"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:{oven}"
security = {{ policy = "None" }}
select = ["Objects/Press/Level"]
publishing_ms = 100
events = [{{ where = {{ min_severity = 40 }} }}]

[[source]]
id = "press"
kind = "opcua"
endpoint = "opc.tcp://127.0.0.1:{press}"
security = {{ policy = "None" }}
select = ["Objects/Press/**"]
publishing_ms = 100
commands = [
  {{ path = "Objects/Press/*", allow = ["read", "call"] }},
  {{ path = "Objects/Press/SetPoint", allow = ["write"] }},
  {{ path = "Objects/Press/Mode", allow = ["write"] }},
  {{ path = "Objects/Press/Count", allow = ["write"] }},
]

[[rule]]
id = "overheat-starts-the-press"
when = ["oven/Server/Press.Overheat"]
if = {{ severity_from = 500, active = true }}
do = {{ target = "press/Press/Start", call = {{ speed = 1.5, ramp = 2 }} }}
pause = "100 ms"

[[rule]]
id = "jam-is-shown"
when = ["oven/Server/Press.Jam"]
if = {{ active = true }}
do = {{ target = "{MODE}", write = "{{message}}" }}
pause = "100 ms"

[[rule]]
id = "too-hot-counts"
when = ["press/Press/SetPoint"]
if = {{ above = 85, hysteresis = 2 }}
do = {{ target = "press/Press/Count", write = 7 }}
pause = "100 ms"

[[rule]]
id = "not-allowed"
when = ["press/Press/SetPoint"]
if = {{ changes = true }}
do = {{ target = "press/Press/Fixed", write = "{{value}}" }}
pause = "100 ms"
"#
    )
}

fn rule(gateway: &Gateway, id: &str) -> RuleView {
    gateway.api.get::<GetRule>(&[id])
}

/// Waits until a rule has fired so often, and its command has ended.
#[track_caller]
fn fired(gateway: &Gateway, id: &str, times: u64) -> RuleView {
    until(&format!("{id} to have fired {times} times"), SOON, || {
        let rule = rule(gateway, id);
        let ended: u64 = rule.outcomes.values().sum();
        match (rule.fired, ended) == (times, times) {
            true => Ok(rule),
            false => Err(format!("{rule:?}")),
        }
    })
}

/// Waits until a rule rests no more.
#[track_caller]
fn rested(gateway: &Gateway, id: &str) {
    until("the rule to be ready again", SOON, || {
        match rule(gateway, id).rests_until {
            None => Ok(()),
            Some(until) => Err(format!("it rests until {until}")),
        }
    });
}

/// Lets an alarm come and go until a rule has fired more often than so: it may be in force a moment after it was saved.
#[track_caller]
fn fires_again(gateway: &Gateway, oven: &mut AlarmServer, id: &str, times: u64) -> u64 {
    until("the rule to fire", SOON, || {
        oven.tell(&alarm("Leak", false));
        oven.tell(&alarm("Leak", true));
        let rule = rule(gateway, id);
        let is_done = rule.last_outcome == Some(Outcome::Done);
        match rule.fired > times && is_done {
            true => Ok(rule.fired),
            false => Err(format!("{rule:?}")),
        }
    })
}

#[track_caller]
fn command(gateway: &Gateway, target: &str, draft: Json) -> Option<Json> {
    let draft: CommandDraft = serde_json::from_value(draft).unwrap();
    let answer = gateway.api.call::<SendCommand>(&[target], &draft).unwrap();
    assert_eq!(answer.outcome, Outcome::Done, "{answer:?}");
    answer.value
}

#[track_caller]
fn read(gateway: &Gateway, target: &str) -> Json {
    command(gateway, target, json!({ "action": "read" })).unwrap()
}

/// Who did what so far, the newest first, but for what only reads.
fn record(gateway: &Gateway) -> Vec<(String, String, String)> {
    let query = CommandQuery {
        device: None,
        limit: Some(200),
    };
    let url = path_and_query::<GetCommands>(&[], &query);
    let (_, text) = gateway.api.send(Method::Get, &url, "", &[]);
    let record: Vec<CommandView> = serde_json::from_str(&text).unwrap();
    let record = record
        .into_iter()
        .filter(|command| command.action != "read");
    let row = |command: CommandView| (command.who, command.action, command.target);
    record.map(row).collect()
}

fn ready(gateway: &Gateway) {
    commands::ready(gateway);
    gateway
        .api
        .source_is("oven", |status| status.words.contains("events of Server"));
}

#[test]
fn an_alarm_of_one_server_commands_another_once_and_the_record_says_who() {
    let (mut oven, press) = (AlarmServer::start(), commands::press());
    let mut gateway = Gateway::start(&config(oven.port, press.port));
    ready(&gateway);
    assert_eq!(gateway.api.get::<GetRules>(&[]).len(), 4);

    // It becomes active, then more is told of it: that is one transition. The other alarm, which comes after it, is through.
    oven.tell(&alarm("Overheat", true));
    let mut hotter = alarm("Overheat", true);
    hotter["message"] = json!("Overheat is worse");
    oven.tell(&hotter);
    oven.tell(&alarm("Jam", true));
    fired(&gateway, "jam-is-shown", 1);
    let started = fired(&gateway, "overheat-starts-the-press", 1);
    assert_eq!(started.last_outcome, Some(Outcome::Done), "{started:?}");
    assert_eq!(
        (started.last_point.as_deref(), started.status.level),
        (Some("oven/Server/Press.Overheat"), Level::Good)
    );
    assert!(started.missed.is_empty(), "{started:?}");
    assert_eq!(read(&gateway, STARTS), json!(1));
    assert_eq!(read(&gateway, MODE), json!("Jam is here"));
    let by = |rule: &str, action: &str, target: &str| {
        (format!("rule {rule}"), action.to_owned(), target.to_owned())
    };
    let mut record_now = record(&gateway);
    record_now.sort();
    let expected = [
        by("jam-is-shown", "write", MODE),
        by("overheat-starts-the-press", "call", "press/Press/Start"),
    ];
    assert_eq!(record_now, expected);

    // A threshold fires when it is crossed; what its source does not allow is refused in words, and the rule goes on.
    for (times, value) in (1..).zip([90.0, 95.0]) {
        command(
            &gateway,
            "press/Press/SetPoint",
            json!({ "action": "write", "value": value }),
        );
        let refused = fired(&gateway, "not-allowed", times);
        rested(&gateway, "not-allowed");
        assert_eq!(
            (refused.status.level, refused.status.state.as_str()),
            (Level::Warning, "refused")
        );
        assert!(
            refused
                .status
                .words
                .contains("write is not allowed at press/Press/Fixed"),
            "{refused:?}"
        );
    }
    fired(&gateway, "too-hot-counts", 1);
    assert_eq!(read(&gateway, "press/Press/Count"), json!(7));

    // What was so before the gateway began is no news to it.
    gateway.kill_and_restart();
    ready(&gateway);
    oven.tell(&alarm("Jam", false));
    oven.tell(&alarm("Jam", true));
    fired(&gateway, "jam-is-shown", 1);
    assert_eq!(rule(&gateway, "overheat-starts-the-press").fired, 0);
    assert_eq!(read(&gateway, STARTS), json!(1));
    assert_eq!(rule(&gateway, "too-hot-counts").fired, 0);
}

#[test]
fn a_person_makes_a_rule_and_sees_what_it_did() {
    let (mut oven, press) = (AlarmServer::start(), commands::press());
    let text = config(oven.port, press.port);
    let gateway = Gateway::start(text.split("[[rule]]").next().unwrap());
    ready(&gateway);
    let browser = Browser::start();
    browser.open(&gateway.url);
    browser.click("nav a[href='/rules']");
    browser.text_is("main", |text| text.contains("No rule yet."));
    browser.click("[data-test=add]");
    browser.fill("#item-id", "shown");
    browser.fill("#field-when-0", "oven/Server/*");
    browser.click("#set-if");
    browser.choose("#field-if-active", "Yes");
    browser.fill("#field-do-target", "press/Press");
    browser.fill("#field-do-write", "{message}");
    browser.click("[data-test=save]");
    browser.text_is("[data-test=problems]", |text| {
        text.contains("is not of the form source/device/point")
    });
    assert_accessible_everywhere(&browser);
    browser.fill("#field-do-target", MODE);
    browser.click("[data-test=save]");
    browser.text_is("[data-item=shown]", |text| {
        text.contains("oven/Server/* → write press/Press/Mode")
    });
    fires_again(&gateway, &mut oven, "shown", 0);
    browser.text_is("[data-item=shown]", |text| {
        text.contains("oven/Server/Press.Leak") && text.contains("was written")
    });
    assert_accessible_everywhere(&browser);
    browser.click("[data-item=shown] [data-test=pause]");
    browser.text_is("[data-item=shown]", |text| {
        text.contains("paused in the configuration")
    });
    browser.click("[data-item=shown] [data-test=remove]");
    browser.text_is("main", |text| text.contains("No rule yet."));
}

#[test]
fn a_rule_is_made_paused_and_removed_while_the_gateway_runs() {
    let (mut oven, press) = (AlarmServer::start(), commands::press());
    let text = config(oven.port, press.port);
    let gateway = Gateway::start(text.split("[[rule]]").next().unwrap());
    ready(&gateway);
    let draft = |paused: bool| Draft {
        kind: "rule".into(),
        paused,
        settings: json!({
            "when": ["oven/Server/*"], "if": { "active": true }, "pause": "100 ms",
            "do": { "target": MODE, "write": "{message}" },
        }),
    };
    let mut own = draft(false);
    own.settings["when"] = json!(["oven/**", "press/**"]);
    let trouble = gateway.api.call::<PutRule>(&["shown"], &own).unwrap_err();
    assert!(
        trouble.problems[0].what.contains("answer to itself"),
        "{trouble:?}"
    );
    gateway
        .api
        .call::<PutRule>(&["shown"], &draft(false))
        .unwrap();
    fires_again(&gateway, &mut oven, "shown", 0);
    assert_eq!(read(&gateway, MODE), json!("Leak is here"));

    gateway
        .api
        .call::<PutRule>(&["shown"], &draft(true))
        .unwrap();
    gateway
        .api
        .call::<PutRule>(&["next"], &draft(false))
        .unwrap();
    let next = fires_again(&gateway, &mut oven, "next", 0);
    let shown = rule(&gateway, "shown");
    assert_eq!(shown.status.state, "paused");
    fires_again(&gateway, &mut oven, "next", next);
    assert_eq!(rule(&gateway, "shown").fired, shown.fired, "it is paused");
    gateway.api.call::<DeleteRule>(&["shown"], &()).unwrap();
    assert_eq!(gateway.api.get::<GetRules>(&[]).len(), 1);
}
