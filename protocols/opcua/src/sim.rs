//! A real OPC UA server in this process, with changing points of every type, for the demonstration, benches and tests.
//!
//! With `session.rs` and `value.rs` the only place that names the vendor's types.

mod acts;
pub mod ceiling;
mod demo;
mod reverse;

use std::{path::PathBuf, sync::Arc, time::Duration};

use opcua::{
    crypto::SecurityPolicy,
    nodes::{BaseEventType, Event},
    server::{
        ANONYMOUS_USER_TOKEN_ID, ServerBuilder, ServerEndpoint, ServerHandle, ServerUserToken,
        SubscriptionCache,
        address_space::{AddressSpace, VariableBuilder},
        diagnostics::NamespaceMetadata,
        node_manager::memory::{SimpleNodeManager, simple_node_manager},
    },
    types::{
        AttributeId, DataTypeId, DataValue, DateTime, Guid, LocalizedText, MessageSecurityMode,
        NodeId, ObjectId, ObjectTypeId, QualifiedName, StatusCode, VariableTypeId,
    },
};
use tokio::{
    net::TcpListener,
    task::{JoinSet, yield_now},
    time::{MissedTickBehavior, interval},
};

use self::{acts::Acts, demo::Point};

/// The namespace of all simulated nodes.
pub const NAMESPACE: &str = "urn:fieldgate:demo";
/// All that the library offers besides `None`.
const POLICIES: [SecurityPolicy; 5] = [
    SecurityPolicy::Basic128Rsa15,
    SecurityPolicy::Basic256,
    SecurityPolicy::Basic256Sha256,
    SecurityPolicy::Aes128Sha256RsaOaep,
    SecurityPolicy::Aes256Sha256RsaPss,
];
/// How long a server may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the server's certificates; made when it is not there.
    pub folder: PathBuf,
    /// Loopback port; 0 takes a free one.
    pub port: u16,
    /// Offers Basic256Sha256 SignAndEncrypt besides no security. Makes a key at first, which takes a moment.
    pub secure: bool,
    /// Offers every policy and mode, the weak ones too.
    pub every_policy: bool,
    /// A name and a password that are let in, besides anonymous.
    pub user: Option<(String, String)>,
    /// The certificate, a file in DER, of a user who is let in.
    pub user_certificate: Option<PathBuf>,
    /// How often the demonstration's points change.
    pub every: Duration,
    /// Devices take commands, and the oven tells its alarm as a condition that can be acknowledged.
    pub acts: bool,
    /// Nodes for a bench, besides the demonstration's.
    pub load: Option<Load>,
    /// What there is room for, where it is little.
    pub room: Option<Room>,
}

/// What a small server takes. It refuses the rest, and does not say beforehand how much that is.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub sessions: usize,
    pub subscriptions_per_session: usize,
    pub items_per_subscription: usize,
}

/// Nodes of type Double under `Objects/Load`, all changed at once.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub nodes: u32,
    pub every: Duration,
}

/// A running server. Dropping it stops it at once.
#[derive(Debug)]
pub struct Sim {
    /// For instance `opc.tcp://127.0.0.1:34567/`.
    pub endpoint: String,
    pub namespace: &'static str,
    handle: Handle,
    tasks: JoinSet<()>,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the simulated OPC UA server: {0}")]
pub struct SimError(String);

struct Handle {
    server: ServerHandle,
    nodes: Arc<SimpleNodeManager>,
    namespace: u16,
}

/// Starts a server; its values change at once.
///
/// # Errors
/// When the port is taken or the folder cannot be written.
pub async fn start(options: Options) -> Result<Sim, SimError> {
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .map_err(|error| SimError(format!("port {}: {error}", options.port)))?;
    let port = listener
        .local_addr()
        .map_err(|error| SimError(error.to_string()))?
        .port();
    let (server, handle) = builder(&options, port).build().map_err(SimError)?;
    let nodes = handle
        .node_managers()
        .get_of_type::<SimpleNodeManager>()
        .ok_or_else(|| SimError("it has no nodes".to_owned()))?;
    let namespace = handle
        .get_namespace_index(NAMESPACE)
        .ok_or_else(|| SimError("it has no namespace".to_owned()))?;
    let points = demo::points(namespace);
    {
        let mut space = nodes.address_space().write();
        demo::build(&mut space, namespace, &points);
        build_load(&mut space, namespace, options.load);
    }
    let handle = Handle {
        server: handle,
        nodes,
        namespace,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(why) = server.run_with(listener).await {
            tracing::error!(why, "the simulated OPC UA server stopped");
        }
    });
    let acts = options
        .acts
        .then(|| acts::build(&handle.server, &handle.nodes, namespace));
    tasks.spawn(change(
        handle.nodes.clone(),
        subscriptions(&handle),
        (points, acts),
        options.every,
    ));
    if let Some(load) = options.load {
        tasks.spawn(change_load(
            subscriptions(&handle),
            load_nodes(namespace, load),
            load.every,
        ));
    }
    Ok(Sim {
        endpoint: format!("opc.tcp://127.0.0.1:{port}/"),
        namespace: NAMESPACE,
        handle,
        tasks,
    })
}

