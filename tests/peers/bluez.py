"""A stand-in of BlueZ: org.bluez on a D-Bus of one's own, with devices that say what a test lets them say.

    bluez.py '{"bus": "unix:path=…", "adapters": {"hci0": {"passive": false}}, "connect_timeout": 5}'

Says `ready` on stdout when org.bluez is owned; then takes commands on stdin, a JSON object a line with its name in `do`, and answers
each with a JSON line. Commands are the methods `do_…` below. What it does where BlueZ could do either is what 5.66 was seen to do:
objects of devices come with their first advertisement, with duplicates wanted every advertisement is a PropertiesChanged with its own
data and with signal strength, name and services only when they changed; devices that take no connections vanish when discovery
stops; a read that needs a bond begins to pair by itself, and where no agent agrees to that it never answers, and nothing else of that
device does before it is paired or connected anew.
"""
import asyncio
import json
import os
import random
import select
import sys
import time

from dbus_fast import BusType, DBusError, Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

V = Variant
ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
SERVICE, CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
AGENTS, AGENT = "org.bluez.AgentManager1", "org.bluez.Agent1"
MONITORS, MONITOR = "org.bluez.AdvertisementMonitorManager1", "org.bluez.AdvertisementMonitor1"
PROPERTIES, OBJECTS = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
DBUS = "org.freedesktop.DBus"

CUSTOM = "f000%04x-0451-4000-b000-000000000000"


def uuid16(short):
    return "0000%04x-0000-1000-8000-00805f9b34fb" % short


# service, characteristic, flags, first value, what is odd about it
GATT = [
    (uuid16(0x180F), uuid16(0x2A19), ["read", "notify"], "64", None),
    (uuid16(0x181A), uuid16(0x2A6E), ["read", "notify", "indicate"], "c409", None),
    (uuid16(0x181A), uuid16(0x2A6F), ["read"], "ce11", None),
    (uuid16(0x180A), uuid16(0x2A29), ["read"], b"Stand-in Instruments".hex(), None),
    (CUSTOM % 0x1000, CUSTOM % 0x1001, ["write", "write-without-response"], "", "echo"),
    (CUSTOM % 0x1000, CUSTOM % 0x1002, ["read", "notify"], "", None),
    (CUSTOM % 0x1000, CUSTOM % 0x1003, ["read"], b"secret".hex(), "protected"),
    (CUSTOM % 0x1000, CUSTOM % 0x1004, ["read"], "00", "hangs"),
    (CUSTOM % 0x1000, CUSTOM % 0x1005, ["indicate"], "00", None),
]
ECHO = CUSTOM % 0x1002


class Hang(Exception):
    """This call is never answered."""


def fail(name, text):
    raise DBusError(f"org.bluez.Error.{name}", text)


