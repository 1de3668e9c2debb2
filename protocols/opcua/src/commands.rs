//! Commands to a server: what the settings' rules allow on it, and each command carried out, one after the other.
//!
//! A point that is commanded is one that is selected. A method is named like a point: the object that it hangs on is its
//! device. What no rule allows is not offered, and is refused here as well. Alarms are no targets of the settings' rules:
//! what may be said about one is said by the rule of events that it came by.

mod alarms;
mod find;
mod rules;

use std::{collections::HashMap, convert::Infallible, pin::pin, sync::Arc, time::Duration};

use fieldgate_kit::{Alarms, Order, Orders, SourceCtx};
use fieldgate_model::{Action, ActionKind, Answer, Command, DeviceId, Offer, PointId};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use self::{
    find::Method,
    rules::{Allowed, Rules},
};
use crate::{
    connection::Connection, node_id::NodeId, publish, select::Item, settings::Settings,
    status::Status,
};

/// What a point's variable can be asked to do, and what a method.
const OF_VARIABLES: [ActionKind; 2] = [ActionKind::Read, ActionKind::Write];
const OF_METHODS: [ActionKind; 1] = [ActionKind::Call];
const LOOKING: &str = "what the rules of `commands` allow is being looked up at the server; try again in a few seconds";
/// How soon what could not be looked up is looked up again; it doubles, up to the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const LATE: &str = "its time to live ran out while it waited for its turn";

/// Everything that is allowed on this server.
#[derive(Debug, Default)]
struct Book {
    targets: HashMap<PointId, Target>,
    offers: Vec<Offer>,
}

#[derive(Debug)]
struct Target {
    place: Place,
    allowed: Allowed,
}

#[derive(Debug)]
enum Place {
    Variable(NodeId),
    Method { object: NodeId, method: NodeId },
}

/// Carries out commands as long as the connection lasts; beside the publish loop, and never in its way. Whenever the points
/// become others, what is allowed is looked up anew, while what was allowed before goes on.
pub(crate) async fn serve(
    connection: &dyn Connection,
    settings: &Settings,
    ctx: &SourceCtx,
    mut items: watch::Receiver<Arc<[Item]>>,
) -> Infallible {
    let mut orders = match settings.commands.as_slice() {
        [] => ctx.commands.open(Vec::new()),
        _ => ctx.commands.open_unknown(LOOKING),
    };
    // None as long as nothing could be looked up.
    let mut known: Option<Book> = None;
    let mut failures: u32 = 0;
    let nothing = Book::default();
    loop {
        let now = Arc::clone(&items.borrow_and_update());
        let book = known.as_ref().unwrap_or(&nothing);
        let mut preparing = pin!(prepare(connection, settings, &ctx.id, &now));
        let prepared = loop {
            tokio::select! {
                prepared = &mut preparing => break prepared,
                order = orders.next() => book.answer(connection, order, &ctx.alarms).await,
            }
        };
        let again = match prepared {
            Ok(book) => {
                orders.offer(book.offers.clone());
                known = Some(book);
                failures = 0;
                None
            }
            Err(why) => {
                not_prepared(&ctx.id, &why, known.as_ref(), &orders);
                failures = failures.saturating_add(1);
                Some(Instant::now() + pause(failures))
            }
        };
        let book = known.as_ref().unwrap_or(&nothing);
        loop {
            tokio::select! {
                order = orders.next() => book.answer(connection, order, &ctx.alarms).await,
                () = changed(&mut items) => break,
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => break,
            }
        }
    }
}

/// What was allowed before stays so; where nothing was, whoever asks is told why.
fn not_prepared(source: &str, why: &Status, before: Option<&Book>, orders: &Orders) {
    tracing::warn!(source, %why, "what the rules of `commands` allow cannot be looked up at the server");
    if before.is_none() {
        orders.cannot_tell(&format!(
            "what the rules of `commands` allow could not be looked up at the server: {why}; it is tried again by itself"
        ));
    }
}

/// After so many failures in a row.
fn pause(failures: u32) -> Duration {
    let doubled = PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    doubled.min(LONGEST_PAUSE)
}

