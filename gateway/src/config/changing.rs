//! Changes by the console: a draft is checked, written as a new revision, and in force; or nothing has changed.

use std::{collections::BTreeSet, io, sync::Arc};

use fieldgate_api::{
    config::{Draft, Item, Layer, Origin, Saved},
    trouble::ConfigProblem,
};
use fieldgate_kit::{Problem, Secrets};
use serde_json::{Map, Value as Json};

use super::{
    Desired, Loaded, Section, drafts,
    edit::{put_item, remove_item, unified_diff},
    loaded::assemble,
    revisions::{ReadError, Stored},
    secrets::{self, Stashed, Written},
    state::{Inner, place},
    tree,
};

/// Why the console's change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Correct it and try again.
    #[error("{}", .0.iter().map(super::line).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<ConfigProblem>),
    /// Look at what others changed in the meantime, then try again.
    #[error(
        "the configuration was changed since revision {base}, it is at {current} now; load it again and repeat the change"
    )]
    Conflict { base: u64, current: u64 },
    /// Only who may change the named place can change it. An empty path means the whole item.
    #[error("{}is fixed at {}; change it there", if .path.is_empty() { "this ".to_owned() } else { format!("`{}` ", .path) }, .origin.place)]
    Locked { path: String, origin: Origin },
    #[error("there is no {0}; it may have been removed in the meantime")]
    NotFound(String),
    #[error(
        "cannot write the configuration: {0}; look at the disk and the rights of the state folder"
    )]
    Io(#[from] io::Error),
}

/// Settings to be tested without being saved. Typed secrets lie on the disk until this is dropped.
#[derive(Debug)]
pub struct Trial {
    pub kind: String,
    pub settings: Json,
    pub secrets: Secrets,
    _typed: Written,
}

// === impl Desired ===

impl Desired {
    /// Adds or changes an item. With a `base`, only when that revision is still the current one.
    ///
    /// # Errors
    /// Then nothing has changed.
    pub fn put(
        &self,
        section: Section,
        id: &str,
        draft: &Draft,
        base: Option<u64>,
        who: &str,
    ) -> Result<(Arc<Loaded>, Saved), ChangeError> {
        let mut inner = self.lock();
        inner.expect_base(base)?;
        let current = self.current();
        let known = current.item(section, id);
        let keys = self.own_keys(section, id, draft, known)?;
        let keys = Json::Object(keys);
        let stashed = match section.has_secrets() {
            true => secrets::stash(keys, &stem(section, id)),
            false => Stashed::plain(keys),
        };
        let mut document = inner.document();
        let keys = stashed
            .settings
            .as_object()
            .expect("stashing keeps a table a table");
        put_item(&mut document, section, id, keys);
        let what = format!("{} {} {id}", verb(known, draft), section.word());
        self.propose(&mut inner, &document.to_string(), who, &what, Some(stashed))
    }

    /// Removes an item that the console made.
    ///
    /// # Errors
    /// `Locked` when another layer says something about it, `Invalid` when routes or rules still name it. Then nothing has changed.
    pub fn remove(
        &self,
        section: Section,
        id: &str,
        base: Option<u64>,
        who: &str,
    ) -> Result<(Arc<Loaded>, Saved), ChangeError> {
        let mut inner = self.lock();
        inner.expect_base(base)?;
        let current = self.current();
        if let Some(item) = current.item(section, id) {
            expect_removable(item)?;
            expect_unused(&current, section, id)?;
        }
        let mut document = inner.document();
        if !remove_item(&mut document, section, id) {
            return Err(ChangeError::NotFound(format!("{} {id}", section.word())));
        }
        let what = format!("remove {} {id}", section.word());
        self.propose(&mut inner, &document.to_string(), who, &what, None)
    }

