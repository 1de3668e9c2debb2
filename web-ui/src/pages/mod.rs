//! One file a page, and which page a place is.

mod allow;
mod command;
mod configuration;
mod device;
mod devices;
mod discovery;
mod editor;
mod explore;
mod items;
mod overview;
mod point_picker;
mod queue;
mod review;
mod route_editor;
mod rule_editor;
mod trust;

use fieldgate_ui_logic::place::{Place, Section};
use leptos::prelude::*;

use crate::widgets::{empty::empty_state, page::heading};

/// The page of a place.
pub fn page(place: &Place) -> AnyView {
    match place {
        Place::Overview => overview::page(),
        Place::Devices => devices::page(),
        Place::Device(id) => device::page(id),
        Place::Items(section) => items::page(*section),
        Place::New(Section::Routes) => route_editor::page(None),
        Place::Item(Section::Routes, id) => route_editor::page(Some(id.clone())),
        Place::New(Section::Rules) => rule_editor::page(None),
        Place::Item(Section::Rules, id) => rule_editor::page(Some(id.clone())),
        Place::New(section) => editor::page(*section, None),
        Place::Item(Section::Sources, id) => {
            let editor = editor::page(Section::Sources, Some(id.clone()));
            view! { {editor}{review::card(id)} }.into_any()
        }
        Place::Item(section, id) => editor::page(*section, Some(id.clone())),
        Place::Explore => explore::page(),
        Place::Bluetooth => explore::bluetooth::page(),
        Place::Heard(address) => explore::bluetooth::heard(address),
        Place::Teach(address) => explore::bluetooth::teach(address),
        Place::Cameras => explore::cameras::page(),
        Place::Camera(source) => explore::cameras::camera(source),
        Place::Queue => queue::page(),
        Place::Trust => trust::page(),
        Place::Configuration => configuration::page(),
        Place::Unknown => view! {
            {heading("Nothing is here", ())}
            {empty_state("This page does not exist.", "The address may be mistyped or from an older version.", Some(("To the overview", "/".to_owned())))}
        }
        .into_any(),
    }
}
