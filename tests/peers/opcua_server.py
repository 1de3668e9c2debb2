"""An OPC UA server (asyncua) whose every value can be computed from its source timestamp.

Started by tests/src/opcua_server.rs with one argument, a JSON object:
    port, folder (for certificates), nodes, period_ms, first_id (of the numeric node ids),
    namespaces_before (how many to register before ours, which shifts our index),
    secure (Basic256Sha256 SignAndEncrypt instead of no security), certificate (a name: another one is another certificate),
    user ({"name", "password"} or null: anonymous), expired (the certificate ended a year ago),
    transfers (subscriptions go on in another session),
    history (null, or how many values one answer of HistoryRead has at most: each value of the line is kept),
    lifetime_count (null, or the publishing intervals after which a subscription ends that nobody asks),
    application (the server's URI), set (of other servers that it is redundant with: {"uri", "url"} each)

Under Objects/Line there are the variables p0, p1, …; each is written once a period, on the multiples of the period since 1970,
with that moment as its source timestamp. A late server catches up; it never leaves a moment out.

Speaks JSON by lines: first {"ready": true}; then for each command on stdin one answer.
    {"do": "hold"}            writes no more; answers the first and the last tick
    {"do": "go"}              writes again
    {"do": "delete", "node": 7}
    {"do": "large", "node": 8, "bytes": 100000}   while held: one tick more, and then a string of so many bytes
    {"do": "look"}            answers the last tick, and how many subscriptions clients have
    {"do": "mute", "publishing_ms": 300}      the subscriptions of this interval say nothing any more, not even a keep-alive
    {"do": "deafen", "publishing_ms": 300}    they say that they live, and nothing else
    {"do": "level", "level": 100}             the ServiceLevel from now on
    {"do": "refuse", "service": "CreateSession", "status": "BadTooManySessions"}   from now on; a status of null lets it through again
"""

import asyncio
import datetime
import json
import logging
import pathlib
import sys
import time

from types import SimpleNamespace

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto import cert_gen
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.history import HistoryDict
from asyncua.server.subscription_service import SubscriptionService
from asyncua.server.uaprocessor import UaProcessor
from cryptography.x509.oid import ExtendedKeyUsageOID

NAMESPACE = "urn:fieldgate:test:line"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
UNSURE = ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue)


def value(node, tick):
    """What the node's value is at this tick: tests/src/opcua_server.rs says the same in Rust."""
    kind = node % 5
    if kind == 0:
        return ua.Variant(node + tick % 4096 / 8, ua.VariantType.Double)
    if kind == 1:
        return ua.Variant(node * 10**9 + tick % 10**9, ua.VariantType.Int64)
    if kind == 2:
        return ua.Variant(tick % 2 == 1, ua.VariantType.Boolean)
    if kind == 3:
        return ua.Variant(f"{node}@{tick}", ua.VariantType.String)
    return ua.Variant([node, tick % 10**9], ua.VariantType.Int32)


def observed(node, tick, period_ms):
    at = EPOCH + datetime.timedelta(milliseconds=tick * period_ms)
    unsure = node % 50 == 49 and tick % 2 == 1
    return ua.DataValue(
        Value=value(node, tick),
        StatusCode=UNSURE if unsure else ua.StatusCode(ua.StatusCodes.Good),
        SourceTimestamp=at,
        ServerTimestamp=at,
    )


# Which services are answered with a status alone, by the type of the request.
REFUSED = {}


async def process_or_refuse(self, typeid, requesthdr, seqhdr, body, process=UaProcessor._process_message):
    if typeid.Identifier in REFUSED:
        raise ServiceError(REFUSED[typeid.Identifier])
    return await process(self, typeid, requesthdr, seqhdr, body)


async def transfer(self, params, session_id, callback, transfer=SubscriptionService.transfer_subscriptions):
    """asyncua 2 gives a transferred subscription the new session's way for answers, and forgets that for requests:
    it would be silent for ever."""
    results = await transfer(self, params, session_id, callback)
    for id in params.SubscriptionIds:
        if id in self.subscriptions:
            self.subscriptions[id].pub_request_callback = callback.__self__.get_publish_request
    return results


UaProcessor._process_message = process_or_refuse


class OneUser:
    def __init__(self, name, password):
        self.name, self.password = name, password

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username == self.name and password == self.password:
            return User(role=UserRole.User)
        return None


