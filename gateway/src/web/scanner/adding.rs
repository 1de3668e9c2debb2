//! Devices come to belong to a source, or are ignored by it: one change of its configuration, that is undone like any other.

use fieldgate_api::{
    config::{Draft, Item, Saved},
    endpoint::{AddHeard, IgnoreHeard},
    scanner::{AddDevice, AddDone},
};
use fieldgate_kit::{Secrets, scanner::Heard};
use fieldgate_model::{DeviceId, Pattern};
use serde_json::{Value as Json, json};

use super::{scanner, source};
use crate::{
    config::{Config, Desired, Loaded, Section},
    web::{
        config::WHO,
        error::Failure,
        mount::{Answer, Call},
    },
};

/// Keys of the settings of a source that listens.
const DEVICES: &str = "devices";
const IGNORE: &str = "ignore";
/// Devices that are added at once, at most.
const MOST: usize = 100;
/// What makers put behind their names.
const LEGAL: [&str; 14] = [
    "inc",
    "ltd",
    "llc",
    "gmbh",
    "co",
    "corp",
    "corporation",
    "limited",
    "company",
    "ag",
    "ab",
    "oy",
    "bv",
    "sa",
];

/// What is known of a device that is to be added.
struct Known {
    heard: Heard,
    /// Its entry in the settings, as the source would write it.
    settings: Json,
}

pub async fn add(call: Call<AddHeard>) -> Answer<AddHeard> {
    // Before the item is read: what others save meanwhile is not undone.
    let revision = call.shared.desired.current().config.revision;
    let item = source(&call.shared, &call.place)?;
    let count = call.body.devices.len();
    if !(1..=MOST).contains(&count) {
        return Err(Failure::Malformed(format!(
            "{count} devices cannot be added at once; name 1 to {MOST}"
        )));
    }
    let scanner = scanner(&call.shared, &call.place);
    let secrets = call.shared.desired.secrets();
    let mut rules = list(&item, DEVICES);
    let mut added = Vec::new();
    for wanted in &call.body.devices {
        let known = scanner.as_ref().and_then(|scanner| {
            let detail = scanner.detail(&wanted.address).ok()?;
            Some(Known {
                heard: detail.heard,
                settings: detail.settings,
            })
        });
        let names = call.body.names.as_deref();
        let name = put(&mut rules, wanted, known.as_ref(), names, &secrets);
        let device = DeviceId::new(&call.place, &name)
            .map_err(|error| Failure::Malformed(format!("`{name:?}` is no name: {error}")))?;
        added.push((device, known));
    }
    let draft = with(&item, DEVICES, rules);
    let (id, base) = (call.place.clone(), call.base.or(Some(revision)));
    let change = move |desired: &Desired| desired.put(Section::Source, &id, &draft, base, WHO);
    let (loaded, saved) = call.shared.block(change).await?;
    Ok(done(&loaded, saved, &call.place, &added))
}

pub async fn ignore(call: Call<IgnoreHeard>) -> Answer<IgnoreHeard> {
    let revision = call.shared.desired.current().config.revision;
    let item = source(&call.shared, &call.place)?;
    let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
    let mut entries = ignored(&item);
    entries.retain(|entry| !call.body.remove.iter().any(|gone| same(gone, entry)));
    for new in &call.body.add {
        if !new.trim().is_empty() && !entries.iter().any(|entry| same(entry, new)) {
            entries.push(new.trim().to_owned());
        }
    }
    let entries = entries.into_iter().map(Json::from).collect();
    let draft = with(&item, IGNORE, entries);
    let (id, base) = (call.place.clone(), call.base.or(Some(revision)));
    let change = move |desired: &Desired| desired.put(Section::Source, &id, &draft, base, WHO);
    Ok(call.shared.block::<(_, Saved)>(change).await?.1)
}

/// What a source ignores.
pub fn ignored(item: &Item) -> Vec<String> {
    let texts = list(item, IGNORE).into_iter();
    texts
        .filter_map(|entry| entry.as_str().map(str::to_owned))
        .collect()
}

fn list(item: &Item, key: &str) -> Vec<Json> {
    let found = item.draft.settings[key].as_array();
    found.cloned().unwrap_or_default()
}

/// The item with another list in its settings.
fn with(item: &Item, key: &str, list: Vec<Json>) -> Draft {
    let mut draft = item.draft.clone();
    draft.settings[key] = Json::from(list);
    if list_is_empty(&draft.settings[key]) {
        draft.settings[key] = Json::Null; // left out
    }
    draft
}

fn list_is_empty(list: &Json) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

