"""A responder of multicast DNS (zeroconf) on loopback, that announces OPC UA servers.

Started by tests/src/discovery_peers.rs with one argument, a JSON object: port (of the server that is announced).
Beside it, it announces a machine of somebody else, one that does not exist, and fifty that are not running.

Prints {"ready": true} once all is announced; ends when its stdin is closed.
"""

import json
import socket
import sys

from zeroconf import ServiceInfo, Zeroconf

SERVICE = "_opcua-tcp._tcp.local."


def info(name, address, port):
    return ServiceInfo(
        SERVICE,
        f"{name}.{SERVICE}",
        port=port,
        addresses=[socket.inet_aton(address)],
        properties={"path": "/", "caps": "DA"},
        server=f"{name}.local.".replace(" ", "-"),
    )


responder = Zeroconf(interfaces=["127.0.0.1"])
port = json.loads(sys.argv[1])["port"]
services = [info("Line", "127.0.0.1", port), info("Somebody else", "198.51.100.7", 4840), info("Gone", "127.0.0.1", 2)]
services += [info(f"Crowd {number}", "127.0.0.1", 1) for number in range(50)]
for service in services:
    # Nobody else is on loopback, so nobody is asked whether a name is taken.
    responder.registry.async_add(service)
print(json.dumps({"ready": True}), flush=True)
sys.stdin.read()
responder.close()
