"""asyncua with many nodes: machines of one type, each with variables that have a unit and a range. The options are one
JSON object, the only argument: port, machines, variables (of each machine).

Nodes are put into the address space directly: add_variable looks through all references of the parent for each of them."""

import asyncio
import json
import logging
import sys

from asyncua import Server, ua
from asyncua.server.address_space import AttributeValue, NodeData

NAMESPACE = "urn:fieldgate:test:many"
ORGANIZES, COMPONENT, PROPERTY, TYPE, SUBTYPE = (
    ua.NodeId(getattr(ua.ObjectIds, name))
    for name in ("Organizes", "HasComponent", "HasProperty", "HasTypeDefinition", "HasSubtype")
)
KINDS = {
    ua.NodeClass.Object: ua.NodeId(ua.ObjectIds.FolderType),
    ua.NodeClass.Variable: ua.NodeId(ua.ObjectIds.BaseDataVariableType),
    ua.NodeClass.ObjectType: ua.NodeId(),
}


def reference(kind, node, node_class, name, definition, forward):
    return ua.ReferenceDescription(
        ReferenceTypeId=kind, NodeId=node, NodeClass=node_class, BrowseName=name,
        DisplayName=ua.LocalizedText(name.Name), TypeDefinition=definition, IsForward=forward,
    )


class Space:
    def __init__(self, space, index):
        self.space, self.index, self.last = space, index, 1000

    def add(self, parent, kind, node_class, name, value=None, data_type=None, definition=None, namespace=None):
        self.last += 1
        node = ua.NodeId(self.last, self.index)
        name = ua.QualifiedName(name, self.index if namespace is None else namespace)
        definition = definition or KINDS[node_class]
        data = NodeData(node)

        def attribute(id, value, type):
            data.attributes[id] = AttributeValue(ua.DataValue(ua.Variant(value, type)))

        ids, types = ua.AttributeIds, ua.VariantType
        attribute(ids.NodeId, node, types.NodeId)
        attribute(ids.NodeClass, node_class, types.Int32)
        attribute(ids.BrowseName, name, types.QualifiedName)
        attribute(ids.DisplayName, ua.LocalizedText(name.Name), types.LocalizedText)
        if value is not None:
            attribute(ids.DataType, ua.NodeId(data_type), types.NodeId)
            attribute(ids.ValueRank, -1, types.Int32)
            attribute(ids.AccessLevel, 1, types.Byte)
            attribute(ids.UserAccessLevel, 1, types.Byte)
            data.attributes[ids.Value] = AttributeValue(ua.DataValue(value))
        above = self.space[parent]
        class_above = above.attributes[ids.NodeClass].value.Value.Value
        name_above = above.attributes[ids.BrowseName].value.Value.Value
        above.references.append(reference(kind, node, node_class, name, definition, True))
        data.references.append(reference(kind, parent, class_above, name_above, ua.NodeId(), False))
        if not definition.is_null():
            type_name = ua.QualifiedName("Type", 0)
            data.references.append(
                reference(TYPE, definition, ua.NodeClass.ObjectType, type_name, ua.NodeId(), True)
            )
        self.space[node] = data
        return node


def populate(space, options):
    classes, ids, types = ua.NodeClass, ua.ObjectIds, ua.VariantType
    motor = space.add(ua.NodeId(ids.BaseObjectType), SUBTYPE, classes.ObjectType, "MotorType")
    plant = space.add(ua.NodeId(ids.ObjectsFolder), ORGANIZES, classes.Object, "Plant")
    unit = ua.Variant(
        ua.EUInformation(
            NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact", UnitId=4408652,
            DisplayName=ua.LocalizedText("°C"),
        ),
        types.ExtensionObject,
    )
    property_type = ua.NodeId(ids.PropertyType)
    for machine in range(options["machines"]):
        at = space.add(plant, ORGANIZES, classes.Object, f"Motor{machine}", definition=motor)
        for number in range(options["variables"]):
            value = ua.Variant(float(machine * 1000 + number), types.Double)
            variable = space.add(at, COMPONENT, classes.Variable, f"V{number}", value, ids.Double)
            low_high = ua.Variant(ua.Range(Low=0.0, High=float(number + 1)), types.ExtensionObject)
            for name, what, of in [("EngineeringUnits", unit, ids.EUInformation), ("EURange", low_high, ids.Range)]:
                space.add(
                    variable, PROPERTY, classes.Variable, name, what, of, definition=property_type, namespace=0
                )


async def main():
    logging.basicConfig(level=logging.ERROR)
    options = json.loads(sys.argv[1])
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.set_identity_tokens([ua.AnonymousIdentityToken])
    index = await server.register_namespace(NAMESPACE)
    populate(Space(server.iserver.aspace, index), options)
    async with server:
        print(json.dumps({"ready": True}), flush=True)
        # Ends with its test: that closes our stdin.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
