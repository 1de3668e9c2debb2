//! A lane that thins, through an outage longer than it has room for.

use fieldgate_tests::{
    broker::Broker,
    gateway::Gateway,
    line::{self, PATIENCE},
    opcua_server::{OpcUaServer, Options},
    received::Received,
    subscriber::Subscriber,
    wait::until,
};

const NODES: usize = 400;
const PERIOD_MS: i64 = 50;
/// More than a moment's worth, so that thinning has gone on while readings came.
const THINNED: u64 = 20_000;

#[test]
fn an_outage_longer_than_the_queue_is_told_by_fewer_readings_and_each_one_that_went_is_counted() {
    let mut server = OpcUaServer::start(Options {
        nodes: NODES,
        period_ms: PERIOD_MS,
        ..Options::default()
    });
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.port);
    let config = |paused| {
        format!(
            "{}paused = {paused}\n[queue]\nnormal = {{ max_bytes = \"4 MiB\", on_full = \"thin\" }}\n",
            line::config(&server.endpoint(), &broker.url())
        )
    };
    let (away, back) = (config(true), config(false));
    let gateway = Gateway::start(&away);
    // The server takes a core to fill it, on a slow machine for longer than anything else is waited for.
    until("the lane to thin", 3 * PATIENCE, || {
        match gateway.api.ledger().evicted_by.thinned {
            thinned if thinned >= THINNED => Ok(()),
            thinned => Err(format!("{thinned} were thinned out")),
        }
    });
    server.hold();
    gateway.reload(&back);
    let sum = until("the rest to be delivered", PATIENCE, || {
        match gateway.api.ledger() {
            sum if sum.pending == 0 => Ok(sum),
            sum => Err(format!("{sum:?}")),
        }
    });
    // On a busy machine a lane may fill faster than it is thinned; then the oldest goes, and is counted apart.
    let by = &sum.evicted_by;
    assert_eq!(sum.evicted, by.thinned + by.full, "{sum:?}");
    assert_eq!(sum.accepted, sum.acked + sum.evicted, "{sum:?}");

    let mut received = Received::default();
    until("what was acknowledged to be received", PATIENCE, || {
        received.update(&subscriber);
        match received.readings.len() as u64 {
            count if count == sum.acked => Ok(()),
            count => Err(format!("{count} of {} are", sum.acked)),
        }
    });
    received.assert_order();
    for reading in &received.readings {
        line::assert_as_served(reading, PERIOD_MS);
    }
    assert_eq!(received.by_point().len(), NODES, "every point is told");
}
