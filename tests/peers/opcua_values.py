"""An OPC UA server (asyncua) with one variable of every kind of value; only `Temperature` changes.

Started by tests/tests/it/opcua_values.rs, which says what each is in a message, with one argument: the port.
Says {"ready": true} on stdout.
"""

import asyncio
import datetime
import json
import logging
import sys
import uuid

from asyncua import Server, ua
from asyncua.common.structures104 import new_enum, new_struct, new_struct_field

NAMESPACE = "urn:fieldgate:test:values"
AT = datetime.datetime(2026, 11, 23, 18, 22, 52, 250_001, tzinfo=datetime.timezone.utc)

T = ua.VariantType


def scalars():
    yield "Boolean", True, T.Boolean
    yield "SByte", -128, T.SByte
    yield "Byte", 255, T.Byte
    yield "Int16", -32768, T.Int16
    yield "UInt16", 65535, T.UInt16
    yield "Int32", -(2**31), T.Int32
    yield "UInt32", 2**32 - 1, T.UInt32
    yield "Int64", -(2**63), T.Int64
    yield "UInt64", 2**64 - 1, T.UInt64
    yield "Float", 21.3, T.Float
    yield "Double", -0.1, T.Double
    yield "NaN", float("nan"), T.Double
    yield "Infinity", float("inf"), T.Float
    yield "NegativeInfinity", float("-inf"), T.Double
    yield "String", "heiß", T.String
    yield "DateTime", AT, T.DateTime
    yield "Guid", uuid.UUID("09087e75-8e5e-499b-954f-f2a9603db28a"), T.Guid
    yield "ByteString", b"\x00\x01\xff", T.ByteString
    yield "XmlElement", ua.XmlElement("<a>1</a>"), T.XmlElement
    yield "NodeId", ua.NodeId("Temp", 2), T.NodeId
    yield "ExpandedNodeId", ua.ExpandedNodeId(7, 2), T.ExpandedNodeId
    yield "StatusCode", ua.StatusCode(ua.StatusCodes.BadTimeout), T.StatusCode
    yield "QualifiedName", ua.QualifiedName("Name", 2), T.QualifiedName
    yield "LocalizedText", ua.LocalizedText("warm", "en"), T.LocalizedText
    yield "BooleanArray", [True, False], T.Boolean
    yield "Int64Array", [2**63 - 1, -(2**63)], T.Int64
    yield "DoubleArray", [0.5, float("nan")], T.Double
    yield "StringArray", ["a", "b"], T.String
    yield "EmptyArray", [], T.Int32
    yield "Languages", [ua.LocalizedText("warm", "en"), ua.LocalizedText("warm", "de")], T.LocalizedText
    yield "VariantArray", [ua.Variant(1, T.Int16), ua.Variant("x", T.String)], T.Variant
    yield "Range", ua.Range(Low=-10.0, High=120.0), T.ExtensionObject
    yield "Argument", ua.Argument(
        Name="Speed", DataType=ua.NodeId(11), ValueRank=-1, Description=ua.LocalizedText("how fast", "en")
    ), T.ExtensionObject


async def types(server, index):
    """A structure with fields of every sort, and what it is made of."""
    await new_enum(server, index, "PressState", ["Off", "Warming", "On"])
    await new_struct(server, index, "Position", [
        new_struct_field("X", T.Double),
        new_struct_field("Y", T.Double),
    ])
    await new_struct(server, index, "Spare", [
        new_struct_field("Always", T.Int16),
        new_struct_field("Sometimes", T.Int16, optional=True),
    ])
    await new_struct(server, index, "Reading", [
        new_struct_field("Number", T.Double),
        new_struct_field("Text", T.String),
    ], is_union=True)
    known = await server.load_data_type_definitions()
    return known


