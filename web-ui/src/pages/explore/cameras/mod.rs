//! Explore ▸ Cameras: all of them as they see now, one with everything that is known of it, and how one is added.

mod acts;
mod facts;

use fieldgate_api::camera::{CameraRow, CameraView, MAX_WATCHED};
use fieldgate_api::endpoint::{GetCamera, GetCameras};
use fieldgate_ui_logic::place::{Place, Section, with_query};
use fieldgate_ui_logic::words;
use leptos::prelude::*;

use super::bluetooth::ways;
use crate::fetched::{OFTEN, fetched};
use crate::widgets::live_picture::live_picture;
use crate::widgets::page::{heading, once_there, trouble_note};
use crate::widgets::status::status_sentence;

/// Every camera.
pub fn page() -> AnyView {
    let cameras = fetched::<GetCameras>(Some(OFTEN), || Some(Vec::new()));
    // A tile is drawn anew only when a camera comes or goes: its picture goes on meanwhile.
    let named = Memo::new(move |_| {
        cameras.data.with(|rows| {
            let rows = rows.iter().flatten().map(|row| {
                let seen = row.last_frame.map(|at| at.millis());
                (row.source.clone(), seen)
            });
            Named(rows.collect())
        })
    });
    let state = move |source: &str| {
        cameras.data.with(|rows| {
            let mut rows = rows.iter().flatten();
            rows.find(|row| row.source == source)
                .map(|row| (!row.connected).then(|| status_sentence(&row.status)))
        })
    };
    let tile = move |index: usize, source: String, seen: Option<i64>| {
        let url = Place::Camera(source.clone()).path();
        let picture = (index < MAX_WATCHED).then(|| live_picture(&source, seen));
        let name = words::plain(&source);
        view! {
            <li class="card camera" data-test="camera">
                {picture}
                <p class="camera-name"><a href=url>{name}</a></p>
                {move || state(&source)}
            </li>
        }
    };
    let content = move |_: &Vec<CameraRow>| {
        view! {
            {move || named.with(|named| match named.0.is_empty() {
                true => nobody(),
                false => {
                    let tiles = named.0.iter().enumerate();
                    let tiles = tiles.map(|(index, (source, seen))| tile(index, source.clone(), *seen));
                    view! { <ul class="cameras">{tiles.collect_view()}</ul> }.into_any()
                }
            })}
            {move || named.with(|named| (!named.0.is_empty()).then(|| view! {
                <p><a class="button" href=add_url()>"Add a camera"</a></p>
            }))}
        }
        .into_any()
    };
    view! {
        {heading("Explore cameras", ways(&Place::Cameras))}
        {once_there(cameras, content)}
    }
    .into_any()
}

/// Sources by name, with when their last picture was seen; only the names count for whether it is another list.
#[derive(Clone, Debug)]
struct Named(Vec<(String, Option<i64>)>);

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        let names = |named: &Self| {
            let names = named.0.iter().map(|(name, _)| name.clone());
            names.collect::<Vec<_>>()
        };
        names(self) == names(other)
    }
}

fn add_url() -> String {
    let query = with_query("", "kind", "camera");
    format!("{}?{query}", Place::New(Section::Sources).path())
}

/// Where one begins.
fn nobody() -> AnyView {
    view! {
        <div class="empty">
            <p class="empty-title">"No camera is here yet."</p>
            <p>"Cameras are searched for on this network when you ask for it; one on another network is found by its address. Then its picture is here, and snapshots, clips and events go where your routes lead."</p>
            <p><a class="button primary" data-test="add-camera" href=add_url()>"Add a camera"</a></p>
        </div>
    }
    .into_any()
}

/// One camera.
pub fn camera(source: &str) -> AnyView {
    let wanted = source.to_owned();
    let camera = fetched::<GetCamera>(Some(OFTEN), move || Some(vec![wanted.clone()]));
    let id = source.to_owned();
    let content = move |first: &CameraView| {
        let seen = first.last_frame.map(|at| at.millis());
        let state = move || {
            camera.data.with(|view| {
                let view = view.as_ref()?;
                Some(status_sentence(&view.status))
            })
        };
        view! {
            {state}
            <div class="camera-one">
                {live_picture(&id, seen)}
                {acts::panel(camera, &first.device)}
            </div>
            {facts::sections(camera)}
        }
        .into_any()
    };
    let edit = Place::Item(Section::Sources, source.to_owned()).path();
    let device = Place::Device(format!("{source}/camera")).path();
    view! {
        <p class="crumbs"><a href=Place::Cameras.path()>"Cameras"</a></p>
        {heading(words::plain(source), view! {
            <a class="button" href=edit>"Settings"</a>
            <a class="button" href=device>"Values and commands"</a>
        })}
        {once_there(camera, content)}
        {move || camera.trouble.get().filter(|_| camera.data.with_untracked(Option::is_some)).map(|trouble| trouble_note(&trouble))}
    }
    .into_any()
}
