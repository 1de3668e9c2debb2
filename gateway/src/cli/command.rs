//! `fieldgate read`, `write` and `call`: a command to a device, and `fieldgate commands`: the record of those that were given.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use fieldgate_api::{
    command::{CommandAnswer, CommandDraft, CommandQuery, CommandView},
    endpoint::{GetCommands, SendCommand},
};
use fieldgate_model::Outcome;
use serde_json::{Map, Value as Json};

use super::{
    client::Failure,
    output::{Remote, table},
};

#[derive(Debug, ClapArgs)]
pub struct Read {
    /// The point: `source/device/point`, as the console shows its id.
    point: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, ClapArgs)]
pub struct Write {
    /// The point: `source/device/point`, as the console shows its id.
    point: String,
    /// What is written, as JSON: 80.5, true, [1,2], '"80"'. What is no JSON is a text.
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// The command's own id: a second one with the same id is not carried out again.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, ClapArgs)]
pub struct Call {
    /// The method: `source/device/method`.
    point: String,
    /// Its arguments, as JSON: all in their order, or all as name=value.
    #[arg(allow_negative_numbers = true)]
    arguments: Vec<String>,
    /// The command's own id: a second one with the same id is not carried out again.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, ClapArgs)]
pub struct List {
    /// Only those of this `source/device`.
    device: Option<String>,
    /// At most so many, the newest first.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    remote: Remote,
}

// === impl Read ===

impl Read {
    pub fn act(&self) -> Result<ExitCode, Failure> {
        let draft = CommandDraft {
            action: "read".into(),
            ..CommandDraft::default()
        };
        send(&self.remote, &self.point, &draft)
    }
}

// === impl Write ===

impl Write {
    pub fn act(&self) -> Result<ExitCode, Failure> {
        let draft = CommandDraft {
            id: self.id.clone(),
            action: "write".into(),
            value: Some(json(&self.value)),
            ..CommandDraft::default()
        };
        send(&self.remote, &self.point, &draft)
    }
}

// === impl Call ===

impl Call {
    pub fn act(&self) -> Result<ExitCode, Failure> {
        let draft = CommandDraft {
            id: self.id.clone(),
            action: "call".into(),
            arguments: Some(arguments(&self.arguments)?),
            ..CommandDraft::default()
        };
        send(&self.remote, &self.point, &draft)
    }
}

// === impl List ===

impl List {
    pub fn act(&self) -> Result<ExitCode, Failure> {
        let query = CommandQuery {
            device: self.device.clone(),
            limit: Some(self.limit),
        };
        let commands = self.remote.client()?.call::<GetCommands>(&[], &query)?;
        self.remote.print(&commands, |commands| listed(commands))?;
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn send(
    remote: &Remote,
    point: &str,
    draft: &CommandDraft,
) -> Result<ExitCode, Failure> {
    let answer = remote.client()?.call::<SendCommand>(&[point], draft)?;
    remote.print(&answer, told)?;
    Ok(match answer.outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Refused | Outcome::Failed | Outcome::Expired => ExitCode::FAILURE,
    })
}

fn told(answer: &CommandAnswer) -> String {
    let old = answer.old.as_ref().map(|old| format!("; before: {old}"));
    format!(
        "{}: {}{}",
        answer.outcome,
        answer.words,
        old.unwrap_or_default()
    )
}

fn listed(commands: &[CommandView]) -> String {
    let row = |command: &CommandView| {
        let answer = command.answer.as_ref();
        [
            command.at.to_string(),
            command.who.clone(),
            command.action.clone(),
            command.target.clone(),
            match &command.value {
                Json::Null => String::new(),
                value => value.to_string(),
            },
            answer.map_or("unknown".to_owned(), |answer| answer.outcome.to_string()),
            answer
                .map(|answer| answer.words.clone())
                .unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = commands.iter().map(row).collect();
    table(
        ["at", "who", "action", "target", "value", "outcome", "words"],
        &rows,
    )
}

/// JSON where it is some, else a text.
fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

/// `name=value` for all of them, or for none.
fn arguments(texts: &[String]) -> Result<Json, Failure> {
    let named: Vec<(&str, &str)> = texts.iter().filter_map(|text| named(text)).collect();
    if named.is_empty() {
        return Ok(texts.iter().map(|text| json(text)).collect());
    }
    if named.len() != texts.len() {
        return Err(Failure::Usage(
            "some arguments have a name and some have none; write all as name=value, or none"
                .into(),
        ));
    }
    let fields: Map<String, Json> = named
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json(value)))
        .collect();
    Ok(Json::Object(fields))
}

fn named(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    (!name.is_empty() && name.chars().all(plain)).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_read_as_a_person_writes_them() {
        let check = |texts: &[&str], expected: Option<Json>| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(arguments(&texts).ok(), expected, "{texts:?}");
        };
        check(&[], Some(json!([])));
        check(&["1", "on", "[1,2]"], Some(json!([1, "on", [1, 2]])));
        check(
            &["speed=1.5", "mode=slow"],
            Some(json!({ "speed": 1.5, "mode": "slow" })),
        );
        check(&["speed=1.5", "slow"], None);
        check(&["\"a=b\""], Some(json!(["a=b"])));
    }
}
