//! The library's client with its own subscription loop and a callback that counts: what no source on this library can surpass.
//!
//! It keeps nothing: it acknowledges before anybody has the values, and looks for no gap.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use opcua::{
    client::{ClientBuilder, DataChangeCallback, IdentityToken, Session},
    types::{
        AttributeId, MessageSecurityMode, MonitoredItemCreateRequest, MonitoringMode,
        MonitoringParameters, NodeId, ReadValueId, TimestampsToReturn, UserTokenPolicy,
    },
};
use tokio::time::Instant;

use super::NAMESPACE;

/// What is subscribed to: so many of the nodes under `Objects/Load`, in so many subscriptions.
#[derive(Debug, Clone, Copy)]
pub struct Ceiling {
    pub nodes: u32,
    pub subscriptions: u32,
    pub publishing: Duration,
    pub queue_size: u32,
    /// Values in one message.
    pub max_notifications: u32,
}

/// Why nothing was counted.
#[derive(Debug, thiserror::Error)]
#[error("the library's client: {0}")]
pub struct CeilingError(String);

/// How long the client may take to connect and subscribe.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(60);
/// Items of one request.
const ITEMS_PER_CALL: usize = 1_000;

/// Values a second that reach the callback, over the window, after the first second of values.
///
/// # Errors
/// In words, when the server refuses or the connection is lost.
pub async fn values_per_s(
    endpoint: &str,
    ceiling: Ceiling,
    window: Duration,
) -> Result<f64, CeilingError> {
    let mut client = ClientBuilder::new()
        .application_name("Ceiling")
        .application_uri("urn:fieldgate:ceiling")
        .create_sample_keypair(false)
        .session_retry_limit(0)
        .min_publish_interval(Duration::from_millis(10))
        .max_message_size(4 << 20)
        .max_chunk_count(64)
        .max_array_length(65_536)
        .client()
        .map_err(|problems| CeilingError(problems.join(", ")))?;
    let endpoint = (
        endpoint,
        "None",
        MessageSecurityMode::None,
        UserTokenPolicy::anonymous(),
    );
    let (session, event_loop) = client
        .connect_to_endpoint_directly(endpoint, IdentityToken::Anonymous)
        .map_err(|error| CeilingError(error.to_string()))?;
    let counted = Arc::new(AtomicU64::new(0));
    let running = event_loop.run();
    tokio::pin!(running);
    let rate = tokio::select! {
        rate = measure(&session, ceiling, &counted, window) => rate?,
        code = &mut running => return Err(CeilingError(format!("its session ended: {code}"))),
    };
    // Whether the good-bye arrives is the server's concern.
    tokio::select! {
        _ = session.disconnect() => {}
        _ = &mut running => {}
    }
    Ok(rate)
}

async fn measure(
    session: &Session,
    ceiling: Ceiling,
    counted: &Arc<AtomicU64>,
    window: Duration,
) -> Result<f64, CeilingError> {
    let set_up = tokio::time::timeout(SET_UP_TIMEOUT, subscribe(session, ceiling, counted));
    let in_time = set_up.await;
    in_time.map_err(|_| CeilingError("it does not get ready".to_owned()))??;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, since) = (counted.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(window).await;
    let values = counted.load(Ordering::Relaxed) - before;
    #[expect(clippy::cast_precision_loss, reason = "a count of values")]
    let rate = values as f64 / since.elapsed().as_secs_f64();
    Ok(rate)
}

async fn subscribe(
    session: &Session,
    ceiling: Ceiling,
    counted: &Arc<AtomicU64>,
) -> Result<(), CeilingError> {
    let refused = |error: opcua::types::Error| CeilingError(error.to_string());
    session.wait_for_connection().await;
    let namespace = session
        .get_namespace_index(NAMESPACE)
        .await
        .map_err(refused)?;
    let nodes: Vec<NodeId> = (0..ceiling.nodes)
        .map(|at| NodeId::new(namespace, at + 1))
        .collect();
    let share = nodes.len().div_ceil(ceiling.subscriptions.max(1) as usize);
    for (at, nodes) in nodes.chunks(share.max(1)).enumerate() {
        let counted = Arc::clone(counted);
        let count = DataChangeCallback::new(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let subscription = session
            .create_subscription(
                ceiling.publishing,
                1_200,
                4,
                ceiling.max_notifications,
                0,
                true,
                count,
            )
            .await
            .map_err(refused)?;
        let handles = (at * share..).zip(nodes);
        let items: Vec<MonitoredItemCreateRequest> = handles
            .map(|(handle, node)| item(node, handle, ceiling.queue_size))
            .collect();
        for items in items.chunks(ITEMS_PER_CALL) {
            let made = session
                .create_monitored_items(subscription, TimestampsToReturn::Both, items.to_vec())
                .await
                .map_err(refused)?;
            if let Some(bad) = made.iter().find(|made| made.result.status_code.is_bad()) {
                return Err(CeilingError(format!(
                    "an item is refused: {}",
                    bad.result.status_code
                )));
            }
        }
    }
    Ok(())
}

fn item(node: &NodeId, handle: usize, queue_size: u32) -> MonitoredItemCreateRequest {
    MonitoredItemCreateRequest {
        item_to_monitor: ReadValueId {
            node_id: node.clone(),
            attribute_id: AttributeId::Value as u32,
            ..ReadValueId::default()
        },
        monitoring_mode: MonitoringMode::Reporting,
        requested_parameters: MonitoringParameters {
            client_handle: u32::try_from(handle).unwrap_or(u32::MAX),
            sampling_interval: 0.0,
            queue_size,
            discard_oldest: true,
            ..MonitoringParameters::default()
        },
    }
}
