//! One attempt: open the radio, listen and keep listening, talk to the devices that are to be connected, and deliver until the
//! radio is of no use any more.

use std::{convert::Infallible, sync::Arc, time::Duration};

use fieldgate_kit::{Scanner, SourceCtx, SourceError, scanner::AdapterState};
use fieldgate_model::{DropReason, Reading};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    Address, Advertisement, RadioChoice, Settings,
    air::Air,
    clock::now,
    gatt::{DeviceStatus, Gatt, GattCtx, Phase, Told},
    kept::{Kept, Listening},
    outbox::Outbox,
    profile::Profiles,
    radio::{AdapterFacts, Radio, RadioError, RadioEvent, Radios},
    recorder::Recorder,
    rules, sim,
    table::{self, Table},
    watch::{Action, Moment, Watch},
};

/// How often freshness, presence and the radio itself are looked at.
const BEAT: Duration = Duration::from_secs(1);
/// Values of connections that wait; when it is full, the device whose value it is waits.
const TOLD: usize = 64;
/// Commands that are carried out at once; a device that is slow holds up no other.
const COMMANDS: usize = 4;

type Events = BoxStream<'static, RadioEvent>;

/// What was opened.
struct Opened {
    radio: Arc<dyn Radio>,
    events: Events,
    _listening: Option<Listening>,
}

/// One attempt.
pub(crate) async fn run(settings: Arc<Settings>, ctx: SourceCtx) -> Result<(), SourceError> {
    ctx.health.connecting("opening Bluetooth");
    let kept = Kept::of(&ctx.memory);
    let opened = tokio::select! {
        () = ctx.shutdown.cancelled() => return Ok(()),
        opened = open(&settings, &ctx.id, Arc::clone(&kept)) => opened?,
    };
    let profiles = load_profiles(&ctx).await;
    let prepared = rules::prepare(&ctx.id, &settings, &ctx.secrets, &profiles);
    let gatt = Arc::new(Gatt::new(prepared.plans, settings.connections));
    let (mut table, recorder) = match kept.take(&ctx.id, Instant::now()) {
        Some((mut table, recorder)) => {
            table.obey(prepared.rules, prepared.identities, profiles);
            (table, recorder)
        }
        None => {
            let now = Instant::now();
            let table = Table::new(prepared.rules, prepared.identities, profiles, now);
            (table, Recorder::default())
        }
    };
    ctx.devices.announce_all(table.devices());
    let [_, taught] = table::profile_folders(&ctx.state_dir);
    let radio = Arc::clone(&opened.radio);
    let air = Arc::new(Air::new(table, recorder, Arc::clone(&gatt), radio, taught));
    let scanner: Arc<dyn Scanner> = Arc::<Air>::clone(&air);
    let offer = ctx.scanning.offer(scanner);
    let (tell, told) = mpsc::channel(TOLD);
    let gatt_ctx = GattCtx {
        radio: &*opened.radio,
        routes: &*air,
        told: &tell,
    };
    let mut listen = Listen::new(&settings, &ctx, &air, &opened.radio);
    let outcome = tokio::select! {
        () = ctx.shutdown.cancelled() => Ok(()),
        outcome = listen.run(opened.events, told) => outcome,
        () = gatt.run(gatt_ctx) => Err(SourceError::Lost("the connections ended".to_owned())),
        never = commands(&gatt, &ctx) => match never {},
    };
    drop(offer);
    ctx.memory.keep(listen.watch);
    let (table, recorder) = air.leave();
    kept.keep(&ctx.id, table, recorder, Instant::now());
    outcome
}