    /// Goes back to a revision's text, as a new revision. 0 is the state before the console's first change.
    ///
    /// # Errors
    /// `NotFound` when it is not kept, `Invalid` when it does not fit the files any more. Then nothing has changed.
    pub fn revert(
        &self,
        number: u64,
        base: Option<u64>,
        who: &str,
    ) -> Result<(Arc<Loaded>, Saved), ChangeError> {
        let mut inner = self.lock();
        inner.expect_base(base)?;
        let text = self.revisions.read(number)?.text;
        self.propose(
            &mut inner,
            &text,
            who,
            &format!("revert to revision {number}"),
            None,
        )
    }

    /// Settings for a test, with the secrets that go with them.
    ///
    /// # Errors
    /// When the draft holds what the console may not say; whether the settings are good is for the test to find out.
    pub fn trial(&self, section: Section, id: &str, draft: &Draft) -> Result<Trial, ChangeError> {
        let current = self.current();
        let known = current.item(section, id);
        let keys = self.own_keys(section, id, draft, known)?;
        let settings = drafts::in_force(keys, section, known);
        let stashed = secrets::stash(settings, &secrets::test_stem(&stem(section, id)));
        let settings = stashed.settings.clone();
        let typed = stashed.write(&self.secrets_folder())?;
        let kind = draft.kind.clone();
        Ok(Trial {
            kind,
            settings,
            secrets: self.secrets(),
            _typed: typed,
        })
    }

    /// What the console has to write for a draft, checked for secrets that it may not refer to.
    fn own_keys(
        &self,
        section: Section,
        id: &str,
        draft: &Draft,
        known: Option<&Item>,
    ) -> Result<Map<String, Json>, ChangeError> {
        let label = format!("{} {id}", section.word());
        let keys = drafts::console_keys(section, &label, draft, known)?;
        if !section.has_secrets() {
            return Ok(keys);
        }
        let own = known
            .map(|known| secrets::references(&known.draft.settings))
            .unwrap_or_default();
        let lead = format!("{}-", stem(section, id));
        let may_use = |name: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let earlier = name.starts_with(&lead) && name.chars().all(plain);
            own.contains(name) || (earlier && self.secrets_folder().join(name).is_file())
        };
        let forbidden = secrets::forbidden(&Json::Object(keys.clone()), &may_use);
        if forbidden.is_empty() {
            return Ok(keys);
        }
        let told = |found: Problem| ConfigProblem {
            item: label.clone(),
            path: found.path,
            what: found.what,
            remedy: found.remedy,
            origin: "console".to_owned(),
        };
        Err(ChangeError::Invalid(
            forbidden.into_iter().map(told).collect(),
        ))
    }

    /// Validates the console's new text, writes it and puts it in force.
    fn propose(
        &self,
        inner: &mut Inner,
        text: &str,
        who: &str,
        what: &str,
        stashed: Option<Stashed>,
    ) -> Result<(Arc<Loaded>, Saved), ChangeError> {
        if text == inner.console.text {
            let saved = Saved {
                revision: inner.console.number,
                diff: String::new(),
            };
            return Ok((self.current(), saved));
        }
        let number = self.revisions.next_number()?;
        let loaded = assemble(
            &inner.surroundings,
            text,
            &place(number),
            number,
            &self.registry,
        )
        .map_err(|problems| ChangeError::Invalid(from_console(problems, number)))?;
        let written = stashed
            .map(|stashed| stashed.write(&self.secrets_folder()))
            .transpose()?;
        let (stored, pruned) = self.revisions.commit(number, text, who, what)?;
        if let Some(written) = written {
            written.keep();
        }
        let names = (place(inner.console.number), place(number));
        let diff = unified_diff(&inner.console.text, text, (&names.0, &names.1));
        inner.console = stored;
        let loaded = self.publish(loaded);
        self.forget_secrets(&pruned);
        Ok((
            loaded,
            Saved {
                revision: number,
                diff,
            },
        ))
    }

    /// Removes the secrets of revisions that are no longer kept, unless something still refers to them.
    fn forget_secrets(&self, pruned: &[Stored]) {
        let gone: BTreeSet<String> = pruned.iter().flat_map(secrets_of).collect();
        if gone.is_empty() {
            return;
        }
        let current = self.current();
        let in_force = Section::ALL
            .into_iter()
            .flat_map(|section| current.items(section));
        let mut needed: BTreeSet<String> = in_force
            .flat_map(|item| secrets::references(&item.draft.settings))
            .collect();
        match self.revisions.list() {
            Ok(kept) => needed.extend(kept.iter().flat_map(secrets_of)),
            // Without knowing what is needed, nothing is removed.
            Err(_) => return,
        }
        for name in gone.difference(&needed) {
            if let Err(error) = std::fs::remove_file(self.secrets_folder().join(name)) {
                tracing::warn!(%name, %error, "cannot remove a secret that nothing refers to any more");
            }
        }
    }
}

