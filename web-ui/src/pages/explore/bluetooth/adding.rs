//! *Add & send*: devices come to belong to the source; where no route takes what they say, one is offered, and then the
//! acknowledgement is waited for.

use fieldgate_api::config::Draft;
use fieldgate_api::endpoint::{AddHeard, GetRoutes, PutRoute};
use fieldgate_api::scanner::{AddDone, AddDraft};
use fieldgate_api::trouble::Trouble;
use fieldgate_model::unescape_segment;
use fieldgate_ui_logic::place::{Place, Section};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::json;

use super::Radio;
use crate::client::{call, change};
use crate::widgets::dialog::{Dialog, FOCUS};
use crate::widgets::icon::{Icon, icon};

/// Devices that were added on this page.
#[derive(Clone, Copy)]
pub struct Adding {
    radio: Radio,
    pub busy: RwSignal<bool>,
    /// What has no way to anywhere yet.
    offer: RwSignal<Option<AddDone>>,
    /// What was added last, and the routes that take it.
    sent: RwSignal<Option<Sent>>,
    dialog: Dialog,
}

#[derive(Clone, PartialEq)]
struct Sent {
    devices: Vec<String>,
    route: String,
    /// Readings that the route had delivered before.
    before: u64,
}

// === impl Adding ===

impl Adding {
    pub fn new(radio: Radio) -> Self {
        Self {
            radio,
            busy: RwSignal::new(false),
            offer: RwSignal::new(None),
            sent: RwSignal::new(None),
            dialog: Dialog::new(),
        }
    }

    /// `what` is who is added, for the toast.
    pub fn add(self, draft: AddDraft, what: &str) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        let what = what.to_owned();
        spawn_local(async move {
            let source = self.radio.source.get_value();
            let done = change::<AddHeard>(&[&source], &draft, None).await;
            self.busy.try_set(false);
            match done {
                Ok(done) => self.added(done, &what),
                Err(trouble) => self.radio.toasts.trouble(&trouble),
            }
        });
    }

    fn added(self, done: AddDone, what: &str) {
        match done.saved.diff.is_empty() {
            true => self.radio.toasts.done("That is so already."),
            false => self
                .radio
                .toasts
                .saved(&format!("Added {what}."), &done.saved),
        }
        match done.routes.first() {
            Some(route) => self.sending(done.devices.clone(), route),
            None => {
                self.offer.try_set(Some(done));
                self.dialog.open();
            }
        }
    }

    fn sending(self, devices: Vec<String>, route: &str) {
        self.sent.try_set(Some(Sent {
            devices,
            route: route.to_owned(),
            before: untrack(|| self.acknowledged(route)),
        }));
    }

    /// Readings that a route's destination has acknowledged; tracked.
    fn acknowledged(self, route: &str) -> u64 {
        self.radio.live.overview.with(|overview| {
            let rows = overview.iter().flat_map(|overview| &overview.ledger.rows);
            let own = rows.filter(|row| row.route == route);
            own.map(|row| row.sum.acked).sum()
        })
    }

    fn route(self, from: String, to: String, devices: Vec<String>) {
        self.busy.set(true);
        spawn_local(async move {
            let made = make_route(&self.radio.source.get_value(), &from, &to).await;
            self.busy.try_set(false);
            match made {
                Ok((id, saved)) => {
                    self.radio
                        .toasts
                        .saved(&format!("Added the route {id}."), &saved);
                    self.dialog.close();
                    self.sending(devices, &id);
                }
                Err(trouble) => self.radio.toasts.trouble(&trouble),
            }
        });
    }

    pub fn view(self) -> AnyView {
        let content = move || self.offer.get().map(|done| self.offered(&done)).into_any();
        view! {
            {move || self.sent.get().map(|sent| self.way(&sent))}
            {self.dialog.view("offer-title", content, move || self.offer.set(None))}
        }
        .into_any()
    }

    /// Where it goes, and whether the far side has said so.
    fn way(self, sent: &Sent) -> AnyView {
        let device = |id: &String| {
            let url = Place::Device(id.clone()).path();
            view! { <a href=url>{words::plain(&unescape_segment(id))}</a>" " }
        };
        let devices = sent.devices.iter().map(device).collect_view();
        let (route, before) = (sent.route.clone(), sent.before);
        let url = Place::Item(Section::Routes, route.clone()).path();
        let told = {
            let route = route.clone();
            Memo::new(move |_| self.acknowledged(&route) > before)
        };
        view! {
            <div class="note sent" role="status" data-test="sent" data-acknowledged=move || told.get().to_string()>
                {move || icon(if told.get() { Icon::Good } else { Icon::Idle })}
                <p>{devices}" → "<a href=url>{route.clone()}</a>{move || match told.get() {
                    true => ": acknowledged by its destination.",
                    false => ": waiting for the next value to be acknowledged…",
                }}</p>
                <button type="button" class="quiet" on:click=move |_| self.sent.set(None)>"Close"</button>
            </div>
        }
        .into_any()
    }

    fn offered(self, done: &AddDone) -> AnyView {
        let from = done.from.clone().unwrap_or_default();
        let close = move |_| self.dialog.close();
        if done.destinations.is_empty() {
            return view! {
                <h2 id="offer-title">"It goes nowhere yet"</h2>
                <p>"What was added is shown here and under Devices. To send it on, this gateway needs a destination, such as an MQTT broker."</p>
                <div class="actions">
                    <a class="button primary" id=FOCUS href=Place::New(Section::Destinations).path()>"Add a destination"</a>
                    <button type="button" on:click=close>"Keep local for now"</button>
                </div>
            }
            .into_any();
        }
        let chosen = RwSignal::new(done.destinations[0].clone());
        let option = |id: &String| view! { <option value=id.clone()>{id.clone()}</option> };
        let options = done.destinations.iter().map(option).collect_view();
        let devices = done.devices.clone();
        let make = {
            let from = from.clone();
            move |_| self.route(from.clone(), chosen.get_untracked(), devices.clone())
        };
        view! {
            <h2 id="offer-title">"No route takes its values yet"</h2>
            <p>"A route sends "<code>{from}</code>", everything that this source hears of its devices, to a destination."</p>
            <div class="field">
                <label for="offer-to">"Send to"</label>
                <select id="offer-to" on:change=move |event| chosen.set(event_target_value(&event))>{options}</select>
            </div>
            <div class="actions">
                <button type="button" class="primary" id=FOCUS data-test="make-route" disabled=move || self.busy.get() on:click=make>"Add the route"</button>
                <button type="button" on:click=close>"Keep local for now"</button>
            </div>
        }
        .into_any()
    }
}

/// A route under a name that is free.
async fn make_route(
    source: &str,
    from: &str,
    to: &str,
) -> Result<(String, fieldgate_api::config::Saved), Trouble> {
    let routes = call::<GetRoutes>(&[]).await?;
    let is_free = |id: &String| !routes.iter().any(|route| route.item.id == *id);
    let plain = std::iter::once(source.to_owned());
    let mut names = plain.chain((2..1000).map(|number| format!("{source}-{number}")));
    let id = names.find(is_free).unwrap_or_else(|| source.to_owned());
    let draft = Draft {
        kind: "route".to_owned(),
        paused: false,
        settings: json!({ "from": [from], "to": to }),
    };
    let saved = change::<PutRoute>(&[&id], &draft, None).await?;
    Ok((id, saved))
}
