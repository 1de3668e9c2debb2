//! `Facts`: what a server says of a variable besides its value: how it is called, its unit, its range (OPC UA Part 8).
//!
//! They are read while values already flow, and only improve what is announced and the unit of later readings.

use std::sync::{Arc, OnceLock};

use fieldgate_model::Range;

use crate::{
    connection::{Connection, Limits},
    node_id::NodeId,
    select::Item,
};

/// Variables of one step; a step is a few calls.
const MAX_STEP: usize = 500;

/// What a server says of a variable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Its display name.
    pub name: Option<String>,
    pub description: Option<String>,
    /// UCUM code, or the server's own word.
    pub unit: Option<Arc<str>>,
    /// What is usual.
    pub range: Option<Range>,
    /// What its values mean: `0 = stopped, 1 = running`.
    pub states: Option<String>,
}

/// A variable, and where its facts go.
pub(crate) type Wanted = (NodeId, Arc<OnceLock<Facts>>);

/// The variables of these items whose facts are not known yet.
pub(crate) fn wanted(items: &[Item]) -> Vec<Wanted> {
    let unknown = items.iter().filter(|item| item.facts.get().is_none());
    unknown
        .filter_map(|item| Some((item.node.clone()?, Arc::clone(&item.facts))))
        .collect()
}

/// Learns facts, within the server's limits. A server that does not tell has none.
pub(crate) async fn learn(connection: &dyn Connection, wanted: Vec<Wanted>, limits: Limits) {
    for chunk in wanted.chunks(limits.per_browse.clamp(1, MAX_STEP)) {
        let nodes = chunk.iter().map(|(node, _)| node.clone()).collect();
        match connection.facts(nodes, limits.per_read).await {
            Ok(facts) => {
                for ((_, place), facts) in chunk.iter().zip(facts) {
                    // Learned once a connection.
                    let _kept = place.set(facts);
                }
            }
            Err(why) => {
                tracing::debug!(%why, "the server does not say what its variables are");
                return;
            }
        }
    }
}

/// Short enough for a page.
pub(crate) fn short(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let cut: String = text.chars().take(most).collect();
    (!cut.is_empty()).then(|| {
        if cut.len() < text.len() {
            cut + "…"
        } else {
            cut
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        for (text, expected) in [
            ("", None),
            ("  ", None),
            (" Öl ", Some("Öl")),
            ("Ölkühler", Some("Ölkü…")),
        ] {
            assert_eq!(short(text, 4).as_deref(), expected);
        }
    }
}
