//! *Teach*: type what the display shows, a few times; where that is in the packets is proposed; what is chosen becomes a profile.

use fieldgate_api::endpoint::{LearnProfile, TeachDecoder};
use fieldgate_api::scanner::{
    HeardPage, LessonDraft, LessonExampleView, PacketPartView, ProposalView, TaughtDraft,
    TaughtPointDraft,
};
use fieldgate_api::trouble::Trouble;
use fieldgate_ui_logic::place::Place;
use fieldgate_ui_logic::{radio as logic, words};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::heard::{back, detail};
use super::{Radio, with_source};
use crate::client::change;
use crate::fetched::Fetched;
use crate::widgets::page::{heading, once_there, trouble_note};
use crate::widgets::time::ago;

/// A lesson needs so many moments at least.
const FEWEST: usize = 2;
/// Proposals that are shown.
const SHOWN: usize = 6;

#[derive(Clone, Copy)]
struct Teaching {
    radio: Radio,
    address: StoredValue<String>,
    page: Fetched<HeardPage>,
    /// Which part of the packets is looked at, by its title.
    part: RwSignal<String>,
    shown: RwSignal<String>,
    examples: RwSignal<Vec<LessonExampleView>>,
    busy: RwSignal<bool>,
    outcome: RwSignal<Option<Result<Vec<ProposalView>, Trouble>>>,
    chosen: RwSignal<Option<usize>>,
    id: RwSignal<String>,
    unit: RwSignal<String>,
    points: RwSignal<Vec<TaughtPointDraft>>,
    title: RwSignal<String>,
}

pub fn page(address: &str) -> AnyView {
    provide_context(StoredValue::new(address.to_owned()));
    with_source(|source| lesson(source, expect_context()))
}

fn lesson(source: &str, address: StoredValue<String>) -> AnyView {
    let teaching = Teaching {
        radio: Radio::new(source),
        address,
        page: detail(source, address),
        part: RwSignal::new(String::new()),
        shown: RwSignal::new(String::new()),
        examples: RwSignal::new(Vec::new()),
        busy: RwSignal::new(false),
        outcome: RwSignal::new(None),
        chosen: RwSignal::new(None),
        id: RwSignal::new("temperature".to_owned()),
        unit: RwSignal::new("Cel".to_owned()),
        points: RwSignal::new(Vec::new()),
        title: RwSignal::new(String::new()),
    };
    let back = teaching.radio.url(&Place::Heard(address.get_value()));
    let name = Memo::new(move |_| {
        let known = teaching
            .page
            .data
            .with(|page| page.as_ref().map(|page| logic::title(&page.heard)));
        known.unwrap_or_else(|| address.get_value())
    });
    view! {
        <p class="crumbs"><a href=back>{move || name.get()}</a></p>
        {heading("Teach a decoder", ())}
        {once_there(teaching.page, move |page| {
            let first = page.packets.iter().flat_map(|packet| &packet.parts).next();
            teaching.part.set(first.map(|part| part.title.clone()).unwrap_or_default());
            teaching.title.set(logic::title(&page.heard));
            view! {
                {teaching.moments()}
                {teaching.proposals()}
                {teaching.profile()}
            }
            .into_any()
        })}
    }
    .into_any()
}

// === impl Teaching ===

impl Teaching {
    /// The newest bytes of the part that is looked at.
    fn newest(self) -> Option<PacketPartView> {
        let wanted = self.part.get();
        self.page.data.with(|page| {
            let mut parts = page
                .iter()
                .flat_map(|page| &page.packets)
                .flat_map(|packet| &packet.parts);
            parts.find(|part| part.title == wanted).cloned()
        })
    }

    fn titles(self) -> Vec<String> {
        self.page.data.with(|page| {
            let parts = page
                .iter()
                .flat_map(|page| &page.packets)
                .flat_map(|packet| &packet.parts);
            let mut titles: Vec<String> = parts.map(|part| part.title.clone()).collect();
            titles.sort();
            titles.dedup();
            titles
        })
    }

    /// Takes what it sends now as an example of what the display shows.
    fn take(self) {
        let shown = self
            .shown
            .get_untracked()
            .trim()
            .replace(',', ".")
            .replace('−', "-");
        let (Some(part), Ok(shown)) = (untrack(|| self.newest()), shown.parse::<f64>()) else {
            self.radio
                .toasts
                .refused("Type the number that the display shows, such as 21.4.");
            return;
        };
        self.examples.update(|examples| {
            examples.push(LessonExampleView {
                part: part.title,
                hex: part.hex,
                shown,
            });
        });
        self.shown.set(String::new());
        self.outcome.set(None);
    }

