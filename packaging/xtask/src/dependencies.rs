//! Licences, sources and bans of every crate of the lock file, as `deny.toml` says.
//!
//! It reads the keys of `cargo deny`'s format that it enforces, so that both tools share one file: `[licenses] allow`,
//! `[bans] deny` (`crate = "name"` or `"name@<x.y.z"`, `wrappers`, `reason`), `[sources] allow-registry` with all else denied,
//! and of `[advisories] ignore` only that each has a reason. Advisories themselves need the advisory
//! database, hence `cargo deny check advisories`; what is known to concern us stands in the bans, as the least good version.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::licence;
use crate::workspace::Workspace;

/// Reports every offending crate at once.
pub fn check(workspace: &Workspace) -> Result<()> {
    eprintln!("── licences, sources and bans");
    let started = Instant::now();
    let policy = fs::read_to_string(workspace.root.join("deny.toml")).context("deny.toml")?;
    let policy: Policy = toml::from_str(&policy).context("deny.toml")?;
    let output = workspace
        .cargo()
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()?;
    if !output.status.success() {
        bail!(
            "cargo metadata --locked: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let problems = problems(&policy, &metadata)?;
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    if !problems.is_empty() {
        bail!(
            "licences, sources and bans: {} problems, see above; the rules are in deny.toml",
            problems.len()
        );
    }
    eprintln!(
        "── licences, sources and bans: {} crates, {:.1} s",
        metadata.packages.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

#[derive(Deserialize)]
struct Policy {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
    advisories: Advisories,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    spec: String,
    #[serde(default)]
    wrappers: Vec<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: HashSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

fn problems(policy: &Policy, metadata: &Metadata) -> Result<Vec<String>> {
    let users = users(metadata);
    let mut problems: Vec<String> = policy
        .advisories
        .ignore
        .iter()
        .filter(|ignored| ignored.reason.trim().is_empty())
        .map(|ignored| format!("deny.toml ignores {} without a reason", ignored.id))
        .collect();
    for package in &metadata.packages {
        let named = format!("{} {}", package.name, package.version);
        if !licensed(package, &policy.licenses).with_context(|| named.clone())? {
            let licence = package.license.as_deref().unwrap_or("none stated");
            problems.push(format!("{named}: licence not allowed: {licence}"));
        }
        if !from_known_source(package, metadata, &policy.sources) {
            let source = package.source.as_deref().unwrap_or("a path outside");
            problems.push(format!("{named}: comes from {source}"));
        }
        let users = users
            .get(package.id.as_str())
            .map_or(&[][..], Vec::as_slice);
        for ban in &policy.bans.deny {
            if ban.hits(package, users)? {
                problems.push(format!(
                    "{named}: banned: {} (used by {})",
                    ban.reason,
                    users.join(", ")
                ));
            }
        }
    }
    Ok(problems)
}

fn licensed(package: &Package, licences: &Licences) -> Result<bool> {
    match &package.license {
        Some(expression) => licence::satisfied(expression, &licences.allow),
        None => Ok(false),
    }
}

fn from_known_source(package: &Package, metadata: &Metadata, sources: &Sources) -> bool {
    match &package.source {
        None => metadata.workspace_members.contains(&package.id),
        Some(source) => source
            .strip_prefix("registry+")
            .is_some_and(|registry| sources.allow_registry.iter().any(|known| known == registry)),
    }
}

/// For each package id the names of the packages that depend on it directly.
fn users(metadata: &Metadata) -> HashMap<&str, Vec<&str>> {
    let names: HashMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|package| (package.id.as_str(), package.name.as_str()))
        .collect();
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for node in &metadata.resolve.nodes {
        for dependency in &node.dependencies {
            users
                .entry(dependency)
                .or_default()
                .extend(names.get(node.id.as_str()));
        }
    }
    users
}

// === impl Ban ===

impl Ban {
    /// Whether a package is banned: named, of a version that is meant, and used by others than the wrappers.
    fn hits(&self, package: &Package, users: &[&str]) -> Result<bool> {
        let (name, versions) = match self.spec.split_once('@') {
            Some((name, versions)) => (name, Some(versions)),
            None => (self.spec.as_str(), None),
        };
        if name != package.name {
            return Ok(false);
        }
        if let Some(versions) = versions {
            let limit = versions
                .strip_prefix('<')
                .with_context(|| format!("deny.toml: `{}`: only `<` is understood", self.spec))?;
            if numbers(&package.version)? >= numbers(limit)? {
                return Ok(false);
            }
        }
        let wrapped = |user: &&str| self.wrappers.iter().any(|wrapper| wrapper == user);
        Ok(self.wrappers.is_empty() || !users.iter().all(wrapped))
    }
}

/// The three numbers of a version, without its pre-release and build parts.
fn numbers(version: &str) -> Result<[u64; 3]> {
    let release = version.split(['-', '+']).next().unwrap_or(version);
    let mut numbers = [0; 3];
    for (at, part) in release.trim().splitn(3, '.').enumerate() {
        numbers[at] = part
            .parse()
            .with_context(|| format!("`{version}` is not a version"))?;
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        licenses = { allow = ["MIT"] }
        sources = { allow-registry = ["https://index"] }
        advisories = { ignore = [{ id = "RUSTSEC-0", reason = "known" }] }
        [bans]
        deny = [
            { crate = "never", reason = "r" },
            { crate = "old@<2.3", reason = "r" },
            { crate = "inner", wrappers = ["outer"], reason = "r" },
        ]"#;

    /// Each package is `name version licence source users`; the source `-` is a member of the workspace.
    fn check(packages: &[&str], expected: &[&str]) {
        let policy = toml::from_str(POLICY).unwrap();
        let mut metadata = Metadata {
            packages: Vec::new(),
            workspace_members: HashSet::from(["ours".into()]),
            resolve: Resolve { nodes: Vec::new() },
        };
        for package in packages {
            let words: Vec<&str> = package.split(' ').collect();
            metadata.packages.push(Package {
                id: words[0].into(),
                name: words[0].into(),
                version: words[1].into(),
                license: Some(words[2].into()),
                source: (words[3] != "-").then(|| words[3].into()),
            });
            for user in &words[4..] {
                metadata.resolve.nodes.push(Node {
                    id: (*user).into(),
                    dependencies: vec![words[0].into()],
                });
            }
        }
        assert_eq!(problems(&policy, &metadata).unwrap(), expected);
    }

    #[test]
    fn a_good_crate_and_a_member_pass() {
        check(
            &["good 1.0.0 MIT registry+https://index", "ours 0.1.0 MIT -"],
            &[],
        );
    }

    #[test]
    fn licences_and_sources_are_checked() {
        check(
            &["copyleft 1.0.0 GPL-3.0 registry+https://index"],
            &["copyleft 1.0.0: licence not allowed: GPL-3.0"],
        );
        check(
            &["forked 1.0.0 MIT git+https://host/forked"],
            &["forked 1.0.0: comes from git+https://host/forked"],
        );
        check(
            &["stray 1.0.0 MIT -"],
            &["stray 1.0.0: comes from a path outside"],
        );
    }

    #[test]
    fn a_ban_holds_by_name_and_version() {
        check(
            &["never 9.0.0 MIT registry+https://index"],
            &["never 9.0.0: banned: r (used by )"],
        );
        check(&["old 2.3.0-rc.1+x MIT registry+https://index"], &[]);
        check(
            &["old 2.2.9 MIT registry+https://index"],
            &["old 2.2.9: banned: r (used by )"],
        );
    }

    #[test]
    fn a_wrapped_crate_may_be_used_by_its_wrapper_alone() {
        let outer = "outer 1.0.0 MIT registry+https://index";
        let other = "other 1.0.0 MIT registry+https://index";
        check(
            &["inner 1.0.0 MIT registry+https://index outer", outer],
            &[],
        );
        check(
            &[
                "inner 1.0.0 MIT registry+https://index outer other",
                outer,
                other,
            ],
            &["inner 1.0.0: banned: r (used by outer, other)"],
        );
    }
}