class PatientSocket:
    """dbus-fast takes a full buffer for the end of the connection; this one waits."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, data):
        """All of it: what comes by another way must not land in the middle of a message."""
        data = memoryview(data)
        left = data
        while left:
            try:
                left = left[self.sock.send(left):]
            except BlockingIOError:
                select.select([], [self.sock], [], 1.0)
        return len(data)


class Device:
    def __init__(self, address):
        self.address = address
        self.random, self.name, self.rssi, self.tx_power = True, None, -60, None
        self.manufacturer, self.service_data, self.services = {}, {}, []
        self.every_ms, self.connectable = 0, False
        self.pairing, self.number = None, 0
        self.muted = self.bonded = self.lost_bond = self.stuck = False
        # Its link breaks before its services are known.
        self.breaks = False
        # BlueZ dies of a link that it has a bond for and the device has not, as with Linux 6.1, and is started again.
        self.fatal = False
        # BlueZ says why such a link ended, as 5.83 does.
        self.tells = False
        # It loses each bond that it makes.
        self.forgetful = False
        # Its signal is so weak that a link breaks while it is encrypted.
        self.weak = False
        # A BTHome packet with the number of what it said, so that no two are alike.
        self.counts = False
        self.values = {}
        self.said = 0

    def take(self, command):
        for name, value in command.items():
            if name not in ("do", "address"):
                if not hasattr(self, name):
                    raise ValueError(f"a device has no {name}")
                setattr(self, name, value)

    def properties(self):
        """What one advertisement of it becomes."""
        if self.counts:
            self.service_data = {uuid16(0xFCD2): "403d" + (self.said & 0xFFFF).to_bytes(2, "little").hex()}
        out = {"RSSI": V("n", self.rssi)}
        if self.name is not None:
            out["Name"] = V("s", self.name)
        if self.tx_power is not None:
            out["TxPower"] = V("n", self.tx_power)
        if self.services:
            out["UUIDs"] = V("as", self.services)
        if self.manufacturer:
            out["ManufacturerData"] = V("a{qv}", {int(k): V("ay", bytes.fromhex(v)) for k, v in self.manufacturer.items()})
        if self.service_data:
            out["ServiceData"] = V("a{sv}", {k: V("ay", bytes.fromhex(v)) for k, v in self.service_data.items()})
        return out


class Adapter:
    def __init__(self, name, options):
        self.path = f"/org/bluez/{name}"
        self.address = options.get("address", f"00:1B:DC:00:00:{int(name[3:]) + 1:02X}")
        self.passive = options.get("passive", False)
        self.powered = options.get("powered", True)
        self.plugged = options.get("plugged", True)
        self.refuses = self.blocked = self.frozen = False
        # It freezes after so many reports of advertisements, whoever is quick enough to see that.
        self.freezes_after = options.get("freezes_after")
        # A switch off and on brings it back, or only another discovery.
        self.cured_by = options.get("cured_by")
        self.clients, self.monitors = {}, {}
        self.filters = {}


class BlueZ:
    def __init__(self, options):
        self.options = options
        self.adapters = {name: Adapter(name, o) for name, o in options.get("adapters", {"hci0": {}}).items()}
        self.devices, self.tasks = {}, {}
        self.objects, self.gathered = {}, {}
        # Devices of a flood by their paths, with the kind of their addresses.
        self.strangers = {}
        self.agents, self.default_agent = {}, None
        self.notifying, self.connecting, self.stuck = {}, {}, set()
        self.calls, self.deaths = [], 0
        self.bus = None

    # ---- objects and their signals
    def send(self, path, interface, member, signature, body):
        if self.bus:
            self.bus.send(Message(path=path, interface=interface, member=member, signature=signature, body=body,
                                  message_type=MessageType.SIGNAL))

    def add(self, path, interfaces):
        self.objects.setdefault(path, {}).update(interfaces)
        self.send("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {INTROSPECTABLE: {}, PROPERTIES: {}, **interfaces}])

    def remove(self, path):
        for below in sorted((p for p in self.objects if p == path or p.startswith(path + "/")), reverse=True):
            interfaces = self.objects.pop(below)
            self.gathered.pop(below, None)
            self.notifying.pop(below, None)
            self.stuck.discard(below)
            self.send("/", OBJECTS, "InterfacesRemoved", "oas", [below, list(interfaces)])

    def change(self, path, interface, changed, invalidated=()):
        if path not in self.objects:
            return
        properties = self.objects[path][interface]
        properties.update(changed)
        for name in invalidated:
            properties.pop(name, None)
        self.send(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, changed, list(invalidated)])

    def get(self, path, interface, name):
        value = self.objects.get(path, {}).get(interface, {}).get(name)
        return value.value if value is not None else None

    def path(self, adapter, device):
        return f"{adapter.path}/dev_{device.address.replace(':', '_')}"

    def find(self, path):
        parts = path.split("/")
        return self.adapters[parts[3]], self.devices[parts[4][4:].replace("_", ":")]

    def paths(self, device):
        return [path for adapter in self.adapters.values() if (path := self.path(adapter, device)) in self.objects]

    # ---- the air
    def connected(self, device):
        return any(self.get(path, DEVICE, "Connected") for path in self.paths(device))

    def advertise(self, device):
        if device.muted or self.connected(device):
            return
        device.said += 1
        for adapter in self.adapters.values():
            if not (adapter.plugged and adapter.powered):
                continue
            path = self.path(adapter, device)
            waits = self.connecting.get(path)
            if waits and not waits.done():
                waits.set_result(True)
            if (adapter.clients or adapter.monitors) and not adapter.frozen:
                self.report(adapter, device, path)
                if adapter.freezes_after:
                    adapter.freezes_after -= 1
                    adapter.frozen = adapter.freezes_after == 0

    def report(self, adapter, device, path):
        said = device.properties()
        if path not in self.objects:
            self.add_device(adapter, device, said)
            return
        known = self.objects[path][DEVICE]
        for name in ("RSSI", "Name", "TxPower", "UUIDs"):
            if name in said and known.get(name) == said[name]:
                del said[name]
        if not any(f.get("DuplicateData", V("b", False)).value for f in adapter.clients.values()):
            # All that was ever heard, and only when something is new.
            for name in ("ManufacturerData", "ServiceData"):
                if name in said:
                    said[name] = V(said[name].signature, {**known.get(name, V("a{sv}", {})).value, **said[name].value})
                    if known.get(name) == said[name]:
                        del said[name]
        if said:
            self.change(path, DEVICE, said)

    def add_device(self, adapter, device, said):
        self.add(self.path(adapter, device), {DEVICE: self.device(adapter, device, said)})

    def device(self, adapter, device, said):
        return {
            "Address": V("s", device.address), "AddressType": V("s", "random" if device.random else "public"),
            "Alias": V("s", device.name or device.address.replace(":", "-")), "Adapter": V("o", adapter.path),
            "Paired": V("b", device.bonded), "Bonded": V("b", device.bonded), "Trusted": V("b", device.bonded),
            "Blocked": V("b", False), "LegacyPairing": V("b", False), "Connected": V("b", False),
            "ServicesResolved": V("b", False), "UUIDs": V("as", []), **said}

    async def beat(self, device):
        while device.every_ms:
            self.advertise(device)
            await asyncio.sleep(device.every_ms / 1000)

    # ---- adapters
    def show_adapter(self, adapter):
        state = "off-blocked" if adapter.blocked else "on" if adapter.powered else "off"
        interfaces = {ADAPTER: {
            "Address": V("s", adapter.address), "AddressType": V("s", "public"), "Name": V("s", "stand-in"),
            "Alias": V("s", "stand-in"), "Class": V("u", 0), "Powered": V("b", adapter.powered), "PowerState": V("s", state),
            "Discoverable": V("b", False), "DiscoverableTimeout": V("u", 180), "Pairable": V("b", False),
            "PairableTimeout": V("u", 0), "Discovering": V("b", False), "UUIDs": V("as", []),
            "Modalias": V("s", "usb:v1D6Bp0246d0542"), "Roles": V("as", ["central"])}}
        if adapter.passive:
            interfaces[MONITORS] = {"SupportedMonitorTypes": V("as", ["or_patterns"]), "SupportedFeatures": V("as", [])}
        self.add(adapter.path, interfaces)
        for device in self.devices.values():
            if device.bonded:
                self.add_device(adapter, device, {})

    def discovery_ended(self, adapter):
        for device in self.devices.values():
            path = self.path(adapter, device)
            if path in self.objects and not self.get(path, DEVICE, "Connected"):
                if device.connectable or device.bonded:
                    self.change(path, DEVICE, {}, ["RSSI"])
                else:
                    self.remove(path)
        self.change(adapter.path, ADAPTER, {"Discovering": V("b", False)})

    def switch(self, adapter, on):
        adapter.powered = on
        if not on:
            adapter.clients.clear()
            for device in self.devices.values():
                self.lose(self.path(adapter, device))
            if adapter.cured_by == "power":
                adapter.frozen = False
        state = "off-blocked" if adapter.blocked else "on" if on else "off"
        self.change(adapter.path, ADAPTER, {"Powered": V("b", on), "PowerState": V("s", state)})
        if not on and self.get(adapter.path, ADAPTER, "Discovering"):
            self.discovery_ended(adapter)

    # ---- links
    async def connect(self, path, device):
        if self.get(path, DEVICE, "Connected"):
            return
        if path in self.connecting:
            fail("InProgress", "Operation already in progress")
        waits = self.connecting[path] = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(waits, self.options.get("connect_timeout", 5))
        except asyncio.TimeoutError:
            fail("Failed", "le-connection-abort-by-local")
        finally:
            self.connecting.pop(path, None)
        await asyncio.sleep(0.02)
        self.change(path, DEVICE, {"Connected": V("b", True)})
        if (device.lost_bond or device.weak) and device.bonded:
            await asyncio.sleep(0.3)
            loop = asyncio.get_running_loop()
            loop.call_later(0.01, self.lose, path)
            if device.tells:
                why = "Timeout" if device.weak else "Authentication"
                self.send(path, DEVICE, "Disconnected", "ss", [f"org.bluez.Reason.{why}", "Connection terminated"])
            if device.fatal:
                loop.call_later(0.2, lambda: loop.create_task(self.die()))
            fail("Failed", "le-connection-abort-by-local")
        asyncio.get_running_loop().call_later(0.05, self.resolve, path)

    def resolve(self, path):
        if not self.get(path, DEVICE, "Connected"):
            return
        if self.find(path)[1].breaks:
            self.lose(path)
            return
        handle, services = 6, {}
        for service, characteristic, flags, value, _ in GATT:
            if service not in services:
                services[service] = f"{path}/service{handle:04x}"
                handle += 1
                self.add(services[service], {SERVICE: {"UUID": V("s", service), "Device": V("o", path),
                                                       "Primary": V("b", True), "Includes": V("ao", [])}})
            at = f"{services[service]}/char{handle:04x}"
            handle += 3
            _, device = self.find(path)
            value = device.values.setdefault(characteristic, bytes.fromhex(value))
            self.add(at, {CHARACTERISTIC: {"UUID": V("s", characteristic), "Service": V("o", services[service]),
                                           "Value": V("ay", b""), "Flags": V("as", flags), "MTU": V("q", 247),
                                           "Notifying": V("b", False)}})
        self.change(path, DEVICE, {"UUIDs": V("as", list(services)), "ServicesResolved": V("b", True)})

    def lose(self, path):
        if not self.get(path, DEVICE, "Connected"):
            return False
        for below in [p for p in self.objects if p.startswith(path + "/service")]:
            self.remove(below)
        self.stuck.discard(path)
        self.change(path, DEVICE, {"ServicesResolved": V("b", False)})
        self.change(path, DEVICE, {"Connected": V("b", False)})
        return True

    def tell(self, device, characteristic, value):
        device.values[characteristic] = value
        for at in list(self.notifying):
            if self.notifying[at] and self.find(at)[1] is device and self.get(at, CHARACTERISTIC, "UUID") == characteristic:
                self.change(at, CHARACTERISTIC, {"Value": V("ay", value)})

    async def ask_agent(self, client, member, signature, body):
        reply = await self.bus.call(Message(destination=client, path=self.agents[client], interface=AGENT, member=member,
                                            signature=signature, body=body))
        if reply.message_type == MessageType.ERROR:
            fail("AuthenticationFailed", "Authentication Failed")
        return reply.body

    async def pair(self, path, device, client):
        if device.bonded:
            fail("AlreadyExists", "Already Exists")
        await self.connect(path, device)
        try:
            await self.agree(path, device, client)
        except DBusError:
            self.lose(path)
            raise
        self.bond(path, device)

    def bond(self, path, device):
        device.bonded, device.lost_bond = True, device.forgetful
        self.stuck.discard(path)
        self.change(path, DEVICE, {"Paired": V("b", True), "Bonded": V("b", True)})

    async def agree(self, path, device, client):
        """What the device wants to know."""
        agent = client if client in self.agents else self.default_agent
        if device.pairing in ("passkey", "compare", "display") and agent is None:
            fail("AuthenticationFailed", "Authentication Failed")
        if device.pairing == "passkey":
            (number,) = await self.ask_agent(agent, "RequestPasskey", "o", [path])
            if number != device.number:
                fail("AuthenticationFailed", "Authentication Failed")
        elif device.pairing == "compare":
            await self.ask_agent(agent, "RequestConfirmation", "ou", [path, device.number])
        elif device.pairing == "display":
            for entered in (0, 1):
                await self.ask_agent(agent, "DisplayPasskey", "ouq", [path, device.number, entered])
        elif device.pairing == "just_works":
            if agent is not None:
                await self.ask_agent(agent, "RequestAuthorization", "o", [path])
        else:
            fail("AuthenticationFailed", "Authentication Failed")

    # ---- calls
    async def call(self, m):
        interfaces = self.objects.get(m.path, {})
        if m.interface == INTROSPECTABLE:
            return "s", [self.introspect(m.path)]
        if m.interface == OBJECTS and m.path == "/":
            return "a{oa{sa{sv}}}", [self.objects]
        if m.interface == PROPERTIES and m.body[0] in interfaces:
            return self.property(m, interfaces[m.body[0]])
        if m.interface == PROPERTIES and m.path in self.strangers:
            return self.property(m, {"AddressType": V("s", self.strangers[m.path])})
        handlers = {ADAPTER: self.adapter_call, DEVICE: self.device_call, CHARACTERISTIC: self.characteristic_call,
                    AGENTS: self.agents_call, MONITORS: self.monitors_call}
        if m.interface not in interfaces or m.interface not in handlers:
            raise DBusError(f"{DBUS}.Error.UnknownObject", f'Method "{m.member}" on "{m.interface}" doesn\'t exist')
        if m.interface != CHARACTERISTIC:
            self.calls.append(f"{m.member} {m.path.removeprefix('/org/bluez/')}")
        return await handlers[m.interface](m)

    def introspect(self, path):
        prefix = path.rstrip("/") + "/"
        below = sorted({p[len(prefix):].split("/")[0] for p in self.objects if p.startswith(prefix)})
        return "<node>" + "".join(f'<node name="{name}"/>' for name in below) + "</node>"

    def property(self, m, values):
        if m.member == "GetAll":
            return "a{sv}", [values]
        if m.member == "Get":
            if m.body[1] not in values:
                raise DBusError(f"{DBUS}.Error.InvalidArgs", f"No such property '{m.body[1]}'")
            return "v", [values[m.body[1]]]
        interface, name, value = m.body
        if (interface, name) == (ADAPTER, "Powered"):
            adapter = self.adapters[m.path.split("/")[3]]
            self.calls.append(f"Powered={value.value} {m.path.removeprefix('/org/bluez/')}")
            if adapter.blocked:
                fail("Blocked", "Blocked through rfkill")
            if adapter.refuses and value.value:
                fail("Failed", "Failed")
            if adapter.powered != value.value:
                self.switch(adapter, value.value)
        else:
            self.change(m.path, interface, {name: value})
        return "", []

    async def adapter_call(self, m):
        adapter = self.adapters[m.path.split("/")[3]]
        if m.member == "SetDiscoveryFilter":
            adapter.filters[m.sender] = m.body[0]
        elif m.member == "StartDiscovery":
            if not adapter.powered:
                fail("NotReady", "Resource Not Ready")
            if m.sender in adapter.clients:
                fail("InProgress", "Operation already in progress")
            adapter.clients[m.sender] = adapter.filters.get(m.sender, {})
            if adapter.cured_by == "discovery":
                adapter.frozen = False
            self.change(m.path, ADAPTER, {"Discovering": V("b", True)})
        elif m.member == "StopDiscovery":
            if adapter.clients.pop(m.sender, None) is None:
                fail("Failed", "No discovery started")
            if not adapter.clients:
                self.discovery_ended(adapter)
        elif m.member == "RemoveDevice":
            if m.body[0] not in self.objects:
                fail("DoesNotExist", "Does Not Exist")
            _, device = self.find(m.body[0])
            self.lose(m.body[0])
            device.bonded = False
            self.remove(m.body[0])
        return "", []

    async def device_call(self, m):
        _, device = self.find(m.path)
        if m.member == "Connect":
            await self.connect(m.path, device)
        elif m.member == "Disconnect":
            waits = self.connecting.get(m.path)
            if waits and not waits.done():
                waits.set_exception(DBusError("org.bluez.Error.Failed", "le-connection-abort-by-local"))
            else:
                self.lose(m.path)
        elif m.member == "Pair":
            await self.pair(m.path, device, m.sender)
        return "", []

    async def characteristic_call(self, m):
        path = "/".join(m.path.split("/")[:5])
        _, device = self.find(path)
        uuid = self.get(m.path, CHARACTERISTIC, "UUID")
        flags = self.get(m.path, CHARACTERISTIC, "Flags")
        odd = next(odd for _, c, _, _, odd in GATT if c == uuid)
        if path in self.stuck:
            raise Hang
        if m.member == "ReadValue":
            if "read" not in flags:
                fail("NotPermitted", "Read not permitted")
            if odd == "protected" and not device.bonded and self.agents and device.pairing is None:
                fail("NotPermitted", "Not paired")
            if odd == "hangs" or (odd == "protected" and not device.bonded):
                self.stuck.add(path)
                if odd == "hangs" or not self.agents:
                    raise Hang
                try:
                    await self.agree(path, device, m.sender)
                except DBusError:
                    raise Hang
                self.bond(path, device)
            value = device.values[uuid]
            if self.get(m.path, CHARACTERISTIC, "Value") != value:
                self.change(m.path, CHARACTERISTIC, {"Value": V("ay", value)})
            return "ay", [value]
        if m.member == "WriteValue":
            kind = m.body[1].get("type", V("s", "request")).value
            if {"request": "write", "command": "write-without-response"}.get(kind) not in flags:
                fail("NotSupported", "Operation is not supported")
            self.tell(device, ECHO, bytes(m.body[0]))
        elif m.member == "StartNotify":
            if not {"notify", "indicate"} & set(flags):
                fail("NotSupported", "Operation is not supported")
            self.notifying.setdefault(m.path, set()).add(m.sender)
            self.change(m.path, CHARACTERISTIC, {"Notifying": V("b", True)})
        elif m.member == "StopNotify":
            if m.sender not in self.notifying.get(m.path, set()):
                fail("Failed", "No notify session started")
            self.notifying[m.path].discard(m.sender)
        return "", []

    async def agents_call(self, m):
        if m.member == "RegisterAgent":
            self.agents[m.sender] = m.body[0]
        elif m.member == "RequestDefaultAgent":
            self.default_agent = m.sender
        elif m.member == "UnregisterAgent":
            self.agents.pop(m.sender, None)
        return "", []

    async def monitors_call(self, m):
        adapter = self.adapters[m.path.split("/")[3]]
        if m.member == "UnregisterMonitor":
            adapter.monitors.pop(m.sender, None)
            return "", []
        if not adapter.powered:
            fail("NotReady", "Resource Not Ready")
        reply = await self.bus.call(Message(destination=m.sender, path=m.body[0], interface=OBJECTS, member="GetManagedObjects"))
        if reply.message_type == MessageType.ERROR:
            fail("Failed", "no objects")
        for path, interfaces in reply.body[0].items():
            monitor = interfaces.get(MONITOR)
            if monitor and monitor["Type"].value == "or_patterns" and monitor["Patterns"].value:
                adapter.monitors[m.sender] = path
                self.bus.send(Message(destination=m.sender, path=path, interface=MONITOR, member="Activate"))
        return "", []

    def heard_on_bus(self, m):
        if m.message_type == MessageType.SIGNAL:
            if m.member == "NameOwnerChanged" and m.body[0].startswith(":") and not m.body[2]:
                self.client_gone(m.body[0])
            return None
        if m.message_type != MessageType.METHOD_CALL:
            return None
        task = asyncio.get_running_loop().create_task(self.answer(self.bus, m))
        self.tasks[id(task)] = task
        task.add_done_callback(lambda task: self.tasks.pop(id(task), None))
        return True

    async def answer(self, bus, m):
        try:
            reply = Message.new_method_return(m, *await self.call(m))
        except Hang:
            return
        except DBusError as error:
            reply = Message.new_error(m, error.type, error.text)
        except Exception as error:
            print(f"{m.interface}.{m.member}: {error!r}", file=sys.stderr, flush=True)
            reply = Message.new_error(m, "org.bluez.Error.Failed", repr(error))
        if bus is self.bus:
            bus.send(reply)

    def client_gone(self, client):
        for adapter in self.adapters.values():
            adapter.monitors.pop(client, None)
            adapter.filters.pop(client, None)
            if adapter.clients.pop(client, None) is not None and not adapter.clients:
                self.discovery_ended(adapter)
        self.agents.pop(client, None)
        for clients in self.notifying.values():
            clients.discard(client)

    # ---- the life of the daemon
    async def serve(self):
        bus = await MessageBus(bus_type=BusType.SYSTEM, bus_address=self.options["bus"]).connect()
        bus._writer.sock = PatientSocket(bus._sock)
        bus.add_message_handler(self.heard_on_bus)
        await bus.call(Message(destination=DBUS, path="/org/freedesktop/DBus", interface=DBUS, member="AddMatch", signature="s",
                               body=[f"type='signal',sender='{DBUS}',member='NameOwnerChanged'"]))
        self.bus = bus
        self.objects["/org/bluez"] = {AGENTS: {}}
        for adapter in self.adapters.values():
            if adapter.plugged:
                self.show_adapter(adapter)
        if await bus.request_name("org.bluez") != RequestNameReply.PRIMARY_OWNER:
            sys.exit("org.bluez is taken on this bus")

    async def do_crash(self, _):
        """SIGKILL: the name is gone, and nothing was told before."""
        bus, self.bus = self.bus, None
        bus.disconnect()
        self.objects.clear()
        self.agents.clear()
        self.default_agent = None
        self.notifying.clear()
        self.stuck.clear()
        for adapter in self.adapters.values():
            for of in (adapter.clients, adapter.monitors, adapter.filters):
                of.clear()

    async def die(self):
        if not self.bus:
            return
        self.deaths += 1
        await self.do_crash({})
        await asyncio.sleep(0.5)
        await self.serve()

    async def do_restart(self, _):
        if self.bus:
            await self.do_crash(_)
        await self.serve()

    # ---- commands
    async def do_device(self, command):
        """Comes into being, or changes; `every_ms` lets it advertise by itself."""
        device = self.devices.setdefault(command["address"], Device(command["address"]))
        beats = device.every_ms
        device.take(command)
        if device.every_ms and not beats:
            self.tasks[device.address] = asyncio.get_running_loop().create_task(self.beat(device))

    async def do_say(self, command):
        """Changes, and advertises once."""
        await self.do_device(command)
        self.advertise(self.devices[command["address"]])

    async def do_renew(self, command):
        """Somebody else pairs it anew."""
        device = self.devices[command["address"]]
        for path in self.paths(device):
            self.change(path, DEVICE, {"Paired": V("b", False), "Bonded": V("b", False)})
            self.bond(path, device)

    async def do_lose(self, command):
        """The link breaks."""
        return any([self.lose(path) for path in self.paths(self.devices[command["address"]])])

    async def do_tell(self, command):
        """A characteristic has another value, and tells it to those who subscribed."""
        self.tell(self.devices[command["address"]], command["characteristic"], bytes.fromhex(command["value"]))

    async def do_adapter(self, command):
        adapter = self.adapters[command["name"]]
        for name in ("refuses", "frozen", "freezes_after", "cured_by"):
            if name in command:
                setattr(adapter, name, command[name])
        if "blocked" in command:
            adapter.blocked = command["blocked"]
            self.switch(adapter, False)
        if "powered" in command:
            self.switch(adapter, command["powered"])
        if command.get("forgets_scan"):
            adapter.clients.clear()
            self.discovery_ended(adapter)

    async def do_unplug(self, command):
        adapter = self.adapters[command["name"]]
        self.switch(adapter, False)
        adapter.plugged = False
        self.remove(adapter.path)

    async def do_plug(self, command):
        adapter = self.adapters.setdefault(command["name"], Adapter(command["name"], {}))
        adapter.plugged = adapter.powered = True
        self.show_adapter(adapter)

    async def do_look(self, _):
        calls, self.calls = self.calls, []
        return {
            "calls": calls,
            "agents": len(self.agents),
            "scans": {name: [{k: v.value for k, v in f.items()} for f in a.clients.values()] for name, a in self.adapters.items()},
            "monitors": {name: len(a.monitors) for name, a in self.adapters.items()},
            "connected": sorted(d.address for d in self.devices.values() if self.connected(d)),
            "bonded": sorted(d.address for d in self.devices.values() if d.bonded),
            "values": {a: {c: v.hex() for c, v in d.values.items()} for a, d in self.devices.items()},
            "said": {a: d.said for a, d in self.devices.items()},
            "stuck": sorted(self.stuck),
            "deaths": self.deaths,
            "serves": self.bus is not None,
            "frozen": sorted(name for name, a in self.adapters.items() if a.frozen),
        }

    async def do_flood(self, command):
        """So many changes a second of so many devices with addresses that nobody knows, each change another one. They are made before, so
        that this program is not what is measured: 0 a second means as many as the bus takes."""
        devices, seconds, per_s = command["devices"], command["seconds"], command["per_s"]
        adapter = self.adapters[command.get("name", "hci0")]
        first = command.get("first", 0)
        known = []
        for number in range(first, first + devices):
            address = "%02X:%02X:%02X:%02X:%02X:%02X" % (0x40, 0, *number.to_bytes(4, "big"))
            device = self.devices[address] = Device(address)
            self.add_device(adapter, device, {"RSSI": V("n", -70)})
            known.append(self.path(adapter, device))
            if number % 200 == 0:
                await asyncio.sleep(0)
        serial, ready = 1 << 24, []
        for number in range(command.get("distinct", 20000)):
            data = {0x0499: V("ay", b"\x05" + number.to_bytes(4, "big") + bytes(19))}
            m = Message(path=known[number % devices], interface=PROPERTIES, member="PropertiesChanged", signature="sa{sv}as",
                        body=[DEVICE, {"RSSI": V("n", -40 - number % 50), "ManufacturerData": V("a{qv}", data)}, []],
                        message_type=MessageType.SIGNAL)
            m.serial = serial + number
            ready.append(bytes(m._marshall(False)))
            if number % 500 == 0:
                await asyncio.sleep(0)
        sock, sent, begin = self.bus._sock, 0, time.monotonic()
        out = PatientSocket(sock)
        while (since := time.monotonic() - begin) < seconds:
            due = int(since * per_s) - sent if per_s else 64
            if due <= 0:
                await asyncio.sleep(0.002)
                continue
            due = min(due, 64)
            out.send(b"".join(ready[(sent + i) % len(ready)] for i in range(due)))
            sent += due
            if sent % 640 < 64:
                await asyncio.sleep(0)
        return {"sent": sent, "seconds": time.monotonic() - begin}

    async def do_strangers(self, command):
        """So many advertisements a second (0: as many as the bus takes) of so many devices with addresses by chance, a quarter of them
        public ones, all with the same name and in the format of a thermometer. Each is a new object first and a change of it
        later. What is sent is made by replacing in a message, so that this program is not what is measured; all else goes on."""
        devices, seconds, per_s = command["devices"], command["seconds"], command["per_s"]
        adapter = self.adapters[command.get("name", "hci0")]
        chance = random.Random(command.get("seed", 1))
        fake = Device("AA:BB:CC:DD:EE:FF")
        fake.name, fake.manufacturer = command.get("claims"), {0x0499: "05" + "5A" * 23}
        path, said = self.path(adapter, fake), fake.properties()
        new = Message(path="/", interface=OBJECTS, member="InterfacesAdded", signature="oa{sa{sv}}", message_type=MessageType.SIGNAL,
                      body=[path, {INTROSPECTABLE: {}, PROPERTIES: {}, DEVICE: self.device(adapter, fake, said)}])
        del said["RSSI"]
        said.pop("Name", None)
        again = Message(path=path, interface=PROPERTIES, member="PropertiesChanged", signature="sa{sv}as",
                        body=[DEVICE, said, []], message_type=MessageType.SIGNAL)
        # Their serials are never answered.
        new.serial = again.serial = 1 << 24
        templates = [bytes(message._marshall(False)) for message in (new, again)]
        known = []
        for number in range(devices):
            hexes = "%012X" % chance.getrandbits(48)
            parts = [hexes[i:i + 2] for i in range(0, 12, 2)]
            kind = "public" if number % 4 == 0 else "random"
            known.append(("_".join(parts).encode(), ":".join(parts).encode(), "-".join(parts).encode(), kind.encode()))
            self.strangers[path.replace("AA_BB_CC_DD_EE_FF", "_".join(parts))] = kind
            if number % 1000 == 0:
                await asyncio.sleep(0)

        def made(sent):
            under, colons, dashes, kind = known[sent % devices]
            out = templates[min(sent // devices, 1)].replace(b"AA_BB_CC_DD_EE_FF", under)
            out = out.replace(b"\x5a" * 4, sent.to_bytes(4, "big"), 1)
            if sent < devices:
                out = out.replace(b"AA:BB:CC:DD:EE:FF", colons).replace(b"AA-BB-CC-DD-EE-FF", dashes).replace(b"random", kind)
            return out

        out, sent, begin = PatientSocket(self.bus._sock), 0, time.monotonic()
        while (since := time.monotonic() - begin) < seconds:
            due = min(int(since * per_s) - sent, 32) if per_s else 32
            if due <= 0:
                await asyncio.sleep(0.002)
                continue
            out.send(b"".join(made(sent + i) for i in range(due)))
            sent += due
            await asyncio.sleep(0)
        return {"sent": sent, "seconds": time.monotonic() - begin, "addresses": min(sent, devices)}

    async def take(self, line):
        try:
            command = json.loads(line)
            answer = await getattr(self, f"do_{command['do']}")(command)
            return {"ok": answer}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}


async def main():
    bluez = BlueZ(json.loads(sys.argv[1]))
    if not bluez.options.get("absent"):
        await bluez.serve()
    print("ready", flush=True)
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        print(json.dumps(await bluez.take(line)), flush=True)
    os._exit(0)


asyncio.run(main())
