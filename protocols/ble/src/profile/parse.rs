//! A profile's file: what stands in it, and all that is wrong with it at once.

use std::{sync::Arc, time::Duration};

use super::{
    Body, Counter, CounterOf, PointFacts, Profile,
    document::{Node, Problems, Reader},
    example::Example,
    layout::{self, Cut, Layout, Place},
    matching::Match,
    named::{named, names},
};
use crate::{CharacteristicRule, Nature, uuid_of};

const MOST_MATCHES: usize = 64;
const MOST_EXAMPLES: usize = 256;

impl Profile {
    /// From a file's text.
    ///
    /// # Errors
    /// All that is wrong with it, a line each: `line 3: what, remedy`.
    pub fn parse(id: &str, toml: &str) -> Result<Self, String> {
        let mut problems = Problems::default();
        let profile =
            Node::of_toml(toml, &mut problems).and_then(|node| read(id, &node, &mut problems));
        match profile {
            Some(profile) if problems.is_empty() => Ok(profile),
            _ => Err(problems.to_string()),
        }
    }
}

fn read(id: &str, node: &Node, problems: &mut Problems) -> Option<Profile> {
    let mut reader = Reader::of(node, "a profile", problems)?;
    let title = reader.text("title", problems).map(Arc::from);
    if reader.take("title").is_none() {
        problems.add(
            reader.line(),
            "a profile has a `title`, what such devices are called",
        );
    }
    let vendor = reader.text("vendor", problems).map(Arc::from);
    let docs = reader.text("docs", problems).map(Arc::from);
    let matches = matches(&mut reader, problems);
    let general = reader.truth("general", problems);
    let expected_interval = interval(&mut reader, problems);
    let sleeps = reader.truth("sleeps", problems);
    let sealed = reader.truth("sealed", problems);
    let decoder = decoder(&mut reader, problems);
    let points = reader.take("points").map_or(&[][..], Node::items);
    let counter = reader
        .take("counter")
        .and_then(|node| counter(node, problems));
    let characteristics = characteristics(&mut reader, problems);
    let examples = examples(&mut reader, problems);
    let (body, points) = match decoder {
        Some(decode) => (Body::Code(decode), bare_points(points, problems)),
        None => {
            let layout = Layout {
                places: Place::all(points, problems).into(),
            };
            let facts = facts(&layout);
            (Body::Places { layout, counter }, facts)
        }
    };
    check_body(&body, &matches, &characteristics, &reader, problems);
    reader.finish(problems);
    Some(Profile {
        id: Arc::from(id),
        title: title.unwrap_or_else(|| Arc::from(id)),
        vendor,
        docs,
        matches,
        general,
        expected_interval,
        sleeps,
        sealed,
        body,
        characteristics,
        points,
        examples,
    })
}