    fn moments(self) -> AnyView {
        let titles = Memo::new(move |_| self.titles());
        let newest = Memo::new(move |_| self.newest());
        let at = Memo::new(move |_| {
            self.page
                .data
                .with(|page| page.as_ref().map(|page| page.heard.last))
        });
        let option = move |title: String| {
            let here = self.part.get_untracked() == title;
            view! { <option value=title.clone() selected=here>{words::plain(&title)}</option> }
        };
        let choose = move |event| {
            self.part.set(event_target_value(&event));
            self.outcome.set(None);
        };
        let line = move |(index, example): (usize, LessonExampleView)| {
            let label = format!("Leave out {}", example.shown);
            view! {
                <li data-test="example"><strong>{example.shown.to_string()}</strong><code>{logic::pairs(&example.hex)}</code>
                    <button type="button" class="quiet small" aria-label=label on:click=move |_| { self.examples.update(|all| { all.remove(index); }); self.outcome.set(None); }>"Leave out"</button></li>
            }
        };
        let examples = move || {
            self.examples
                .get()
                .into_iter()
                .enumerate()
                .map(line)
                .collect_view()
        };
        let propose = move |_| self.propose();
        let too_few = move || self.busy.get() || self.examples.with(Vec::len) < FEWEST;
        view! {
            <section class="card" aria-labelledby="moments-title" data-test="moments">
                <h2 id="moments-title">"1. What does its display show?"</h2>
                <p class="help">"Look at the device, type the number and take it; once more when the number has changed, the more the better. Numbers far apart, and one below zero, tell the most."</p>
                {move || (titles.with(Vec::len) > 1).then(|| view! {
                    <div class="field"><label for="lesson-part">"Part of its packets"</label>
                    <select id="lesson-part" on:change=choose>{titles.get().into_iter().map(option).collect_view()}</select></div>
                })}
                <p class="part">{move || newest.get().map(|part| view! {
                    <span class="faint">"It sends now: "</span><code data-test="newest">{logic::pairs(&part.hex)}</code>" "<span class="faint">{at.get().map(ago)}</span>
                })}</p>
                <form class="key-form" on:submit=move |event| { event.prevent_default(); self.take(); }>
                    <div class="field">
                        <label for="display">"The display shows"</label>
                        <input class="short" id="display" type="text" inputmode="decimal" autocomplete="off" prop:value=move || self.shown.get()
                            on:input=move |event| self.shown.set(event_target_value(&event))/>
                    </div>
                    <button type="submit" data-test="take">"Take this moment"</button>
                </form>
                <ul class="lines">{examples}</ul>
                <div class="actions"><button type="button" class="primary" data-test="propose" disabled=too_few on:click=propose>"Find it"</button>
                    <span class="faint">{move || match self.examples.with(Vec::len) { 0 | 1 => "Two moments at least.", _ => "" }}</span></div>
            </section>
        }
        .into_any()
    }

    fn propose(self) {
        self.busy.set(true);
        let draft = LessonDraft {
            address: self.address.get_value(),
            examples: self.examples.get_untracked(),
        };
        spawn_local(async move {
            let source = self.radio.source.get_value();
            let outcome = change::<TeachDecoder>(&[&source], &draft, None).await;
            let first = outcome
                .as_ref()
                .is_ok_and(|proposals| !proposals.is_empty());
            self.busy.try_set(false);
            self.chosen.try_set(first.then_some(0));
            self.outcome.try_set(Some(outcome));
        });
    }

    fn proposals(self) -> AnyView {
        (move || {
            let outcome = self.outcome.get()?;
            let content = match outcome {
                Err(trouble) => trouble_note(&trouble),
                Ok(proposals) => self.ranked(&proposals),
            };
            Some(view! {
                <section class="card" aria-labelledby="proposals-title" data-test="proposals">
                    <h2 id="proposals-title">"2. Which one is it?"</h2>
                    {content}
                </section>
            })
        })
        .into_any()
    }

