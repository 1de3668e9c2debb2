//! Walks everything below `Objects` once, and takes the variables of each instance of the types that are meant.

use std::{collections::HashSet, sync::Arc};

use fieldgate_kit::explore::NodeKind;

use super::{TypeName, Types, shape::Shape};
use crate::{
    browse::{
        BrowsePath, Found, MAX_DEPTH, MAX_FOUND, MAX_VERSIONS, MAX_VISITED, OBJECTS, SERVER,
        is_version,
    },
    connection::{Class, Connection},
    explore::asked::{Reference, References},
    node_id::NodeId,
    profiles::Profile,
    room::{self, Room},
    settings::Wishes,
    status::Status,
};

/// The most children that are taken from one node.
const MAX_CHILDREN: usize = 100_000;
/// The most answers in which a server may tell them; one that always has more would hold us for ever.
const MAX_PAGES: usize = 2_000;

/// What rules ask for by type.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Every variable of every instance.
    pub types: &'a [(&'a str, Wishes)],
    /// Of the instances of a model's types, what its profile takes.
    pub profiles: &'a [(Arc<Profile>, Wishes)],
}

/// A variable of an instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub found: Found,
    /// So many names of its path are the instance's own, which make the device; the others make the point.
    pub device_names: usize,
    pub wishes: Wishes,
    /// What a profile says of it.
    pub said: Option<Said>,
}

/// What a profile says of a point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub name: String,
    /// UCUM code, where the server tells none.
    pub unit: Option<Arc<str>>,
    pub class: fieldgate_model::Class,
}

/// What rules by type mean on this server.
#[derive(Debug, Default)]
pub(crate) struct Instances {
    /// Each node once, of the first instance that leads to it.
    pub members: Vec<Member>,
    /// What is not there, or why it is not all, in words.
    pub remarks: Vec<String>,
    /// Nodes that could not be browsed, or more than are looked at: what is below them is not known.
    pub passed_over: usize,
    /// The NodeVersion properties on the way.
    pub versions: Vec<NodeId>,
}

/// What is meant on this server.
struct Meant<'a> {
    rules: &'a [(&'a str, Wishes)],
    /// The types of each rule.
    kinds: Vec<HashSet<NodeId>>,
    shapes: Vec<Shape<'a>>,
}

/// A node below which something may be meant.
struct Visit {
    node: NodeId,
    path: BrowsePath,
    /// The instance that it belongs to.
    of: Option<Owner>,
    /// The instances around it of which a profile takes something, the outermost first.
    within: Vec<Within>,
}

