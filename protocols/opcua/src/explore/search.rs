//! A search: level by level, a few seconds' part with each call, so that who does not go on has stopped it.

use std::{
    collections::{HashSet, VecDeque, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    time::Duration,
};

use fieldgate_kit::{
    ExploreError,
    explore::{LookAsk, SearchAsk, SearchPage},
};
use tokio::time::Instant;

use super::{Explorer, OBJECTS, asked::Reference, lock, may_lead_on, path_of};
use crate::{
    node_id::{NodeAddress, NodeId},
    room::{self, Room},
};

/// Where the server describes itself; searched only by who begins there.
const SERVER: NodeId = NodeId::numeric(0, 2253);
/// How long one call goes on.
const PART: Duration = Duration::from_secs(2);
/// How many it finds at most.
const PART_FOUND: usize = 100;
/// Nodes that one search looks at.
const MAX_LOOKED_AT: u64 = 100_000;
/// Nodes whose children are still to be looked at, in bytes of their ids and paths.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// Nodes in one Browse call, whatever the server would take; their answer has to fit one message.
const PER_BROWSE: usize = 50;
/// Continuation points that are followed for one Browse call.
const MAX_NEXT: usize = 200;

/// A search that is not over.
pub(super) struct Search {
    text: String,
    waiting: VecDeque<(NodeId, String)>,
    waiting_bytes: usize,
    /// By hash: a server's ids can be long.
    seen: HashSet<u64>,
    looked_at: u64,
    cut: Option<String>,
}

impl Explorer {
    pub(super) async fn search_on(&self, ask: SearchAsk) -> Result<SearchPage, ExploreError> {
        let mut search = match &ask.more {
            Some(mark) => lock(&self.searches).take(mark).ok_or_else(|| {
                ExploreError::Refused("this search is no longer kept; begin again".to_owned())
            })?,
            None => {
                if let Ok(address) = ask.text.trim().parse::<NodeAddress>() {
                    return self
                        .by_address(&address.resolve(self.namespaces().await?))
                        .await;
                }
                Search::new(self.node(&ask.node).await?, ask)?
            }
        };
        let per_browse = self
            .connection
            .limits()
            .await?
            .per_browse
            .clamp(1, PER_BROWSE);
        let end = Instant::now() + PART;
        let mut found = Vec::new();
        while found.len() < PART_FOUND && Instant::now() < end && search.cut.is_none() {
            let count = search.waiting.len().min(per_browse);
            if count == 0 {
                break;
            }
            let parents: Vec<(NodeId, String)> = search.waiting.drain(..count).collect();
            for (node, path) in &parents {
                search.waiting_bytes -= bytes(node, path);
            }
            for (at, reference) in self.references_of(&parents).await? {
                found.extend(search.see(reference, &parents[at].1));
            }
        }
        let (looked_at, cut) = (search.looked_at, search.cut.clone());
        let nodes = self.shown(found).await?;
        let more = (!search.waiting.is_empty() && cut.is_none())
            .then(|| lock(&self.searches).put(search).0);
        Ok(SearchPage {
            nodes,
            looked_at,
            more,
            cut,
        })
    }

    /// All children of some nodes, each with its parent's place. A node that cannot be browsed is passed over.
    async fn references_of(
        &self,
        parents: &[(NodeId, String)],
    ) -> Result<Vec<(usize, Reference)>, ExploreError> {
        let nodes = parents.iter().map(|(node, _)| node.clone()).collect();
        let mut places: Vec<usize> = (0..parents.len()).collect();
        let mut answers = self.connection.references(nodes, 0).await?;
        let mut found = Vec::new();
        let mut room = Room::of(room::OF_A_QUESTION);
        for _ in 0..MAX_NEXT {
            let mut next = Vec::new();
            for (at, answer) in places.into_iter().zip(answers) {
                let Ok(answer) = answer else { continue };
                room.take(answer.found.iter().map(room::of_reference).sum());
                found.extend(answer.found.into_iter().map(|reference| (at, reference)));
                next.extend(answer.left.map(|left| (at, left)));
            }
            if next.is_empty() || found.len() as u64 > MAX_LOOKED_AT || room.is_over() {
                break;
            }
            let (at, marks): (Vec<usize>, Vec<Vec<u8>>) = next.into_iter().unzip();
            answers = self.connection.more_references(marks).await?;
            places = at;
        }
        Ok(found)
    }

    /// The one node, when there is one.
    async fn by_address(&self, node: &Option<NodeId>) -> Result<SearchPage, ExploreError> {
        let Some(node) = node else {
            return Ok(SearchPage::default());
        };
        let address = node.address(self.namespaces().await?);
        let ask = LookAsk {
            node: address,
            ..LookAsk::default()
        };
        let nodes = match self.detail(ask).await {
            Ok(detail) => vec![detail.node],
            Err(ExploreError::Refused(_)) => Vec::new(),
            Err(gone) => return Err(gone),
        };
        Ok(SearchPage {
            nodes,
            looked_at: 1,
            ..SearchPage::default()
        })
    }
}

// === impl Search ===

impl Search {
    fn new(node: NodeId, ask: SearchAsk) -> Result<Self, ExploreError> {
        let text = ask.text.trim().to_lowercase();
        if text.is_empty() {
            return Err(ExploreError::Refused(
                "say what to search for: a part of a name, or a node id".to_owned(),
            ));
        }
        if node != OBJECTS && ask.path.is_empty() {
            return Err(ExploreError::Refused(
                "say where to begin: a node with its path".to_owned(),
            ));
        }
        let mut search = Self {
            text,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            seen: HashSet::new(),
            looked_at: 0,
            cut: None,
        };
        search.seen.insert(hash(&node));
        search.wait(node, ask.path);
        Ok(search)
    }

    /// Takes a node in; it is a find when its name or its identifier holds the text.
    fn see(&mut self, reference: Reference, parent: &str) -> Option<(Reference, String, bool)> {
        if self.cut.is_some()
            || reference.node == SERVER
            || !self.seen.insert(hash(&reference.node))
        {
            return None;
        }
        self.looked_at += 1;
        if self.looked_at >= MAX_LOOKED_AT {
            self.cut = Some(format!(
                "it stopped after {MAX_LOOKED_AT} nodes; begin further down"
            ));
        }
        let path = path_of(parent, &reference.name.name)?;
        let leads_on = may_lead_on(reference.kind);
        if leads_on {
            self.wait(reference.node.clone(), path.clone());
        }
        let holds = |name: &str| name.to_lowercase().contains(&self.text);
        let fits = holds(&reference.display)
            || holds(&reference.name.name)
            || holds(&reference.node.identifier.bare());
        fits.then_some((reference, path, leads_on))
    }

    fn wait(&mut self, node: NodeId, path: String) {
        self.waiting_bytes += bytes(&node, &path);
        if self.waiting_bytes > MAX_WAITING_BYTES {
            self.cut = Some("the server has too many nodes with long names to search all of them; begin further down".to_owned());
        }
        self.waiting.push_back((node, path));
    }
}

fn bytes(node: &NodeId, path: &str) -> usize {
    room::of_node(node) + path.len() + size_of::<String>()
}

fn hash(node: &NodeId) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    hasher.finish()
}
