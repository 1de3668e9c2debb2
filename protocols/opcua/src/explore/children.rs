//! What is below a node, a page at a time; the server's continuation points are kept in between, a few at most.

use std::collections::HashSet;

use fieldgate_kit::{
    ExploreError,
    explore::{ChildrenAsk, ChildrenPage, NodeKind},
};

use super::{Explorer, asked::Reference, lock, may_lead_on, path_of};
use crate::{
    connection::{Class, Direction},
    node_id::NodeId,
};

/// Children on one page.
const PAGE: usize = 200;

/// A folder of which not everything was shown yet.
pub(super) struct Page {
    path: String,
    /// What a server sent beyond one page.
    rest: Vec<Reference>,
    /// The server's continuation point.
    left: Option<Vec<u8>>,
}

impl Explorer {
    pub(super) async fn children_page(
        &self,
        ask: ChildrenAsk,
    ) -> Result<ChildrenPage, ExploreError> {
        let first = ask.more.is_none();
        let mut page = match &ask.more {
            Some(mark) => self.kept_page(mark)?,
            None => self.first_page(ask).await?,
        };
        if page.rest.is_empty()
            && let Some(left) = page.left.take()
        {
            let next = self.connection.more_references(vec![left]).await?;
            let next = next
                .into_iter()
                .next()
                .unwrap_or_else(|| Ok(Default::default()))?;
            (page.rest, page.left) = (next.found, next.left);
        }
        let later = page.rest.split_off(page.rest.len().min(PAGE));
        let now = std::mem::replace(&mut page.rest, later);
        let nodes = self.below(now, &page.path).await?;
        let words = (first && nodes.is_empty()).then(|| format!(
            "connected; the server shows {} nothing below this; it may hide things from this user: try another one",
            self.user()
        ));
        let more = match !page.rest.is_empty() || page.left.is_some() {
            true => Some(self.keep(page).await),
            false => None,
        };
        Ok(ChildrenPage { nodes, more, words })
    }

    async fn first_page(&self, ask: ChildrenAsk) -> Result<Page, ExploreError> {
        let node = self.node(&ask.node).await?;
        #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
        let answers = self.connection.references(vec![node], PAGE as u32).await?;
        let answer = answers
            .into_iter()
            .next()
            .unwrap_or_else(|| Ok(Default::default()))?;
        Ok(Page {
            path: ask.path,
            rest: answer.found,
            left: answer.left,
        })
    }

    fn kept_page(&self, mark: &str) -> Result<Page, ExploreError> {
        lock(&self.pages).take(mark).ok_or_else(|| {
            ExploreError::Refused(
                "the rest of this folder is no longer kept; open it again".to_owned(),
            )
        })
    }

    /// The page's mark. What has to go for it is given back to the server, which has few places for it.
    async fn keep(&self, page: Page) -> String {
        let (mark, gone) = lock(&self.pages).put(page);
        if let Some(left) = gone.and_then(|page| page.left)
            && let Err(why) = self.connection.forget_references(vec![left]).await
        {
            tracing::debug!(%why, "a continuation point was not given back");
        }
        mark
    }

    async fn below(
        &self,
        found: Vec<Reference>,
        path: &str,
    ) -> Result<Vec<fieldgate_kit::explore::ExploredNode>, ExploreError> {
        let mut seen = HashSet::new();
        let found: Vec<Reference> = found
            .into_iter()
            .filter(|reference| seen.insert(reference.node.clone()))
            .collect();
        let structured = self.structured(&found).await?;
        let spelled = |reference: Reference| {
            let path = path_of(path, &reference.name.name)?;
            let branch = match reference.kind {
                NodeKind::Variable => structured.contains(&reference.node),
                kind => may_lead_on(kind),
            };
            Some((reference, path, branch))
        };
        self.shown(found.into_iter().filter_map(spelled).collect())
            .await
    }

    /// The variables that others are part of; a property describes its variable and is no part.
    async fn structured(&self, found: &[Reference]) -> Result<HashSet<NodeId>, ExploreError> {
        let variables: Vec<NodeId> = found
            .iter()
            .filter(|reference| reference.kind == NodeKind::Variable)
            .map(|reference| reference.node.clone())
            .collect();
        let mut structured = HashSet::new();
        if variables.is_empty() {
            return Ok(structured);
        }
        let limits = self.connection.limits().await?;
        for chunk in variables.chunks(limits.per_browse.clamp(1, PAGE)) {
            let below = self
                .connection
                .browse(chunk.to_vec(), Direction::Children)
                .await?;
            for (node, below) in chunk.iter().zip(below) {
                let parts = below.unwrap_or_default();
                if parts.iter().any(|part| part.class != Class::Property) {
                    structured.insert(node.clone());
                }
            }
        }
        Ok(structured)
    }
}
