//! Walks the address space only where a glob can still match, and finds the browse path of single nodes.

use std::collections::{HashMap, HashSet};

use crate::{
    connection::{BrowseName, Class, Connection, Direction, Neighbour},
    glob::{Glob, Progress},
    node_id::NodeId,
    room::{self, Room},
    status::Status,
};

/// The root's child under which everything lies that has values.
pub(crate) const OBJECTS: NodeId = NodeId::numeric(0, 85);
/// Where the server describes itself; entered only when a glob spells its name.
pub(crate) const SERVER: NodeId = NodeId::numeric(0, 2253);
/// The most nodes that are visited; a larger selection is cut off, and said so.
pub(crate) const MAX_VISITED: usize = 200_000;
/// The most points of one source.
pub(crate) const MAX_FOUND: usize = 100_000;
/// The longest browse path.
pub(crate) const MAX_DEPTH: usize = 40;

/// The most NodeVersion properties that are of use: each costs the server a monitored item.
pub(crate) const MAX_VERSIONS: usize = 100;

/// A node whose server always has more children to tell.
pub(crate) const ENDLESS: Status = Status::named("BadContinuationPointInvalid");

/// The names from `Objects` down to a node, `Objects` left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BrowsePath(pub Vec<(BrowseName, Class)>);

/// A variable that a glob means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub node: NodeId,
    pub path: BrowsePath,
}

/// What the globs mean on this server.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Each node once, by the first path that leads to it.
    pub found: Vec<Found>,
    /// Why the walk was cut off, in words.
    pub cut: Option<String>,
    /// Nodes that could not be browsed: what is below them is not known.
    pub passed_over: usize,
    /// The NodeVersion properties on the way: each changes when references of its node come or go (OPC UA Part 3, 5.2.9).
    pub versions: Vec<NodeId>,
}

/// How far some globs are, by their places; those that can match no more are left out, so that thousands of single paths
/// cost each node only those that lead to it.
type Progresses = Vec<(u32, Progress)>;

/// A node whose children may match.
struct Visit {
    node: NodeId,
    path: BrowsePath,
    progress: Progresses,
}

/// Finds the variables that the globs mean.
///
/// # Errors
/// When the server stops answering; a single node that cannot be browsed is passed over.
pub(crate) async fn walk(
    connection: &dyn Connection,
    globs: &[Glob],
    namespaces: &[String],
    per_browse: usize,
) -> Result<Walk, Status> {
    let room = Room::of(room::OF_A_LOOK);
    walk_within(room, connection, globs, namespaces, per_browse).await
}

async fn walk_within(
    mut room: Room,
    connection: &dyn Connection,
    globs: &[Glob],
    namespaces: &[String],
    per_browse: usize,
) -> Result<Walk, Status> {
    let mut walk = Walk::default();
    let mut seen: HashSet<(NodeId, Progresses)> = HashSet::new();
    let mut known: HashSet<NodeId> = HashSet::new();
    let mut level: Vec<Visit> = first_visit(globs).into_iter().collect();
    while !level.is_empty() {
        let mut next = Vec::new();
        for visits in level.chunks(per_browse) {
            let nodes = visits.iter().map(|visit| visit.node.clone()).collect();
            let results = connection.browse(nodes, Direction::Children).await?;
            for (visit, children) in visits.iter().zip(results) {
                let children = children.unwrap_or_else(|why| {
                    tracing::debug!(node = ?visit.node, %why, "cannot browse");
                    walk.passed_over += 1;
                    if why == ENDLESS {
                        walk.cut = Some(format!(
                            "the children of {} could not be read to their end, the server always has more",
                            visit.path.words()
                        ));
                    }
                    Vec::new()
                });
                for child in children {
                    if child.class == Class::Property
                        && is_version(&child.name)
                        && walk.versions.len() < MAX_VERSIONS
                    {
                        walk.versions.push(child.node.clone());
                    }
                    let Some(step) = visit.step(child, globs, namespaces) else {
                        continue;
                    };
                    if step.found && known.insert(step.visit.node.clone()) {
                        room.take(step.visit.bytes());
                        walk.found.push(Found {
                            node: step.visit.node.clone(),
                            path: step.visit.path.clone(),
                        });
                    }
                    if step.deeper
                        && seen.insert((step.visit.node.clone(), step.visit.progress.clone()))
                    {
                        room.take(step.visit.bytes());
                        next.push(step.visit);
                    }
                    if room.is_over() {
                        break;
                    }
                }
                if walk.found.len() > MAX_FOUND || seen.len() > MAX_VISITED || room.is_over() {
                    walk.cut = Some(format!(
                        "the selection is too large, it was cut off at {} points after {} nodes; select less",
                        walk.found.len(),
                        seen.len()
                    ));
                    walk.found.truncate(MAX_FOUND);
                    return Ok(walk);
                }
            }
        }
        level = next;
    }
    Ok(walk)
}