    fn ranked(self, proposals: &[ProposalView]) -> AnyView {
        let each = proposals.iter().take(SHOWN).enumerate().map(|(index, proposal)| {
            let id = format!("proposal-{index}");
            let percent = format!("{:.0} %", proposal.likelihood * 100.0);
            let reads: Vec<String> = proposal.reads.iter().map(|read| words::short(*read)).collect();
            view! {
                <li>
                    <label class="check" for=id.clone()>
                        <input type="radio" name="proposal" id=id.clone() prop:checked=move || self.chosen.get() == Some(index) on:change=move |_| self.chosen.set(Some(index))/>
                        <span class="stack"><span><strong>{percent}</strong>" "{words::capital(&words::plain(&proposal.words))}</span>
                        <span class="faint">{format!("reads {}", reads.join(", "))}</span></span>
                    </label>
                </li>
            }
        });
        let input = |id: &'static str, label: &'static str, signal: RwSignal<String>| {
            view! {
                <div class="field"><label for=id>{label}</label>
                <input id=id type="text" autocomplete="off" spellcheck="false" prop:value=move || signal.get() on:input=move |event| signal.set(event_target_value(&event))/></div>
            }
        };
        let all = StoredValue::new(proposals.to_vec());
        let take = move |_| {
            let chosen = self
                .chosen
                .get_untracked()
                .and_then(|index| all.with_value(|all| all.get(index).cloned()));
            let id = self.id.get_untracked().trim().to_owned();
            let Some(proposal) = chosen.filter(|_| !id.is_empty()) else {
                return;
            };
            let unit = self.unit.get_untracked().trim().to_owned();
            let point = TaughtPointDraft {
                id,
                unit: (!unit.is_empty()).then_some(unit),
                proposal,
                examples: self.examples.get_untracked(),
            };
            self.points.update(|points| {
                points.retain(|known| known.id != point.id);
                points.push(point);
            });
            self.examples.set(Vec::new());
            self.outcome.set(None);
        };
        view! {
            <ul class="lines">{each.collect_view()}</ul>
            <div class="inputs">
                {input("taught-id", "What it is, such as temperature", self.id)}
                {input("taught-unit", "Its unit by UCUM, such as Cel or %", self.unit)}
            </div>
            <div class="actions"><button type="button" class="primary" data-test="take-proposal" on:click=take>"Take this value"</button></div>
        }
        .into_any()
    }

    fn profile(self) -> AnyView {
        let some = Memo::new(move |_| self.points.with(|points| !points.is_empty()));
        let line = |point: &TaughtPointDraft| {
            let unit = point.unit.as_deref().map(words::unit).unwrap_or_default();
            view! { <li><strong>{point.id.clone()}</strong><span>{unit.to_owned()}</span><span class="faint">{words::plain(&point.proposal.words)}</span></li> }
        };
        let lines = move || {
            self.points
                .with(|points| points.iter().map(line).collect_view())
        };
        (move || some.get().then(|| view! {
            <section class="card" aria-labelledby="profile-title" data-test="profile">
                <h2 id="profile-title">"3. Keep it as a profile"</h2>
                <ul class="lines">{lines}</ul>
                <p class="help">"Another value of the same device? Begin again at 1 before you keep it."</p>
                <div class="field">
                    <label for="profile-title-field">"What such devices are called"</label>
                    <input class="short" id="profile-title-field" type="text" autocomplete="off" prop:value=move || self.title.get()
                        on:input=move |event| self.title.set(event_target_value(&event))/>
                </div>
                <div class="actions"><button type="button" class="primary" data-test="learn" disabled=move || self.busy.get() on:click=move |_| self.learn()>"Keep the profile"</button></div>
            </section>
        }))
        .into_any()
    }

    fn learn(self) {
        let title = self.title.get_untracked().trim().to_owned();
        if title.is_empty() {
            self.radio
                .toasts
                .refused("Say what such devices are called.");
            return;
        }
        self.busy.set(true);
        let draft = TaughtDraft {
            address: self.address.get_value(),
            title,
            points: self.points.get_untracked(),
        };
        spawn_local(async move {
            let source = self.radio.source.get_value();
            let learnt = change::<LearnProfile>(&[&source], &draft, None).await;
            self.busy.try_set(false);
            match learnt {
                Ok(done) => {
                    self.radio.toasts.done(&words::capital(&done.words));
                    back(self.radio.nav, self.radio, &draft.address);
                }
                Err(trouble) => self.radio.toasts.trouble(&trouble),
            }
        });
    }
}
