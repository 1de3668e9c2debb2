//! What can be done to the demonstration's devices: a limit that is written, a method that is called, and a condition that is
//! acknowledged (OPC UA Part 9), whose events the Server object tells.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use opcua::{
    nodes::{BaseEventType, Event, EventField},
    server::{
        ServerHandle, SubscriptionCache,
        address_space::{AddressSpace, MethodBuilder, VariableBuilder},
        node_manager::memory::SimpleNodeManager,
    },
    types::{
        Argument, AttributeId, ByteString, DataTypeId, DataValue, DateTime, Guid, LocalizedText,
        NodeClass, NodeId, NumericRange, ObjectId, ObjectTypeId, QualifiedName, StatusCode,
        VariableTypeId, Variant,
    },
};

use super::demo;

const LIMIT: &str = "Demo/Press/SpeedLimit";
const ORDERED: &str = "Demo/Press/Ordered";
const ORDER: &str = "Demo/Press/Order";
const CONDITION: &str = "Demo/Oven/HighTemperatureAlarm";
const ACKNOWLEDGE: &str = "Demo/Oven/HighTemperatureAlarm/Acknowledge";
const COMMENT: &str = "Demo/Oven/HighTemperatureAlarm/AddComment";
/// No press is given more to do at once.
const MOST_ORDERED: u32 = 1000;

/// The oven's condition, and who is told.
pub(super) struct Acts {
    condition: NodeId,
    state: Mutex<State>,
    subscriptions: Arc<SubscriptionCache>,
}

#[derive(Debug, Clone, Default)]
struct State {
    active: bool,
    acked: bool,
    comment: String,
    since: DateTime,
    /// Of the event that told this state.
    event: ByteString,
}

/// One state as an event.
#[derive(Debug)]
struct Told {
    base: BaseEventType,
    condition: NodeId,
    state: State,
}

/// Adds the nodes, and has them act.
pub(super) fn build(
    server: &ServerHandle,
    nodes: &Arc<SimpleNodeManager>,
    namespace: u16,
) -> Arc<Acts> {
    let acts = Arc::new(Acts {
        condition: NodeId::new(namespace, CONDITION),
        state: Mutex::new(State {
            acked: true,
            ..State::default()
        }),
        subscriptions: Arc::clone(server.subscriptions()),
    });
    add_nodes(&mut nodes.address_space().write(), namespace);
    // What the condition's own node is asked by (Part 9, 5.5.2), and the library does not know.
    let condition_type: NodeId = ObjectTypeId::ConditionType.into();
    server.type_tree().write().add_type_property(
        &condition_type,
        &condition_type,
        &[],
        NodeClass::Object,
    );
    let on = |path: &str, call: fn(&Acts, &[Variant]) -> Result<(), StatusCode>| {
        let acts = Arc::clone(&acts);
        nodes
            .inner()
            .add_method_callback(NodeId::new(namespace, path), move |given| {
                call(&acts, given).map(|()| Vec::new())
            });
    };
    on(ACKNOWLEDGE, Acts::acknowledge);
    on(COMMENT, Acts::comment);
    let (weak, subscriptions) = (Arc::downgrade(nodes), Arc::clone(server.subscriptions()));
    let ordered = NodeId::new(namespace, ORDERED);
    let total = Mutex::new(0);
    nodes
        .inner()
        .add_method_callback(NodeId::new(namespace, ORDER), move |given| {
            order(given, &total, (&weak, &subscriptions), &ordered)
        });
    acts
}

/// The press gets so many more to do; the answer is how many that are now.
fn order(
    given: &[Variant],
    total: &Mutex<u32>,
    (nodes, subscriptions): (&Weak<SimpleNodeManager>, &SubscriptionCache),
    ordered: &NodeId,
) -> Result<Vec<Variant>, StatusCode> {
    let [Variant::UInt32(count)] = given else {
        return Err(StatusCode::BadInvalidArgument);
    };
    if !(1..=MOST_ORDERED).contains(count) {
        return Err(StatusCode::BadOutOfRange);
    }
    let mut total = locked(total);
    *total = total.saturating_add(*count);
    let value = DataValue::new_at(*total, DateTime::now());
    if let Some(nodes) = nodes.upgrade() {
        nodes.set_value(subscriptions, ordered, None, value)?;
    }
    Ok(vec![Variant::UInt32(*total)])
}

fn add_nodes(space: &mut AddressSpace, namespace: u16) {
    for (path, data_type, value, writable) in [
        (LIMIT, DataTypeId::Double, Variant::Double(60.0), true),
        (ORDERED, DataTypeId::UInt32, Variant::UInt32(0), false),
    ] {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("Demo", path));
        let node = NodeId::new(namespace, path);
        let variable = VariableBuilder::new(&node, QualifiedName::new(namespace, name), name)
            .data_type(data_type)
            .value_rank(-1)
            .value(value)
            .has_type_definition(VariableTypeId::BaseDataVariableType)
            .component_of(NodeId::new(namespace, parent));
        let variable = match writable {
            true => variable.writable(),
            false => variable,
        };
        variable.insert(space);
    }
    let of_condition = || {
        vec![
            argument("EventId", DataTypeId::ByteString),
            argument("Comment", DataTypeId::LocalizedText),
        ]
    };
    // Those of a condition have their names from the standard.
    for (path, of, inputs, outputs) in [
        (
            ORDER,
            namespace,
            vec![argument("Count", DataTypeId::UInt32)],
            vec![argument("Total", DataTypeId::UInt32)],
        ),
        (ACKNOWLEDGE, 0, of_condition(), Vec::new()),
        (COMMENT, 0, of_condition(), Vec::new()),
    ] {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("Demo", path));
        let method = NodeId::new(namespace, path);
        let arguments = |of: &str| NodeId::new(namespace, format!("{path}/{of}"));
        let built = MethodBuilder::new(&method, QualifiedName::new(of, name), name)
            .component_of(NodeId::new(namespace, parent))
            .input_args(space, &arguments("InputArguments"), &inputs);
        let built = match outputs.as_slice() {
            [] => built,
            outputs => built.output_args(space, &arguments("OutputArguments"), outputs),
        };
        built.insert(space);
    }
}