#[derive(Clone, Copy)]
struct Owner {
    rule: usize,
    device_names: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Within {
    shape: usize,
    /// So many names of the path are the instance's.
    names: usize,
}

/// Finds the variables of all instances of the rules' types.
///
/// # Errors
/// When the server stops answering; a single node that cannot be browsed is passed over.
pub(crate) async fn instances(
    connection: &dyn Connection,
    wanted: Wanted<'_>,
    namespaces: &[String],
    per_browse: usize,
) -> Result<Instances, Status> {
    let mut instances = Instances::default();
    if wanted.types.is_empty() && wanted.profiles.is_empty() {
        return Ok(instances);
    }
    let types = Types::of(connection, per_browse).await?;
    if types.cut {
        let words = "the server has too many types, not all of them were looked at";
        instances.remarks.push(words.to_owned());
    }
    let mut meant = Meant {
        rules: wanted.types,
        kinds: Vec::with_capacity(wanted.types.len()),
        shapes: Vec::new(),
    };
    for (name, _) in wanted.types {
        let kinds = name
            .parse::<TypeName>()
            .map(|name| types.meant(&name, namespaces))
            .unwrap_or_default();
        if kinds.is_empty() {
            let words = format!("the server has no type `{name}`");
            instances.remarks.push(words);
        }
        meant.kinds.push(kinds);
    }
    for (profile, wishes) in wanted.profiles {
        let shapes = Shape::all(profile, *wishes, &types, namespaces);
        if shapes.is_empty() {
            let words = format!("the server has no type of the profile `{}`", profile.name);
            instances.remarks.push(words);
        }
        meant.shapes.extend(shapes);
    }
    if meant.kinds.iter().any(|kinds| !kinds.is_empty()) || !meant.shapes.is_empty() {
        walk(connection, &meant, namespaces, per_browse, &mut instances).await?;
    }
    Ok(instances)
}

async fn walk(
    connection: &dyn Connection,
    meant: &Meant<'_>,
    namespaces: &[String],
    per_browse: usize,
    instances: &mut Instances,
) -> Result<(), Status> {
    let mut seen: HashSet<(NodeId, bool, bool)> = HashSet::new();
    let mut known: HashSet<NodeId> = HashSet::new();
    let mut room = Room::of(room::OF_A_LOOK);
    let mut level = vec![Visit {
        node: OBJECTS,
        path: BrowsePath::default(),
        of: None,
        within: Vec::new(),
    }];
    while !level.is_empty() {
        let mut next = Vec::new();
        for visits in level.chunks(per_browse.max(1)) {
            let nodes = visits.iter().map(|visit| visit.node.clone()).collect();
            let found = children(connection, nodes, &mut instances.passed_over).await?;
            for (visit, children) in visits.iter().zip(found) {
                for child in children {
                    if child.kind == NodeKind::Property
                        && is_version(&child.name)
                        && instances.versions.len() < MAX_VERSIONS
                    {
                        instances.versions.push(child.node.clone());
                    }
                    let Some(visit) = visit.step(child, meant) else {
                        continue;
                    };
                    if let Some(member) = visit.member(meant, namespaces)
                        && known.insert(visit.node.clone())
                    {
                        room.take(visit.bytes());
                        instances.members.push(member);
                    }
                    let key = (
                        visit.node.clone(),
                        visit.of.is_some(),
                        !visit.within.is_empty(),
                    );
                    if visit.path.0.len() < MAX_DEPTH && !visit.is_property() && seen.insert(key) {
                        room.take(visit.bytes());
                        next.push(visit);
                    }
                    if room.is_over() {
                        break;
                    }
                }
                if instances.members.len() > MAX_FOUND || seen.len() > MAX_VISITED || room.is_over()
                {
                    instances.remarks.push(format!(
                        "the search for instances was cut off at {} points after {} nodes",
                        instances.members.len(),
                        seen.len()
                    ));
                    instances.passed_over += 1;
                    instances.members.truncate(MAX_FOUND);
                    return Ok(());
                }
            }
        }
        level = next;
    }
    Ok(())
}

/// What hangs on each node, with its type; continuation points are followed.
async fn children(
    connection: &dyn Connection,
    nodes: Vec<NodeId>,
    passed_over: &mut usize,
) -> Result<Vec<Vec<Reference>>, Status> {
    let mut all: Vec<Vec<Reference>> = vec![Vec::new(); nodes.len()];
    let mut answers: Vec<(usize, Result<References, Status>)> = connection
        .references(nodes, 0)
        .await?
        .into_iter()
        .enumerate()
        .collect();
    let mut room = Room::of(room::OF_A_QUESTION);
    for _ in 0..MAX_PAGES {
        let mut unfinished = Vec::new();
        for (at, answer) in answers {
            match answer {
                Ok(References { found, left }) => {
                    room.take(found.iter().map(room::of_reference).sum());
                    all[at].extend(found);
                    let left = left.filter(|_| all[at].len() < MAX_CHILDREN);
                    unfinished.extend(left.map(|mark| (at, mark)));
                }
                Err(why) => {
                    tracing::debug!(%why, "cannot browse");
                    *passed_over += 1;
                }
            }
        }
        if unfinished.is_empty() {
            return Ok(all);
        }
        if room.is_over() {
            break;
        }
        let (places, marks): (Vec<usize>, Vec<Vec<u8>>) = unfinished.into_iter().unzip();
        let more = connection.more_references(marks).await?;
        answers = places.into_iter().zip(more).collect();
    }
    tracing::debug!("the server always has more children, they are left out");
    *passed_over += 1;
    Ok(all)
}

impl Visit {
    /// What is kept of it: itself, and what is remembered of it as seen or found.
    fn bytes(&self) -> usize {
        let within = size_of_val(self.within.as_slice());
        2 * room::of_node(&self.node) + room::of_path(&self.path) + within
    }