/// Opens what the settings listen to.
async fn open(
    settings: &Settings,
    source: &Arc<str>,
    kept: Arc<Kept>,
) -> Result<Opened, SourceError> {
    let simulated = |(radio, events)| Opened {
        radio,
        events,
        _listening: None,
    };
    match &settings.radio {
        RadioChoice::Simulated => Ok(simulated(sim::simulated())),
        RadioChoice::Replay(file) => {
            let replayed = sim::replayed(file).map_err(SourceError::Misconfigured)?;
            Ok(simulated(replayed))
        }
        RadioChoice::System => {
            let (radios, listening) = kept.listen(source).map_err(|other| {
                SourceError::Misconfigured(format!(
                    "the source `{other}` uses Bluetooth already; add the devices there, or pause it"
                ))
            })?;
            let (radio, mut events) = radios.open().await.map_err(source_error)?;
            let events = stream::poll_fn(move |cx| events.poll_recv(cx)).boxed();
            Ok(Opened {
                radio: radio.into(),
                events,
                _listening: Some(listening),
            })
        }
    }
}

/// By what the supervisor does next.
fn source_error(error: RadioError) -> SourceError {
    match error {
        RadioError::NoPermission(words) => SourceError::Refused(words),
        other => SourceError::Lost(other.to_string()),
    }
}

/// Profiles are read anew with each attempt; a bad one is told and left out.
async fn load_profiles(ctx: &SourceCtx) -> Profiles {
    let folders = table::profile_folders(&ctx.state_dir);
    let loading = tokio::task::spawn_blocking(move || Profiles::with_folders(&folders));
    let (profiles, problems) = loading
        .await
        .unwrap_or_else(|_| (Profiles::bundled(), Vec::new()));
    for problem in problems {
        tracing::warn!(source = %ctx.id, %problem, "a profile is left out");
    }
    profiles
}

/// Carries out commands, some at once.
async fn commands(gatt: &Gatt, ctx: &SourceCtx) -> Infallible {
    let mut orders = ctx.commands.open(gatt.offers());
    let mut under_way = stream::FuturesUnordered::new();
    loop {
        tokio::select! {
            order = orders.next(), if under_way.len() < COMMANDS => under_way.push(async move {
                let answer = gatt.carry_out(&order.command).await;
                order.answer(answer);
            }),
            Some(()) = under_way.next() => {}
        }
    }
}

/// Something that is done about the radio beside listening.
type Doing<'a> = BoxFuture<'a, Done>;

/// What came of it.
enum Done {
    Look(Result<Vec<AdapterFacts>, RadioError>),
    Action(Action, Result<(), RadioError>),
    Bonds(Vec<Address>),
}

/// The part of an attempt that listens.
struct Listen<'a> {
    ctx: &'a SourceCtx,
    air: &'a Air,
    radio: &'a Arc<dyn Radio>,
    watch: Watch,
    outbox: Outbox,
    /// A batch that is being handed over.
    sending: Option<BoxFuture<'a, Result<(), SourceError>>>,
    doing: Option<Doing<'a>>,
    connections: u32,
    /// It is the system's radio, not a simulated one.
    system: bool,
    /// Connections that are being made.
    connecting: u32,
    words: String,
}

fn moment() -> Moment {
    Moment {
        now: Instant::now().into_std(),
        at: now(),
    }
}

// === impl Listen ===

impl<'a> Listen<'a> {
    fn new(
        settings: &Settings,
        ctx: &'a SourceCtx,
        air: &'a Air,
        radio: &'a Arc<dyn Radio>,
    ) -> Self {
        let mut watch = ctx.memory.take().unwrap_or_else(|| {
            let now = Instant::now().into_std();
            Watch::new(now, settings.adapters.clone(), settings.scan)
        });
        watch.opened(moment());
        Self {
            ctx,
            air,
            radio,
            watch,
            outbox: Outbox::default(),
            sending: None,
            doing: None,
            connections: settings.connections,
            system: settings.radio == RadioChoice::System,
            connecting: 0,
            words: String::new(),
        }
    }