class Historian(HistoryDict):
    """asyncua's own, but that it is told each value by who writes it: its internal subscription leaves out what is written
    in quick succession."""

    async def save_node_value(self, node_id, datavalue):
        pass

    def keep(self, node_id, datavalue):
        if node_id in self._datachanges:
            self._datachanges[node_id].append(datavalue)


class Line:
    def __init__(self, options):
        self.options = options
        self.period_ms = options["period_ms"]
        self.tick = int(time.time() * 1000) // self.period_ms
        self.first = self.tick
        self.nodes = {}
        # Nodes that hold strings from now on.
        self.strings = set()
        self.running = asyncio.Event()
        self.running.set()
        # Held while a tick is written, so that `hold` answers between two of them.
        self.writing = asyncio.Lock()

    async def open(self):
        options = self.options
        user = options["user"]
        self.server = Server(user_manager=OneUser(**user) if user else None)
        self.historian = Historian(max_history_data_response_size=options["history"] or 1)
        await self.server.init()
        self.server.iserver.history_manager.set_storage(self.historian)
        await self.server.set_application_uri(options["application"])
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}")
        if options["secure"]:
            await self.secure()
        else:
            self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        if user:
            self.server.set_identity_tokens([ua.UserNameIdentityToken])
        else:
            self.server.set_identity_tokens([ua.AnonymousIdentityToken])
        for other in range(options["namespaces_before"]):
            await self.server.register_namespace(f"urn:fieldgate:test:other:{other}")
        self.index = await self.server.register_namespace(NAMESPACE)
        await self.populate()
        if options["set"]:
            await self.be_one_of(options["set"])

    async def be_one_of(self, others):
        """A set of servers that do not hide their redundancy (OPC UA Part 5, 6.3.8), each known to FindServers."""
        support = self.server.get_node(ua.NodeId(ua.ObjectIds.Server_ServerRedundancy_RedundancySupport))
        await support.write_value(ua.Variant(ua.RedundancySupport.Hot, ua.VariantType.Int32))
        uris = [self.options["application"], *(other["uri"] for other in others)]
        array = self.server.get_node(ua.NodeId(ua.ObjectIds.Server_ServerRedundancy_ServerUriArray))
        await array.write_value(ua.Variant(uris, ua.VariantType.String))
        for other in others:
            self.server.iserver.register_server(
                SimpleNamespace(
                    ServerUri=other["uri"], ProductUri="", ServerNames=[ua.LocalizedText("other")],
                    ServerType=ua.ApplicationType.Server, DiscoveryUrls=[other["url"]], GatewayServerUri="",
                )
            )

    async def secure(self):
        folder = pathlib.Path(self.options["folder"])
        name = self.options["certificate"]
        if self.options["expired"]:
            name += "-expired"
            past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=730)
            cert_gen.datetime = SimpleNamespace(
                datetime=SimpleNamespace(now=lambda zone: past), timezone=datetime.timezone
            )
        key, certificate = folder / f"{name}.key.pem", folder / f"{name}.der"
        await setup_self_signed_certificate(
            key, certificate, self.options["application"], "localhost", [ExtendedKeyUsageOID.SERVER_AUTH],
            {"commonName": name},
        )
        await self.server.load_certificate(certificate)
        await self.server.load_private_key(key)
        self.server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])

    async def populate(self):
        if self.options["tells"]:
            self.changes = await self.server.get_event_generator(ua.ObjectIds.GeneralModelChangeEventType)
            # asyncua takes the field's data type for what a Variant can be made of, which a structure's is not.
            self.changes.event.data_types["Changes"] = ua.VariantType.ExtensionObject
        self.line = line = await self.server.nodes.objects.add_object(
            ua.NodeId(self.options["first_id"], self.index), ua.QualifiedName("Line", self.index)
        )
        for node in range(self.options["nodes"]):
            at = ua.NodeId(self.options["first_id"] + 1 + node, self.index)
            variable = await line.add_variable(at, ua.QualifiedName(f"p{node}", self.index), value(node, self.tick))
            self.nodes[node] = variable
        if self.options["history"]:
            await self.server.historize_node_data_change(list(self.nodes.values()), period=None)
        # What exists now is the server's own.
        self.own = len(self.server.iserver.subscription_service.subscriptions)
        if self.options["lifetime_count"]:
            self.server.iserver.max_lifetime_count = self.options["lifetime_count"]
        await self.write()

    async def write(self):
        space = self.server.iserver.aspace
        for node, variable in list(self.nodes.items()):
            kind = node // 5 * 5 + 3 if node in self.strings else node
            value = observed(kind, self.tick, self.period_ms)
            self.historian.keep(variable.nodeid, value)
            await space.write_attribute_value(variable.nodeid, ua.AttributeIds.Value, value)

    async def run(self):
        """Tick by tick, each at its moment or as soon after it as the machine allows."""
        while True:
            due = (self.tick + 1) * self.period_ms / 1000
            await asyncio.sleep(max(0, due - time.time()))
            await self.running.wait()
            async with self.writing:
                if self.running.is_set():
                    self.tick += 1
                    await self.write()

    async def change(self, command):
        """What happens to nodes of a running server; one that tells its changes does so afterwards."""
        told = []
        verb = ua.ModelChangeStructureVerbMask
        for node in command["delete"]:
            variable = self.nodes.pop(node)
            await self.server.delete_nodes([variable])
            told.append((variable.nodeid, verb.NodeDeleted))
        for node, number in command["add"]:
            at = ua.NodeId(number, self.index)
            name = ua.QualifiedName(f"p{node}", self.index)
            self.nodes[node] = await self.line.add_variable(at, name, value(node, self.tick))
            told.append((at, verb.NodeAdded))
        for node in command["retype"]:
            # asyncua writes no other type; a server that was configured anew has one.
            self.strings.add(node)
            attributes = self.server.iserver.aspace[self.nodes[node].nodeid].attributes
            attributes[ua.AttributeIds.DataType].value = ua.DataValue(ua.NodeId(ua.ObjectIds.String))
            attributes[ua.AttributeIds.Value].value = None
            told.append((self.nodes[node].nodeid, verb.DataTypeChanged))
        # Another type at the same moment would be another value of that moment.
        self.tick += 1
        await self.write()
        if self.options["tells"]:
            self.changes.event.Changes = [
                ua.ModelChangeStructureDataType(Affected=node, AffectedType=ua.NodeId(63), Verb=int(what))
                for node, what in told
            ]
            await self.changes.trigger(message="nodes changed")

    async def obey(self, command):
        if command["do"] == "hold":
            self.running.clear()
            async with self.writing:
                return {"first": self.first, "last": self.tick}
        if command["do"] == "go":
            self.running.set()
            return {}
        if command["do"] == "delete":
            async with self.writing:
                await self.server.delete_nodes([self.nodes.pop(command["node"])])
            return {}
        if command["do"] == "change":
            async with self.writing:
                await self.change(command)
            return {}
        if command["do"] == "large":
            async with self.writing:
                self.tick += 1
                await self.write()
                at = EPOCH + datetime.timedelta(milliseconds=(self.tick + 1) * self.period_ms)
                value = ua.DataValue(ua.Variant("x" * command["bytes"], ua.VariantType.String), SourceTimestamp=at)
                variable = self.nodes[command["node"]]
                await self.server.iserver.aspace.write_attribute_value(variable.nodeid, ua.AttributeIds.Value, value)
            return {}
        if command["do"] == "look":
            subscriptions = len(self.server.iserver.subscription_service.subscriptions) - self.own
            return {"tick": self.tick, "subscriptions": subscriptions}
        if command["do"] in ("mute", "deafen"):
            for subscription in self.server.iserver.subscription_service.subscriptions.values():
                if subscription.data.RevisedPublishingInterval == command["publishing_ms"]:
                    if command["do"] == "mute":
                        subscription._task.cancel()
                    for item in subscription.monitored_item_srv._monitored_items.values():
                        item.mode = ua.MonitoringMode.Disabled
            return {}
        if command["do"] == "level":
            level = self.server.get_node(ua.NodeId(ua.ObjectIds.Server_ServiceLevel))
            await level.write_value(ua.Variant(command["level"], ua.VariantType.Byte))
            return {}
        if command["do"] == "refuse":
            request = getattr(ua.ObjectIds, f"{command['service']}Request_Encoding_DefaultBinary")
            if command["status"]:
                REFUSED[request] = getattr(ua.StatusCodes, command["status"])
            else:
                REFUSED.pop(request, None)
            return {}
        raise ValueError(command)


async def main():
    logging.basicConfig(level=logging.ERROR)
    options = json.loads(sys.argv[1])
    if options["transfers"]:
        SubscriptionService.transfer_subscriptions = transfer
    line = Line(options)
    await line.open()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with line.server:
        ticking = asyncio.create_task(line.run())
        print(json.dumps({"ready": True}), flush=True)
        # Ends with its test: that closes our stdin.
        while command := await lines.readline():
            print(json.dumps(await line.obey(json.loads(command))), flush=True)
        ticking.cancel()


asyncio.run(main())
