//! `Scans`: what each adapter shall listen for, what it does, and the pauses that connecting needs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use fieldgate_kit::scanner::{AdapterState, ScanMode};
use tokio::sync::Mutex as Turn;

use super::{
    AdapterFacts, RadioError,
    bluez::{Agent, Bus, Known},
};

/// See the module.
pub(super) struct Scans {
    bus: Bus,
    known: Arc<Known>,
    agent: Agent,
    adapters: Mutex<HashMap<u16, Arc<Adapter>>>,
}

/// One adapter: who connects with it, and its scan.
#[derive(Debug, Default)]
pub(super) struct Adapter {
    /// Held by the one that connects: one at a time.
    pub connecting: Arc<Turn<()>>,
    scan: Turn<Scan>,
}

#[derive(Debug, Default)]
struct Scan {
    wish: Option<ScanMode>,
    running: Option<ScanMode>,
    paused: bool,
}

// === impl Scans ===

impl Scans {
    pub(super) fn new(bus: Bus, known: Arc<Known>, agent: Agent) -> Self {
        Self {
            bus,
            known,
            agent,
            adapters: Mutex::default(),
        }
    }

    pub(super) fn adapter(&self, number: u16) -> Arc<Adapter> {
        let mut adapters = self
            .adapters
            .lock()
            .expect("nothing panics while holding it");
        adapters.entry(number).or_default().clone()
    }

    /// The adapters, with what we know better: a scan that is only paused goes on, and BlueZ does not call listening passively a scan.
    pub(super) async fn facts(&self) -> Result<Vec<AdapterFacts>, RadioError> {
        let mut all = Vec::new();
        for (number, mut facts) in self.bus.adapters(&self.known).await? {
            let adapter = self.adapter(number);
            let scan = adapter.scan.lock().await;
            let usable = matches!(
                facts.state,
                AdapterState::Starting | AdapterState::Listening
            );
            let passive = scan.running == Some(ScanMode::Passive) && self.agent.is_monitored();
            let paused = scan.paused && scan.wish.is_some();
            facts.scanning |= usable && (passive || paused);
            if facts.scanning && usable {
                facts.state = AdapterState::Listening;
            }
            all.push(facts);
        }
        if all.is_empty() && Bus::is_held() {
            all.push(AdapterFacts::taken_away());
        }
        Ok(all)
    }

    /// Begins to scan, or anew.
    pub(super) async fn listen(&self, number: u16, mode: ScanMode) -> Result<(), RadioError> {
        let adapter = self.adapter(number);
        let mut scan = adapter.scan.lock().await;
        scan.wish = Some(mode);
        if scan.paused {
            return Ok(());
        }
        self.end(number, &mut scan).await?;
        self.begin(number, &mut scan).await
    }

    /// Ends the scan.
    pub(super) async fn rest(&self, number: u16) -> Result<(), RadioError> {
        let adapter = self.adapter(number);
        let mut scan = adapter.scan.lock().await;
        scan.wish = None;
        self.end(number, &mut scan).await
    }

    /// Pauses the scan for a connection: a controller that filters duplicates does not tell of the device again before the
    /// kernel restarts its scan, which can take ten seconds. Listening passively is not in the way.
    pub(super) async fn pause(&self, number: u16) {
        let adapter = self.adapter(number);
        let mut scan = adapter.scan.lock().await;
        scan.paused = true;
        if scan.running == Some(ScanMode::Active)
            && let Err(error) = self.end(number, &mut scan).await
        {
            tracing::debug!(adapter = number, %error, "the scan goes on while connecting");
        }
    }

    /// Goes on after a pause. A scan that does not is found out by who watches the adapter.
    pub(super) async fn resume(&self, number: u16) {
        let adapter = self.adapter(number);
        let mut scan = adapter.scan.lock().await;
        scan.paused = false;
        if let Err(error) = self.begin(number, &mut scan).await {
            tracing::debug!(adapter = number, %error, "the scan does not go on after connecting");
        }
    }

    async fn begin(&self, number: u16, scan: &mut Scan) -> Result<(), RadioError> {
        if scan.wish == scan.running {
            return Ok(());
        }
        match scan.wish {
            Some(ScanMode::Active) => match self.bus.discover(number).await {
                // Ours from before, which was told to end and has not yet, or whose answer was late.
                Err(RadioError::Busy(_)) => {
                    self.bus.stop(number).await?;
                    self.bus.discover(number).await?;
                }
                done => done?,
            },
            Some(ScanMode::Passive) => self.bus.monitor(number, &self.known, true).await?,
            None => {}
        }
        scan.running = scan.wish;
        Ok(())
    }

    async fn end(&self, number: u16, scan: &mut Scan) -> Result<(), RadioError> {
        match scan.running.take() {
            Some(ScanMode::Active) => self.bus.stop(number).await,
            Some(ScanMode::Passive) => self.bus.monitor(number, &self.known, false).await,
            None => Ok(()),
        }
    }
}