async def press(server, index):
    children = await server.nodes.base_structure_type.get_children()
    ids = {(await child.read_browse_name()).Name: child.nodeid for child in children}
    enums = await server.nodes.enum_data_type.get_children()
    ids |= {(await child.read_browse_name()).Name: child.nodeid for child in enums}
    await new_struct(server, index, "Press", [
        new_struct_field("Name", T.String),
        new_struct_field("State", ids["PressState"]),
        new_struct_field("Position", ids["Position"]),
        new_struct_field("Path", ids["Position"], array=True),
        new_struct_field("Counts", T.UInt32, array=True),
        new_struct_field("Any", ua.NodeId(ua.ObjectIds.BaseDataType)),
    ])
    await server.load_data_type_definitions()
    return ids


async def main(port):
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.set_identity_tokens([ua.AnonymousIdentityToken])
    index = await server.register_namespace(NAMESPACE)
    await types(server, index)
    ids = await press(server, index)
    folder = await server.nodes.objects.add_object(ua.NodeId("Values", index), ua.QualifiedName("Values", index))

    async def add(name, variant, data_type=None):
        node = await folder.add_variable(
            ua.NodeId(name, index), ua.QualifiedName(name, index), variant, datatype=data_type
        )
        value = ua.DataValue(Value=variant, SourceTimestamp=AT, SourcePicoseconds=1234)
        await server.write_attribute_value(node.nodeid, value)
        return node

    for name, value, kind in scalars():
        any_type = ua.NodeId(ua.ObjectIds.BaseDataType) if kind == T.Variant else None
        await add(name, ua.Variant(value, kind, is_array=isinstance(value, list)), any_type)
    matrix = ua.Variant([[1, 2, 3], [4, 5, 6]], T.Int32)
    await add("Matrix", matrix)
    await add("State", ua.Variant(2, T.Int32), ids["PressState"])
    await add("States", ua.Variant([0, 7], T.Int32), ids["PressState"])
    one = ua.Press(
        Name="A", State=ua.PressState.On, Position=ua.Position(X=1.0, Y=2.0),
        Path=[ua.Position(X=0.0, Y=0.5)], Counts=[1, 2], Any=ua.Variant(True, T.Boolean),
    )
    await add("Press", ua.Variant(one, T.ExtensionObject))
    await add("Presses", ua.Variant([one, one], T.ExtensionObject))
    await add("Spare", ua.Variant(ua.Spare(Always=1, Sometimes=None), T.ExtensionObject))
    await add("SpareToo", ua.Variant(ua.Spare(Always=1, Sometimes=2), T.ExtensionObject))
    union = ua.Reading()
    union.Text = "seven"
    await add("Union", ua.Variant(union, T.ExtensionObject))
    # A variable of any type, whose structure nobody can know before it is sent.
    await add("Surprise", ua.Variant(ua.Position(X=3.0, Y=4.0), T.ExtensionObject), ua.NodeId(ua.ObjectIds.BaseDataType))
    for name in ("BadDeviceFailure", "BadNoCommunication", "UncertainSensorNotAccurate"):
        node = await add(name, ua.Variant(1.0, T.Double))
        code = ua.StatusCode(getattr(ua.StatusCodes, name))
        await server.write_attribute_value(
            node.nodeid, ua.DataValue(Value=ua.Variant(1.0, T.Double), StatusCode=code, SourceTimestamp=AT)
        )
    hot = await add("Temperature", ua.Variant(21.5, T.Double))
    await hot.add_property(0, "EngineeringUnits", ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact", UnitId=4408652,
        DisplayName=ua.LocalizedText("°C"), Description=ua.LocalizedText("degree Celsius"),
    ))
    await hot.add_property(0, "EURange", ua.Range(Low=-40.0, High=150.0))
    await hot.write_attribute(ua.AttributeIds.DisplayName, ua.DataValue(ua.Variant(ua.LocalizedText("Oil temperature"))))
    await hot.write_attribute(
        ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText("In the tank, at the return")))
    )
    async with server:
        print(json.dumps({"ready": True}), flush=True)
        for count in range(1, sys.maxsize):
            await asyncio.sleep(0.2)
            await hot.write_value(ua.Variant(21.5 + count / 8, T.Double))


logging.basicConfig(level=logging.ERROR)
asyncio.run(main(int(sys.argv[1])))