    /// Until the radio is of no use any more.
    async fn run(
        &mut self,
        mut events: Events,
        mut told: mpsc::Receiver<Told>,
    ) -> Result<(), SourceError> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.event(event)?,
                    None => return Err(SourceError::Lost("Bluetooth tells nothing any more".to_owned())),
                },
                Some(told) = told.recv() => self.told(told),
                sent = on(&mut self.sending) => {
                    self.sending = None;
                    sent?;
                }
                done = on(&mut self.doing) => {
                    self.doing = None;
                    self.done(done)?;
                    self.do_next();
                }
                _ = beat.tick() => {
                    self.beat();
                    self.do_next();
                }
            }
            self.hand_over();
        }
    }

    fn event(&mut self, event: RadioEvent) -> Result<(), SourceError> {
        match event {
            RadioEvent::Heard(heard) => {
                let now = Instant::now();
                let Advertisement {
                    address, random, ..
                } = heard.advertisement;
                let mut state = self.air.state();
                let (who, readings) = state.table.heard(&heard, now);
                if let Some(who) = who {
                    state.recorder.heard(who, &heard, now);
                }
                drop(state);
                // A device whose address changes lasts as well, for whoever has its key.
                let lasting = who.is_some() || address.kind(random).is_lasting();
                self.watch.heard(
                    now.into_std(),
                    &heard.adapter,
                    who.unwrap_or(address),
                    lasting,
                );
                self.push(readings);
            }
            RadioEvent::Missed(count) => {
                self.ctx.readings.dropped(DropReason::SourceOverflow, count);
            }
            RadioEvent::AdaptersChanged => {
                self.watch.look_soon(Instant::now().into_std());
                self.do_next();
            }
            // The device's session has heard it from its connection.
            RadioEvent::Disconnected(_) => {}
            RadioEvent::Pairing(prompt) => self.air.state().ask(prompt),
            RadioEvent::Over(error) => return Err(source_error(error)),
        }
        Ok(())
    }

    fn told(&mut self, told: Told) {
        let readings = match told {
            Told::Values {
                address,
                fields,
                at,
                ..
            } => {
                let mut state = self.air.state();
                state.table.connected(address, fields, at, Instant::now())
            }
            Told::Looked(address, value) => {
                self.air.state().table.looked(address, value);
                Vec::new()
            }
        };
        self.push(readings);
    }

    fn push(&mut self, readings: Vec<Reading>) {
        let crowded = self.sending.is_some();
        let replaced: u64 = readings
            .into_iter()
            .map(|reading| self.outbox.push(reading, crowded))
            .sum();
        if replaced > 0 {
            self.ctx.readings.dropped(DropReason::NoRoom, replaced);
        }
    }

    /// Time has passed.
    fn beat(&mut self) {
        let now_at = Instant::now();
        let links = self.air.links();
        let mut state = self.air.state();
        for link in &links {
            state.table.linked(link, now_at);
        }
        let readings = state.table.tick(now_at, now());
        let changed = state.table.changed();
        state.expire_prompts();
        drop(state);
        self.push(readings);
        for device in changed {
            self.ctx.devices.announce(device);
        }
        let connecting = self.air.connecting();
        for _ in self.connecting..connecting {
            self.watch.connecting(now_at.into_std(), true);
        }
        for _ in connecting..self.connecting {
            self.watch.connecting(now_at.into_std(), false);
        }
        self.connecting = connecting;
        self.watch
            .connected(now_at.into_std(), self.air.connected());
        self.tell();
    }

    /// How it is, for people.
    fn tell(&mut self) {
        let mut state = self.air.state();
        let now_at = Instant::now();
        let now = now_at.into_std();
        let mut adapters = self.watch.reports(now, self.connections);
        for adapter in &mut adapters {
            adapter.connections.0 = self.air.connections(&adapter.id);
        }
        let (there, late, all) = state.table.attendance(now_at);
        let mut words = self.watch.words(now);
        let mut states = adapters.iter().map(|adapter| adapter.state);
        let well = states.any(|state| state == AdapterState::Listening);
        if all > 0 {
            words = format!("{words}; {there} of {all} devices are heard");
            match late {
                0 => {}
                1 => words += ", one is late",
                late => words += &format!(", {late} are late"),
            }
        }
        match state.table.nearby() {
            0 => {}
            1 => words += "; one is nearby that was not added",
            near => words += &format!("; {near} are nearby that were not added"),
        }
        let failing = self.air.links().into_iter();
        let fails = |link: &DeviceStatus| link.failures > 0 && link.phase != Phase::Connected;
        let mut failing = failing.filter(fails).filter_map(|link| {
            let who = state.table.called(link.address)?;
            Some(format!("{who}: {}", link.cause?))
        });
        if let Some(first) = failing.next() {
            match failing.count() {
                0 => words += &format!("; no connection to {first}"),
                others => words += &format!("; no connection to {} devices, {first}", others + 1),
            }
        }
        state.adapters = adapters;
        state.words.clone_from(&words);
        drop(state);
        if self.words != words {
            if well {
                self.ctx.health.connected(words.clone());
            } else {
                self.ctx.health.waiting(words.clone());
            }
            self.words = words;
        }
    }

    /// Hands over what waits, if nothing is under way.
    fn hand_over(&mut self) {
        if self.sending.is_some() || self.outbox.is_empty() {
            return;
        }
        let batch = self.outbox.take();
        let readings = self.ctx.readings.clone();
        self.sending = Some(async move { readings.send(batch).await }.boxed());
    }

    /// Does the next thing about the radio, if nothing is under way. Not asked with each advertisement: there may be thousands a second.
    fn do_next(&mut self) {
        if self.doing.is_some() {
            return;
        }
        if let Some(action) = self.watch.tick(moment()) {
            self.doing = Some(carry_out(Arc::clone(self.radio), action).boxed());
        }
    }

    fn done(&mut self, done: Done) -> Result<(), SourceError> {
        match done {
            Done::Look(Ok(facts)) => {
                self.watch.adapters(moment(), &facts);
                let radio = Arc::clone(self.radio);
                let ids: Vec<_> = facts.into_iter().map(|facts| facts.id).collect();
                self.doing = Some(async move { Done::Bonds(bonds(&*radio, &ids).await) }.boxed());
                self.tell();
            }
            Done::Look(Err(error @ (RadioError::NoDaemon(_) | RadioError::NoPermission(_)))) => {
                return Err(source_error(error));
            }
            Done::Look(Err(error)) => {
                self.watch.done(moment(), &Action::Look, &Err(error));
            }
            // Nothing is gained by opening a capture anew: it has ended.
            Done::Action(Action::Reopen, _) if !self.system => self.watch.opened(moment()),
            Done::Action(Action::Reopen, _) => {
                return Err(SourceError::Lost(
                    "nothing is heard, and nothing that was done about it helped; Bluetooth is opened anew"
                        .to_owned(),
                ));
            }
            Done::Action(action, result) => self.watch.done(moment(), &action, &result),
            Done::Bonds(bonds) => self.air.state().bonds = bonds,
        }
        Ok(())
    }
}

/// The devices with a bond, on all adapters; those of an adapter that does not tell are not shown.
async fn bonds(radio: &dyn Radio, adapters: &[Arc<str>]) -> Vec<Address> {
    let mut bonds = Vec::new();
    for adapter in adapters {
        bonds.extend(radio.bonds(adapter).await.unwrap_or_default());
    }
    bonds
}

async fn carry_out(radio: Arc<dyn Radio>, action: Action) -> Done {
    let result = match &action {
        Action::Look => return Done::Look(radio.adapters().await),
        Action::Listen { adapter, mode } => radio.listen(adapter, *mode).await,
        Action::Rest { adapter } => radio.rest(adapter).await,
        Action::Power { adapter, on } => radio.power(adapter, *on).await,
        Action::Reopen => Ok(()),
    };
    Done::Action(action, result)
}

/// A future that may not be there: then never.
async fn on<T>(future: &mut Option<BoxFuture<'_, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
