//! `Journal`: who commanded what, when, and what became of it; append-only on the disk, in files that are bounded.
//!
//! `commands.jsonl` begins with a line of its format and version. Then come two lines for each command that went to its
//! source, `begun` before and `ended` after; and a line `told` when the answer was delivered to where it was wanted. What was
//! refused, with both in one line, and what only reads stand in `others.jsonl`, so that a flood of them pushes out
//! nothing that may have changed something. A file that is full becomes `commands.1.jsonl`, and so on; the oldest goes. A line
//! that was torn by a power cut was not synced, so that its command was not carried out, or not answered: it is passed over.
//! A command that was begun and has no end is told as such.
//!
//! What may have changed something is known for as long as any command can live, so that its repetition is noticed. Where there
//! is no room for that, [`Journal::has_room`] says so, and no further command is begun.

mod files;
mod known;

use std::{io, path::PathBuf};

use fieldgate_kit::{command::Draft, format::value_json};
use fieldgate_model::{
    Action, ActionKind, Answer, Arguments, Command, Outcome, Remark, Timestamp, Value,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use self::{
    files::{Files, MAX_FILE_BYTES},
    known::Known,
};
use super::Asker;

/// A value that is larger than this is described instead of written down.
const MAX_VALUE_BYTES: usize = 4096;
/// Words that are longer are cut off: they can be a far side's.
const MAX_WORDS_BYTES: usize = 4096;
/// So many full files of what may have changed something are kept beside the one that is written: an hour of twenty each second.
const KEPT_DEEDS: usize = 12;
/// So many of the others.
const KEPT_OTHERS: usize = 4;
/// All lines of deeds that must stay known: as many as stay on the disk when files go, less what those under way still add.
const ROOM_BYTES: u64 = MAX_FILE_BYTES * KEPT_DEEDS as u64 - (1 << 20);

/// One command, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub begun: Begun,
    /// None while it is under way, or when the gateway was stopped meanwhile.
    pub ended: Option<Ended>,
    /// Its answer was delivered to where it was wanted.
    pub told: bool,
}

/// Where an answer is wanted that nobody waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The destination that the command came by.
    pub destination: String,
    /// Where it goes from there, in the destination's own words.
    pub to: Json,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    pub id: String,
    pub at: Timestamp,
    pub who: String,
    pub target: String,
    pub action: String,
    /// The value or the arguments; described where they are large.
    #[serde(default)]
    pub value: Json,
    /// SHA-256 of the value or the arguments as JSON, in hexadecimal digits, where they are described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub id: String,
    pub at: Timestamp,
    pub outcome: Outcome,
    pub words: String,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub value: Json,
    #[serde(default)]
    pub old: Json,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<Begun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    /// By the command's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
}

/// The journal, open.
pub struct Journal {
    /// What may have changed something.
    deeds: Files,
    /// What was refused or only reads.
    others: Files,
    known: Known,
}

// === impl Journal ===

impl Journal {
    /// Reads what is there, the oldest first.
    ///
    /// # Errors
    /// When the folder cannot be used, or a file is of a version that this program does not know.
    pub fn open(folder: PathBuf, now: Timestamp) -> io::Result<Self> {
        let (deeds, of_deeds) = Files::open(&folder, "commands", KEPT_DEEDS)?;
        let (others, of_others) = Files::open(&folder, "others", KEPT_OTHERS)?;
        let mut known = Known::default();
        // Before there were two, the lines of both stood in one.
        for (line, bytes) in of_deeds.into_iter().chain(of_others) {
            known.take(line, bytes, now);
        }
        known.sort();
        Ok(Self {
            deeds,
            others,
            known,
        })
    }

    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.known.find(id)
    }

    /// The newest first.
    pub fn last(&self) -> Vec<Entry> {
        self.known.last()
    }

    /// Whether one more can go to its source and stay known as long as it has to.
    pub fn has_room(&mut self, now: Timestamp) -> bool {
        self.known.young_bytes(now) <= ROOM_BYTES
    }

    /// Writes down what was asked for, and, when that is known already, what became of it.
    ///
    /// # Errors
    /// When the disk refuses; then it is not known.
    pub fn begin(
        &mut self,
        command: &Command,
        asker: &Asker,
        at: Timestamp,
        refused: Option<&Answer>,
    ) -> io::Result<()> {
        let content = Content::of(&command.action);
        let begun = Begun {
            id: command.id.clone(),
            at,
            who: asker.who.clone(),
            target: command.target.to_string(),
            action: command.action.kind().to_string(),
            value: content.shown,
            digest: content.digest,
            reply: asker.reply.clone(),
        };
        let line = Line {
            begun: Some(begun),
            ended: refused.map(|answer| ended(&command.id, answer, at)),
            told: None,
        };
        let bytes = self.files(line.is_deed()).append(&line)?;
        self.known.take(line, bytes, at);
        Ok(())
    }

    /// Writes down what became of it. It is known also when the disk refuses.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn end(&mut self, id: &str, answer: &Answer, at: Timestamp) -> io::Result<()> {
        let line = Line {
            ended: Some(ended(id, answer, at)),
            ..Line::default()
        };
        self.add(id, line, at)
    }

    /// The answer was delivered. It is known also when the disk refuses.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn told(&mut self, id: &str, at: Timestamp) -> io::Result<()> {
        if self.known.find(id).is_none() {
            return Ok(());
        }
        let line = Line {
            told: Some(id.to_owned()),
            ..Line::default()
        };
        self.add(id, line, at)
    }

    /// What came by a destination, not longer ago than `since`, and whose answer was not delivered; the oldest first.
    pub fn owed(&self, destination: &str, since: Timestamp) -> Vec<(&Entry, &Reply)> {
        self.known.owed(destination, since)
    }

    fn add(&mut self, id: &str, line: Line, at: Timestamp) -> io::Result<()> {
        let is_deed = self.known.is_deed(id);
        let written = self.files(is_deed).append(&line);
        self.known.take(line, *written.as_ref().unwrap_or(&0), at);
        written.map(drop)
    }

    fn files(&mut self, is_deed: bool) -> &mut Files {
        match is_deed {
            true => &mut self.deeds,
            false => &mut self.others,
        }
    }

    /// The destinations of answers that were still owed when they had to be forgotten, since this was asked last.
    pub fn forgotten(&mut self) -> Vec<String> {
        self.known.forgotten()
    }
}

