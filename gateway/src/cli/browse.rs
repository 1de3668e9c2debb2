//! `fieldgate browse`: looking around on a server, by a configured source or by an address that nobody configured.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args as ClapArgs;
use fieldgate_api::{
    config::Draft,
    discovery::DiscoverDraft,
    endpoint::{
        AboutExplored, DiscoverSources, ExploreNodeDetail, ExploreNodes, GetKinds, SearchNodes,
    },
    explore::{ExploreAt, ExploreChildren, ExploreKind, ExploreLook, ExploreNode, ExploreSearch},
};
use fieldgate_model::{escape_segment, unescape_segment};

use super::{
    client::{Client, Failure},
    output::{Format, Remote},
};

/// Nodes that are listed at most.
const MOST: usize = 10_000;

#[derive(Debug, ClapArgs)]
pub struct Args {
    /// A configured source, or an address such as opc.tcp://192.168.0.10:4840.
    source: String,
    /// Where to begin: a browse path such as Objects/Line, or a node id such as `nsu=urn:plant;s=Line`.
    #[arg(default_value = "Objects")]
    path: String,
    /// How many levels are listed.
    #[arg(long, value_name = "LEVELS", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    depth: u8,
    /// Search below it instead: part of a name in any case, or a node id. Ctrl-C stops it.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// JSON for programs; the same as `-o json`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

/// A node with how deep it was found.
struct Listed {
    level: usize,
    node: ExploreNode,
}

pub fn run(mut args: Args) -> Result<ExitCode, Failure> {
    if args.json {
        args.remote.output = Format::Json;
    }
    let client = args.remote.client()?;
    let at = at(&client, &args.source)?;
    let about = client.call::<AboutExplored>(&[], &at)?;
    if args.remote.output == Format::Table {
        eprintln!("{}", about.words);
        for offer in &about.offers {
            let rule = offer.rule["profile"].as_str().unwrap_or_default();
            eprintln!(
                "it speaks {}: select {{ profile = \"{}\" }} takes {}",
                plain(&offer.title),
                plain(rule),
                plain(&offer.about)
            );
        }
    }
    let begin = begin(&client, &at, &args.path)?;
    let listed = match &args.search {
        Some(text) => search(&client, &at, &begin, text)?,
        None => list(&client, &at, begin, args.depth.into())?,
    };
    if args.remote.output == Format::Json {
        let nodes: Vec<&ExploreNode> = listed.iter().map(|listed| &listed.node).collect();
        args.remote.print(&nodes, |_| String::new())?;
    } else {
        let mut out = io::stdout().lock();
        let name = |listed: &Listed| match args.search {
            Some(_) => plain(&listed.node.path),
            None => format!("{}{}", "  ".repeat(listed.level), plain(&listed.node.name)),
        };
        let names: Vec<String> = listed.iter().map(name).collect();
        let width = names
            .iter()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0)
            .min(60);
        for (listed, name) in listed.iter().zip(names) {
            let gap = " ".repeat(width.saturating_sub(name.chars().count()));
            let node = &listed.node;
            let kind = word(node.kind);
            writeln!(
                out,
                "{name}{gap}  {kind:8}  {}  {}",
                plain(&node.address),
                node.type_name
            )?;
        }
    }
    if listed.len() >= MOST {
        eprintln!("fieldgate: {MOST} nodes are listed, there are more; begin further down");
    }
    Ok(match (&args.search, listed.is_empty()) {
        (Some(_), true) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

/// A configured source; or, behind an address, the strongest way in that needs nobody's password.
fn at(client: &Client, source: &str) -> Result<ExploreAt, Failure> {
    let Some((scheme, _)) = source.split_once("://") else {
        return Ok(ExploreAt {
            source: Some(source.to_owned()),
            draft: None,
        });
    };
    let kinds = client.call::<GetKinds>(&[], &())?.sources;
    let mut trouble = None;
    for kind in kinds.into_iter().filter(|kind| kind.explores) {
        let asked = DiscoverDraft {
            kind: kind.kind.clone(),
            address: source.to_owned(),
        };
        match client.call::<DiscoverSources>(&[], &asked) {
            Ok(found) => {
                let open = found
                    .into_iter()
                    .flat_map(|found| found.ways)
                    .find(|way| way.needs.is_none());
                let way = open.ok_or_else(|| Failure::Usage(format!(
                    "{source} lets nobody in without a name and a password; make it a source, then browse that"
                )))?;
                eprintln!("{source}: {}", way.words);
                let draft = Draft {
                    kind: kind.kind,
                    paused: false,
                    settings: way.settings,
                };
                return Ok(ExploreAt {
                    source: None,
                    draft: Some(draft),
                });
            }
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        Failure::Usage(format!(
            "nothing of this gateway looks around at {scheme}:// addresses"
        ))
    }))
}

/// Where to begin: the node itself when an address is given, else each name of the path from the top.
fn begin(client: &Client, at: &ExploreAt, path: &str) -> Result<ExploreNode, Failure> {
    let is_address = ["nsu=", "ns=", "i=", "s=", "g=", "b="]
        .iter()
        .any(|lead| path.starts_with(lead));
    if is_address {
        let look = ExploreLook {
            at: at.clone(),
            node: path.to_owned(),
            ..ExploreLook::default()
        };
        return Ok(client.call::<ExploreNodeDetail>(&[], &look)?.node);
    }
    let mut here = top();
    let names = path.split('/').filter(|name| !name.is_empty());
    for (place, name) in names.enumerate() {
        if place == 0 && name == here.path {
            continue;
        }
        let wanted = format!("{}/{}", here.path, escape_segment(&unescape_segment(name)));
        let mut page = children(at, &here);
        here = loop {
            let answer = client.call::<ExploreNodes>(&[], &page)?;
            if let Some(found) = answer.nodes.into_iter().find(|node| node.path == wanted) {
                break found;
            }
            page.more = answer.more;
            if page.more.is_none() {
                return Err(Failure::Usage(format!(
                    "there is no `{name}` below {}",
                    here.path
                )));
            }
        };
    }
    Ok(here)
}

/// Where everything begins.
fn top() -> ExploreNode {
    ExploreNode {
        address: String::new(),
        path: "Objects".to_owned(),
        name: "Objects".to_owned(),
        kind: ExploreKind::Object,
        type_name: String::new(),
        branch: true,
    }
}

fn children(at: &ExploreAt, of: &ExploreNode) -> ExploreChildren {
    ExploreChildren {
        at: at.clone(),
        node: of.address.clone(),
        path: of.path.clone(),
        more: None,
    }
}

/// What is below a node, each branch before its sisters.
fn list(
    client: &Client,
    at: &ExploreAt,
    begin: ExploreNode,
    depth: usize,
) -> Result<Vec<Listed>, Failure> {
    let mut listed = Vec::new();
    let mut waiting = vec![Listed {
        level: 0,
        node: begin,
    }];
    while let Some(Listed { level, node }) = waiting.pop() {
        let mut below = Vec::new();
        if level < depth && node.branch {
            let mut page = children(at, &node);
            loop {
                let answer = client.call::<ExploreNodes>(&[], &page)?;
                if level == 0
                    && let Some(words) = &answer.words
                {
                    eprintln!("{words}");
                }
                below.extend(answer.nodes);
                page.more = answer.more;
                if page.more.is_none() || listed.len() + below.len() > MOST {
                    break;
                }
            }
        }
        if level > 0 {
            listed.push(Listed {
                level: level - 1,
                node,
            });
        }
        if listed.len() >= MOST {
            break;
        }
        let below = below.into_iter().rev();
        waiting.extend(below.map(|node| Listed {
            level: level + 1,
            node,
        }));
    }
    Ok(listed)
}

fn search(
    client: &Client,
    at: &ExploreAt,
    begin: &ExploreNode,
    text: &str,
) -> Result<Vec<Listed>, Failure> {
    let mut question = ExploreSearch {
        at: at.clone(),
        node: begin.address.clone(),
        path: begin.path.clone(),
        text: text.to_owned(),
        more: None,
    };
    let mut listed = Vec::new();
    loop {
        let answer = client.call::<SearchNodes>(&[], &question)?;
        listed.extend(
            answer
                .nodes
                .into_iter()
                .map(|node| Listed { level: 0, node }),
        );
        if let Some(cut) = answer.cut {
            eprintln!("fieldgate: {cut}");
        }
        question.more = answer.more;
        if question.more.is_none() || listed.len() >= MOST {
            return Ok(listed);
        }
    }
}

fn word(kind: ExploreKind) -> &'static str {
    match kind {
        ExploreKind::Object => "object",
        ExploreKind::Variable => "variable",
        ExploreKind::Property => "property",
        ExploreKind::Method => "method",
    }
}

/// A server's text as it is safe on a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c.is_control() {
            true => c.escape_default().collect::<Vec<char>>(),
            false => vec![c],
        })
        .collect()
}