/// Puts a device into the list, or changes it there; answers what it is called.
fn put(
    rules: &mut Vec<Json>,
    wanted: &AddDevice,
    known: Option<&Known>,
    names: Option<&str>,
    secrets: &Secrets,
) -> String {
    let place = rules.iter().position(|rule| is_of(rule, &wanted.address));
    let mut rule = match place {
        Some(place) => rules[place].clone(),
        None => known
            .map(|known| known.settings.clone())
            .filter(Json::is_object)
            .unwrap_or_else(|| json!({})),
    };
    if rule["address"].as_str().is_none() {
        rule["address"] = Json::from(wanted.address.trim());
    }
    let name = match (&wanted.name, place, rule["name"].as_str()) {
        (Some(name), _, _) if !name.trim().is_empty() => name.trim().to_owned(),
        (_, Some(_), Some(name)) => name.to_owned(),
        (_, None, Some(name)) if names.is_none() => name.to_owned(),
        _ => filled(names.unwrap_or("{name}-{mac4}"), &wanted.address, known),
    };
    let name = free(rules, place, name, &wanted.address);
    rule["name"] = Json::from(name.as_str());
    if let Some(profile) = wanted.profile.as_ref().filter(|id| !id.is_empty()) {
        rule["profile"] = Json::from(profile.as_str());
    }
    if let Some(key) = wanted.key.as_ref().map(|key| key.trim())
        && !key.is_empty()
        && !is_kept(&rule["bind_key"], key, secrets)
    {
        rule["bind_key"] = json!({ "typed": key });
    }
    for characteristic in &wanted.characteristics {
        put_characteristic(&mut rule, characteristic);
    }
    match place {
        Some(place) => rules[place] = rule,
        None => rules.push(rule),
    }
    name
}

fn is_of(rule: &Json, address: &str) -> bool {
    let known = rule["address"].as_str();
    known.is_some_and(|known| known.trim().eq_ignore_ascii_case(address.trim()))
}

/// The same key again is no change.
fn is_kept(reference: &Json, key: &str, secrets: &Secrets) -> bool {
    let reference = serde_json::from_value(reference.clone()).ok();
    let kept = reference.and_then(|reference| secrets.read(&reference).ok());
    kept.is_some_and(|kept| kept.reveal().trim() == key)
}

fn put_characteristic(rule: &mut Json, new: &Json) {
    let mut all = rule["characteristics"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let same = |old: &Json| {
        ["service", "characteristic"].iter().all(|key| {
            let (old, new) = (old[*key].as_str(), new[*key].as_str());
            old.zip(new)
                .is_some_and(|(old, new)| old.eq_ignore_ascii_case(new))
        })
    };
    match all.iter().position(same) {
        Some(place) => all[place] = new.clone(),
        None => all.push(new.clone()),
    }
    rule["characteristics"] = Json::from(all);
}

/// A name after a template. What devices say of themselves is cut to what a name may be.
fn filled(template: &str, address: &str, known: Option<&Known>) -> String {
    let heard = known.map(|known| &known.heard);
    let vendor = heard.and_then(|heard| heard.vendor.as_deref());
    let vendor = vendor.map(maker).filter(|vendor| !vendor.is_empty());
    let own = heard.and_then(|heard| heard.name.as_deref());
    let own = own.map(slug).filter(|name| !name.is_empty());
    let model = heard.and_then(|heard| heard.profile.as_ref());
    let model = model.map(|(_, title)| slug(title));
    let or_device = |text: Option<String>| text.unwrap_or_else(|| "device".to_owned());
    let name = own.or_else(|| vendor.clone());
    let digits = digits(address);
    template
        .replace("{vendor}", &or_device(vendor))
        .replace("{name}", &or_device(name))
        .replace("{model}", &or_device(model))
        .replace("{mac4}", &digits[digits.len().saturating_sub(4)..])
}

/// The digits of an address, `a4c1380bf511`.
fn digits(address: &str) -> String {
    let digits = address.chars().filter(char::is_ascii_alphanumeric);
    digits.collect::<String>().to_ascii_lowercase()
}

/// A maker's name without its legal form.
fn maker(vendor: &str) -> String {
    let words = vendor.split(|c: char| !c.is_alphanumeric());
    let plain = words.filter(|word| {
        !word.is_empty()
            && !LEGAL.contains(&word.to_lowercase().as_str())
            && word.chars().count() > 1
    });
    plain.take(2).collect::<Vec<_>>().join("-")
}

/// Letters and digits, the rest as dashes; 40 characters at most.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(40).collect()
}

