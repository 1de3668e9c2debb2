//! Pictures, and whatever else is a blob: whole files under names that have the time and the message id.

use bytes::Bytes;
use fieldgate_kit::{AddressBook, Sequenced, SinkError, path::file_name};

use crate::{
    folder::{self, Folder},
    settings::Settings,
    writer::place,
};

/// Writes one. The same reading once more is the same file.
pub(crate) fn write(
    to: &Folder,
    settings: &Settings,
    book: &AddressBook,
    sequenced: &Sequenced,
    media_type: &str,
    data: &Bytes,
) -> Result<(), SinkError> {
    let id = book.message_id(sequenced.origin);
    let name = file_name(sequenced.reading.at, &id, media_type);
    let (below, name) = place(settings, book, sequenced, &name);
    let folder = to.make(&below)?;
    folder::replace(&folder, &name, &id, data)
}
