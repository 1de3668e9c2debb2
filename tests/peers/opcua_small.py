"""A small OPC UA server (asyncua): 20 monitored items in a subscription, 5 sessions of which it says that 3 are used.

Started by tests/tests/it/opcua_small.rs with two arguments: the port, and `filters` or `no-filters`. Without filters, an item
that comes with one is refused. With them, plain asyncua takes a deadband in percent and does nothing with it.

Under Objects/Small there are the doubles v0 to v44, and Ramp with an EURange of 0 to 100, which grows by 3 every 50 ms.
Says {"ready": true} on stdout.
"""

import asyncio
import json
import logging
import sys

from asyncua import Server, ua
from asyncua.server.monitored_item_service import MonitoredItemService

NAMESPACE = "urn:fieldgate:test:small"
ROOM = 20
MAX_SESSIONS, MAX_ITEMS_PER_SUBSCRIPTION, SESSION_COUNT = 24095, 24104, 2277

plain = MonitoredItemService._create_data_change_monitored_item


def refusal(status):
    result = ua.MonitoredItemCreateResult()
    result.StatusCode = ua.StatusCode(status)
    return result


def make_small(filters):
    async def create(self, params):
        # No filter arrives as an empty ExtensionObject.
        with_filter = type(params.RequestedParameters.Filter).__name__ == "DataChangeFilter"
        if with_filter and not filters:
            return refusal(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
        if len(self._monitored_items) >= ROOM:
            return refusal(ua.StatusCodes.BadTooManyMonitoredItems)
        return await plain(self, params)

    MonitoredItemService._create_data_change_monitored_item = create


async def main(port, filters):
    make_small(filters)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    for node, value in ((MAX_SESSIONS, 5), (MAX_ITEMS_PER_SUBSCRIPTION, ROOM), (SESSION_COUNT, 3)):
        data = ua.DataValue(ua.Variant(value, ua.VariantType.UInt32))
        await server.write_attribute_value(ua.NodeId(node), data)
    small = await server.nodes.objects.add_object(index, "Small")
    for node in range(45):
        await small.add_variable(index, f"v{node}", float(node))
    ramp = await small.add_variable(index, "Ramp", 0.0)
    await ramp.add_property(0, "EURange", ua.Range(Low=0.0, High=100.0))
    async with server:
        print(json.dumps({"ready": True}), flush=True)
        for count in range(1, sys.maxsize):
            await asyncio.sleep(0.05)
            await ramp.write_value(3.0 * count)


logging.basicConfig(level=logging.ERROR)
asyncio.run(main(int(sys.argv[1]), sys.argv[2] == "filters"))
