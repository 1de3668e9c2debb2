//! Where the nodes are that the rules mean: variables by browsing, methods by what hangs on the objects on the way.

use std::collections::{HashMap, HashSet};

use fieldgate_model::ActionKind;

use super::{OF_METHODS, OF_VARIABLES, rules::Rules};
use crate::{
    browse,
    connection::{BrowseName, Class, Connection, Direction},
    glob::{Glob, Progress},
    node_id::NodeId,
    room::{self, Room},
    status::Status,
};

/// The root's child under which everything lies.
const OBJECTS: NodeId = NodeId::numeric(0, 85);
/// Entered only where a rule spells its name.
const SERVER: NodeId = NodeId::numeric(0, 2253);
/// Nodes of one request.
pub(super) const AT_ONCE: usize = 100;
/// The most methods that are offered, and the most objects that are looked at for them.
const MAX_METHODS: usize = 1000;
const MAX_OBJECTS: usize = 100_000;
const MAX_DEPTH: usize = 40;

/// A method that rules mean.
#[derive(Debug)]
pub(super) struct Method {
    pub object: NodeId,
    pub node: NodeId,
    /// The names from `Objects` down to its object, `Objects` left out.
    pub path: Vec<String>,
    pub name: String,
    pub rules: Vec<usize>,
}

/// The variables that rules mean, with those rules.
pub(super) async fn variables(
    connection: &dyn Connection,
    rules: &Rules<'_>,
    namespaces: &[String],
    per_browse: usize,
) -> Result<HashMap<NodeId, Vec<usize>>, Status> {
    let mut found: HashMap<NodeId, Vec<usize>> = HashMap::new();
    let globs = of(rules, &OF_VARIABLES);
    let only: Vec<Glob> = globs.iter().map(|(_, glob)| (*glob).clone()).collect();
    if !only.is_empty() {
        for variable in browse::walk(connection, &only, namespaces, per_browse)
            .await?
            .found
        {
            let names: Vec<&BrowseName> = variable.path.0.iter().map(|(name, _)| name).collect();
            let matching = globs
                .iter()
                .filter(|(_, glob)| glob.matched(along(glob, &names, namespaces)))
                .map(|(rule, _)| *rule)
                .collect();
            found.insert(variable.node, matching);
        }
    }
    for (rule, node) in &rules.nodes {
        found.entry(node.clone()).or_default().push(*rule);
    }
    Ok(found)
}

/// The methods that rules mean.
pub(super) async fn methods(
    connection: &dyn Connection,
    rules: &Rules<'_>,
    namespaces: &[String],
    per_browse: usize,
) -> Result<Vec<Method>, Status> {
    let mut found = by_path(connection, rules, namespaces, per_browse).await?;
    for (rule, node) in &rules.nodes {
        if !rules.allows(*rule, &OF_METHODS) {
            continue;
        }
        match found.iter_mut().find(|method| method.node == *node) {
            Some(method) => method.rules.push(*rule),
            None => found.extend(by_node(connection, node, *rule, per_browse).await?),
        }
    }
    Ok(found)
}

/// An object whose methods or children may match.
struct Visit {
    node: NodeId,
    path: Vec<String>,
    progress: Vec<Progress>,
}

async fn by_path(
    connection: &dyn Connection,
    rules: &Rules<'_>,
    namespaces: &[String],
    per_browse: usize,
) -> Result<Vec<Method>, Status> {
    let globs = of(rules, &OF_METHODS);
    let mut found: Vec<Method> = Vec::new();
    let mut seen: HashSet<NodeId> = HashSet::new();
    let mut level = Vec::new();
    if !globs.is_empty() {
        level.push(Visit {
            node: OBJECTS,
            path: Vec::new(),
            progress: globs
                .iter()
                .map(|(_, glob)| along(glob, &[], namespaces))
                .collect(),
        });
    }
    let mut room = Room::of(room::OF_A_LOOK);
    while !level.is_empty() && seen.len() < MAX_OBJECTS && !room.is_over() {
        let mut next = Vec::new();
        for visits in level.chunks(per_browse.clamp(1, AT_ONCE)) {
            if room.is_over() {
                break;
            }
            let nodes: Vec<NodeId> = visits.iter().map(|visit| visit.node.clone()).collect();
            let methods = connection.methods(nodes.clone()).await?;
            let children = connection.browse(nodes, Direction::Children).await?;
            for ((visit, methods), children) in visits.iter().zip(methods).zip(children) {
                for method in methods.unwrap_or_default() {
                    let (_, matched) = visit.step(&method.name, &globs, namespaces);
                    if !matched.is_empty() && found.len() < MAX_METHODS && !room.is_over() {
                        room.take(room::of_name(&method.name) + visit.bytes());
                        found.push(Method {
                            object: visit.node.clone(),
                            node: method.node,
                            path: visit.path.clone(),
                            name: method.name.name,
                            rules: matched,
                        });
                    }
                }
                for child in children.unwrap_or_default() {
                    let object = child.class == Class::Object && visit.path.len() < MAX_DEPTH;
                    let hidden =
                        child.node == SERVER && !visit.spells(&child.name, &globs, namespaces);
                    if !object || hidden {
                        continue;
                    }
                    let (progress, _) = visit.step(&child.name, &globs, namespaces);
                    let alive = progress.iter().any(|progress| !progress.is_dead());
                    if alive && !room.is_over() && seen.insert(child.node.clone()) {
                        room.take(room::of_neighbour(&child) + visit.bytes());
                        let mut path = visit.path.clone();
                        path.push(child.name.name);
                        next.push(Visit {
                            node: child.node,
                            path,
                            progress,
                        });
                    }
                }
            }
        }
        level = next;
    }
    Ok(found)
}