// === impl ChangeError ===

impl From<ReadError> for ChangeError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotFound(number) | ReadError::Damaged(number, _) => {
                Self::NotFound(format!("whole revision {number}"))
            }
            ReadError::Io(_, error) => Self::Io(error),
        }
    }
}

/// What the names of an item's secrets begin with.
fn stem(section: Section, id: &str) -> String {
    format!("{}-{id}", section.word())
}

/// A revision that was never written is the console's draft to people.
fn from_console(mut problems: Vec<ConfigProblem>, number: u64) -> Vec<ConfigProblem> {
    let unwritten = place(number);
    for problem in &mut problems {
        if problem.origin == unwritten {
            problem.origin = "console".to_owned();
        }
    }
    problems
}

fn verb(known: Option<&Item>, draft: &Draft) -> &'static str {
    match known {
        None => "add",
        Some(known) if known.draft.paused == draft.paused => "change",
        Some(_) if draft.paused => "pause",
        Some(_) => "resume",
    }
}

fn expect_removable(item: &Item) -> Result<(), ChangeError> {
    if item.removable {
        return Ok(());
    }
    let fixed = item
        .locked
        .values()
        .find(|_| item.origin.layer == Layer::Console);
    let origin = fixed.unwrap_or(&item.origin).clone();
    Err(ChangeError::Locked {
        path: String::new(),
        origin,
    })
}

/// Says which routes and rules would be left without a beginning or an end.
fn expect_unused(loaded: &Loaded, section: Section, id: &str) -> Result<(), ChangeError> {
    let lead = format!("{id}/");
    let of_it = |text: &String| text == id || text.starts_with(&lead);
    let (routes, rules) = (&loaded.config.routes, &loaded.config.rules);
    let routes = routes.iter().filter(|route| match section {
        Section::Source => route.settings.from.iter().any(of_it),
        Section::Destination => route.settings.to == id,
        Section::Route | Section::Rule => false,
    });
    let rules = rules.iter().filter(|rule| {
        let settings = &rule.settings;
        let mut names = settings.when.iter().chain([&settings.act.target]);
        section == Section::Source && names.any(of_it)
    });
    let routes = users("route", routes.map(|route| &*route.id));
    let rules = users("rule", rules.map(|rule| &*rule.id));
    let users: Vec<String> = routes.into_iter().chain(rules).collect();
    if users.is_empty() {
        return Ok(());
    }
    Err(ChangeError::Invalid(vec![ConfigProblem {
        item: format!("{} {id}", section.word()),
        path: Vec::new(),
        what: format!("{} still needs it", users.join(" and ")),
        remedy: "change or remove that first".to_owned(),
        origin: "console".to_owned(),
    }]))
}

/// `` the routes `a`, `b` ``; none when there is none.
fn users<'a>(word: &str, ids: impl Iterator<Item = &'a str>) -> Option<String> {
    let ids: Vec<String> = ids.map(|id| format!("`{id}`")).collect();
    let plural = if ids.len() == 1 { "" } else { "s" };
    (!ids.is_empty()).then(|| format!("the {word}{plural} {}", ids.join(", ")))
}

fn secrets_of(stored: &Stored) -> BTreeSet<String> {
    tree::parse(&stored.text, Layer::Console, "")
        .map(|root| secrets::references(&root.to_json()))
        .unwrap_or_default()
}
