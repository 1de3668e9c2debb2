//! `Writer`: one batch as it is written, reading by reading; runs on a thread that may wait for the disk.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use fieldgate_kit::{
    AddressBook, Batch, ClipPart, Receipt, Refusal, Rejected, Sequenced, SinkError,
    format::{FormatKind, Message, dataset},
    path::PathValues,
    topic::TopicValues,
};
use fieldgate_model::Value;

use crate::{
    clips::{self, Put},
    folder::{Folder, plain},
    lines::{Line, Lines},
    pictures,
    settings::Settings,
};

/// What writes batches into a folder.
pub(crate) struct Writer {
    settings: Arc<Settings>,
    book: AddressBook,
    folder: Folder,
    lines: Lines,
}

/// Readings of one folder, in their order.
type Group<'a> = (String, Vec<(&'a Sequenced, Message)>);

/// The folder below, and the name in it, of a file with this name.
pub(crate) fn place(
    settings: &Settings,
    book: &AddressBook,
    sequenced: &Sequenced,
    name: &str,
) -> (String, String) {
    let path = settings.files.render(&values(book, sequenced, name), plain);
    // The settings' check sees to it that the name stands alone at the end.
    match path.rsplit_once('/') {
        Some((below, name)) => (below.to_owned(), name.to_owned()),
        None => (String::new(), path),
    }
}

fn values<'a>(book: &'a AddressBook, sequenced: &'a Sequenced, name: &'a str) -> PathValues<'a> {
    let reading = &sequenced.reading;
    PathValues {
        of: TopicValues {
            gateway: &book.gateway,
            source: reading.point.source(),
            device: reading.point.device(),
            dataset: dataset(reading.class),
            point: reading.point.point(),
            format: "json",
        },
        name,
        at: reading.at,
    }
}

// === impl Writer ===

impl Writer {
    pub fn new(settings: Arc<Settings>, book: AddressBook, folder: Folder) -> Self {
        Self {
            lines: Lines::new(settings.rotate.clone(), &book.gateway_id),
            settings,
            book,
            folder,
        }
    }

    /// The files that a sweep leaves alone.
    pub fn in_use(&self) -> HashSet<PathBuf> {
        self.lines.in_use().map(ToOwned::to_owned).collect()
    }

    /// Writes a batch; all of it is on the disk when this returns.
    pub fn write(&mut self, batch: &Batch) -> Result<Receipt, SinkError> {
        let mut receipt = Receipt::default();
        let mut plain = Vec::new();
        for sequenced in batch.readings.iter() {
            match &sequenced.reading.value {
                Value::Blob { media_type, data } => {
                    let (folder, settings) = (&self.folder, &self.settings);
                    pictures::write(folder, settings, &self.book, sequenced, media_type, data)?;
                }
                value => match ClipPart::of(value) {
                    Some(part) => receipt.rejected.extend(self.part(sequenced, &part)?),
                    None => plain.push(sequenced.clone()),
                },
            }
        }
        self.readings(&plain)?;
        Ok(receipt)
    }

    fn part(&self, sequenced: &Sequenced, part: &ClipPart) -> Result<Option<Rejected>, SinkError> {
        let put = clips::write(&self.folder, &self.settings, &self.book, sequenced, part)?;
        Ok(match put {
            Put::Taken => None,
            Put::Refused(why) => Some(Rejected {
                seq: sequenced.seq,
                why,
                refusal: Refusal::Final,
            }),
        })
    }

    fn readings(&mut self, readings: &[Sequenced]) -> Result<(), SinkError> {
        let messages = FormatKind::Json.encode(&self.book, readings, usize::MAX);
        let mut groups: Vec<Group<'_>> = Vec::new();
        for (sequenced, message) in readings.iter().zip(messages) {
            let below = self
                .settings
                .readings
                .render(&values(&self.book, sequenced, ""), plain);
            match groups.iter_mut().rev().find(|(of, _)| *of == below) {
                Some((_, group)) => group.push((sequenced, message)),
                None => groups.push((below, vec![(sequenced, message)])),
            }
        }
        for (below, group) in groups {
            let ids: Vec<String> = group
                .iter()
                .map(|(sequenced, _)| self.book.message_id(sequenced.origin))
                .collect();
            let lines = group.iter().zip(&ids);
            let lines: Vec<Line<'_>> = lines
                .map(|((sequenced, message), id)| Line {
                    sequenced,
                    id,
                    json: &message.payload,
                })
                .collect();
            self.lines.append(&self.folder, &below, &lines)?;
        }
        Ok(())
    }
}