// === impl Options ===

impl Options {
    /// The demonstration on a free port, without security.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            port: 0,
            secure: false,
            every_policy: false,
            user: None,
            user_certificate: None,
            every: Duration::from_millis(250),
            acts: false,
            load: None,
            room: None,
        }
    }
}

// === impl Sim ===

impl Sim {
    /// Stops everything and closes all connections.
    pub async fn stop(mut self) {
        self.handle.server.cancel();
        let server = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT / 4, server)
            .await
            .is_err()
        {
            self.tasks.shutdown().await;
        }
    }

    /// The Server object tells an event of the plain BaseEventType.
    pub fn event(&self, source: &str, severity: u16, message: &str) {
        let mut event = BaseEventType::new_now(
            ObjectTypeId::BaseEventType,
            Guid::new().into(),
            LocalizedText::from(message),
        );
        event.source_name = source.into();
        event.severity = severity;
        let server = ObjectId::Server.into();
        let told: (&dyn Event, &NodeId) = (&event, &server);
        let subscriptions = self.handle.server.subscriptions();
        subscriptions.notify_events(std::iter::once(told));
    }

    /// Adds a variable of type Double, for instance `Demo/Press/Extra` below `Demo/Press`; its node has the number `node`.
    pub fn add(&self, path: &str, node: u32) {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("Demo", path));
        let namespace = self.handle.namespace;
        let id = NodeId::new(namespace, node);
        VariableBuilder::new(&id, QualifiedName::new(namespace, name), name)
            .data_type(DataTypeId::Double)
            .value_rank(-1)
            .value(f64::from(node))
            .has_type_definition(VariableTypeId::BaseDataVariableType)
            .component_of(NodeId::new(namespace, parent))
            .insert(&mut *self.handle.nodes.address_space().write());
    }

    /// Gives an object a NodeVersion, whose node has the number `node`.
    pub fn add_version(&self, path: &str, node: u32) {
        let id = NodeId::new(self.handle.namespace, node);
        VariableBuilder::new(&id, QualifiedName::new(0, "NodeVersion"), "NodeVersion")
            .data_type(DataTypeId::String)
            .value_rank(-1)
            .value("1")
            .has_type_definition(VariableTypeId::PropertyType)
            .property_of(NodeId::new(self.handle.namespace, path))
            .insert(&mut *self.handle.nodes.address_space().write());
    }

    /// The object's nodes are others now, as its NodeVersion says.
    pub fn set_version(&self, node: u32, version: &str) {
        let id = NodeId::new(self.handle.namespace, node);
        let value = DataValue::new_at(version, DateTime::now());
        let subscriptions = subscriptions(&self.handle);
        let values = std::iter::once((&id, None, value));
        if let Err(why) = self.handle.nodes.set_values(&subscriptions, values) {
            tracing::debug!(%why, "a simulated node is gone");
        }
    }

    /// The Server object tells that its nodes are others now.
    pub fn tell_change(&self) {
        let event = BaseEventType::new_now(
            ObjectTypeId::GeneralModelChangeEventType,
            Guid::new().into(),
            LocalizedText::from("nodes changed"),
        );
        let server = ObjectId::Server.into();
        let told: (&dyn Event, &NodeId) = (&event, &server);
        let subscriptions = self.handle.server.subscriptions();
        subscriptions.notify_events(std::iter::once(told));
    }

    /// Deletes a node, for instance `Demo/Press/Temperature`, and tells its subscribers.
    pub fn remove(&self, path: &str) {
        self.delete(&NodeId::new(self.handle.namespace, path));
    }

    /// As [`Self::remove`], of a node that was added under this number.
    pub fn remove_added(&self, node: u32) {
        self.delete(&NodeId::new(self.handle.namespace, node));
    }

    fn delete(&self, node: &NodeId) {
        self.handle.nodes.address_space().write().delete(node, true);
        let gone = DataValue {
            status: Some(StatusCode::BadNodeIdUnknown),
            source_timestamp: Some(DateTime::now()),
            ..DataValue::null()
        };
        let change = std::iter::once((gone, node, AttributeId::Value));
        self.handle
            .server
            .subscriptions()
            .notify_data_change(change);
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

fn subscriptions(handle: &Handle) -> Arc<SubscriptionCache> {
    handle.server.subscriptions().clone()
}

fn builder(options: &Options, port: u16) -> ServerBuilder {
    let metadata = NamespaceMetadata {
        namespace_uri: NAMESPACE.to_owned(),
        ..NamespaceMetadata::default()
    };
    let mut tokens = vec![ANONYMOUS_USER_TOKEN_ID.to_owned()];
    let mut builder = ServerBuilder::new()
        .application_name("Fieldgate demonstration server")
        .application_uri("urn:fieldgate:demo:server")
        .product_uri("urn:fieldgate:demo")
        .host("127.0.0.1")
        .port(port)
        .pki_dir(&options.folder)
        .create_sample_keypair(options.secure || options.every_policy)
        .certificate_path("own/cert.der")
        .private_key_path("private/private.pem")
        .trust_client_certs(true)
        .discovery_urls(vec![format!("opc.tcp://127.0.0.1:{port}/")])
        .diagnostics_enabled(false)
        .subscription_poll_interval_ms(50)
        .max_array_length(100_000)
        .max_message_size(4 << 20)
        .max_chunk_count(64)
        .with_node_manager(simple_node_manager(metadata, "demo"));
    if let Some((name, password)) = &options.user {
        tokens.push("user".to_owned());
        builder = builder.add_user_token("user", ServerUserToken::user_pass(name, password));
    }
    if let Some(certificate) = &options.user_certificate {
        tokens.push("certificate".to_owned());
        builder = builder.add_user_token(
            "certificate",
            ServerUserToken::x509("certificate", certificate),
        );
    }
    builder.config_mut().reverse_connect_failure_delay_ms = 200;
    let limits = &mut builder.limits_mut().subscriptions;
    limits.max_monitored_items_per_sub = 0;
    limits.max_monitored_item_queue_size = 10_000;
    limits.min_publishing_interval_ms = 50.0;
    limits.min_sampling_interval_ms = 10.0;
    limits.max_notifications_per_publish = 10_000;
    if let Some(room) = options.room {
        limits.max_subscriptions_per_session = room.subscriptions_per_session;
        limits.max_monitored_items_per_sub = room.items_per_subscription;
        builder.limits_mut().max_sessions = room.sessions;
    }
    builder = builder.add_endpoint("none", ServerEndpoint::new_none("/", &tokens));
    if options.every_policy {
        for policy in POLICIES {
            for mode in [
                MessageSecurityMode::Sign,
                MessageSecurityMode::SignAndEncrypt,
            ] {
                let endpoint = ServerEndpoint::new("/", policy, mode, &tokens);
                builder = builder.add_endpoint(format!("{policy} {mode:?}"), endpoint);
            }
        }
    } else if options.secure {
        let endpoint = ServerEndpoint::new_basic256sha256_sign_encrypt("/", &tokens);
        builder = builder.add_endpoint("secure", endpoint);
    }
    builder
}

/// Changes the demonstration's points until it is aborted.
async fn change(
    nodes: Arc<SimpleNodeManager>,
    subscriptions: Arc<SubscriptionCache>,
    (points, acts): (Vec<Point>, Option<Arc<Acts>>),
    every: Duration,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut seconds = 0.0;
    loop {
        ticks.tick().await;
        seconds += every.as_secs_f64();
        if let Some(acts) = &acts {
            acts.at(seconds);
        }
        let now = DateTime::now();
        let alive: Vec<&Point> = {
            let space = nodes.address_space().read();
            points
                .iter()
                .filter(|point| space.find(&point.node).is_some())
                .collect()
        };
        let values = alive
            .iter()
            .map(|point| (&point.node, None, point.at(seconds, now)));
        if let Err(why) = nodes.set_values(&subscriptions, values) {
            tracing::debug!(%why, "a simulated node is gone");
        }
    }
}

fn load_nodes(namespace: u16, load: Load) -> Vec<NodeId> {
    (0..load.nodes)
        .map(|at| NodeId::new(namespace, at + 1))
        .collect()
}

fn build_load(space: &mut AddressSpace, namespace: u16, load: Option<Load>) {
    let Some(load) = load else {
        return;
    };
    let folder = NodeId::new(namespace, "Load");
    space.add_folder(
        &folder,
        QualifiedName::new(namespace, "Load"),
        "Load",
        &ObjectId::ObjectsFolder.into(),
    );
    for (at, node) in load_nodes(namespace, load).iter().enumerate() {
        VariableBuilder::new(
            node,
            QualifiedName::new(namespace, format!("N{at}")),
            format!("N{at}"),
        )
        .data_type(DataTypeId::Double)
        .value_rank(-1)
        .value(0.0)
        .has_type_definition(VariableTypeId::BaseDataVariableType)
        .organized_by(&folder)
        .insert(space);
    }
}

/// Tells the subscribers only: the cheapest way, and what a bench of the client needs.
async fn change_load(subscriptions: Arc<SubscriptionCache>, nodes: Vec<NodeId>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut round = 0.0;
    loop {
        ticks.tick().await;
        round += 1.0;
        let now = DateTime::now();
        {
            let mut notifier = subscriptions.data_notifier();
            for node in &nodes {
                notifier.notify(node, AttributeId::Value, DataValue::new_at(round, now));
            }
        }
        yield_now().await;
    }
}