/// Never, once nobody can change them any more.
async fn changed(items: &mut watch::Receiver<Arc<[Item]>>) {
    if items.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn prepare(
    connection: &dyn Connection,
    settings: &Settings,
    source: &str,
    items: &[Item],
) -> Result<Book, Status> {
    if settings.commands.is_empty() {
        return Ok(Book::default());
    }
    let namespaces = connection.namespaces().await?;
    let per_browse = connection.limits().await?.per_browse;
    let rules = Rules::new(&settings.commands, &namespaces);
    let mut book = Book::default();
    let variables = find::variables(connection, &rules, &namespaces, per_browse).await?;
    let of = |item: &Item| Some(rules.merged(variables.get(item.node.as_ref()?)?, &OF_VARIABLES));
    let allowed: Vec<(&Item, Allowed)> = items
        .iter()
        .filter_map(|item| Some((item, of(item)?)))
        .filter(|(_, allowed)| !allowed.kinds.is_empty())
        .collect();
    let nodes: Vec<NodeId> = allowed
        .iter()
        .filter_map(|(item, _)| item.node.clone())
        .collect();
    let mut types = Vec::with_capacity(nodes.len());
    for chunk in nodes.chunks(find::AT_ONCE) {
        types.extend(connection.data_types(chunk.to_vec()).await?);
    }
    for ((item, allowed), (node, data_type)) in
        allowed.into_iter().zip(nodes.into_iter().zip(types))
    {
        let offer = Offer {
            name: item.name.clone(),
            address: item.address.clone(),
            data_type,
            ..offer(item.point.clone(), &allowed)
        };
        book.add(offer, Place::Variable(node), allowed);
    }
    for method in find::methods(connection, &rules, &namespaces, per_browse).await? {
        book.add_method(connection, source, &rules, method, &namespaces)
            .await?;
    }
    Ok(book)
}

// === impl Book ===

impl Book {
    fn add(&mut self, offer: Offer, place: Place, allowed: Allowed) {
        self.targets
            .insert(offer.target.clone(), Target { place, allowed });
        self.offers.push(offer);
    }

    async fn add_method(
        &mut self,
        connection: &dyn Connection,
        source: &str,
        rules: &Rules<'_>,
        method: Method,
        namespaces: &[String],
    ) -> Result<(), Status> {
        let allowed = rules.merged(&method.rules, &OF_METHODS);
        if allowed.kinds.is_empty() {
            return Ok(());
        }
        let Some(target) = self.name(source, &method) else {
            tracing::warn!(
                source,
                method = method.name,
                "a method cannot be named, its path is too long"
            );
            return Ok(());
        };
        let signature = connection.signature(method.node.clone()).await?;
        let offer = Offer {
            name: method.name,
            address: method.node.address(namespaces),
            inputs: signature.inputs,
            outputs: signature.outputs,
            ..offer(target, &allowed)
        };
        let place = Place::Method {
            object: method.object,
            method: method.node,
        };
        self.add(offer, place, allowed);
        Ok(())
    }

    /// `source/path of the object/method`; where a point has that name already, `method@method`.
    fn name(&self, source: &str, method: &Method) -> Option<PointId> {
        let device = match method.path.as_slice() {
            [] => source.to_owned(),
            names => names.join("/"),
        };
        let device = DeviceId::new(source, &device).ok()?;
        let free = |name: &str| {
            let target = device.point(name).ok()?;
            (!self.targets.contains_key(&target)).then_some(target)
        };
        free(&method.name).or_else(|| free(&format!("{}@method", method.name)))
    }

    /// Once nobody waits for the answer, whoever asked was told that it failed: what was not sent to the server by then is
    /// not, for nobody would expect it any more; and it is no longer in the way of other commands.
    async fn answer(&self, connection: &dyn Connection, mut order: Order, open: &Alarms) {
        let command = order.command.clone();
        tokio::select! {
            answer = self.carry_out(connection, &command, open) => order.answer(answer),
            () = order.abandoned() => {
                tracing::warn!(id = command.id, "a command took too long, and is let go");
            }
        }
    }

    async fn carry_out(
        &self,
        connection: &dyn Connection,
        command: &Command,
        open: &Alarms,
    ) -> Answer {
        if let Some((deed, remark)) = alarms::deed(&command.action) {
            if publish::now() > command.expires {
                return Answer::expired(LATE);
            }
            let said = alarms::say(connection, open, &command.target, deed, remark).await;
            return said.unwrap_or_else(|why| no_answer(&command.action, &why));
        }
        let kind = command.action.kind();
        let target = self.targets.get(&command.target);
        let Some(target) = target.filter(|target| target.allowed.kinds.contains(&kind)) else {
            return Answer::refused(format!("{kind} is not allowed at {}", command.target));
        };
        if publish::now() > command.expires {
            return Answer::expired(LATE);
        }
        let done = match (&command.action, &target.place) {
            (Action::Read, Place::Variable(node)) => connection.read_now(node.clone()).await,
            (Action::Write(value), Place::Variable(node)) => {
                if let Some(why) = target.allowed.out_of_bounds(value) {
                    return Answer::refused(why);
                }
                connection.write(node.clone(), value.clone()).await
            }
            (Action::Call(arguments), Place::Method { object, method }) => {
                connection
                    .call(object.clone(), method.clone(), arguments.clone())
                    .await
            }
            (Action::Call(_), Place::Variable(_)) => {
                return Answer::refused("it is a variable, and only a method can be called");
            }
            (Action::Read | Action::Write(_), Place::Method { .. }) => {
                return Answer::refused("it is a method, which has no value");
            }
            (Action::Acknowledge(_) | Action::Confirm(_) | Action::Comment(_), _) => {
                return Answer::refused("it is no alarm");
            }
        };
        done.unwrap_or_else(|why| no_answer(&command.action, &why))
    }
}

fn offer(target: PointId, allowed: &Allowed) -> Offer {
    Offer {
        target,
        name: String::new(),
        address: String::new(),
        allow: allowed.kinds.clone(),
        data_type: None,
        unit: None,
        inputs: Vec::new(),
        outputs: Vec::new(),
    }
}

/// The connection failed under way.
fn no_answer(action: &Action, why: &Status) -> Answer {
    let words = match action {
        Action::Read => format!("the server gave no answer: {why}"),
        _ => format!(
            "the server gave no answer: {why}; whether it took effect is not known, so look before you repeat it"
        ),
    };
    Answer::failed(words).status(why.name())
}

#[cfg(test)]
mod tests;
