//! The point picker of a route: source → device → point, as a tree that writes the patterns of `from`.

use std::collections::BTreeMap;

use fieldgate_api::endpoint::{GetDevice, GetDevices};
use fieldgate_api::state::DeviceView;
use fieldgate_model::unescape_segment;
use fieldgate_ui_logic::tree::{Branch, Children};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value as Json;

use crate::client::call;
use crate::widgets::schema_form::Form;
use crate::widgets::tree::{Tree, branch};

/// The field that it writes.
const FROM: &str = "from";

pub fn picker(form: Form) -> AnyView {
    let patterns = Signal::derive(move || form.settings.with(patterns));
    let choose = move |patterns: Vec<String>| {
        let list = patterns.into_iter().map(Json::from).collect();
        form.put(&[FROM.to_owned()], Some(Json::Array(list)));
        form.redraw(None);
    };
    // Reads into the tree that asks, which is made around it.
    let made = StoredValue::new(None::<Tree>);
    let read = move |device: String| {
        if let Some(tree) = made.get_value() {
            spawn_local(read_points(tree, device));
        }
    };
    let tree = Tree::new(patterns, choose, read);
    made.set_value(Some(tree));
    spawn_local(read_devices(tree));
    let there = Memo::new(move |_| !tree.roots.with(Vec::is_empty));
    (move || {
        there.get().then(|| {
            view! {
                <details class="picker" data-test="picker">
                    <summary>"Pick from what is there"</summary>
                    {tree.view("Points by source and device")}
                </details>
            }
        })
    })
    .into_any()
}

fn patterns(settings: &Json) -> Vec<String> {
    let list = settings[FROM].as_array().into_iter().flatten();
    list.filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// Sources with their devices. Where nothing answers there is nothing to pick; the field itself works without.
async fn read_devices(tree: Tree) {
    let Ok(devices) = call::<GetDevices>(&[]).await else {
        return;
    };
    let mut sources: BTreeMap<String, Vec<Branch>> = BTreeMap::new();
    for device in devices {
        let below = branch(&device.id, &label(&device), Children::Unread);
        sources.entry(device.source).or_default().push(below);
    }
    let root = |(id, devices): (String, Vec<Branch>)| branch(&id, &id, Children::Read(devices));
    tree.roots.try_set(sources.into_iter().map(root).collect());
}

async fn read_points(tree: Tree, device: String) {
    let page = call::<GetDevice>(&[&device]).await;
    let points = page.map(|page| page.points).unwrap_or_default();
    let leaf = |point: fieldgate_api::state::PointView| {
        let name = last_segment(&point.id, &point.name);
        branch(&point.id, &name, Children::Leaf)
    };
    tree.put(&device, points.into_iter().map(leaf).collect());
}

fn label(device: &DeviceView) -> String {
    last_segment(&device.id, &device.name)
}

fn last_segment(id: &str, name: &str) -> String {
    if name.is_empty() {
        unescape_segment(id.rsplit('/').next().unwrap_or(id))
    } else {
        name.to_owned()
    }
}
