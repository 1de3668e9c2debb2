//! Calling a method on command, with its arguments as the server describes them.
//!
//! OPC UA Part 4, 5.11.2 (Call); what a method takes is told by its property InputArguments (Part 3, 5.7).

use fieldgate_model::{Answer, Arguments, Parameter, Value};
use opcua::types::{
    Argument, AttributeId, BrowseDescription, BrowseDirection, BrowseResultMask, CallMethodRequest,
    CallMethodResult, DataValue, NodeClass, NodeClassMask, NodeId as VendorNodeId,
    ReferenceDescription, ReferenceTypeId, Variant,
};

use super::{
    calls::Client,
    commands::{refused, short, shown},
    convert, encode,
    value_types::brackets,
    within,
};
use crate::{
    connection::{BrowseName, MethodNode, Signature},
    node_id::NodeId,
    status::Status,
    value::{self, Types},
};

/// The most arguments of a method that is called here.
const MAX_ARGUMENTS: usize = 64;
/// Of what a method yields, so many are told in the sentence; a server can yield tens of thousands.
const MAX_TOLD: usize = 8;
/// The most methods that are taken from one node.
const MAX_METHODS: u32 = 1000;

/// An argument as the server describes it.
struct Formal {
    name: String,
    data_type: VendorNodeId,
    rank: i32,
    dimensions: Vec<u32>,
    description: String,
}

impl Client {
    /// Calls a method with arguments that fit it, and nothing else.
    pub(super) async fn call_method(
        &self,
        object: &NodeId,
        method: &NodeId,
        arguments: &Arguments,
    ) -> Result<Answer, Status> {
        let method = convert::vendor_node_id(method);
        let executable = [AttributeId::Executable, AttributeId::UserExecutable]
            .map(|attribute| (method.clone(), attribute));
        let values = self.read(&executable).await?;
        if values[0].status().is_bad() {
            let status = value::status(values[0].status());
            return Ok(refused(&status, "the method cannot be called"));
        }
        let says_no = |at: usize| matches!(values[at].value, Some(Variant::Boolean(false)));
        if says_no(0) {
            return Ok(Answer::refused(
                "the server lets nobody call this method now (Executable)",
            ));
        }
        if says_no(1) {
            return Ok(Answer::refused(
                "the server does not let this user call this method (UserExecutable); sign in as another `user`",
            ));
        }
        let (inputs, outputs) = self.formals(&method).await?;
        let names: Vec<&str> = inputs.iter().map(|formal| formal.name.as_str()).collect();
        let given = match bound(&names, arguments) {
            Ok(given) => given,
            Err(why) => return Ok(Answer::refused(why)),
        };
        let mut variants = Vec::with_capacity(given.len());
        for (formal, value) in inputs.iter().zip(given) {
            let shape = self
                .shape(&formal.data_type, formal.rank, &formal.dimensions, None)
                .await?;
            match encode::variant(value, &shape) {
                Ok(variant) => variants.push(variant),
                Err(why) => {
                    let words = format!("argument `{}` is {}: {why}", formal.name, shown(value));
                    return Ok(Answer::refused(words));
                }
            }
        }
        let request = CallMethodRequest {
            object_id: convert::vendor_node_id(object),
            method_id: method,
            input_arguments: Some(variants),
        };
        let results = within(self.session.call(vec![request])).await?;
        let Some(result) = results.into_iter().next() else {
            return Err(Status::named("BadUnknownResponse"));
        };
        Ok(called(result, &names, &outputs, &self.lexicon.types()))
    }

    /// The methods below each node.
    pub(super) async fn methods_below(
        &self,
        nodes: &[NodeId],
    ) -> Result<Vec<Result<Vec<MethodNode>, Status>>, Status> {
        let wanted: Vec<BrowseDescription> = nodes
            .iter()
            .map(|node| BrowseDescription {
                node_id: convert::vendor_node_id(node),
                browse_direction: BrowseDirection::Forward,
                reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
                include_subtypes: true,
                node_class_mask: NodeClassMask::METHOD.bits(),
                result_mask: BrowseResultMask::All as u32,
            })
            .collect();
        let results = within(self.session.browse(&wanted, MAX_METHODS, None)).await?;
        if results.len() != nodes.len() {
            return Err(Status::named("BadUnknownResponse"));
        }
        let open: Vec<_> = results
            .iter()
            .map(|result| result.continuation_point.clone())
            .filter(|point| !point.is_null_or_empty())
            .collect();
        if !open.is_empty() {
            // More methods than are taken: the server need not remember where we stopped.
            let _released = within(self.session.browse_next(true, &open)).await;
        }
        let methods = results.into_iter().map(|result| {
            if result.status_code.is_bad() {
                return Err(value::status(result.status_code));
            }
            let references = result.references.unwrap_or_default();
            Ok(references.into_iter().filter_map(method_node).collect())
        });
        Ok(methods.collect())
    }

