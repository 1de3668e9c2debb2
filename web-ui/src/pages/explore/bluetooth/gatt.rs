//! Connected: what the device has by the names of the Bluetooth SIG, read and told by itself, and as points of the device.

use std::collections::HashMap;

use fieldgate_api::endpoint::{
    DisconnectHeard, GetServices, NotifyCharacteristic, PairHeard, ReadCharacteristic, UnpairHeard,
};
use fieldgate_api::scanner::{
    AddDevice, CharacteristicAt, GattCharacteristicView, GattServiceView, GattValueView, GattView,
    HeardAt, HeardView, NotifyDraft,
};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::{radio as logic, words};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::heard::Advertiser;
use super::parts::reading;
use crate::client::patiently;
use crate::widgets::copy::copy_text;
use crate::widgets::page::trouble_note;
use crate::widgets::time::ago;

/// A characteristic, by the UUIDs of its service and of itself.
type Key = (String, String);

#[derive(Clone, Copy)]
struct Gatt {
    advertiser: Advertiser,
    /// What is being done, in words.
    busy: RwSignal<Option<&'static str>>,
    tree: RwSignal<Option<GattView>>,
    trouble: RwSignal<Option<Trouble>>,
    /// What was read here.
    read: RwSignal<HashMap<Key, GattValueView>>,
    /// Those that tell their values by themselves.
    telling: RwSignal<Vec<Key>>,
}

pub fn section(advertiser: Advertiser, heard: Memo<Option<HeardView>>) -> AnyView {
    let gatt = Gatt {
        advertiser,
        busy: RwSignal::new(None),
        tree: RwSignal::new(None),
        trouble: RwSignal::new(None),
        read: RwSignal::new(HashMap::new()),
        telling: RwSignal::new(Vec::new()),
    };
    let bonded =
        Memo::new(move |_| heard.with(|heard| heard.as_ref().is_some_and(|heard| heard.bonded)));
    let open = Memo::new(move |_| gatt.tree.with(Option::is_some));
    let idle = move || gatt.busy.get().is_some();
    view! {
        <section class="card" aria-labelledby="gatt-title" data-test="gatt">
            <h2 id="gatt-title">"What it has"</h2>
            <p class="help">"Connects to look around. Some devices stop advertising meanwhile; the connection is closed when nobody asked for a minute."</p>
            <div class="actions">
                <button type="button" data-test="connect" disabled=idle on:click=move |_| gatt.connect()>{move || if open.get() { "Look again" } else { "Connect" }}</button>
                {move || open.get().then(|| view! { <button type="button" disabled=idle on:click=move |_| gatt.disconnect()>"Disconnect"</button> })}
                {move || match bonded.get() {
                    true => view! { <button type="button" class="quiet" disabled=idle on:click=move |_| gatt.unpair()>"Forget the pairing"</button> }.into_any(),
                    false => view! { <button type="button" class="quiet" data-test="pair" disabled=idle on:click=move |_| gatt.pair()>"Pair"</button> }.into_any(),
                }}
            </div>
            <p role="status" class="faint">{move || gatt.busy.get()}</p>
            {move || gatt.trouble.get().map(|trouble| trouble_note(&trouble))}
            {move || gatt.tree.get().map(|tree| gatt.services(&tree))}
        </section>
    }
    .into_any()
}

// === impl Gatt ===

impl Gatt {
    fn at(self) -> HeardAt {
        HeardAt {
            address: self.advertiser.address.get_value(),
        }
    }

