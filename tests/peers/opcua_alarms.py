"""An OPC UA server (asyncua) with alarms. Started by tests/src/alarm_server.rs with one argument, a JSON object:
    port, transfers (subscriptions go on in another session), alarms (those that are active from the start: a list as of `alarm`)

Each alarm is an AlarmConditionType of the source Press, told by the Server object; its condition is the node ns=2;s=NAME under
Objects/Press. Acknowledge, Confirm and AddComment are linked to the methods of the types, as Part 9 has them; the refresh of
conditions is asyncua's own.

Speaks JSON by lines: first {"ready": true}; then for each command on stdin one answer.
    {"do": "alarm", "name": "Overheat", "active": true, "severity": 700, "message": "too hot", "since": "2026-11-25T20:00:00Z"}
    {"do": "event", "message": "hello", "severity": 300}     an event of the plain BaseEventType
    {"do": "require"}                                        asks for a refresh
    {"do": "states"}                                         answers each alarm's state, comment and user
"""

import asyncio
import datetime
import json
import logging
import sys

from asyncua import Server, ua
from asyncua.server.subscription_service import SubscriptionService

NAMESPACE = "urn:fieldgate:test:alarms"


async def transfer(self, params, session_id, callback, transfer=SubscriptionService.transfer_subscriptions):
    """As in opcua_server.py: asyncua 2 forgets the new session's way for requests."""
    results = await transfer(self, params, session_id, callback)
    for id in params.SubscriptionIds:
        if id in self.subscriptions:
            self.subscriptions[id].pub_request_callback = callback.__self__.get_publish_request
    return results


class Plant:
    def __init__(self, options):
        self.options = options
        self.alarms = {}

    async def open(self):
        self.server = Server()
        # The severity of the events around a refresh; 0 is to have no refresh.
        self.server.iserver.bind_condition_methods = 1
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.options['port']}")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        self.index = await self.server.register_namespace(NAMESPACE)
        self.press = await self.server.nodes.objects.add_object(
            ua.NodeId("Press", self.index), ua.QualifiedName("Press", self.index)
        )
        await self.press.add_variable(ua.NodeId("Level", self.index), ua.QualifiedName("Level", self.index), 1.0)
        self.plain = await self.server.get_event_generator()
        self.required = await self.server.get_event_generator(ua.ObjectIds.RefreshRequiredEventType)
        for method, does in [
            (ua.ObjectIds.AcknowledgeableConditionType_Acknowledge, self.acknowledge),
            (ua.ObjectIds.AcknowledgeableConditionType_Confirm, self.confirm),
            (ua.ObjectIds.ConditionType_AddComment, self.comment),
        ]:
            self.server.link_method(self.server.get_node(ua.NodeId(method)), does)
        for alarm in self.options["alarms"]:
            await self.tell(alarm)

    async def generator(self, name):
        if name not in self.alarms:
            node = ua.NodeId(name, self.index)
            await self.press.add_object(node, ua.QualifiedName(name, self.index))
            generator = await self.server.get_event_generator(ua.ObjectIds.AlarmConditionType)
            event = generator.event
            event.NodeId = node
            event.SourceName = "Press"
            event.ConditionName = name
            event.Quality = ua.StatusCode(ua.StatusCodes.Good)
            event.Comment = ua.LocalizedText("")
            event.ClientUserId = ""
            setattr(event, "EnabledState/Id", True)
            setattr(event, "ActiveState/Id", False)
            setattr(event, "AckedState/Id", True)
            setattr(event, "ConfirmedState/Id", True)
            event.add_property("ActiveState/TransitionTime", None, ua.VariantType.DateTime)
            self.alarms[name] = generator
        return self.alarms[name]

    async def tell(self, alarm):
        generator = await self.generator(alarm["name"])
        event = generator.event
        if alarm["active"] and not getattr(event, "ActiveState/Id"):
            setattr(event, "AckedState/Id", False)
        setattr(event, "ActiveState/Id", alarm["active"])
        since = datetime.datetime.fromisoformat(alarm["since"])
        setattr(event, "ActiveState/TransitionTime", since)
        event.Severity = alarm["severity"]
        event.Message = ua.LocalizedText(alarm["message"])
        await self.trigger(generator)

    async def trigger(self, generator):
        event = generator.event
        settled = getattr(event, "AckedState/Id") and getattr(event, "ConfirmedState/Id")
        event.Retain = getattr(event, "ActiveState/Id") or not settled
        await generator.trigger()

    def meant(self, parent, event_id):
        generator = self.alarms.get(parent.Identifier)
        if generator is None:
            return ua.StatusCodes.BadNodeIdUnknown, None
        if generator.event.EventId.Value != event_id.Value:
            return ua.StatusCodes.BadEventIdUnknown, None
        return None, generator

    async def remark(self, generator, comment):
        generator.event.Comment = comment.Value
        generator.event.ClientUserId = "somebody"
        await self.trigger(generator)
        return []

    async def acknowledge(self, parent, event_id, comment):
        wrong, generator = self.meant(parent, event_id)
        if wrong:
            return ua.StatusCode(wrong)
        if getattr(generator.event, "AckedState/Id"):
            return ua.StatusCode(ua.StatusCodes.BadConditionBranchAlreadyAcked)
        setattr(generator.event, "AckedState/Id", True)
        setattr(generator.event, "ConfirmedState/Id", False)
        return await self.remark(generator, comment)

    async def confirm(self, parent, event_id, comment):
        wrong, generator = self.meant(parent, event_id)
        if wrong:
            return ua.StatusCode(wrong)
        if getattr(generator.event, "ConfirmedState/Id"):
            return ua.StatusCode(ua.StatusCodes.BadConditionBranchAlreadyConfirmed)
        setattr(generator.event, "ConfirmedState/Id", True)
        return await self.remark(generator, comment)

    async def comment(self, parent, event_id, comment):
        wrong, generator = self.meant(parent, event_id)
        if wrong:
            return ua.StatusCode(wrong)
        return await self.remark(generator, comment)

    def states(self):
        def of(event):
            states = ["Active", "Acked", "Confirmed"]
            told = {state.lower(): getattr(event, f"{state}State/Id") for state in states}
            return {**told, "comment": event.Comment.Text, "user": event.ClientUserId}

        return {name: of(generator.event) for name, generator in self.alarms.items()}

    async def obey(self, command):
        if command["do"] == "alarm":
            await self.tell(command)
            return {}
        if command["do"] == "event":
            self.plain.event.Severity = command["severity"]
            await self.plain.trigger(message=command["message"])
            return {}
        if command["do"] == "require":
            await self.required.trigger(message="refresh required")
            return {}
        if command["do"] == "states":
            return self.states()
        raise ValueError(command)


async def main():
    logging.basicConfig(level=logging.ERROR)
    options = json.loads(sys.argv[1])
    if options["transfers"]:
        SubscriptionService.transfer_subscriptions = transfer
    plant = Plant(options)
    await plant.open()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with plant.server:
        print(json.dumps({"ready": True}), flush=True)
        # Ends with its test: that closes our stdin.
        while command := await lines.readline():
            print(json.dumps(await plant.obey(json.loads(command))), flush=True)


asyncio.run(main())
