"""Two OPC UA servers (asyncua), the second of which registers at the first, as at a Local Discovery Server.

Started by tests/src/discovery_peers.rs with one argument, a JSON object: ports (of the first and of the second).
The first also knows a server on another machine, and one that is not running.

Prints {"ready": true} once it answers; ends when its stdin is closed.
"""

import asyncio
import json
import logging
import sys

from types import SimpleNamespace

from asyncua import Server, ua


async def server(port, name):
    one = Server()
    await one.init()
    await one.set_application_uri(f"urn:fieldgate:test:{name}")
    one.set_server_name(name)
    one.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    one.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    return one


def known(name, url):
    return SimpleNamespace(
        ServerUri=f"urn:fieldgate:test:{name}",
        ProductUri="urn:fieldgate:test",
        ServerNames=[ua.LocalizedText(name)],
        ServerType=ua.ApplicationType.Server,
        DiscoveryUrls=[url],
        GatewayServerUri=None,
    )


async def main():
    logging.basicConfig(level=logging.CRITICAL)
    first, second = json.loads(sys.argv[1])["ports"]
    lists, registers = await server(first, "lists"), await server(second, "registers")
    async with lists, registers:
        await registers.register_to_discovery(f"opc.tcp://127.0.0.1:{first}", 0)
        lists.iserver.register_server(known("elsewhere", "opc.tcp://192.0.2.77:4840"))
        lists.iserver.register_server(known("gone", "opc.tcp://127.0.0.1:1"))
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        print(json.dumps({"ready": True}), flush=True)
        await lines.read()


asyncio.run(main())
