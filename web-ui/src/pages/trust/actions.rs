//! What a person can do about trust: accept, reject, forget, import, renew, ask an authority.

use fieldgate_api::endpoint::{
    AcceptPeer, Endpoint, ImportTrust, RejectPeer, RemovePeer, RenewIdentity, RequestIdentity,
};
use fieldgate_api::trouble::Trouble;
use fieldgate_api::trust::{TrustDone, TrustImport, TrustKey, TrustKind, TrustView};
use fieldgate_ui_logic::words;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::client::{call, change};
use crate::fetched::Fetched;
use crate::widgets::toast::Toasts;

#[derive(Clone, Copy)]
pub struct Actions {
    trust: Fetched<TrustView>,
    toasts: Toasts,
    /// What is pasted to be imported.
    pasted: RwSignal<String>,
    key_bits: RwSignal<u32>,
}

// === impl Actions ===

impl Actions {
    pub fn new(trust: Fetched<TrustView>) -> Self {
        Self {
            trust,
            toasts: Toasts::expect(),
            pasted: RwSignal::new(String::new()),
            key_bits: RwSignal::new(2048),
        }
    }

    pub fn accept_button(self, id: &str, name: &str) -> AnyView {
        let id = id.to_owned();
        let label = format!("Trust {name}");
        let click = move |_| self.decide::<AcceptPeer>(id.clone());
        view! {
            <button type="button" class="primary small" data-test="accept" aria-label=label on:click=click>"Trust"</button>
        }
        .into_any()
    }

    pub fn reject_button(self, id: &str, name: &str) -> AnyView {
        let id = id.to_owned();
        let label = format!("Reject {name}");
        let click = move |_| self.decide::<RejectPeer>(id.clone());
        view! {
            <button type="button" class="small" data-test="reject" aria-label=label on:click=click>"Reject"</button>
        }
        .into_any()
    }

    pub fn remove_button(self, id: &str, word: &'static str, label: &str) -> AnyView {
        let (id, label) = (id.to_owned(), label.to_owned());
        let click = move |_| self.decide::<RemovePeer>(id.clone());
        view! {
            <button type="button" class="small" data-test="remove" aria-label=label on:click=click>{word}</button>
        }
        .into_any()
    }

    /// A new certificate, or a request, for a kind of source.
    pub fn renew_form(self, kind: &TrustKind) -> AnyView {
        let select = format!("key-{}", kind.kind);
        let (renew, request) = (kind.kind.clone(), kind.kind.clone());
        let key = move |kind: &str| TrustKey {
            kind: kind.to_owned(),
            key_bits: Some(self.key_bits.get_untracked()),
        };
        let renew = move |_| self.run::<RenewIdentity>(key(&renew));
        let request = move |_| self.request(key(&request));
        let change_bits = move |event| {
            let bits = event_target_value(&event).parse();
            self.key_bits.set(bits.unwrap_or(2048));
        };
        let options = [2048, 3072].map(|bits: u32| {
            let chosen = move || self.key_bits.get() == bits;
            view! { <option value=bits.to_string() selected=chosen>{format!("{bits} bits")}</option> }
        });
        view! {
            <div class="confirm">
                <div class="field">
                    <label for=select.clone()>{format!("New key for {}", kind.title)}</label>
                    <select class="short" id=select on:change=change_bits>{options.collect_view()}</select>
                </div>
                <button type="button" data-test="renew" on:click=renew>"Make a new certificate"</button>
                <button type="button" data-test="request" on:click=request>"Ask an authority"</button>
            </div>
        }
        .into_any()
    }

    /// What somebody has as a file: pasted, since a certificate in PEM is text.
    pub fn import_form(self) -> AnyView {
        let import = move |_| {
            let kind = self.trust.data.with_untracked(|view| {
                let first = view.as_ref().and_then(|view| view.kinds.first());
                first.map(|kind| kind.kind.clone())
            });
            self.run::<ImportTrust>(TrustImport {
                kind: kind.unwrap_or_default(),
                pem: Some(self.pasted.get_untracked()),
                der_base64: None,
            });
        };
        let nothing = move || self.pasted.with(|text| text.trim().is_empty());
        view! {
            <section aria-labelledby="import-title" id="import">
                <h2 id="import-title">"Import"</h2>
                <p class="help">"A server's certificate, an authority's, its list of revocation, or our own certificate signed by one. Files in DER go in with fieldgate trust import."</p>
                <div class="field">
                    <label for="import-pem">"In PEM"</label>
                    <textarea id="import-pem" rows="6" spellcheck="false" autocomplete="off" placeholder="-----BEGIN CERTIFICATE-----"
                        prop:value=move || self.pasted.get() on:input=move |event| self.pasted.set(event_target_value(&event))></textarea>
                </div>
                <div class="actions"><button type="button" data-test="import" disabled=nothing on:click=import>"Import"</button></div>
            </section>
        }
        .into_any()
    }

    fn decide<E>(self, id: String)
    where
        E: Endpoint<Request = (), Response = TrustDone>,
    {
        spawn_local(async move { self.settle(call::<E>(&[&id]).await) });
    }

    fn run<E: Endpoint<Response = TrustDone>>(self, body: E::Request) {
        spawn_local(async move { self.settle(change::<E>(&[], &body, None).await) });
    }

    /// The request itself is listed, and can be downloaded there.
    fn request(self, key: TrustKey) {
        spawn_local(async move {
            let done = change::<RequestIdentity>(&[], &key, None).await;
            self.settle(done.map(|_| TrustDone {
                words: "the request is there to be downloaded".to_owned(),
                retried: Vec::new(),
            }));
        });
    }

    fn settle(self, outcome: Result<TrustDone, Trouble>) {
        match outcome {
            Ok(done) => {
                let mut sentence = words::capital(&done.words);
                if !done.retried.is_empty() {
                    sentence.push_str(&format!("; {} tries again", done.retried.join(", ")));
                }
                self.toasts.done(&sentence);
                self.pasted.try_set(String::new());
            }
            Err(trouble) => self.toasts.trouble(&trouble),
        }
        self.trust.refresh();
    }
}