// === impl Line ===

impl Line {
    /// It begins a command that goes to its source, and that may change something there.
    fn is_deed(&self) -> bool {
        let read = ActionKind::Read.as_str();
        let changes = self
            .begun
            .as_ref()
            .is_some_and(|begun| begun.action != read);
        changes && self.ended.is_none()
    }
}

// === impl Entry ===

impl Entry {
    /// Whether a command with its id is this one once more.
    pub fn is_same(&self, draft: &Draft) -> bool {
        self.begun.target == draft.target.to_string()
            && self.begun.action == draft.action.kind().as_str()
            && Content {
                shown: self.begun.value.clone(),
                digest: self.begun.digest.clone(),
            } == Content::of(&draft.action)
    }

    /// It came by this destination, which has not got the answer through.
    fn is_owed(&self, destination: &str) -> bool {
        let reply = self.begun.reply.as_ref();
        !self.told && reply.is_some_and(|reply| reply.destination == destination)
    }

    /// The answer that was given, or would be given to one that comes a second time.
    pub fn answer(&self) -> Answer {
        let Some(ended) = &self.ended else {
            return Answer::failed(
                "it was begun, and the gateway was stopped before it ended; whether it took effect is not known, \
                 and it is not carried out again",
            );
        };
        let value = |json: &Json| {
            let known = (!json.is_null()).then(|| json.clone());
            known.and_then(|json| fieldgate_kit::command::value_of_json(json).ok())
        };
        Answer {
            outcome: ended.outcome,
            words: ended.words.clone(),
            status: ended.status.clone(),
            value: value(&ended.value),
            old: value(&ended.old),
        }
    }
}

fn ended(id: &str, answer: &Answer, at: Timestamp) -> Ended {
    let written = |value: &Option<Value>| {
        let value = value.as_ref().map_or(Json::Null, value_json);
        Content::limited(value).shown
    };
    Ended {
        id: id.to_owned(),
        at,
        outcome: answer.outcome,
        words: cut_off(&answer.words),
        status: answer.status.clone(),
        value: written(&answer.value),
        old: written(&answer.old),
    }
}

fn cut_off(words: &str) -> String {
    match words.len() {
        ..=MAX_WORDS_BYTES => words.to_owned(),
        _ => format!("{}…", &words[..words.floor_char_boundary(MAX_WORDS_BYTES)]),
    }
}

/// What a command says, as it is written down.
#[derive(Debug, PartialEq)]
struct Content {
    shown: Json,
    digest: Option<String>,
}

// === impl Content ===

impl Content {
    fn of(action: &Action) -> Self {
        Self::limited(match action {
            Action::Read => Json::Null,
            Action::Write(value) => value_json(value),
            Action::Call(Arguments::Ordered(values)) => value_json(&Value::List(values.clone())),
            Action::Call(Arguments::Named(named)) => value_json(&Value::Struct(named.clone())),
            Action::Acknowledge(remark) | Action::Confirm(remark) | Action::Comment(remark) => {
                of_remark(remark)
            }
        })
    }

    fn limited(json: Json) -> Self {
        let text = json.to_string();
        match text.len() {
            ..=MAX_VALUE_BYTES => Self {
                shown: json,
                digest: None,
            },
            bytes => Self {
                shown: json!(format!("({bytes} bytes)")),
                digest: Some(hex(&Sha256::digest(text))),
            },
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_remark(remark: &Remark) -> Json {
    let mut fields = serde_json::Map::new();
    if !remark.text.is_empty() {
        fields.insert("comment".to_owned(), json!(remark.text));
    }
    if let Some(event) = &remark.event {
        fields.insert("event".to_owned(), json!(event));
    }
    match fields.is_empty() {
        true => Json::Null,
        false => Json::Object(fields),
    }
}

#[cfg(test)]
mod tests;
