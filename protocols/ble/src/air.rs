//! `Air`: what is in the air right now, shared by the attempt that listens and by the people who ask.

use std::{
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fieldgate_kit::{
    ExploreError, Scanner,
    explore::Explored,
    scanner::{
        AdapterReport, CaptureState, CharacteristicRef, GattTree, GattValue, HeardDetail, Lesson,
        PairingPrompt, PairingReply, Proposal, ScanReport, Taught,
    },
};
use tokio::time::Instant;

use crate::{
    Address, Key, Profile,
    clock::now,
    gatt::{DeviceStatus, Gatt, Phase, Route, Routes},
    radio::{Prompt, Radio, RadioError, TAKEN_AWAY},
    recorder::Recorder,
    table::Table,
    teach,
};

/// Questions of devices that pair which wait at once.
const PROMPTS: usize = 16;

/// What is in the air.
pub(crate) struct Air {
    state: Mutex<State>,
    gatt: Arc<Gatt>,
    radio: Arc<dyn Radio>,
    /// Where the profiles are kept that people teach.
    taught: PathBuf,
}

/// What changes.
pub(crate) struct State {
    /// Whoever is still asked after the attempt has left finds an empty one.
    pub table: Table,
    pub recorder: Recorder,
    pub adapters: Vec<AdapterReport>,
    pub words: String,
    pub prompts: Vec<Prompt>,
    pub bonds: Vec<Address>,
}

// === impl Air ===

impl Air {
    pub(crate) fn new(
        table: Table,
        recorder: Recorder,
        gatt: Arc<Gatt>,
        radio: Arc<dyn Radio>,
        taught: PathBuf,
    ) -> Self {
        let state = State {
            table,
            recorder,
            adapters: Vec::new(),
            words: "looking for a Bluetooth adapter".to_owned(),
            prompts: Vec::new(),
            bonds: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            gatt,
            radio,
            taught,
        }
    }

    /// Nobody holds it across anything that waits.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the connections of all devices are.
    pub(crate) fn links(&self) -> Vec<DeviceStatus> {
        self.gatt.status()
    }

    /// Connections that are open on an adapter.
    pub(crate) fn connections(&self, adapter: &str) -> u32 {
        self.gatt.connections(adapter)
    }

    /// Connections that are being made, also to pair.
    pub(crate) fn connecting(&self) -> u32 {
        let statuses = self.gatt.status();
        let making = statuses
            .iter()
            .filter(|status| matches!(status.phase, Phase::Connecting | Phase::Pairing));
        u32::try_from(making.count()).unwrap_or(u32::MAX)
    }

    /// Devices that are connected.
    pub(crate) fn connected(&self) -> Vec<Address> {
        let statuses = self.gatt.status().into_iter();
        let connected =
            statuses.filter(|status| matches!(status.phase, Phase::Connected | Phase::Pairing));
        connected.map(|status| status.address).collect()
    }

    /// Takes out what outlives the attempt.
    pub(crate) fn leave(&self) -> (Table, Recorder) {
        let mut state = self.state();
        let mut table = mem::replace(&mut state.table, Table::empty(Instant::now()));
        table.rest();
        (table, mem::take(&mut state.recorder))
    }

    /// Removes the bond of a device that is not heard: it may be broken or stolen, and no connection has to be closed for it. None: there
    /// is no such bond.
    async fn forget_unheard(&self, address: Address) -> Result<Option<String>, ExploreError> {
        let adapters: Vec<String> = {
            let state = self.state();
            if state.table.route(address, None).is_some() {
                return Ok(None);
            }
            let adapters = state.adapters.iter();
            // What stands for no adapter has no bonds.
            let there = |id: &str| !id.is_empty() && id != TAKEN_AWAY;
            let adapters = adapters.filter(|adapter| there(&adapter.id));
            adapters.map(|adapter| adapter.id.clone()).collect()
        };
        let mut forgotten = false;
        for adapter in adapters {
            let bonds = self.radio.bonds(&adapter).await.map_err(gone)?;
            if bonds.contains(&address) {
                self.radio.forget(&adapter, address).await.map_err(gone)?;
                forgotten = true;
            }
        }
        Ok(forgotten.then(|| {
            format!(
                "{address}: its bond is forgotten, though it is not heard; it can be paired anew"
            )
        }))
    }

    fn prompts(state: &State) -> Vec<PairingPrompt> {
        let prompts = state.prompts.iter();
        let prompt = |prompt: &Prompt| PairingPrompt {
            id: prompt.id,
            address: prompt.address.to_string(),
            name: state.table.name(prompt.address),
            wants: prompt.wants.clone(),
            until: prompt.until,
        };
        prompts.map(prompt).collect()
    }
}

// === impl State ===

impl State {
    /// A device asks something while it pairs.
    pub(crate) fn ask(&mut self, prompt: Prompt) {
        self.prompts.retain(|other| other.address != prompt.address);
        if self.prompts.len() == PROMPTS {
            self.prompts.remove(0);
        }
        self.prompts.push(prompt);
    }

    /// Takes out the questions that nobody answered in time.
    pub(crate) fn expire_prompts(&mut self) {
        let now = now();
        self.prompts.retain(|prompt| prompt.until > now);
    }
}

fn address_of(text: &str) -> Result<Address, ExploreError> {
    text.parse()
        .map_err(|no: crate::NoAddress| ExploreError::Refused(no.to_string()))
}

fn gone(error: RadioError) -> ExploreError {
    ExploreError::Gone(error.to_string())
}

fn unheard(address: Address) -> ExploreError {
    ExploreError::Refused(format!(
        "{address} is not heard any more; is it near, and does its battery hold?"
    ))
}

impl Routes for Air {
    fn route(&self, device: Address, since: Option<Instant>) -> Option<Route> {
        let state = self.state();
        let route = state.table.route(device, since)?;
        let of_route = |adapter: &&AdapterReport| *adapter.id == *route.adapter;
        let adapter = state.adapters.iter().find(of_route);
        // An adapter that is off is nothing that a device is slow with.
        adapter
            .is_some_and(|adapter| adapter.state.is_usable())
            .then_some(route)
    }
}

impl Scanner for Air {
    fn report(&self) -> ScanReport {
        let statuses = self.gatt.status();
        let mut state = self.state();
        let now = Instant::now();
        let mut heard = state.table.report();
        for one in &mut heard {
            let is_it = |address: &Address| address.to_string() == one.address;
            one.bonded = state.bonds.iter().any(is_it);
            one.connected = statuses
                .iter()
                .any(|status| is_it(&status.address) && status.phase == Phase::Connected);
        }
        ScanReport {
            words: state.words.clone(),
            adapters: state.adapters.clone(),
            heard,
            passing: state.table.passing(now),
            packets: state.table.packets(),
            packets_per_s: state.table.rate(),
            ignored: state.table.ignored(),
            prompts: Self::prompts(&state),
            captures: state.recorder.states(now),
        }
    }

    fn detail(&self, address: &str) -> Result<HeardDetail, ExploreError> {
        let address = address_of(address)?;
        let detail = self.state().table.detail(address);
        detail.ok_or_else(|| unheard(address))
    }

    fn try_key(&self, address: &str, key: &str) -> Result<(), ExploreError> {
        let address = address_of(address)?;
        let key = Key::parse(key).map_err(ExploreError::Refused)?;
        let tried = self.state().table.try_key(address, key, Instant::now());
        if tried { Ok(()) } else { Err(unheard(address)) }
    }

    fn services(&self, address: String) -> Explored<'_, GattTree> {
        Box::pin(async move { self.gatt.services(address_of(&address)?).await })
    }

    fn read(&self, characteristic: CharacteristicRef) -> Explored<'_, GattValue> {
        Box::pin(async move { self.gatt.read(&characteristic).await })
    }

    fn notify(&self, characteristic: CharacteristicRef, on: bool) -> Explored<'_, ()> {
        Box::pin(async move { self.gatt.notify(&characteristic, on).await })
    }

    fn disconnect(&self, address: String) -> Explored<'_, ()> {
        Box::pin(async move { self.gatt.disconnect(address_of(&address)?).await })
    }

    fn pair(&self, address: String) -> Explored<'_, String> {
        Box::pin(async move { self.gatt.pair(address_of(&address)?).await })
    }

    fn unpair(&self, address: String) -> Explored<'_, String> {
        Box::pin(async move {
            let address = address_of(&address)?;
            let words = match self.forget_unheard(address).await? {
                Some(words) => words,
                None => self.gatt.unpair(address).await?,
            };
            self.state().bonds.retain(|bond| *bond != address);
            Ok(words)
        })
    }

    fn answer(&self, prompt: u64, reply: PairingReply) -> Result<(), ExploreError> {
        self.state().prompts.retain(|other| other.id != prompt);
        self.radio.answer(prompt, reply).map_err(gone)
    }

    fn capture(&self, address: Option<&str>, time: Duration) -> Result<CaptureState, ExploreError> {
        let of = address.map(address_of).transpose()?;
        let mut state = self.state();
        if let Some(of) = of
            && !state.table.knows(of)
        {
            return Err(unheard(of));
        }
        state.recorder.start(of, time, Instant::now(), now())
    }

    fn captured(&self, id: u64) -> Result<String, ExploreError> {
        self.state().recorder.lines(id)
    }

    fn stop_capture(&self, id: u64) -> Result<CaptureState, ExploreError> {
        self.state().recorder.stop(id)
    }

    fn teach(&self, lesson: Lesson) -> Result<Vec<Proposal>, ExploreError> {
        teach::propose(&lesson).map_err(ExploreError::Refused)
    }

    fn learn(&self, taught: Taught) -> Result<String, ExploreError> {
        let (id, text) = teach::learn(&taught).map_err(ExploreError::Refused)?;
        let profile = Profile::parse(&id, &text).map_err(ExploreError::Refused)?;
        teach::keep(&self.taught, &id, &text).map_err(ExploreError::Refused)?;
        self.state().table.learn(profile);
        Ok(text)
    }
}
