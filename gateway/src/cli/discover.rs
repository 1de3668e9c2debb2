//! `fieldgate discover`: what answers at an address, who announces itself in the local network, who listens in a range.

use std::{
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
    thread::sleep,
    time::Duration,
};

use clap::Args as ClapArgs;
use fieldgate_api::{
    config::Kind,
    discovery::{DiscoverDraft, Found, SearchDraft, SearchView},
    endpoint::{DiscoverSources, GetKinds, GetSearch, PreviewSearch, StartSearch},
};

use super::{
    client::{Client, Failure},
    output::Remote,
};

/// How often a search is looked at.
const PERIOD: Duration = Duration::from_millis(500);

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The address to ask: a host, with or without a port, or a URL.
    #[arg(required_unless_present_any = ["mdns", "scan"])]
    host: Option<String>,
    /// Ask the local network, with one question by multicast DNS.
    #[arg(long)]
    mdns: bool,
    /// Try every address of a range: 192.168.0.0/24, or 192.168.0.10-50. What it sends is told first.
    #[arg(long, value_name = "RANGE")]
    scan: Option<String>,
    /// A TCP port to try at each address of the range; may be given several times. Without it, the protocol's own.
    #[arg(long, value_name = "PORT", requires = "scan")]
    port: Vec<u16>,
    /// Scan without asking back.
    #[arg(long, requires = "scan")]
    yes: bool,
    /// The range is our own, although its addresses are public ones.
    #[arg(long, requires = "scan")]
    public: bool,
    /// What is looked for.
    #[arg(long, default_value = "opcua")]
    kind: String,
    #[command(flatten)]
    remote: Remote,
}

pub fn run(args: Args) -> Result<ExitCode, Failure> {
    let client = args.remote.client()?;
    expect_kind(&client, &args.kind)?;
    let mut found = Vec::new();
    if let Some(host) = &args.host {
        let draft = DiscoverDraft {
            kind: args.kind.clone(),
            address: host.clone(),
        };
        found.extend(client.call::<DiscoverSources>(&[], &draft)?);
    }
    let draft = |range: Option<String>| SearchDraft {
        kind: args.kind.clone(),
        range,
        ports: args.port.clone(),
        public: args.public,
    };
    if args.mdns {
        found.extend(search(&client, &draft(None))?);
    }
    if let Some(range) = &args.scan {
        let draft = draft(Some(range.clone()));
        if !agreed(&client, &draft, &args)? {
            eprintln!("fieldgate: nothing was sent");
            return Ok(ExitCode::FAILURE);
        }
        found.extend(search(&client, &draft)?);
    }
    args.remote.print(&found, |found| told(found))?;
    Ok(match found.is_empty() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn expect_kind(client: &Client, name: &str) -> Result<(), Failure> {
    let kinds: Vec<Kind> = client.call::<GetKinds>(&[], &())?.sources;
    if kinds
        .iter()
        .any(|kind| kind.kind == name && kind.discovers.is_some())
    {
        return Ok(());
    }
    let known = kinds.iter().filter(|kind| kind.discovers.is_some());
    let known: Vec<&str> = known.map(|kind| kind.kind.as_str()).collect();
    Err(Failure::Usage(format!(
        "`{}` cannot be looked for; choose one of {}",
        name.escape_debug(),
        known.join(", ")
    )))
}

/// The scope comes first; a person says yes to it, or `--yes` did.
fn agreed(client: &Client, draft: &SearchDraft, args: &Args) -> Result<bool, Failure> {
    let scope = client.call::<PreviewSearch>(&[], draft)?;
    eprintln!("{}.", scope.words);
    if args.yes || (scope.public && !args.public) {
        // What is public without a word is refused by the gateway, with its reason.
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(
            "nobody can be asked here whether that is meant; say it with --yes".into(),
        ));
    }
    eprint!("Scan? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// From its start to its end; Ctrl-C leaves it to the gateway, which ends it by itself.
fn search(client: &Client, draft: &SearchDraft) -> Result<Vec<Found>, Failure> {
    let mut view: SearchView = client.call::<StartSearch>(&[], draft)?;
    let watched = io::stderr().is_terminal();
    while view.state == "running" {
        sleep(PERIOD);
        view = client.call::<GetSearch>(&[&view.id], &())?;
        if watched {
            eprint!(
                "\r{}: {} of {}, {} found ",
                view.title,
                view.done,
                view.all,
                view.found.len()
            );
        }
    }
    if watched {
        eprintln!();
    }
    for words in &view.silent {
        eprintln!("fieldgate: {words}");
    }
    Ok(view.found)
}

fn told(found: &[Found]) -> String {
    let mut text = String::new();
    for one in found {
        text.push_str(&format!("{}\n  identity: {}\n", one.title, one.identity));
        if !one.addresses.is_empty() {
            text.push_str(&format!("  says it is at: {}\n", one.addresses.join(", ")));
        }
        if !one.sources.is_empty() {
            text.push_str(&format!("  already a source: {}\n", one.sources.join(", ")));
        }
        for way in &one.ways {
            let needs = way.needs.as_deref().unwrap_or("nothing");
            text.push_str(&format!(
                "  {}: {}; needs: {needs}\n",
                way.address, way.words
            ));
        }
        if let Some(why) = &one.silent {
            text.push_str(&format!("  no way in: {why}\n"));
        }
    }
    match text.is_empty() {
        true => "nothing was found".to_owned(),
        false => text,
    }
}