fn matches(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<Match> {
    let Some(node) = reader.take("match") else {
        problems.add(
            reader.line(),
            "a profile has a `match`, for instance { manufacturer = 0x0499 }",
        );
        return Vec::new();
    };
    let nodes = node.items();
    if nodes.is_empty() || nodes.len() > MOST_MATCHES {
        problems.add(node.line, format!("`match` is 1 to {MOST_MATCHES} tables"));
        return Vec::new();
    }
    nodes
        .iter()
        .filter_map(|node| Match::parse(node, problems))
        .collect()
}

fn interval(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<Duration> {
    let should = "in seconds, from 0.01 to a week";
    reader.read("expected_interval_s", should, problems, |node| {
        let seconds = node.number().filter(|s| (0.01..=604_800.0).contains(s))?;
        Some(Duration::from_secs_f64(seconds))
    })
}

fn decoder(reader: &mut Reader<'_>, problems: &mut Problems) -> Option<crate::Decode> {
    let known: Vec<_> = names().collect();
    let should = format!("one of {}", known.join(", "));
    reader.read("decoder", &should, problems, |node| named(node.text()?))
}

/// A number that tells packets apart.
fn counter(node: &Node, problems: &mut Problems) -> Option<Counter> {
    let mut reader = Reader::of(node, "`counter`", problems)?;
    let at = Cut::place(&mut reader, problems);
    let cut = Cut::parse(&mut reader, problems);
    let should = "`packet` (left out: this one): a packet with the same number is no news; or `events`: only what happened is then left out";
    let of = reader.read("of", should, problems, |node| match node.text()? {
        "packet" => Some(CounterOf::Packet),
        "events" => Some(CounterOf::Events),
        _ => None,
    });
    reader.finish(problems);
    Some(Counter {
        at,
        cut: cut?,
        of: of.unwrap_or(CounterOf::Packet),
    })
}

fn characteristics(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<CharacteristicRule> {
    let mut rules = Vec::new();
    for node in reader.take("characteristic").map_or(&[][..], Node::items) {
        match serde_json::from_value::<CharacteristicRule>(node.to_json()) {
            Err(error) => problems.add(node.line, format!("characteristic: {error}")),
            Ok(rule) => {
                for uuid in [&rule.service, &rule.characteristic] {
                    if let Err(no) = uuid_of(uuid) {
                        problems.add(node.line, no);
                    }
                }
                if let Err(errors) = Layout::of_json(&rule.fields) {
                    problems.add(node.line, errors.replace('\n', "; "));
                }
                rules.push(rule);
            }
        }
    }
    rules
}

fn examples(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<Example> {
    let nodes = reader.take("example").map_or(&[][..], Node::items);
    if nodes.len() > MOST_EXAMPLES {
        problems.add(
            nodes[0].line,
            format!("there are more than {MOST_EXAMPLES} examples"),
        );
        return Vec::new();
    }
    nodes
        .iter()
        .filter_map(|node| Example::parse(node, problems))
        .collect()
}

/// What a decoder that is code usually tells.
fn bare_points(nodes: &[Node], problems: &mut Problems) -> Vec<PointFacts> {
    let mut points = Vec::new();
    for node in nodes {
        let Some(mut reader) = Reader::of(node, "a point of a `decoder`", problems) else {
            continue;
        };
        let id = layout::parse::id(&mut reader, problems);
        if reader.take("id").is_none() {
            problems.add(reader.line(), "a point has an `id`");
        }
        let unit = layout::parse::unit(&mut reader, problems);
        let nature = layout::parse::nature(&mut reader, problems);
        reader.finish(problems);
        points.extend(id.map(|id| PointFacts { id, unit, nature }));
    }
    points
}

fn facts(layout: &Layout) -> Vec<PointFacts> {
    let mut facts: Vec<PointFacts> = Vec::new();
    for place in layout.places.iter() {
        if facts.iter().all(|fact| fact.id != place.id) {
            facts.push(PointFacts {
                id: Arc::clone(&place.id),
                unit: place.unit.clone(),
                nature: place.nature,
            });
        }
    }
    facts
}

fn check_body(
    body: &Body,
    matches: &[Match],
    characteristics: &[CharacteristicRule],
    reader: &Reader<'_>,
    problems: &mut Problems,
) {
    let Body::Places { layout, counter } = body else {
        return;
    };
    let places = &layout.places;
    if places.is_empty() && characteristics.is_empty() {
        problems.add(
            reader.line(),
            "a profile has `points`, a `decoder` or a [[characteristic]]",
        );
    }
    let by_data = |place: &Place| place.from == layout::From::Matched;
    if !matches.iter().any(Match::has_data) && places.iter().any(by_data) {
        problems.add(
            reader.line(),
            "`match` names no bytes for the points; name `manufacturer` or `service_data`, or give each point its `from`",
        );
    }
    let happens = |place: &Place| place.nature == Nature::Happened;
    if places.iter().any(happens) && counter.is_none() {
        problems.add(
            reader.line(),
            "what happened needs a `counter`, since each packet is sent many times",
        );
    }
}
