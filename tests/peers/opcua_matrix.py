"""An OPC UA server (asyncua) with every policy, mode and kind of user that asyncua has.

Started by tests/tests/it/opcua_matrix.rs with one argument, a JSON object: port, folder (for certificates), user (the certificate
of the user who is let in, DER), clients (a folder: if it is not null, only applications whose certificate lies there are trusted).
Under Objects/Matrix there is the double Value. Besides anonymous and that certificate, `operator` with the password `secret` is let in.
Says {"ready": true} on stdout.
"""

import asyncio
import json
import logging
import pathlib
import sys

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_session import InternalSession
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

APPLICATION = "urn:fieldgate:test:matrix"


class Users:
    """What get_user hears of a certificate is the application's where the user has none: who it is stands in the token."""

    def __init__(self, mia):
        self.mia = mia
        self.token = None

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if isinstance(self.token, ua.UserNameIdentityToken):
            known = (username, password) == ("operator", "secret")
        elif isinstance(self.token, ua.X509IdentityToken):
            known = certificate == self.mia
        else:
            known = True
        return User(role=UserRole.User) if known else None


async def main(options):
    folder = pathlib.Path(options["folder"])
    users = Users(pathlib.Path(options["user"]).read_bytes())
    plain = InternalSession.activate_session

    def activate(self, params, peer_certificate):
        users.token = params.UserIdentityToken
        return plain(self, params, peer_certificate)

    InternalSession.activate_session = activate
    server = Server(user_manager=users)
    await server.init()
    await server.set_application_uri(APPLICATION)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}")
    key, certificate = folder / "key.pem", folder / "server.der"
    await setup_self_signed_certificate(
        key, certificate, APPLICATION, "localhost", [ExtendedKeyUsageOID.SERVER_AUTH], {"commonName": "matrix"}
    )
    await server.load_certificate(certificate)
    await server.load_private_key(key)
    server.set_security_policy(list(ua.SecurityPolicyType))
    server.set_identity_tokens([ua.AnonymousIdentityToken, ua.UserNameIdentityToken, ua.X509IdentityToken])
    if options["clients"]:
        clients = pathlib.Path(options["clients"])

        async def validate(certificate, description):
            der = certificate.public_bytes(Encoding.DER)
            if not any(file.read_bytes() == der for file in clients.glob("*.der")):
                raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

        server.set_certificate_validator(validate)
    index = await server.register_namespace("urn:fieldgate:test:matrix")
    matrix = await server.nodes.objects.add_object(index, "Matrix")
    value = await matrix.add_variable(index, "Value", 0.0)
    async with server:
        print(json.dumps({"ready": True}), flush=True)
        for count in range(sys.maxsize):
            await value.write_value(float(count))
            await asyncio.sleep(0.2)


logging.basicConfig(level=logging.CRITICAL)
asyncio.run(main(json.loads(sys.argv[1])))