    /// What a method takes and yields, with its types by name.
    pub(super) async fn signature_of(&self, method: &NodeId) -> Result<Signature, Status> {
        let (inputs, outputs) = self.formals(&convert::vendor_node_id(method)).await?;
        let mut types: Vec<VendorNodeId> = Vec::new();
        for formal in inputs.iter().chain(&outputs) {
            if !types.contains(&formal.data_type) {
                types.push(formal.data_type.clone());
            }
        }
        let names = match types.is_empty() {
            true => Default::default(),
            false => self.type_names(types).await?,
        };
        let parameter = |formal: Formal| Parameter {
            data_type: format!(
                "{}{}",
                names.get(&formal.data_type).map_or("", String::as_str),
                brackets(formal.rank)
            ),
            description: (!formal.description.is_empty()).then_some(formal.description),
            name: formal.name,
        };
        Ok(Signature {
            inputs: inputs.into_iter().map(parameter).collect(),
            outputs: outputs.into_iter().map(parameter).collect(),
        })
    }

    /// A method's InputArguments and OutputArguments; a method without has none.
    async fn formals(&self, method: &VendorNodeId) -> Result<(Vec<Formal>, Vec<Formal>), Status> {
        let properties = BrowseDescription {
            node_id: method.clone(),
            browse_direction: BrowseDirection::Forward,
            reference_type_id: ReferenceTypeId::HasProperty.into(),
            include_subtypes: true,
            node_class_mask: NodeClassMask::VARIABLE.bits(),
            result_mask: BrowseResultMask::All as u32,
        };
        let found = self.references(properties).await?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for reference in found {
            let into = match reference.browse_name.name.as_ref() {
                "InputArguments" => &mut inputs,
                "OutputArguments" => &mut outputs,
                _ => continue,
            };
            let node = reference.node_id.node_id;
            let values = self.read(&[(node, AttributeId::Value)]).await?;
            *into = values
                .into_iter()
                .next()
                .map(formals_of)
                .unwrap_or_default();
        }
        Ok((inputs, outputs))
    }
}

fn method_node(reference: ReferenceDescription) -> Option<MethodNode> {
    let here = reference.node_id.server_index == 0 && reference.node_class == NodeClass::Method;
    here.then(|| MethodNode {
        node: convert::node_id(reference.node_id.node_id),
        name: BrowseName {
            namespace: reference.browse_name.namespace_index,
            name: reference.browse_name.name.into(),
        },
    })
}

fn formals_of(data: DataValue) -> Vec<Formal> {
    let Some(Variant::Array(array)) = data.value else {
        return Vec::new();
    };
    let argument = |variant: Variant| {
        let Variant::ExtensionObject(object) = variant else {
            return None;
        };
        let argument = object.inner_as::<Argument>()?;
        Some(Formal {
            name: argument.name.to_string(),
            data_type: argument.data_type.clone(),
            rank: argument.value_rank,
            dimensions: argument.array_dimensions.clone().unwrap_or_default(),
            description: argument.description.text.to_string(),
        })
    };
    let arguments = array.values.into_iter().filter_map(argument);
    arguments.take(MAX_ARGUMENTS).collect()
}

/// Each argument's value in the order of the method.
fn bound<'a>(names: &[&str], arguments: &'a Arguments) -> Result<Vec<&'a Value>, String> {
    let takes = match names {
        [] => "it takes none".to_owned(),
        names => format!("it takes `{}`", names.join("`, `")),
    };
    match arguments {
        Arguments::Ordered(values) if values.len() == names.len() => Ok(values.iter().collect()),
        Arguments::Ordered(values) => Err(format!(
            "the method was given {} arguments; {takes}",
            values.len()
        )),
        Arguments::Named(named) => {
            if let Some((extra, _)) = named
                .iter()
                .find(|(name, _)| !names.contains(&name.as_str()))
            {
                return Err(format!(
                    "the method has no argument `{}`; {takes}",
                    extra.escape_debug()
                ));
            }
            let value = |wanted: &&str| {
                let given = named.iter().find(|(name, _)| name == wanted);
                given
                    .map(|(_, value)| value)
                    .ok_or_else(|| format!("argument `{wanted}` is missing; {takes}"))
            };
            names.iter().map(value).collect()
        }
    }
}

