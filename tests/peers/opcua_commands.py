"""An OPC UA server (asyncua) that can be commanded. Started by tests/tests/it/commands.rs and mqtt_commands.rs with its port.

Under Objects/Press: SetPoint (Double, writable), Count (Int64, writable), Mode (String, writable), Fixed (Double, read only),
the method Start(speed: Double, ramp: UInt16) -> total: Double, which counts in Starts (UInt32) how often it was called; and the
method Slow(), which counts too, prints {"slow": true}, and goes on when a line comes on stdin.
Prints {"ready": true} once it listens, and ends with its stdin.
"""

import asyncio
import logging
import sys

from asyncua import Server, ua
from asyncua.common.methods import uamethod


def argument(name, kind):
    argument = ua.Argument()
    argument.Name = name
    argument.DataType = ua.NodeId(kind)
    argument.ValueRank = -1
    argument.Description = ua.LocalizedText(f"the {name}")
    return argument


async def main():
    logging.basicConfig(level=logging.ERROR)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{sys.argv[1]}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("urn:fieldgate:test:press")
    press = await server.nodes.objects.add_object(ua.NodeId(1, index), ua.QualifiedName("Press", index))
    for number, (name, value, writable) in enumerate(
        [
            ("SetPoint", ua.Variant(79.0, ua.VariantType.Double), True),
            ("Count", ua.Variant(0, ua.VariantType.Int64), True),
            ("Mode", ua.Variant("auto", ua.VariantType.String), True),
            ("Fixed", ua.Variant(1.0, ua.VariantType.Double), False),
            ("Starts", ua.Variant(0, ua.VariantType.UInt32), False),
        ]
    ):
        node = await press.add_variable(ua.NodeId(10 + number, index), ua.QualifiedName(name, index), value)
        if writable:
            await node.set_writable()
        if name == "Starts":
            starts = node

    @uamethod
    async def start(parent, speed, ramp):
        await starts.write_value(ua.Variant(await starts.read_value() + 1, ua.VariantType.UInt32))
        return ua.Variant(speed + ramp, ua.VariantType.Double)

    go = asyncio.Event()

    @uamethod
    async def slow(parent):
        await starts.write_value(ua.Variant(await starts.read_value() + 1, ua.VariantType.UInt32))
        print('{"slow": true}', flush=True)
        await go.wait()
        go.clear()

    await press.add_method(ua.NodeId(21, index), ua.QualifiedName("Slow", index), slow, [], [])
    await press.add_method(
        ua.NodeId(20, index),
        ua.QualifiedName("Start", index),
        start,
        [argument("speed", ua.ObjectIds.Double), argument("ramp", ua.ObjectIds.UInt16)],
        [argument("total", ua.ObjectIds.Double)],
    )
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with server:
        print('{"ready": true}', flush=True)
        while await lines.readline():
            go.set()


asyncio.run(main())