fn argument(name: &str, data_type: DataTypeId) -> Argument {
    Argument {
        name: name.into(),
        data_type: data_type.into(),
        value_rank: -1,
        ..Argument::default()
    }
}

// === impl Acts ===

impl Acts {
    /// The oven's temperature so many seconds after the start; what changed with it is told.
    pub(super) fn at(&self, seconds: f64) {
        let active = demo::alarm_active(seconds);
        let mut state = self.state();
        if state.active == active {
            return;
        }
        state.active = active;
        if active {
            (state.acked, state.comment, state.since) = (false, String::new(), DateTime::now());
        }
        self.tell(&mut state, &demo::alarm_message(seconds));
    }

    fn acknowledge(&self, given: &[Variant]) -> Result<(), StatusCode> {
        let comment = self.meant(given)?;
        let mut state = self.state();
        if state.acked {
            return Err(StatusCode::BadConditionBranchAlreadyAcked);
        }
        state.acked = true;
        if !comment.is_empty() {
            state.comment = comment;
        }
        self.tell(&mut state, "the oven's high temperature was acknowledged");
        Ok(())
    }

    fn comment(&self, given: &[Variant]) -> Result<(), StatusCode> {
        let comment = self.meant(given)?;
        let mut state = self.state();
        state.comment = comment;
        self.tell(
            &mut state,
            "somebody remarked on the oven's high temperature",
        );
        Ok(())
    }

    /// The remark on the state that was told last; no other state can be remarked on.
    fn meant(&self, given: &[Variant]) -> Result<String, StatusCode> {
        let [Variant::ByteString(event), Variant::LocalizedText(comment)] = given else {
            return Err(StatusCode::BadInvalidArgument);
        };
        match *event == self.state().event {
            true => Ok(comment.text.to_string()),
            false => Err(StatusCode::BadEventIdUnknown),
        }
    }

    fn tell(&self, state: &mut State, message: &str) {
        state.event = Guid::new().into();
        let mut base = BaseEventType::new_now(
            ObjectTypeId::AlarmConditionType,
            state.event.clone(),
            LocalizedText::from(message),
        );
        base.source_name = "Oven".into();
        base.severity = if state.active { 700 } else { 300 };
        let told = Told {
            base,
            condition: self.condition.clone(),
            state: state.clone(),
        };
        let server = ObjectId::Server.into();
        let event: (&dyn Event, &NodeId) = (&told, &server);
        self.subscriptions.notify_events(std::iter::once(event));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl fmt::Debug for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acts").finish_non_exhaustive()
    }
}

// === impl Told ===

impl Event for Told {
    fn time(&self) -> &DateTime {
        &self.base.time
    }

    fn event_type_id(&self) -> &NodeId {
        &self.base.event_type
    }

    fn get_field(
        &self,
        _: &NodeId,
        attribute_id: AttributeId,
        index_range: &NumericRange,
        browse_path: &[QualifiedName],
    ) -> Variant {
        self.get_value(attribute_id, index_range, browse_path)
    }
}

impl EventField for Told {
    fn get_value(
        &self,
        attribute_id: AttributeId,
        index_range: &NumericRange,
        path: &[QualifiedName],
    ) -> Variant {
        let names: Vec<&str> = path.iter().map(|name| name.name.as_ref()).collect();
        let State {
            active,
            acked,
            comment,
            since,
            ..
        } = &self.state;
        let text = |text: &str| Variant::from(LocalizedText::from(text));
        let named = |state: bool, yes: &str, no: &str| text(if state { yes } else { no });
        match (attribute_id, names.as_slice()) {
            (AttributeId::NodeId, []) => self.condition.clone().into(),
            (AttributeId::Value, ["SourceNode"]) => self.condition.clone().into(),
            (AttributeId::Value, ["ConditionName"]) => Variant::from("HighTemperature"),
            (AttributeId::Value, ["Retain"]) => Variant::from(*active || !*acked),
            (AttributeId::Value, ["EnabledState"]) => text("Enabled"),
            (AttributeId::Value, ["EnabledState", "Id"]) => Variant::from(true),
            (AttributeId::Value, ["ActiveState"]) => named(*active, "Active", "Inactive"),
            (AttributeId::Value, ["ActiveState", "Id"]) => Variant::from(*active),
            (AttributeId::Value, ["ActiveState", "TransitionTime"]) => Variant::from(*since),
            (AttributeId::Value, ["AckedState"]) => named(*acked, "Acknowledged", "Unacknowledged"),
            (AttributeId::Value, ["AckedState", "Id"]) => Variant::from(*acked),
            (AttributeId::Value, ["Comment"]) => text(comment),
            (AttributeId::Value, ["Quality"]) => Variant::from(StatusCode::Good),
            _ => self.base.get_value(attribute_id, index_range, path),
        }
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
