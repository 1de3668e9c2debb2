//! Drafts: what the console sends, reduced to what it may change and has to write. Pure.

use fieldgate_api::{
    config::{Draft, Item, Origin},
    trouble::ConfigProblem,
};
use serde_json::{Map, Value as Json};

use super::{ChangeError, Section, tree::same};

/// The keys of an item for the console's layer: the draft without what stronger layers fix.
///
/// # Errors
/// When the draft changes a fixed value, or is no draft of this section.
pub(super) fn console_keys(
    section: Section,
    label: &str,
    draft: &Draft,
    known: Option<&Item>,
) -> Result<Map<String, Json>, ChangeError> {
    let mut keys = flat(section, draft).map_err(|(path, what, remedy)| {
        ChangeError::Invalid(vec![ConfigProblem {
            item: label.to_owned(),
            path,
            what,
            remedy,
            origin: "console".to_owned(),
        }])
    })?;
    if let Some(known) = known {
        let effective = flat(section, &known.draft).unwrap_or_default();
        for (path, origin) in &known.locked {
            unlock(&mut keys, &effective, path, origin)?;
        }
    }
    let was_paused = known.is_some_and(|known| known.draft.paused);
    if !draft.paused && !was_paused {
        keys.remove("paused");
    }
    Ok(keys)
}

/// The settings with the fixed values put back, as they would be in force.
pub(super) fn in_force(
    mut keys: Map<String, Json>,
    section: Section,
    known: Option<&Item>,
) -> Json {
    if let Some(known) = known {
        let effective = flat(section, &known.draft).unwrap_or_default();
        for path in known.locked.keys() {
            let path: Vec<&str> = path.split('.').collect();
            if let Some(value) = at(&effective, &path) {
                restore(&mut keys, &path, value.clone());
            }
        }
    }
    keys.remove("kind");
    keys.remove("paused");
    Json::Object(keys)
}

/// Everything of a draft in one table, as it stands in a file.
fn flat(
    section: Section,
    draft: &Draft,
) -> Result<Map<String, Json>, (Vec<String>, String, String)> {
    let Json::Object(settings) = without_nulls(&draft.settings) else {
        let remedy = "send an object, by the schema of its kind".to_owned();
        return Err((Vec::new(), "the settings are no table".to_owned(), remedy));
    };
    let mut keys = Map::new();
    let word = section.word();
    if section.has_kinds() {
        keys.insert("kind".to_owned(), Json::from(draft.kind.as_str()));
    } else if draft.kind != word {
        let what = format!("`{}` is no kind of {word}", draft.kind.escape_debug());
        return Err((vec!["kind".to_owned()], what, format!("send `{word}`")));
    }
    keys.insert("paused".to_owned(), Json::from(draft.paused));
    for (key, value) in settings {
        if key == "id" || keys.contains_key(&key) {
            let what = format!("`{key}` is no setting");
            return Err((vec![key], what, "leave it out of the settings".to_owned()));
        }
        keys.insert(key, value);
    }
    Ok(keys)
}

/// Takes a fixed value out of the keys; refuses when it is another one than that in force.
fn unlock(
    keys: &mut Map<String, Json>,
    effective: &Map<String, Json>,
    locked: &str,
    origin: &Origin,
) -> Result<(), ChangeError> {
    let path: Vec<&str> = locked.split('.').collect();
    let shadowed =
        (1..path.len()).any(|end| at(keys, &path[..end]).is_some_and(|value| !value.is_object()));
    let changed = match (at(keys, &path), at(effective, &path)) {
        (Some(wanted), Some(fixed)) => !same(wanted, fixed),
        _ => false,
    };
    if shadowed || changed {
        return Err(ChangeError::Locked {
            path: locked.to_owned(),
            origin: origin.clone(),
        });
    }
    take(keys, &path);
    Ok(())
}