    /// Does something that takes its time, one after the other.
    fn doing<T: 'static>(
        self,
        words: &'static str,
        asked: impl AsyncFnOnce(String) -> Result<T, Trouble> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        self.busy.set(Some(words));
        self.trouble.set(None);
        spawn_local(async move {
            let answer = asked(self.advertiser.radio.source.get_value()).await;
            self.busy.try_set(None);
            match answer {
                Ok(answer) => then(answer),
                Err(trouble) => {
                    self.trouble.try_set(Some(trouble));
                }
            }
        });
    }

    fn connect(self) {
        let at = self.at();
        let ask = async move |source: String| patiently::<GetServices>(&[&source], &at).await;
        self.doing("Connecting…", ask, move |tree| {
            self.tree.try_set(Some(tree));
        });
    }

    fn disconnect(self) {
        let at = self.at();
        let ask = async move |source: String| patiently::<DisconnectHeard>(&[&source], &at).await;
        self.doing("Closing the connection…", ask, move |()| {
            self.tree.try_set(None);
            self.telling.try_set(Vec::new());
        });
    }

    fn pair(self) {
        let at = self.at();
        let ask = async move |source: String| patiently::<PairHeard>(&[&source], &at).await;
        self.doing(
            "Pairing; the device may ask something…",
            ask,
            move |done| {
                self.advertiser
                    .radio
                    .toasts
                    .done(&words::capital(&done.words));
                self.advertiser.page.refresh();
            },
        );
    }

    fn unpair(self) {
        let at = self.at();
        let ask = async move |source: String| patiently::<UnpairHeard>(&[&source], &at).await;
        self.doing("Forgetting the pairing…", ask, move |done| {
            self.advertiser
                .radio
                .toasts
                .done(&words::capital(&done.words));
            self.advertiser.page.refresh();
        });
    }

    fn read(self, key: Key) {
        let at = self.characteristic_at(&key);
        let ask =
            async move |source: String| patiently::<ReadCharacteristic>(&[&source], &at).await;
        self.doing("Reading…", ask, move |value| {
            if let Some(mut read) = self.read.try_write() {
                read.insert(key, value);
            }
        });
    }

    fn tell(self, key: Key, on: bool) {
        let draft = NotifyDraft {
            at: self.characteristic_at(&key),
            on,
        };
        let ask =
            async move |source: String| patiently::<NotifyCharacteristic>(&[&source], &draft).await;
        let words = if on {
            "Asking it to tell…"
        } else {
            "Asking it to stop…"
        };
        self.doing(words, ask, move |()| {
            if let Some(mut telling) = self.telling.try_write() {
                telling.retain(|known| *known != key);
                if on {
                    telling.push(key);
                }
            }
        });
    }

    fn characteristic_at(self, (service, characteristic): &Key) -> CharacteristicAt {
        CharacteristicAt {
            address: self.advertiser.address.get_value(),
            service: service.clone(),
            characteristic: characteristic.clone(),
        }
    }

    /// The newest value of one, read or told.
    fn value(self, key: &Key) -> Option<GattValueView> {
        let told = self.advertiser.page.data.with(|page| {
            let mut all = page.iter().flat_map(|page| &page.notified);
            let own = all.find(|value| {
                (
                    &value.characteristic.service,
                    &value.characteristic.characteristic,
                ) == (&key.0, &key.1)
            });
            own.cloned()
        });
        let read = self.read.with(|read| read.get(key).cloned());
        [told, read]
            .into_iter()
            .flatten()
            .max_by_key(|value| value.at)
    }

    fn services(self, tree: &GattView) -> AnyView {
        if tree.services.is_empty() {
            return view! { <p class="faint">"It has no services."</p> }.into_any();
        }
        let service = |service: &GattServiceView| {
            let title = service.name.as_deref().map(words::plain);
            let title = title.unwrap_or_else(|| "A service of its own".to_owned());
            let all = service.characteristics.iter();
            view! {
                <section class="gatt-service" aria-label=title.clone()>
                    <h3>{title.clone()}</h3>
                    {copy_text(&service.uuid, "the UUID of the service", "")}
                    <ul class="lines">{all.map(|each| self.characteristic(&service.uuid, each)).collect_view()}</ul>
                </section>
            }
        };
        tree.services.iter().map(service).collect_view().into_any()
    }

    fn characteristic(self, service: &str, it: &GattCharacteristicView) -> AnyView {
        let key: Key = (service.to_owned(), it.uuid.clone());
        let title = it.name.as_deref().map(words::plain);
        let title = title.unwrap_or_else(|| it.uuid.clone());
        let can = |property: &str| it.properties.iter().any(|known| known == property);
        let (reads, tells) = (can("read"), can("notify") || can("indicate"));
        let on = {
            let key = key.clone();
            Memo::new(move |_| self.telling.with(|telling| telling.contains(&key)))
        };
        let shown = {
            let key = key.clone();
            Memo::new(move |_| self.value(&key))
        };
        let idle = move || self.busy.get().is_some();
        let settings = it.settings.clone();
        let add = move |_| {
            let device = AddDevice {
                address: self.advertiser.address.get_value(),
                characteristics: vec![settings.clone()],
                ..AddDevice::default()
            };
            self.advertiser.add(device);
        };
        let read = {
            let key = key.clone();
            move |_| self.read(key.clone())
        };
        let tell = move |_| self.tell(key.clone(), !on.get_untracked());
        let name = title.clone();
        let label = move |deed: &str| format!("{deed} {name}");
        let (read_label, tell_label, add_label) =
            (label("Read"), label("Notify"), label("Add as point:"));
        view! {
            <li data-test="characteristic" data-uuid=it.uuid.clone()>
                <span class="stack grow"><strong>{title}</strong><span class="faint">{it.properties.join(", ")}</span></span>
                {move || shown.get().map(|value| told(&value))}
                <span class="actions">
                    {reads.then(|| view! { <button type="button" class="small" data-test="read" aria-label=read_label disabled=idle on:click=read>"Read"</button> })}
                    {tells.then(|| view! { <button type="button" class="small" data-test="notify" aria-label=tell_label aria-pressed=move || on.get().to_string() disabled=idle on:click=tell>{move || if on.get() { "Stop" } else { "Notify" }}</button> })}
                    {(reads || tells).then(|| view! { <button type="button" class="small quiet" data-test="add-point" aria-label=add_label on:click=add>"Add as point"</button> })}
                </span>
            </li>
        }
        .into_any()
    }
}

fn told(value: &GattValueView) -> AnyView {
    let trouble = value.trouble.as_deref().map(|why| {
        view! { <span class="bad-text">{words::capital(&words::plain(why))}</span> }
    });
    view! {
        <span class="stack" data-test="gatt-value">
            <span class="readings">{value.fields.iter().map(reading).collect_view()}</span>
            <span><code>{logic::pairs(&value.hex)}</code>" "<span class="faint">{ago(value.at)}</span></span>
            {trouble}
        </span>
    }
    .into_any()
}