/// No other device of the source may be called so.
fn free(rules: &[Json], place: Option<usize>, name: String, address: &str) -> String {
    let is_taken = |name: &str| {
        let mut others = rules.iter().enumerate();
        others.any(|(at, rule)| Some(at) != place && rule["name"].as_str() == Some(name))
    };
    if !is_taken(&name) {
        return name;
    }
    let longer = format!("{name}-{}", digits(address));
    let again = (2..).map(|number| format!("{longer}-{number}"));
    let mut all = std::iter::once(longer.clone()).chain(again);
    all.find(|name| !is_taken(name)).unwrap_or(longer)
}

/// Which routes take what the devices say; when there is none, what one would have to be.
fn done(
    loaded: &Loaded,
    saved: Saved,
    source: &str,
    added: &[(DeviceId, Option<Known>)],
) -> AddDone {
    let config = &loaded.config;
    let routes = routes(config, added);
    let uncovered = routes.is_empty();
    let destinations = config.destinations.iter();
    AddDone {
        saved,
        devices: added.iter().map(|(device, _)| device.to_string()).collect(),
        from: uncovered.then(|| format!("{}/**", fieldgate_model::escape_segment(source))),
        destinations: match uncovered {
            true => destinations.map(|known| known.id.to_string()).collect(),
            false => Vec::new(),
        },
        routes,
    }
}

/// The routes that take something of every one of the devices.
fn routes(config: &Config, added: &[(DeviceId, Option<Known>)]) -> Vec<String> {
    let points = |device: &DeviceId, known: &Option<Known>| -> Vec<String> {
        let fields = known.iter().flat_map(|known| &known.heard.fields);
        let mut points: Vec<String> = fields
            .filter_map(|field| Some(device.point(&field.id).ok()?.to_string()))
            .collect();
        if points.is_empty() {
            // Nobody knows yet what it will say.
            points.push(format!("{device}/value"));
        }
        points
    };
    let takes = |patterns: &[Pattern], (device, known): &(DeviceId, Option<Known>)| {
        let mut points = points(device, known).into_iter();
        points.any(|point| patterns.iter().any(|pattern| pattern.matches(&point)))
    };
    let routes = config.routes.iter().filter(|route| !route.paused);
    routes
        .filter(|route| {
            let from = route.settings.from.iter();
            let patterns: Vec<Pattern> = from.filter_map(|from| from.parse().ok()).collect();
            added.iter().all(|each| takes(&patterns, each))
        })
        .map(|route| route.id.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(PathBuf::new(), PathBuf::new())
    }

    fn wanted(address: &str) -> AddDevice {
        AddDevice {
            address: address.into(),
            ..AddDevice::default()
        }
    }

    #[test]
    fn a_device_is_added_once_and_changed_where_the_draft_says_so() {
        let mut rules = Vec::new();
        let fridge = AddDevice {
            name: Some("fridge".into()),
            ..wanted("A4:C1:38:0B:F5:11")
        };
        for _ in 0..2 {
            assert_eq!(put(&mut rules, &fridge, None, None, &secrets()), "fridge");
        }
        let keyed = AddDevice {
            key: Some("00112233445566778899aabbccddeeff".into()),
            characteristics: vec![
                json!({ "service": "180F", "characteristic": "2a19", "every_s": 5 }),
            ],
            ..wanted("a4:c1:38:0b:f5:11")
        };
        for _ in 0..2 {
            put(&mut rules, &keyed, None, Some("{vendor}"), &secrets());
        }
        let expected = json!([{
            "address": "A4:C1:38:0B:F5:11", "name": "fridge",
            "bind_key": { "typed": "00112233445566778899aabbccddeeff" },
            "characteristics": [{ "service": "180F", "characteristic": "2a19", "every_s": 5 }],
        }]);
        assert_eq!(Json::from(rules), expected);
    }

    #[test]
    fn no_two_devices_are_called_the_same() {
        let mut rules = Vec::new();
        let names = Some("{vendor}-{mac4}");
        let put = |rules: &mut Vec<Json>, address: &str| {
            put(rules, &wanted(address), None, names, &secrets())
        };
        assert_eq!(put(&mut rules, "A4:C1:38:0B:F5:11"), "device-f511");
        assert_eq!(
            put(&mut rules, "00:00:00:00:F5:11"),
            "device-f511-00000000f511"
        );
        assert_eq!(put(&mut rules, "A4:C1:38:0B:F5:11"), "device-f511");
    }

    #[test]
    fn makers_and_names_become_what_a_name_may_be() {
        assert_eq!(maker("Ruuvi Innovations Ltd."), "Ruuvi-Innovations");
        assert_eq!(maker("Nordic Semiconductor ASA"), "Nordic-Semiconductor");
        assert_eq!(maker("Apple, Inc."), "Apple");
        assert_eq!(slug("ATC <img>/\u{202e}x"), "ATC-img-x");
        assert_eq!(slug("日本 1"), "日本-1");
    }
}
