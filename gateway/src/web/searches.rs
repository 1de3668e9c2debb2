//! Searches for devices whose address nobody knows: what one would send, its start, its progress, its end.

use std::sync::Arc;

use fieldgate_api::{
    discovery::{SearchDraft, SearchScope, SearchView},
    endpoint::{GetSearch, GetSearches, PreviewSearch, StartSearch, StopSearch},
};
use fieldgate_kit::{SourceKind, discovery::Nature};

use super::{
    Shared,
    discover::as_found,
    error::Failure,
    mount::{Answer, Call, Mounts},
    value::shown,
};
use crate::discovery::{Owner, Scope, Search, State};

/// The longest range that is read; two IPv6 addresses have at most 91 characters.
const MOST_BYTES: usize = 128;

pub fn mount(mounts: &mut Mounts<'_>) {
    mounts.mount::<PreviewSearch, _, _>(|call: Call<PreviewSearch>| async move { preview(&call) });
    mounts.mount::<StartSearch, _, _>(|call: Call<StartSearch>| async move { start(&call) });
    mounts.mount::<GetSearches, _, _>(|call: Call<GetSearches>| async move {
        let all = call.shared.searches.all();
        Ok(all
            .iter()
            .map(|search| view(&call.shared, search))
            .collect())
    });
    mounts.mount::<GetSearch, _, _>(|call: Call<GetSearch>| async move {
        let search = find(&call.shared, &call.place)?;
        Ok(view(&call.shared, &search))
    });
    mounts.mount::<StopSearch, _, _>(|call: Call<StopSearch>| async move {
        let search = find(&call.shared, &call.place)?;
        search.stop();
        Ok(view(&call.shared, &search))
    });
}

fn preview(call: &Call<PreviewSearch>) -> Answer<PreviewSearch> {
    let (_, scope) = scope(&call.shared, &call.body)?;
    Ok(SearchScope {
        addresses: scope.addresses(),
        ports: scope.ports().to_vec(),
        connections: scope.connections(),
        seconds: scope.lasts().as_secs(),
        public: scope.nature == Nature::Public,
        words: scope.words(),
    })
}

fn start(call: &Call<StartSearch>) -> Answer<StartSearch> {
    let (kind, scope) = scope(&call.shared, &call.body)?;
    let owner = match call.body.public {
        true => Owner::Ours,
        false => Owner::Unsaid,
    };
    scope.permit(owner).map_err(Failure::Malformed)?;
    let started = call.shared.searches.start(kind, scope);
    let search = started.map_err(Failure::Unavailable)?;
    Ok(view(&call.shared, &search))
}

fn scope(shared: &Shared, draft: &SearchDraft) -> Result<(SourceKind, Scope), Failure> {
    let kind = shared.gateway.registry.source(&draft.kind);
    let kind = kind.ok_or_else(|| Failure::no_such("kind of source", &draft.kind))?;
    let nearby = kind.nearby.ok_or_else(|| {
        Failure::Malformed(format!(
            "{} cannot be searched for in a network",
            kind.title
        ))
    })?;
    let scope = match &draft.range {
        None => Scope::question(nearby),
        Some(range) if range.len() > MOST_BYTES => {
            return Err(Failure::Malformed(
                "this range is too long to be one".into(),
            ));
        }
        Some(range) => Scope::scan(range, &draft.ports, nearby).map_err(Failure::Malformed)?,
    };
    Ok((kind.clone(), scope))
}

fn find(shared: &Shared, id: &str) -> Result<Arc<Search>, Failure> {
    let number = id.parse().ok();
    let search = number.and_then(|number| shared.searches.find(number));
    search.ok_or_else(|| Failure::no_such("search", id))
}

fn view(shared: &Shared, search: &Search) -> SearchView {
    let (state, found) = search.look();
    let state = match state {
        State::Running => "running",
        State::Done => "done",
        State::Stopped => "stopped",
    };
    SearchView {
        id: search.number.to_string(),
        kind: search.kind.kind.to_owned(),
        title: search.scope.title(),
        state: state.to_owned(),
        done: found.done,
        all: found.all,
        words: search.scope.words(),
        found: as_found(shared, &search.kind, found.found),
        silent: found.silent.iter().map(|words| shown(words)).collect(),
    }
}
