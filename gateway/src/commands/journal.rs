//! `Journal`: who commanded what, when, and what became of it; append-only on the disk, in files that are bounded.
//!
//! `commands.jsonl` begins with a line of its format and version. Then come two lines for each command that went to its
//! source, `begun` before and `ended` after, and one line with both for each that did not; and a line `told` when the answer
//! was delivered to where it was wanted. A file that is full becomes `commands.1.jsonl`, and so on; the oldest goes. A line
//! that was torn by a power cut was not synced, so that its command was not carried out, or not answered: it is passed over.
//! A command that was begun and has no end is told as such.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use fieldgate_kit::{command::Draft, format::value_json};
use fieldgate_model::{Action, Answer, Arguments, Command, Outcome, Remark, Timestamp, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::Asker;

const FORMAT: &str = "fieldgate-commands";
const VERSION: u32 = 1;
/// A file of this size is full.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// So many full files are kept beside the one that is written.
const KEPT_FILES: usize = 4;
/// So many commands are known by their ids, and can be listed.
const REMEMBERED: usize = 2000;
/// A value that is larger than this is described instead of written down.
const MAX_VALUE_BYTES: usize = 4096;

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
    /// The value or the arguments.
    #[serde(default)]
    pub value: Json,
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

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
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
    folder: PathBuf,
    file: File,
    bytes: u64,
    /// A line may stand half in the file.
    is_torn: bool,
    known: HashMap<String, Entry>,
    order: VecDeque<String>,
}

// === impl Journal ===

impl Journal {
    /// Reads what is there, the oldest file first.
    ///
    /// # Errors
    /// When the folder cannot be used, or a file is of a version that this program does not know.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let file = append(&path(&folder, 0))?;
        let mut journal = Self {
            bytes: file.metadata()?.len(),
            folder,
            file,
            is_torn: false,
            known: HashMap::new(),
            order: VecDeque::new(),
        };
        for number in (0..=KEPT_FILES).rev() {
            match fs::read(path(&journal.folder, number)) {
                Ok(bytes) => journal.take(&bytes)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if journal.bytes == 0 {
            journal.head()?;
        } else {
            // What a torn line left is closed, so that the next one is whole.
            journal.write(b"\n")?;
        }
        Ok(journal)
    }

    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.known.get(id)
    }

    /// The newest first.
    pub fn last(&self) -> Vec<Entry> {
        let entries = self.order.iter().rev().filter_map(|id| self.known.get(id));
        entries.cloned().collect()
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
        let begun = Begun {
            id: command.id.clone(),
            at,
            who: asker.who.clone(),
            target: command.target.to_string(),
            action: command.action.kind().to_string(),
            value: of_action(&command.action),
            reply: asker.reply.clone(),
        };
        let ended = refused.map(|answer| ended(&command.id, answer, at));
        let line = Line {
            begun: Some(begun),
            ended,
            told: None,
        };
        self.append(&line)?;
        self.remember(line);
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
        let written = self.append(&line);
        self.remember(line);
        written
    }

    /// The answer was delivered. It is known also when the disk refuses.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn told(&mut self, id: &str) -> io::Result<()> {
        if !self.known.contains_key(id) {
            return Ok(());
        }
        let line = Line {
            told: Some(id.to_owned()),
            ..Line::default()
        };
        let written = self.append(&line);
        self.remember(line);
        written
    }

    /// What came by a destination, not longer ago than `since`, and whose answer was not delivered; the oldest first.
    pub fn owed(
        &self,
        destination: &str,
        since: Timestamp,
    ) -> impl Iterator<Item = (&Entry, &Reply)> {
        let known = self.order.iter().filter_map(|id| self.known.get(id));
        known.filter_map(move |entry| {
            let reply = entry.begun.reply.as_ref()?;
            let owed = !entry.told && reply.destination == destination && entry.begun.at >= since;
            owed.then_some((entry, reply))
        })
    }

    fn append(&mut self, line: &Line) -> io::Result<()> {
        if self.bytes >= MAX_FILE_BYTES {
            self.rotate()?;
        } else if self.bytes == 0 {
            self.head()?;
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.write(&text)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.is_torn = false;
        }
        let written = self.file.write_all(bytes);
        let written = written.and_then(|()| self.file.sync_data());
        self.is_torn = written.is_err();
        written?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn head(&mut self) -> io::Result<()> {
        let head = Head {
            format: FORMAT.to_owned(),
            version: VERSION,
        };
        let mut text = serde_json::to_vec(&head)?;
        text.push(b'\n');
        self.write(&text)?;
        File::open(&self.folder)?.sync_all()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..KEPT_FILES).rev() {
            match fs::rename(path(&self.folder, number), path(&self.folder, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = append(&path(&self.folder, 0))?;
        (self.bytes, self.is_torn) = (0, false);
        self.head()
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let Some(first) = lines.next() else {
            return Ok(());
        };
        let head: Result<Head, _> = serde_json::from_slice(first);
        // Where the disk refused the head, a line of commands stands first.
        let first = head.is_err().then_some(first);
        if let Ok(head) = &head
            && (head.format != FORMAT || head.version != VERSION)
        {
            return Err(io::Error::other(format!(
                "{} is of the format {} {}, which this program does not know",
                self.folder.display(),
                head.format,
                head.version
            )));
        }
        for line in first.into_iter().chain(lines) {
            match serde_json::from_slice(line) {
                Ok(line) => self.remember(line),
                Err(error) => {
                    tracing::warn!(%error, "a line of the journal of commands is passed over")
                }
            }
        }
        Ok(())
    }

    fn remember(&mut self, line: Line) {
        if let Some(begun) = line.begun {
            let id = begun.id.clone();
            let entry = Entry {
                begun,
                ended: None,
                told: false,
            };
            if self.known.insert(id.clone(), entry).is_none() {
                self.order.push_back(id);
            }
        }
        if let Some(ended) = line.ended
            && let Some(entry) = self.known.get_mut(&ended.id)
        {
            entry.ended = Some(ended);
        }
        if let Some(entry) = line.told.and_then(|id| self.known.get_mut(&id)) {
            entry.told = true;
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

// === impl Entry ===

impl Entry {
    /// Whether a command with its id is this one once more.
    pub fn is_same(&self, draft: &Draft) -> bool {
        self.begun.target == draft.target.to_string()
            && self.begun.action == draft.action.kind().as_str()
            && self.begun.value == of_action(&draft.action)
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
    let written = |value: &Option<Value>| value.as_ref().map_or(Json::Null, limited);
    Ended {
        id: id.to_owned(),
        at,
        outcome: answer.outcome,
        words: answer.words.clone(),
        status: answer.status.clone(),
        value: written(&answer.value),
        old: written(&answer.old),
    }
}

fn of_action(action: &Action) -> Json {
    match action {
        Action::Read => Json::Null,
        Action::Write(value) => limited(value),
        Action::Call(Arguments::Ordered(values)) => limited(&Value::List(values.clone())),
        Action::Call(Arguments::Named(named)) => limited(&Value::Struct(named.clone())),
        Action::Acknowledge(remark) | Action::Confirm(remark) | Action::Comment(remark) => {
            of_remark(remark)
        }
    }
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

fn limited(value: &Value) -> Json {
    let json = value_json(value);
    match json.to_string().len() {
        ..=MAX_VALUE_BYTES => json,
        bytes => json!(format!("({bytes} bytes)")),
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn path(folder: &Path, number: usize) -> PathBuf {
    folder.join(match number {
        0 => "commands.jsonl".to_owned(),
        number => format!("commands.{number}.jsonl"),
    })
}

#[cfg(test)]
mod tests;
