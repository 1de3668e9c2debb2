//! A test of settings, rung by rung: name, TCP, endpoints, trust and session, selection, first value. Keeps nothing of the server's.

use std::sync::Arc;

use fieldgate_kit::{Probe, ProbeCtx};
use futures::FutureExt;

use crate::{
    alias::KnownPaths,
    attempt::Attempt,
    connection::{Connection, ItemRequest, SubscriptionRequest},
    dial::Way,
    look::{self, Selection},
    profiles::{self, Profiles},
    reverse, security,
    session::Opened,
    settings::{Discard, Select, Settings, Trigger},
    trust::Verdict,
};

/// So many of the selected points are looked at for a first value.
const LOOKED_AT: usize = 100;

pub(crate) async fn probe(settings: Arc<Settings>, ctx: ProbeCtx, probe: &mut Probe) {
    // The rung that broke has been written down; there is nothing more to say.
    let _climbed = climb(&settings, &ctx, probe).await;
}

/// `None` as soon as a rung breaks.
async fn climb(settings: &Settings, ctx: &ProbeCtx, probe: &mut Probe) -> Option<()> {
    let attempt = Attempt::new(settings, &ctx.id, &ctx.secrets, &ctx.state_dir);
    let attempt = held(probe, "Settings", attempt)?;
    let way = way(settings, &attempt, ctx, probe).await?;
    let endpoints = held(probe, "Endpoints", attempt.endpoints(&way).await)?;
    probe.ok(
        "Endpoints",
        format!("the server offers {}", security::list(&endpoints)),
    );
    let endpoint = held(probe, "Security", attempt.choose(&endpoints))?;
    let verdict = attempt.judge(endpoint).map_err(|why| why.words);
    let verdict = held(probe, "Security", verdict)?;
    probe.ok("Security", security_words(endpoint, &verdict));
    let opened = attempt.sign_in(&way, endpoint).await;
    let Opened {
        connection,
        mut driver,
        ..
    } = held(probe, "Sign-in", opened)?;
    let user = match attempt.user() {
        "nobody (anonymous)" => "anonymous",
        user => user,
    };
    probe.ok("Sign-in", format!("signed in as {user}"));
    let profiles = Profiles::of(&ctx.state_dir).await;
    let done = tokio::select! {
        why = &mut driver => return held(probe, "Session", Err(attempt.lost(&why))),
        done = look(&*connection, settings, &profiles, &ctx.id).fuse() => {
            done.into_iter().try_for_each(|(rung, words)| {
                let words = held(probe, rung, words)?;
                probe.ok(rung, words);
                Some(())
            })
        }
    };
    tokio::select! {
        _ = driver => {}
        _ = connection.close() => {}
    }
    done
}

/// Models that the server speaks and that nobody selects by their profile yet, in words.
async fn offered(
    connection: &dyn Connection,
    settings: &Settings,
    profiles: &Profiles,
    per_browse: usize,
) -> Option<String> {
    let namespaces = connection.namespaces().await.ok()?;
    let spoken = profiles::spoken(connection, profiles, &namespaces, per_browse);
    let spoken = spoken.await.ok()?;
    let chosen = |name: &str| {
        let mut rules = settings.select.iter();
        rules.any(|rule| matches!(rule, Select::Profile(rule) if rule.profile == name))
    };
    let offers = spoken.iter().filter(|profile| !chosen(&profile.name));
    let offers: Vec<String> = offers
        .map(|profile| format!("{} ({{ profile = \"{}\" }})", profile.title, profile.name))
        .collect();
    (!offers.is_empty()).then(|| {
        format!(
            "; the server speaks {}, whose values one rule would take",
            offers.join(", ")
        )
    })
}