/// What the server says to a call.
fn called(result: CallMethodResult, inputs: &[&str], outputs: &[Formal], types: &Types) -> Answer {
    let status = value::status(result.status_code);
    if result.status_code.is_bad() {
        let codes = result.input_argument_results.unwrap_or_default();
        let bad = inputs.iter().zip(codes).filter(|(_, code)| code.is_bad());
        let told: String = bad
            .map(|(name, code)| format!("; argument `{name}`: {}", value::status(code)))
            .collect();
        return Answer::failed(format!("the method answered {status}{told}")).status(status.name());
    }
    let yielded = result.output_arguments.unwrap_or_default();
    let fields: Vec<(String, Value)> = yielded
        .into_iter()
        .enumerate()
        .map(|(at, variant)| {
            let name = outputs.get(at).map(|formal| formal.name.clone());
            (
                name.unwrap_or_else(|| format!("output{at}")),
                value::value(variant, types).unwrap_or(Value::Null),
            )
        })
        .collect();
    let words = match fields.is_empty() {
        true => "the method was called".to_owned(),
        false => {
            let said = fields
                .iter()
                .take(MAX_TOLD)
                .map(|(name, value)| format!("{} = {}", short(name), shown(value)));
            let said = said.collect::<Vec<_>>().join(", ");
            match fields.len().saturating_sub(MAX_TOLD) {
                0 => format!("the method was called: {said}"),
                more => format!("the method was called: {said}, and {more} more"),
            }
        }
    };
    let answer = Answer::done(words).status(status.name());
    match fields.is_empty() {
        true => answer,
        false => answer.value(Value::Struct(fields)),
    }
}

#[cfg(test)]
mod tests {
    use opcua::types::StatusCode;

    use super::*;

    fn names(arguments: &Arguments) -> Result<Vec<&Value>, String> {
        bound(&["speed", "ramp"], arguments)
    }

    #[test]
    fn arguments_are_bound_by_name_or_in_order() {
        let (one, two) = (Value::Int(1), Value::Int(2));
        let named = |pairs: &[(&str, &Value)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).clone()));
            Arguments::Named(pairs.collect())
        };
        assert_eq!(
            names(&Arguments::Ordered(vec![one.clone(), two.clone()])),
            Ok(vec![&one, &two])
        );
        assert_eq!(
            names(&named(&[("ramp", &two), ("speed", &one)])),
            Ok(vec![&one, &two])
        );
        for (arguments, expected) in [
            (
                named(&[("speed", &one)]),
                "argument `ramp` is missing; it takes `speed`, `ramp`",
            ),
            (
                named(&[("speed", &one), ("ramp", &two), ("x", &one)]),
                "the method has no argument `x`; it takes `speed`, `ramp`",
            ),
            (
                Arguments::Ordered(vec![one.clone()]),
                "the method was given 1 arguments; it takes `speed`, `ramp`",
            ),
        ] {
            assert_eq!(names(&arguments), Err(expected.to_owned()));
        }
        let extra = Arguments::Ordered(vec![one.clone()]);
        let none = bound(&[], &extra);
        assert!(none.unwrap_err().ends_with("it takes none"));
    }

    #[test]
    fn a_refused_argument_is_named() {
        let result = CallMethodResult {
            status_code: StatusCode::BadInvalidArgument,
            input_argument_results: Some(vec![StatusCode::Good, StatusCode::BadOutOfRange]),
            ..CallMethodResult::default()
        };
        let answer = called(result, &["speed", "ramp"], &[], Types::standard());
        assert!(
            answer
                .words
                .ends_with("argument `ramp`: BadOutOfRange: the value is out of range"),
            "{}",
            answer.words
        );
        assert_eq!(answer.status.as_deref(), Some("BadInvalidArgument"));
    }

    #[test]
    fn what_a_method_yields_is_told_in_a_sentence_and_not_in_a_book() {
        let outputs = vec![Variant::from("x".repeat(500)); 20_000];
        let result = CallMethodResult {
            output_arguments: Some(outputs),
            ..CallMethodResult::default()
        };
        let answer = called(result, &[], &[], Types::standard());
        assert!(answer.words.len() < 2_000, "{} bytes", answer.words.len());
        assert!(answer.words.ends_with("and 19992 more"), "{}", answer.words);
    }
}
