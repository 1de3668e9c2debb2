//! A look at the address space: everything that the settings select on this server now, and what it holds.

use std::time::Duration;

use fieldgate_kit::SourceError;
use tokio::time::Instant;

use crate::{
    alias::{self, KnownPaths},
    browse::{self, Found, MAX_VERSIONS},
    connection::{Connection, Limits, ValueType},
    glob::Glob,
    node_id::NodeId,
    profiles::Profiles,
    select::{self, Item, Rules},
    settings::Settings,
    status::Status,
    types::{self, Instances, Member, Wanted},
};

/// What is selected on this server.
pub(crate) struct Selection {
    pub items: Vec<Item>,
    /// Why it is not all, in words.
    pub cut: Option<String>,
    pub limits: Limits,
    /// Everything that the rules mean was seen: what is not here is not there.
    pub whole: bool,
    /// Nodes whose values change when their neighbours come or go.
    pub versions: Vec<NodeId>,
}

/// A selection with what each of its variables holds.
pub(crate) struct Look {
    pub selection: Selection,
    pub types: Vec<ValueType>,
    pub took: Duration,
}

/// Looks at everything once.
///
/// # Errors
/// When the server breaks off, or a point cannot be named.
pub(crate) async fn look(
    connection: &dyn Connection,
    settings: &Settings,
    profiles: &Profiles,
    source: &str,
    known: &KnownPaths,
) -> Result<Look, SourceError> {
    let began = Instant::now();
    let selection = select(connection, settings, profiles, source, known).await?;
    let types = value_types(connection, &selection.items, selection.limits)
        .await
        .map_err(|why| broken(settings, &why))?;
    Ok(Look {
        selection,
        types,
        took: began.elapsed(),
    })
}

fn broken(settings: &Settings, why: &Status) -> SourceError {
    SourceError::Lost(format!(
        "the server at {} broke off while it was browsed: {why}",
        settings.endpoint
    ))
}

/// Everything that the settings select on this server; what is known by a path stays there.
///
/// # Errors
/// When the server breaks off, or a point cannot be named.
pub(crate) async fn select(
    connection: &dyn Connection,
    settings: &Settings,
    profiles: &Profiles,
    source: &str,
    known: &KnownPaths,
) -> Result<Selection, SourceError> {
    let lost = |why: Status| broken(settings, &why);
    let namespaces = connection.namespaces().await.map_err(lost)?;
    let limits = connection.limits().await.map_err(lost)?;
    let mut rules = Rules::new(settings, &namespaces);
    let globs: Vec<Glob> = rules.globs().into_iter().map(|(glob, _)| glob).collect();
    let mut walk = browse::walk(connection, &globs, &namespaces, limits.per_browse)
        .await
        .map_err(lost)?;
    alias::keep_paths(
        connection,
        &mut walk.found,
        known,
        &namespaces,
        limits.per_browse,
    )
    .await
    .map_err(lost)?;
    let (chosen, unknown) = profiles.chosen(&rules.profiles);
    let wanted = Wanted {
        types: &rules.types,
        profiles: &chosen,
    };
    let Instances {
        members,
        remarks,
        passed_over,
        versions,
    } = types::instances(connection, wanted, &namespaces, limits.per_browse)
        .await
        .map_err(lost)?;
    rules.members = members;
    keep_members(connection, &mut rules.members, known, &namespaces, &limits)
        .await
        .map_err(lost)?;
    let climb = rules.to_climb(&walk.found);
    let climbed = browse::paths_of(connection, &climb, limits.per_browse)
        .await
        .map_err(lost)?;
    let planned = select::plan(source, settings, &rules, &walk.found, &climbed, &namespaces)
        .map_err(|why| {
            SourceError::Misconfigured(format!(
                "a point of the server at {} cannot be named: {why}; give its rule in `select` a short `device` and `point`",
                settings.endpoint
            ))
        })?;
    let whole = walk.cut.is_none() && walk.passed_over + passed_over == 0;
    let mut versions: Vec<NodeId> = walk.versions.into_iter().chain(versions).collect();
    versions.sort();
    versions.dedup();
    versions.truncate(MAX_VERSIONS);
    let cut = walk.cut.into_iter().chain(unknown);
    Ok(Selection {
        items: planned.items,
        cut: joined(cut.chain(remarks).chain(planned.nameless)),
        limits,
        whole,
        versions,
    })
}

/// As [`alias::keep_paths`], for members of instances; a path of another length would make another device.
async fn keep_members(
    connection: &dyn Connection,
    members: &mut [Member],
    known: &KnownPaths,
    namespaces: &[String],
    limits: &Limits,
) -> Result<(), Status> {
    if members.is_empty() || known.is_empty() {
        return Ok(());
    }
    let mut found: Vec<Found> = members.iter().map(|member| member.found.clone()).collect();
    alias::keep_paths(connection, &mut found, known, namespaces, limits.per_browse).await?;
    for (member, found) in members.iter_mut().zip(found) {
        if member.found.path.0.len() == found.path.0.len() {
            member.found = found;
        }
    }
    Ok(())
}

/// All remarks in one sentence.
fn joined(remarks: impl Iterator<Item = String>) -> Option<String> {
    let remarks: Vec<String> = remarks.collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

async fn value_types(
    connection: &dyn Connection,
    items: &[Item],
    limits: Limits,
) -> Result<Vec<ValueType>, Status> {
    let mut types = vec![ValueType::default(); items.len()];
    let known: Vec<usize> = (0..items.len())
        .filter(|at| items[*at].node.is_some())
        .collect();
    // Two attributes are read of each node.
    for chunk in known.chunks((limits.per_read / 2).max(1)) {
        let nodes = chunk
            .iter()
            .filter_map(|at| items[*at].node.clone())
            .collect();
        for (at, value_type) in chunk.iter().zip(connection.value_types(nodes).await?) {
            types[*at] = value_type;
        }
    }
    Ok(types)
}
