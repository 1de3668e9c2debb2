//! The OPC UA source with 1, 10 and 50 subscriptions, against the library's own loop that keeps nothing.
//!
//! Server, source and library are processes of their own on this machine; source and library take turns at the same server. More
//! changes than anybody takes, so that what is sustained shows; the server drops the rest. The latency is measured at a server of few
//! changes, from the value's server timestamp (the message's publish time does not come out of the source) to the reading
//! handed over: so it holds the wait for the server's next publishing, which is 0 to 100 ms, 50 in the middle.

pub mod client;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::json;

use crate::support::{self, Process, median, rounded};
use client::Figures;

const ROUNDS: usize = 5;
const SECONDS: &str = "8";
const SUBSCRIPTIONS: [u32; 3] = [1, 10, 50];
/// The calm server's nodes, and how often they change: out of step with the publishing.
const CALM: [&str; 2] = ["1000", "170"];

/// `opcua [NODES [EVERY_MS [SECONDS [ROUNDS]]]]`
pub fn run(arguments: &[&str]) -> Result<()> {
    let argument = |at: usize, or| arguments.get(at).copied().unwrap_or(or);
    let (nodes, every_ms, seconds) = (
        argument(0, "12000"),
        argument(1, "50"),
        argument(2, SECONDS),
    );
    let rounds: usize = arguments.get(3).map_or(Ok(ROUNDS), |text| text.parse())?;
    let (mut rates, mut ratios) = (BTreeMap::new(), BTreeMap::new());
    let mut cpu = Vec::new();
    for subscriptions in SUBSCRIPTIONS {
        let contest = contest(nodes, every_ms, subscriptions, seconds, rounds)?;
        let key = subscriptions.to_string();
        rates.insert(key.clone(), median(contest.rates).round());
        ratios.insert(key, rounded(median(contest.ratios)));
        cpu.extend(contest.cpu_ms_per_1000);
    }
    let calm = calm(seconds, rounds)?;
    let of = |figure: fn(&Figures) -> f64| median(calm.iter().map(figure).collect());
    println!(
        "{}",
        json!({
            "values_per_s": rates,
            "ratio": ratios,
            "latency_ms_p50": rounded(of(|figures| figures.latency_ms_p50)),
            "latency_ms_p99": rounded(of(|figures| figures.latency_ms_p99)),
            "cpu_ms_per_1000": rounded(median(cpu)),
        })
    );
    Ok(())
}

#[derive(Default)]
struct Contest {
    rates: Vec<f64>,
    ratios: Vec<f64>,
    cpu_ms_per_1000: Vec<f64>,
}

/// Source and library by turns at one server. The first round is dropped where there are several.
fn contest(
    nodes: &str,
    every_ms: &str,
    subscriptions: u32,
    seconds: &str,
    rounds: usize,
) -> Result<Contest> {
    let share = nodes.parse::<u32>()?.div_ceil(subscriptions).to_string();
    let mut server = Process::start(&mut support::myself(&["serve", nodes, every_ms, &share])?)?;
    let endpoint = server.line()?;
    let mut contest = Contest::default();
    for round in 0..rounds {
        let figures = source(&endpoint, seconds)?;
        anyhow::ensure!(
            figures.subscriptions == u64::from(subscriptions),
            "the source has {} subscriptions instead of {subscriptions}",
            figures.subscriptions
        );
        let words = [
            "library",
            &endpoint,
            nodes,
            &subscriptions.to_string(),
            seconds,
        ];
        let library: f64 = Process::start(&mut support::myself(&words)?)?
            .line()?
            .parse()?;
        eprintln!(
            "{subscriptions} subscriptions, round {}: {:.0} values/s of {library:.0}, {:.2} CPU ms a thousand, the oldest {:.0} ms",
            round + 1,
            figures.values_per_s,
            figures.cpu_ms_per_1000,
            figures.latency_ms_p99
        );
        if round > 0 || rounds == 1 {
            contest.rates.push(figures.values_per_s);
            contest.ratios.push(figures.values_per_s / library);
            contest.cpu_ms_per_1000.push(figures.cpu_ms_per_1000);
        }
    }
    Ok(contest)
}

fn calm(seconds: &str, rounds: usize) -> Result<Vec<Figures>> {
    let [nodes, every_ms] = CALM;
    let mut server = Process::start(&mut support::myself(&["serve", nodes, every_ms])?)?;
    let endpoint = server.line()?;
    let mut all = Vec::new();
    for round in 1..=rounds {
        let figures = source(&endpoint, seconds)?;
        eprintln!(
            "calm, round {round}: {:.0} values/s, p50 {:.0} ms, p99 {:.0} ms",
            figures.values_per_s, figures.latency_ms_p50, figures.latency_ms_p99
        );
        all.push(figures);
    }
    Ok(all)
}

fn source(endpoint: &str, seconds: &str) -> Result<Figures> {
    let line = Process::start(&mut support::myself(&["source", endpoint, seconds])?)?.line()?;
    Ok(serde_json::from_str(&line)?)
}