/// The browse paths of nodes, found by climbing up; `None` for a node that is unknown or not below `Objects`.
///
/// # Errors
/// When the server stops answering.
pub(crate) async fn paths_of(
    connection: &dyn Connection,
    nodes: &[NodeId],
    per_browse: usize,
) -> Result<HashMap<NodeId, BrowsePath>, Status> {
    let mut paths = HashMap::new();
    let start = |node: &NodeId| Climb {
        node: node.clone(),
        at: node.clone(),
        names: Vec::new(),
    };
    let mut climbing: Vec<Climb> = nodes.iter().map(start).collect();
    for _ in 0..MAX_DEPTH {
        let mut still = Vec::new();
        for chunk in climbing.chunks(per_browse) {
            let at = chunk.iter().map(|climb| climb.at.clone()).collect();
            let results = connection.browse(at, Direction::Parents).await?;
            for (climb, parents) in chunk.iter().zip(results) {
                let Some(parent) = parents.unwrap_or_default().into_iter().next() else {
                    continue;
                };
                let mut names = climb.names.clone();
                if parent.node == OBJECTS {
                    names.reverse();
                    paths.insert(climb.node.clone(), BrowsePath(names));
                    continue;
                }
                names.push((parent.name, parent.class));
                still.push(Climb {
                    node: climb.node.clone(),
                    at: parent.node,
                    names,
                });
            }
        }
        climbing = still;
        if climbing.is_empty() {
            break;
        }
    }
    Ok(paths)
}

/// The standard's own property of this name.
pub(crate) fn is_version(name: &BrowseName) -> bool {
    name.namespace == 0 && name.name == "NodeVersion"
}

/// A node whose path is sought, how far up we are, and the names on the way, the node's own left out.
struct Climb {
    node: NodeId,
    at: NodeId,
    names: Vec<(BrowseName, Class)>,
}

// === impl BrowsePath ===

impl BrowsePath {
    /// `Objects/Line/Press`
    fn words(&self) -> String {
        let names = self.0.iter().map(|(name, _)| name.name.as_str());
        let all: Vec<&str> = std::iter::once("Objects").chain(names).collect();
        all.join("/")
    }
}

fn first_visit(globs: &[Glob]) -> Option<Visit> {
    let objects = |glob: &Glob| glob.step(glob.start(), "http://opcfoundation.org/UA/", "Objects");
    let progress: Progresses = (0..).zip(globs.iter().map(objects)).collect();
    wants_more(globs, &progress).then(|| Visit {
        node: OBJECTS,
        path: BrowsePath::default(),
        progress,
    })
}

fn wants_more(globs: &[Glob], progress: &[(u32, Progress)]) -> bool {
    let mut pairs = with_globs(globs, progress);
    pairs.any(|(_, glob, progress)| glob.wants_more(progress))
}

/// Each with its place and its glob.
fn with_globs<'g>(
    globs: &'g [Glob],
    progress: &'g [(u32, Progress)],
) -> impl Iterator<Item = (u32, &'g Glob, Progress)> {
    let pair = |(at, progress): &(u32, Progress)| {
        let glob = globs.get(usize::try_from(*at).ok()?)?;
        Some((*at, glob, *progress))
    };
    progress.iter().filter_map(pair)
}

struct Step {
    visit: Visit,
    found: bool,
    deeper: bool,
}

impl Visit {
    /// What is kept of it: itself, and what is remembered of it as seen or found.
    fn bytes(&self) -> usize {
        let progress = size_of_val(self.progress.as_slice());
        2 * (room::of_node(&self.node) + progress) + room::of_path(&self.path)
    }

    /// `None` when no glob goes that way.
    fn step(&self, child: Neighbour, globs: &[Glob], namespaces: &[String]) -> Option<Step> {
        let uri = namespaces
            .get(usize::from(child.name.namespace))
            .map_or("", String::as_str);
        let name = child.name.name.as_str();
        let only_spelled = child.node == SERVER || child.class == Class::Property;
        let step = |(place, glob, at): (u32, &Glob, Progress)| {
            if only_spelled && !glob.spells(at, uri, name) {
                return None;
            }
            let progress = glob.step(at, uri, name);
            (!progress.is_dead()).then_some((place, progress))
        };
        let progress: Progresses = with_globs(globs, &self.progress).filter_map(step).collect();
        if progress.is_empty() {
            return None;
        }
        let matched = with_globs(globs, &progress).any(|(_, glob, at)| glob.matched(at));
        let mut path = self.path.clone();
        path.0.push((child.name, child.class));
        Some(Step {
            found: matched && child.class != Class::Object,
            deeper: wants_more(globs, &progress) && path.0.len() < MAX_DEPTH,
            visit: Visit {
                node: child.node,
                path,
                progress,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::Tree;

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn what_is_kept_of_a_walk_is_bounded_however_few_the_nodes_are() {
        let references: Vec<(u32, u32)> = (100..300).map(|to| (85, to)).collect();
        let tree = Tree::new(&references);
        let globs = globs(&["Objects/**"]);
        let whole = walk(&tree, &globs, &[], 10).await.unwrap();
        assert_eq!(whole.cut, None);
        let room = Room::of(10_000);
        let cut = walk_within(room, &tree, &globs, &[], 10).await.unwrap();
        let words = cut.cut.unwrap();
        assert!(words.contains("the selection is too large"), "{words}");
    }

    #[test]
    fn a_node_costs_only_the_globs_that_lead_to_it() {
        let many: Vec<String> = (0..1000).map(|at| format!("Objects/{at}/A/B")).collect();
        let mut texts: Vec<&str> = many.iter().map(String::as_str).collect();
        texts.push("Objects/**");
        let globs = globs(&texts);
        let first = first_visit(&globs).unwrap();
        assert_eq!(first.progress.len(), 1001);
        let child = Neighbour {
            node: NodeId::numeric(2, 7),
            name: Tree::name(7),
            class: Class::Object,
        };
        let step = first.step(child, &globs, &[]).unwrap();
        let places: Vec<u32> = step.visit.progress.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [7, 1000]);
        assert!(step.deeper && !step.found);
    }
}
