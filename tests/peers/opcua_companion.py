"""An OPC UA server (asyncua) that speaks small parts of companion models: their namespaces and the names of their types.

Started by tests/src/discovery_peers.rs with one argument, a JSON object: port.
Prints {"ready": true} once it answers; ends when its stdin is closed.
"""

import asyncio
import json
import logging
import sys

from asyncua import Server, ua

MACHINERY = "http://opcfoundation.org/UA/Machinery/"
DI = "http://opcfoundation.org/UA/DI/"
PLCOPEN = "http://PLCopen.org/OpcUa/IEC61131-3/"
PACKML = "http://opcfoundation.org/UA/PackML/"


class Model:
    """A namespace with types in it."""

    def __init__(self, server, index):
        self.server, self.index, self.types = server, index, {}

    async def type(self, name, parent=None):
        base = self.types[parent] if parent else self.server.nodes.base_object_type
        self.types[name] = await base.add_object_type(self.index, name)
        return self.types[name].nodeid

    async def variables(self, node, values, add="add_variable"):
        for name, value in values.items():
            await getattr(node, add)(self.index, name, value)


async def model(server, uri):
    return Model(server, await server.register_namespace(uri))


async def press(server, objects):
    """A machine with nameplate and state, as OPC 40001-1 arranges them."""
    machinery = await model(server, MACHINERY)
    await machinery.type("MachineryItemIdentificationType")
    nameplate = await machinery.type("MachineIdentificationType", "MachineryItemIdentificationType")
    state = await machinery.type("MachineryItemState_StateMachineType")
    machines = await objects.add_folder(machinery.index, "Machines")
    machine = await machines.add_object(machinery.index, "Press")
    one = await machine.add_object(machinery.index, "Identification", objecttype=nameplate)
    await machinery.variables(one, {"Manufacturer": "ACME", "SerialNumber": "4711", "Nickname": "Betty"}, "add_property")
    blocks = await machine.add_folder(machinery.index, "MachineryBuildingBlocks")
    one = await blocks.add_object(machinery.index, "MachineryItemState", objecttype=state)
    current = await one.add_variable(machinery.index, "CurrentState", ua.LocalizedText("Executing"))
    await current.add_property(machinery.index, "Number", ua.Variant(3, ua.VariantType.UInt32))
    await machinery.variables(machine, {"Speed": 7.5})


async def flow_meter(server, objects):
    """A device with health and parameters, as OPC 10000-100 arranges them."""
    di = await model(server, DI)
    await di.type("ComponentType")
    await di.type("DeviceType", "ComponentType")
    meter = await di.type("FlowMeterType", "DeviceType")
    devices = await objects.add_folder(di.index, "DeviceSet")
    device = await devices.add_object(di.index, "Flow", objecttype=meter)
    await di.variables(device, {"Manufacturer": "ACME", "Model": "F1"}, "add_property")
    await di.variables(device, {"DeviceHealth": 0, "Scratch": 1})
    parameters = await device.add_object(di.index, "ParameterSet")
    await di.variables(parameters, {"Flow": 12.5, "Damping": 2})


async def controller(server, objects):
    """A program with a function block in it, as OPC 30000 arranges them."""
    plcopen = await model(server, PLCOPEN)
    await plcopen.type("CtrlProgramType")
    await plcopen.type("CtrlFunctionBlockType")
    main = await plcopen.type("MainType", "CtrlProgramType")
    block = await plcopen.type("MotorType", "CtrlFunctionBlockType")
    programs = await objects.add_folder(plcopen.index, "Programs")
    program = await programs.add_object(plcopen.index, "Main", objecttype=main)
    await plcopen.variables(program, {"Enabled": True})
    motor = await program.add_object(plcopen.index, "Motor", objecttype=block)
    await plcopen.variables(motor, {"Current": 3.5})


async def packer(server, objects):
    """A packaging machine, as OPC 30050 arranges it."""
    packml = await model(server, PACKML)
    whole = await packml.type("PackMLBaseObjectType")
    status = await packml.type("PackMLStatusObjectType")
    machine = await objects.add_object(packml.index, "Packer", objecttype=whole)
    one = await machine.add_object(packml.index, "Status", objecttype=status)
    await packml.variables(one, {"CurMachSpeed": 60.0, "UnitModeCurrent": 1, "MaterialInterlock": False})


async def main():
    logging.basicConfig(level=logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{json.loads(sys.argv[1])['port']}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for build in (press, flow_meter, controller, packer):
        await build(server, server.nodes.objects)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with server:
        print(json.dumps({"ready": True}), flush=True)
        await lines.read()


asyncio.run(main())
