//! `Reviewing`: what people decided about new nodes, and where that is kept.

use std::path::PathBuf;

use fieldgate_kit::{
    ReviewDesk, SourceCtx, SourceError,
    review::{Decided, Decision},
};

use super::{
    book::{self, Book},
    file,
};
use crate::{
    connection::ValueType,
    publish,
    select::Item,
    settings::{NewNodes, Settings},
};

/// What was decided, and where it is kept.
pub(crate) struct Reviewing {
    pub(super) book: Book,
    folder: PathBuf,
    pub(super) desk: ReviewDesk,
}

impl Reviewing {
    /// With what was decided before.
    ///
    /// # Errors
    /// When what was decided cannot be read.
    pub(crate) async fn open(settings: &Settings, ctx: &SourceCtx) -> Result<Self, SourceError> {
        let folder = ctx.state_dir.clone();
        let kept = match settings.new_nodes {
            NewNodes::Take => book::Kept::default(),
            NewNodes::Review => {
                let folder = folder.clone();
                let loaded = tokio::task::spawn_blocking(move || file::load(&folder)).await;
                let loaded = loaded.unwrap_or_else(|error| Err(error.to_string()));
                loaded.map_err(SourceError::Refused)?
            }
        };
        let book = Book::new(settings, kept);
        let desk = ctx.reviews.open(book.list(String::new()));
        Ok(Self { book, folder, desk })
    }

    /// The found points that are read.
    pub(crate) async fn sort(
        &mut self,
        found: Vec<(Item, ValueType)>,
        whole: bool,
    ) -> Vec<(Item, ValueType)> {
        let before = self.book.kept().cloned();
        let read = self.book.sort(found, whole, publish::now());
        if before.as_ref() != self.book.kept()
            && let Err(why) = self.save().await
        {
            tracing::warn!(
                why,
                "what waits for a review cannot be written down; it is found again after a restart"
            );
        }
        read
    }

    async fn save(&self) -> Result<(), String> {
        let Some(kept) = self.book.kept().cloned() else {
            return Ok(());
        };
        let folder = self.folder.clone();
        let saved = tokio::task::spawn_blocking(move || file::save(&folder, &kept)).await;
        saved
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|error| error.to_string())
    }

    /// A decision counts once it is on the disk.
    pub(super) async fn decide(&mut self, decision: &Decision) -> Decided {
        let before = self.book.clone();
        let decided = match decision {
            Decision::Accept(chosen) => self.book.accept(chosen),
            Decision::Decline(chosen) => self.book.decline(chosen, publish::now()),
            Decision::Look => return Ok("the server is looked at now".to_owned()),
        };
        let decided = decided?;
        match self.save().await {
            Ok(()) => Ok(decided),
            Err(why) => {
                self.book = before;
                Err(format!(
                    "the decision cannot be written down: {why}; nothing was changed"
                ))
            }
        }
    }
}
