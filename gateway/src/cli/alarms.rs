//! `fieldgate alarms`, and `ack`, `confirm`, `comment`: the open alarms, and what a person says about one.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use fieldgate_api::{
    alarm::{AlarmQuery, AlarmView},
    command::CommandDraft,
    endpoint::GetAlarms,
};
use fieldgate_model::ActionKind;

use super::{
    client::Failure,
    command::send,
    output::{Remote, table},
};

#[derive(Debug, ClapArgs)]
pub struct List {
    /// Only those of this source, or of this `source/device`.
    of: Option<String>,
    /// At most so many, the gravest first.
    #[arg(long, default_value_t = 1000)]
    limit: u32,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, ClapArgs)]
pub struct Say {
    /// The alarm's point: `source/device/point`, as `fieldgate alarms` shows it.
    point: String,
    /// What is said about it.
    #[arg(long, short = 'm')]
    comment: Option<String>,
    /// The event that was looked at: if the alarm has changed since, nothing is done.
    #[arg(long)]
    event: Option<String>,
    /// The command's own id: a second one with the same id is not carried out again.
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

// === impl List ===

impl List {
    pub fn act(&self) -> Result<ExitCode, Failure> {
        let (source, device) = match &self.of {
            Some(of) if of.contains('/') => (None, Some(of.clone())),
            of => (of.clone(), None),
        };
        let query = AlarmQuery {
            source,
            device,
            limit: Some(self.limit),
        };
        let alarms = self.remote.client()?.call::<GetAlarms>(&[], &query)?;
        self.remote.print(&alarms, |alarms| listed(alarms))?;
        Ok(ExitCode::SUCCESS)
    }
}

// === impl Say ===

impl Say {
    pub fn act(&self, kind: ActionKind) -> Result<ExitCode, Failure> {
        let draft = CommandDraft {
            id: self.id.clone(),
            action: kind.as_str().to_owned(),
            comment: self.comment.clone(),
            event: self.event.clone(),
            ..CommandDraft::default()
        };
        send(&self.remote, &self.point, &draft)
    }
}

fn listed(alarms: &[AlarmView]) -> String {
    if alarms.is_empty() {
        return "no open alarm".to_owned();
    }
    let row = |alarm: &AlarmView| {
        [
            alarm.severity.to_string(),
            alarm.state(),
            alarm.since.to_string(),
            alarm.target.clone(),
            alarm.message.clone(),
            alarm.event.clone(),
        ]
    };
    let rows: Vec<_> = alarms.iter().map(row).collect();
    table(
        ["severity", "state", "since", "point", "message", "event"],
        &rows,
    )
}