fn at<'a>(keys: &'a Map<String, Json>, path: &[&str]) -> Option<&'a Json> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(keys.get(*first)?, |value, key| value.get(key))
}

/// Takes a value out, and the tables around it when nothing else is in them.
fn take(keys: &mut Map<String, Json>, path: &[&str]) {
    match path {
        [] => {}
        [last] => {
            keys.remove(*last);
        }
        [first, rest @ ..] => {
            if let Some(Json::Object(inner)) = keys.get_mut(*first) {
                take(inner, rest);
                if inner.is_empty() {
                    keys.remove(*first);
                }
            }
        }
    }
}

fn restore(keys: &mut Map<String, Json>, path: &[&str], value: Json) {
    match path {
        [] => {}
        [last] => {
            keys.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => {
            let inner = keys
                .entry(*first)
                .or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                restore(inner, rest, value);
            }
        }
    }
}

/// A form sends null for what is not filled in; TOML has no such thing.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(map) => Json::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        Json::Array(list) => Json::Array(
            list.iter()
                .filter(|value| !value.is_null())
                .map(without_nulls)
                .collect(),
        ),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fieldgate_api::config::Layer;
    use serde_json::json;

    use super::*;

    fn origin() -> Origin {
        Origin {
            layer: Layer::File,
            place: "x.toml:3".to_owned(),
        }
    }

    fn draft(settings: Json) -> Draft {
        Draft {
            kind: "k".to_owned(),
            paused: false,
            settings,
        }
    }

    fn known(locked: &[&str]) -> Item {
        Item {
            id: "press".to_owned(),
            draft: draft(json!({ "a": { "b": 1, "c": 2 }, "d": [1] })),
            removable: false,
            locked: locked
                .iter()
                .map(|path| ((*path).to_owned(), origin()))
                .collect::<BTreeMap<_, _>>(),
            origin: origin(),
        }
    }

    fn keys(settings: Json, known: &Item) -> Result<Json, ChangeError> {
        console_keys(
            Section::Source,
            "source press",
            &draft(settings),
            Some(known),
        )
        .map(Json::Object)
    }

    #[test]
    fn fixed_values_are_not_written() {
        let known = known(&["kind", "a.b", "d"]);
        let all = json!({ "a": { "b": 1.0, "c": 3 }, "d": [1] });
        let written = keys(all, &known).unwrap();
        assert_eq!(written, json!({ "a": { "c": 3 } }));
        let left_out = json!({ "a": { "b": 1, "c": null }, "e": 1 });
        let written = keys(left_out, &known).unwrap();
        assert_eq!(written, json!({ "e": 1 }));
        let in_force = in_force(
            written.as_object().unwrap().clone(),
            Section::Source,
            Some(&known),
        );
        assert_eq!(in_force, json!({ "a": { "b": 1 }, "d": [1], "e": 1 }));
    }

    #[test]
    fn fixed_values_cannot_be_changed() {
        let known = known(&["a.b", "d"]);
        for (settings, path) in [
            (json!({ "a": { "b": 2 } }), "a.b"),
            (json!({ "a": 1 }), "a.b"),
            (json!({ "d": [] }), "d"),
            (json!({ "d": { "typed": "x" } }), "d"),
        ] {
            match keys(settings.clone(), &known) {
                Err(ChangeError::Locked {
                    path: found,
                    origin: at,
                }) => {
                    assert_eq!((found.as_str(), at), (path, origin()));
                }
                other => panic!("{settings}: {other:?}"),
            }
        }
    }

    #[test]
    fn common_keys_are_no_settings() {
        let known = known(&[]);
        for key in ["id", "kind", "paused"] {
            assert!(
                matches!(
                    keys(json!({ key: "x" }), &known),
                    Err(ChangeError::Invalid(_))
                ),
                "{key}"
            );
        }
        assert!(matches!(
            keys(json!([]), &known),
            Err(ChangeError::Invalid(_))
        ));
    }
}