/// What is selected, and a first value of it.
async fn look(
    connection: &dyn Connection,
    settings: &Settings,
    profiles: &Profiles,
    source: &str,
) -> Vec<(&'static str, Result<String, String>)> {
    let known = KnownPaths::new();
    let selection = look::select(connection, settings, profiles, source, &known).await;
    let Selection {
        items, cut, limits, ..
    } = match selection {
        Ok(selection) => selection,
        Err(why) => return vec![("Selection", Err(why.to_string()))],
    };
    if items.is_empty() {
        let words = "nothing on the server is selected; compare `select` with its address space";
        return vec![("Selection", Err(words.to_owned()))];
    }
    let mut words = match items.len() {
        1 => "1 node matches".to_owned(),
        count => format!("{count} nodes match"),
    };
    if let Some(cut) = cut {
        words.push_str(&format!("; {cut}"));
    }
    if let Some(known) = offered(connection, settings, profiles, limits.per_browse).await {
        words.push_str(&known);
    }
    let selected = ("Selection", Ok(words));
    let first: Vec<_> = items.iter().take(LOOKED_AT).collect();
    let requests = first
        .iter()
        .enumerate()
        .filter_map(|(at, item)| {
            Some(ItemRequest {
                node: item.node.clone()?,
                handle: u32::try_from(at).ok()?,
                sampling_ms: 0.0,
                queue_size: 1,
                discard: Discard::default(),
                trigger: Trigger::default(),
                deadband: None,
            })
        })
        .collect();
    let value = first_value(connection, requests)
        .await
        .map(|(handle, words)| format!("{} = {words}", first[handle].point));
    vec![selected, ("First value", value)]
}

async fn first_value(
    connection: &dyn Connection,
    requests: Vec<ItemRequest>,
) -> Result<(usize, String), String> {
    let subscription = SubscriptionRequest {
        publishing_ms: 100.0,
        keep_alive_count: 10,
        lifetime_count: 100,
        max_notifications: 0,
    };
    let words = |why: crate::status::Status| format!("the server gives no value: {why}");
    let subscription = connection.subscribe(subscription).await.map_err(words)?;
    let results = connection
        .monitor(subscription.id, requests)
        .await
        .map_err(words)?;
    if results.iter().all(Result::is_err) {
        let why = results.into_iter().find_map(Result::err);
        return Err(why.map_or_else(|| "the server does not have these nodes".to_owned(), words));
    }
    let answer = connection.publish(Vec::new()).await.map_err(words)?;
    let changes = answer.notification.changes;
    let mut values = changes
        .into_iter()
        .filter_map(|change| Some((change.handle, change.observed?)));
    match values.next() {
        Some((handle, observed)) => {
            let quality = observed
                .quality
                .why()
                .map_or_else(String::new, |why| format!(" ({why})"));
            Ok((handle as usize, format!("{:?}{quality}", observed.value)))
        }
        None => Err("the server sent no value yet; is it still starting?".to_owned()),
    }
}

fn security_words(endpoint: &security::Endpoint, verdict: &Verdict) -> String {
    let mut agreed = format!("{} {}", endpoint.policy.name(), endpoint.mode.name());
    match endpoint.policy.weakness() {
        Some(weakness) if endpoint.policy == crate::settings::Policy::None => {
            return weakness.to_owned();
        }
        Some(weakness) => agreed.push_str(&format!(" ({weakness})")),
        None => {}
    }
    match (&endpoint.certificate, verdict) {
        (Some(certificate), Verdict::First) => format!(
            "{agreed}; the certificate {} ({}) will be trusted from the first connection on",
            certificate.thumbprint, certificate.subject
        ),
        (Some(_), Verdict::Trusted(why)) => format!("{agreed}; {why}"),
        (None, _) => agreed,
    }
}

/// The first rungs: to the server, or from it to here.
async fn way(
    settings: &Settings,
    attempt: &Attempt<'_>,
    ctx: &ProbeCtx,
    probe: &mut Probe,
) -> Option<Way> {
    if let Some(reverse) = &settings.reverse {
        let waiting = reverse::try_out(settings, reverse, &ctx.common);
        let waiting = held(probe, "Listen", waiting)?;
        probe.ok("Listen", waiting.words());
        return Some(Way::Wait(waiting));
    }
    let target = held(probe, "Settings", attempt.target())?;
    let addresses = held(probe, "DNS", target.resolve().await)?;
    let words: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    probe.ok("DNS", format!("{} is {}", target.host, words.join(", ")));
    let stream = held(probe, "TCP", target.connect(&addresses).await)?;
    let peer = stream
        .peer_addr()
        .map_or_else(|_| target.host.clone(), |peer| peer.to_string());
    drop(stream);
    probe.ok("TCP", format!("connected to {peer}"));
    Some(Way::Dial { target, addresses })
}

/// The value, or the broken rung written down.
fn held<T, E: ToString>(probe: &mut Probe, rung: &str, result: Result<T, E>) -> Option<T> {
    result
        .map_err(|why| probe.failed(rung, why.to_string()))
        .ok()
}