    /// `None` for what is not looked at: methods, properties outside of what a profile takes from, and the server's
    /// description of itself.
    fn step(&self, child: Reference, meant: &Meant<'_>) -> Option<Self> {
        let class = match child.kind {
            NodeKind::Object if child.node != SERVER => Class::Object,
            NodeKind::Variable => Class::Variable,
            NodeKind::Property if !self.within.is_empty() => Class::Property,
            _ => return None,
        };
        let mut path = self.path.clone();
        path.0.push((child.name, class));
        let (mut of, mut within) = (self.of, self.within.clone());
        if let Some(kind) = &child.type_definition {
            // An instance in an instance is a device of its own; of several rules the last one counts.
            let rule = meant.kinds.iter().rposition(|kinds| kinds.contains(kind));
            of = rule.map_or(of, |rule| Some(self.owner(rule, &path, class)));
            let shapes = meant.shapes.iter().enumerate();
            let shapes = shapes.filter(|(_, shape)| shape.kinds.contains(kind));
            let names = path.0.len();
            within.extend(shapes.map(|(shape, _)| Within { shape, names }));
        }
        Some(Self {
            node: child.node,
            path,
            of,
            within,
        })
    }

    fn owner(&self, rule: usize, path: &BrowsePath, class: Class) -> Owner {
        let device_names = match class {
            Class::Object => path.0.len(),
            // A variable is no device: it belongs to the deepest object, or to the instance around it.
            _ => self.of.map_or_else(|| path.objects(), |of| of.device_names),
        };
        Owner { rule, device_names }
    }

    fn is_property(&self) -> bool {
        matches!(self.path.0.last(), Some((_, Class::Property)))
    }

    /// What a profile takes goes before what a rule by type takes as a whole.
    fn member(&self, meant: &Meant<'_>, namespaces: &[String]) -> Option<Member> {
        let (_, class) = self.path.0.last()?;
        if *class == Class::Object {
            return None;
        }
        let found = || Found {
            node: self.node.clone(),
            path: self.path.clone(),
        };
        let taken = self.within.iter().find_map(|within| {
            let shape = &meant.shapes[within.shape];
            shape.take(&self.path, within.names, namespaces)
        });
        if let Some((device_names, wishes, said)) = taken {
            return Some(Member {
                found: found(),
                device_names,
                wishes,
                said: Some(said),
            });
        }
        let of = self.of.filter(|_| *class == Class::Variable)?;
        Some(Member {
            found: found(),
            device_names: of.device_names,
            wishes: meant.rules[of.rule].1,
            said: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::BrowseName;

    fn reference(kind: NodeKind, name: &str, type_definition: u32) -> Reference {
        Reference {
            node: NodeId::numeric(2, 1),
            name: BrowseName {
                namespace: 2,
                name: name.to_owned(),
            },
            display: name.to_owned(),
            kind,
            type_definition: Some(NodeId::numeric(1, type_definition)),
        }
    }

    /// Steps down a path of kinds and types; the names that make the device, and the rule.
    fn check(steps: &[(NodeKind, u32)], expected: Option<Option<(usize, usize)>>) {
        let kinds = [7, 8, 7].map(|id| HashSet::from([NodeId::numeric(1, id)]));
        let meant = Meant {
            rules: &[],
            kinds: kinds.into(),
            shapes: Vec::new(),
        };
        let mut visit = Some(Visit {
            node: OBJECTS,
            path: BrowsePath::default(),
            of: None,
            within: Vec::new(),
        });
        for (kind, type_definition) in steps {
            let child = reference(*kind, "n", *type_definition);
            visit = visit.and_then(|visit| visit.step(child, &meant));
        }
        let found = visit.map(|visit| visit.of.map(|of| (of.device_names, of.rule)));
        assert_eq!(found, expected, "{steps:?}");
    }

    #[test]
    fn what_is_below_an_instance_belongs_to_it() {
        use NodeKind::{Method, Object, Property, Variable};
        check(&[(Object, 1), (Variable, 2)], Some(None));
        check(&[(Object, 7), (Variable, 2)], Some(Some((1, 2))));
        check(
            &[(Object, 1), (Object, 8), (Object, 1), (Variable, 2)],
            Some(Some((2, 1))),
        );
        check(
            &[(Object, 7), (Object, 1), (Object, 8), (Variable, 2)],
            Some(Some((3, 1))),
        );
        check(&[(Object, 1), (Variable, 8)], Some(Some((1, 1))));
        check(
            &[(Object, 7), (Object, 1), (Variable, 8)],
            Some(Some((1, 1))),
        );
        check(&[(Object, 7), (Property, 2)], None);
        check(&[(Object, 7), (Method, 2)], None);
    }
}