impl Visit {
    /// What is kept of it, and what one that it leads to has of it.
    fn bytes(&self) -> usize {
        let names = self
            .path
            .iter()
            .map(|name| size_of::<String>() + name.len());
        names.sum::<usize>() + size_of_val(self.progress.as_slice())
    }

    /// How far each glob is with one name more, and the rules that mean exactly that.
    fn step(
        &self,
        name: &BrowseName,
        globs: &[(usize, &Glob)],
        namespaces: &[String],
    ) -> (Vec<Progress>, Vec<usize>) {
        let uri = uri(name, namespaces);
        let progress: Vec<Progress> = globs
            .iter()
            .zip(&self.progress)
            .map(|((_, glob), at)| glob.step(*at, uri, &name.name))
            .collect();
        let matched = globs
            .iter()
            .zip(&progress)
            .filter(|((_, glob), at)| glob.matched(**at))
            .map(|((rule, _), _)| *rule)
            .collect();
        (progress, matched)
    }

    /// A rule writes this very name.
    fn spells(&self, name: &BrowseName, globs: &[(usize, &Glob)], namespaces: &[String]) -> bool {
        let mut pairs = globs.iter().zip(&self.progress);
        pairs.any(|((_, glob), at)| glob.spells(*at, uri(name, namespaces), &name.name))
    }
}

/// A single node, if it is a method of an object.
async fn by_node(
    connection: &dyn Connection,
    node: &NodeId,
    rule: usize,
    per_browse: usize,
) -> Result<Option<Method>, Status> {
    let parents = connection
        .browse(vec![node.clone()], Direction::Parents)
        .await?;
    let Some(Ok(parents)) = parents.into_iter().next() else {
        return Ok(None);
    };
    let Some(object) = parents.into_iter().next() else {
        return Ok(None);
    };
    let methods = connection.methods(vec![object.node.clone()]).await?;
    let below = methods
        .into_iter()
        .next()
        .and_then(Result::ok)
        .unwrap_or_default();
    let Some(method) = below.into_iter().find(|method| method.node == *node) else {
        return Ok(None);
    };
    let climb = std::slice::from_ref(node);
    let paths = browse::paths_of(connection, climb, per_browse).await?;
    let names = paths
        .get(node)
        .map(|path| path.0.iter().map(|(name, _)| name.name.clone()));
    Ok(Some(Method {
        object: object.node,
        node: method.node,
        path: names.map(Iterator::collect).unwrap_or_default(),
        name: method.name.name,
        rules: vec![rule],
    }))
}

/// The globs whose rules allow any of these.
fn of<'a>(rules: &'a Rules<'_>, kinds: &[ActionKind]) -> Vec<(usize, &'a Glob)> {
    let globs = rules
        .globs
        .iter()
        .filter(|(rule, _)| rules.allows(*rule, kinds));
    globs.map(|(rule, glob)| (*rule, glob)).collect()
}

/// How far a glob comes along these names below `Objects`.
fn along(glob: &Glob, names: &[&BrowseName], namespaces: &[String]) -> Progress {
    let ua = namespaces.first().map_or("", String::as_str);
    let start = glob.step(glob.start(), ua, "Objects");
    names.iter().fold(start, |at, name| {
        glob.step(at, uri(name, namespaces), &name.name)
    })
}

fn uri<'a>(name: &BrowseName, namespaces: &'a [String]) -> &'a str {
    namespaces
        .get(usize::from(name.namespace))
        .map_or("", String::as_str)
}
