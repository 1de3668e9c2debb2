//! `Desired`: the desired state, kept. Loaded from all layers, reloaded, changed by the console, gone back to.
//!
//! Everything here may touch the disk and sync it: call it from where blocking is allowed.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use fieldgate_api::{
    config::{ConfigView, Layer, Origin, Revision, RevisionDetail},
    trouble::ConfigProblem,
};
use fieldgate_kit::Secrets;
use tokio::sync::watch;
use toml_edit::DocumentMut;

use super::{
    ChangeError, Loaded,
    edit::unified_diff,
    files,
    layers::Override,
    loaded::{Surroundings, assemble},
    problems::problem,
    revisions::{Revisions, Stored},
    secrets,
};
use crate::registry::Registry;

/// Where the configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Locations {
    /// Files and folders; none means `/etc/fieldgate`, which may be missing.
    pub files: Vec<PathBuf>,
    /// The state folder; `config/` and `secrets/` below it are kept here.
    pub state: PathBuf,
    /// All environment variables; those named `FIELDGATE__…` count.
    pub env: Vec<(String, String)>,
    /// Values fixed on the command line: `gateway.name`, `source.press.endpoint`.
    pub flags: Vec<(String, String)>,
    /// The TOML text of `--demo`.
    pub demo: Option<String>,
}

/// The desired state, and the only way to change it.
#[derive(Debug)]
pub struct Desired {
    locations: Locations,
    pub(super) registry: Registry,
    pub(super) revisions: Revisions,
    /// Held for the whole of a change, so that changes come one after the other.
    inner: Mutex<Inner>,
    loaded: watch::Sender<Arc<Loaded>>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub surroundings: Surroundings,
    pub console: Stored,
    /// Revisions that were passed over at the start.
    damaged: Vec<ConfigProblem>,
    /// Why the last reload was refused.
    refused: Vec<ConfigProblem>,
}

// === impl Desired ===

impl Desired {
    /// Loads everything, and validates it.
    ///
    /// # Errors
    /// Every problem; without a valid configuration nothing is started.
    pub fn open(
        locations: Locations,
        registry: Registry,
    ) -> Result<(Self, Arc<Loaded>), Vec<ConfigProblem>> {
        let unusable = |error: io::Error| {
            let place = locations.state.display().to_string();
            let origin = Origin {
                layer: Layer::Console,
                place,
            };
            let remedy = "make it a folder that the gateway's user may write to, or name another one with --state";
            let what = format!("the state folder cannot be used: {error}");
            vec![problem("", &[], &origin, what, remedy)]
        };
        let revisions = Revisions::open(locations.state.join("config")).map_err(unusable)?;
        secrets::clear_tests(&locations.state.join("secrets")).map_err(unusable)?;
        let (console, damaged) = revisions.current().map_err(unusable)?;
        let surroundings = surroundings(&locations)?;
        let loaded = Arc::new(assemble(
            &surroundings,
            &console.text,
            &place(console.number),
            console.number,
            &registry,
        )?);
        let inner = Inner {
            surroundings,
            console,
            damaged,
            refused: Vec::new(),
        };
        let desired = Self {
            locations,
            registry,
            revisions,
            inner: Mutex::new(inner),
            loaded: watch::Sender::new(loaded.clone()),
        };
        Ok((desired, loaded))
    }

    /// What is in force.
    #[must_use]
    pub fn current(&self) -> Arc<Loaded> {
        self.loaded.borrow().clone()
    }

    /// What is in force, now and after every change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Loaded>> {
        self.loaded.subscribe()
    }

    /// Reads secrets, as the configuration refers to them.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        Secrets::new(self.secrets_folder(), self.current().folder.clone())
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// Every problem. Then the last good configuration stays in force, and the view shows the problems.
    pub fn reload(&self) -> Result<Arc<Loaded>, Vec<ConfigProblem>> {
        let mut inner = self.lock();
        let console = &inner.console;
        let read = surroundings(&self.locations).and_then(|surroundings| {
            let place = place(console.number);
            let loaded = assemble(
                &surroundings,
                &console.text,
                &place,
                console.number,
                &self.registry,
            )?;
            Ok((surroundings, loaded))
        });
        match read {
            Ok((surroundings, loaded)) => {
                inner.surroundings = surroundings;
                inner.refused.clear();
                Ok(self.publish(loaded))
            }
            Err(problems) => {
                inner.refused.clone_from(&problems);
                Err(problems)
            }
        }
    }

    /// All revisions that are kept, the newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn revisions(&self) -> Result<Vec<Revision>, ChangeError> {
        let current = self.lock().console.number;
        let stored = self.revisions.list()?;
        Ok(stored
            .iter()
            .map(|stored| stored.revision(current))
            .collect())
    }

    /// One revision, and how it differs from the one before it.
    ///
    /// # Errors
    /// `NotFound` when it is not kept or damaged.
    pub fn revision(&self, number: u64) -> Result<RevisionDetail, ChangeError> {
        let current = self.lock().console.number;
        let stored = self.revisions.read(number)?;
        let before = self
            .revisions
            .list()?
            .into_iter()
            .find(|other| other.number < number);
        let before = before.unwrap_or_default();
        let diff = unified_diff(
            &before.text,
            &stored.text,
            (&place(before.number), &place(number)),
        );
        Ok(RevisionDetail {
            revision: stored.revision(current),
            toml: stored.text,
            diff,
        })
    }

    /// The whole configuration in force, and what is wrong with the one on the disk.
    #[must_use]
    pub fn view(&self) -> ConfigView {
        let inner = self.lock();
        let loaded = self.current();
        ConfigView {
            revision: inner.console.number,
            files: loaded.files.clone(),
            effective: loaded.effective.clone(),
            problems: [&inner.damaged, &inner.refused, &loaded.notes]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        }
    }

    pub(super) fn publish(&self, loaded: Loaded) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        self.loaded.send_replace(loaded.clone());
        loaded
    }

    pub(super) fn secrets_folder(&self) -> PathBuf {
        self.locations.state.join("secrets")
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is made in one assignment at its end, so a panic before it leaves a whole state.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    pub fn expect_base(&self, base: Option<u64>) -> Result<(), ChangeError> {
        match base {
            Some(base) if base != self.console.number => Err(ChangeError::Conflict {
                base,
                current: self.console.number,
            }),
            _ => Ok(()),
        }
    }

    pub fn document(&self) -> DocumentMut {
        self.console
            .text
            .parse()
            .expect("a revision is parsed before it becomes current")
    }
}

fn surroundings(locations: &Locations) -> Result<Surroundings, Vec<ConfigProblem>> {
    let mut overrides = Override::from_environment(&locations.env);
    overrides.extend(Override::from_flags(&locations.flags));
    let files = files::read(&locations.files)?;
    Ok(Surroundings {
        demo: locations.demo.clone(),
        files,
        overrides,
    })
}

pub(super) fn place(revision: u64) -> String {
    format!("revision {revision}")
}
