//! Of several browse paths to a node, the one by which its point is known.
//!
//! A walk tells the first path that leads to a node, and which is the first can change: when a folder of favourites is made nearer
//! to the root, or since a server has no order of its references. The point must not become another one by that.

use std::collections::{HashMap, HashSet};

use crate::{
    browse::{BrowsePath, Found, MAX_DEPTH, OBJECTS},
    connection::{BrowseName, Class, Connection, Direction},
    node_id::NodeId,
    status::Status,
};

/// The identities of the paths by which nodes are known.
pub(crate) type KnownPaths = HashMap<NodeId, u64>;

/// Ways upwards that are gone at once; nodes that hang in many places are rare.
const MAX_WAYS: usize = 1_000;

/// A way upwards from a node that was found.
struct Climb {
    found: usize,
    at: NodeId,
    /// From the node upwards.
    names: Vec<(BrowseName, Class)>,
}

/// Gives found nodes the paths by which they are known, where those still lead to them.
///
/// # Errors
/// When the server stops answering.
pub(crate) async fn keep_paths(
    connection: &dyn Connection,
    found: &mut [Found],
    known: &KnownPaths,
    namespaces: &[String],
    per_browse: usize,
) -> Result<(), Status> {
    let mut climbing = doubtful(found, known, namespaces);
    for _ in 0..MAX_DEPTH {
        if climbing.is_empty() {
            break;
        }
        climbing.truncate(MAX_WAYS);
        let mut still = Vec::new();
        let mut done = HashSet::new();
        for chunk in climbing.chunks(per_browse.max(1)) {
            let at = chunk.iter().map(|climb| climb.at.clone()).collect();
            let parents = connection.browse(at, Direction::Parents).await?;
            for (climb, parents) in chunk.iter().zip(parents) {
                for parent in parents.unwrap_or_default() {
                    let mut names = climb.names.clone();
                    if parent.node != OBJECTS {
                        names.push((parent.name, parent.class));
                        still.push(Climb {
                            found: climb.found,
                            at: parent.node,
                            names,
                        });
                        continue;
                    }
                    names.reverse();
                    let path = BrowsePath(names);
                    let found = &mut found[climb.found];
                    if known.get(&found.node) == Some(&path.identity(namespaces)) {
                        found.path = path;
                        done.insert(climb.found);
                    }
                }
            }
        }
        still.retain(|climb: &Climb| !done.contains(&climb.found));
        climbing = still;
    }
    Ok(())
}

/// Nodes whose point is known by a path that was not found, while this one is of no known point.
fn doubtful(found: &[Found], known: &KnownPaths, namespaces: &[String]) -> Vec<Climb> {
    if known.is_empty() {
        return Vec::new();
    }
    let identities: Vec<u64> = found
        .iter()
        .map(|found| found.path.identity(namespaces))
        .collect();
    let there: HashSet<u64> = identities.iter().copied().collect();
    let points: HashSet<u64> = known.values().copied().collect();
    let is_doubtful = |(found, identity): &(&Found, &u64)| {
        let known = known.get(&found.node);
        !points.contains(identity) && known.is_some_and(|known| !there.contains(known))
    };
    let start = |(at, (found, _)): (usize, (&Found, &u64))| Climb {
        found: at,
        at: found.node.clone(),
        names: found.path.0.last().cloned().into_iter().collect(),
    };
    let all = found.iter().zip(&identities).enumerate();
    all.filter(|(_, one)| is_doubtful(one)).map(start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::Tree;

    /// `parent>child` of a tree below `Objects`, each node named by its number; the paths that are found, and those that are known;
    /// the paths in the end.
    async fn check(tree: &[(u32, u32)], found: &[&str], known: &[&str], expected: &[&str]) {
        let path = |text: &&str| -> Found {
            let ids: Vec<u32> = text.split('/').map(|id| id.parse().unwrap()).collect();
            let names = ids.iter().map(|id| (Tree::name(*id), Class::Object));
            Found {
                node: NodeId::numeric(2, *ids.last().unwrap()),
                path: BrowsePath(names.collect()),
            }
        };
        let known = known.iter().map(path);
        let known: KnownPaths = known
            .map(|found| (found.node, found.path.identity(&[])))
            .collect();
        let mut found: Vec<Found> = found.iter().map(path).collect();
        let tree = Tree::new(tree);
        keep_paths(&tree, &mut found, &known, &[], 2).await.unwrap();
        let expected: Vec<Found> = expected.iter().map(path).collect();
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_point_stays_at_the_path_by_which_it_is_known_while_that_leads_to_it() {
        // Objects (85) has the line 1 with the press 2 with 3, and the favourites 4, which have the press and 3.
        let tree = [(85, 1), (1, 2), (2, 3), (85, 4), (4, 2), (4, 3)];
        check(&tree, &["4/3"], &["1/2/3"], &["1/2/3"]).await;
        check(&tree, &["4/2/3"], &["1/2/3"], &["1/2/3"]).await;
        check(&tree, &["4/3"], &[], &["4/3"]).await;
        check(&tree, &["4/3"], &["4/3"], &["4/3"]).await;
        // The old path leads there no more.
        check(&[(85, 4), (4, 3)], &["4/3"], &["1/2/3"], &["4/3"]).await;
        // What its number stands for has another place, and its own place has another number.
        let moved = [(85, 1), (1, 2), (2, 9), (85, 4), (4, 3)];
        check(&moved, &["4/3"], &["1/2/3"], &["4/3"]).await;
        // A circle has an end.
        let circle = [(85, 4), (4, 3), (3, 5), (5, 3)];
        check(&circle, &["4/3"], &["1/3"], &["4/3"]).await;
    }
}
