"""How Windows' web servers and clients speak of users: Kerberos and NTLM by GSSAPI, for tests in the lab (tests/lab.py).

    Site(app, keytab=…, ntlm=…)   a published web server: app(site, request, stream) is called for each request of a known user
    Ticket(service, cache)        a client's side of Kerberos: one token
    Ntlm(user, password)          a client's side of NTLM: begin(), then end(challenge)

Runs with Debian's own Python, for which there is python3-gssapi.
"""
import base64
import re
import threading

import gssapi
import gssapi.raw
from live import Server

KERBEROS = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2")
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
NTLM = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")


# ---- clients ------------------------------------------------------------------------------------------------------
class Ntlm:
    def __init__(self, user, password, host):
        name = gssapi.Name("LAB\\" + user, gssapi.NameType.user)
        got = gssapi.raw.acquire_cred_with_password(name, password.encode(), mechs=[NTLM], usage="initiate")
        self.context = gssapi.SecurityContext(name=gssapi.Name("HTTP@" + host, gssapi.NameType.hostbased_service), creds=gssapi.Credentials(got.creds), mech=NTLM, usage="initiate")

    def begin(self):
        return base64.b64encode(self.context.step()).decode()

    def end(self, challenge):
        return base64.b64encode(self.context.step(base64.b64decode(challenge))).decode()


def ticket(cache, host, mech=SPNEGO):
    """A token for the service at host, of the user whose tickets are in the cache."""
    creds = gssapi.Credentials(usage="initiate", store={"ccache": cache})
    return base64.b64encode(gssapi.SecurityContext(name=gssapi.Name("HTTP@" + host, gssapi.NameType.hostbased_service), creds=creds, mech=mech, usage="initiate").step()).decode()


# ---- servers ------------------------------------------------------------------------------------------------------
class Request:
    def __init__(self, head, user):
        line, _, rest = head.decode("latin-1").partition("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.fields = {k.lower(): v for k, v in re.findall(r"([^:\r\n]+): *([^\r\n]*)", rest)}
        self.path, self.host, self.user, self.body = self.target.partition("?")[0].lower(), self.fields.get("host", ""), user, b""


def ntlm_of_curl(token):
    """gss-ntlmssp wants the version that curl leaves out of its messages (MS-NLMP 2.2.2.10)."""
    if token[8] == 1:
        return token.ljust(40, b"\0")
    if token[8] == 3 and min(int.from_bytes(token[at:at + 4], "little") for at in (16, 24, 32, 40, 48, 56) if int.from_bytes(token[at - 4:at - 2], "little")) < 72:
        return token[:63] + bytes([token[63] & ~2]) + token[64:]
    return token


class Site(Server):
    """log has what it was asked for by users that it knows; told has every request's scheme and token type; channels is the
    app's own. demands(request): "Negotiate" for
    Kerberos with each request, "NTLM" for connections that signed in, "Basic" with `passwords`, "" for nobody."""
    def __init__(self, app, demands, context=None, keytab=None, ntlm=None, passwords=None, at=("127.0.0.1", 0)):
        super().__init__(self.connection, context, at)
        self.app, self.demands, self.passwords, self.log, self.told, self.channels, self.lock = app, demands, passwords or {}, [], [], {}, threading.Lock()
        self.refuse = 0                                  # so many good tickets are not taken
        self.kerberos = gssapi.Credentials(usage="accept", store={"keytab": keytab}, mechs=[KERBEROS, SPNEGO]) if keytab else None
        self.ntlm = gssapi.Credentials(usage="accept", name=gssapi.Name("HTTP@server", gssapi.NameType.hostbased_service), mechs=[NTLM],
                                       store={"ntlmssp_keyfile": ntlm}) if ntlm else None

    def by_ticket(self, token):
        context = gssapi.SecurityContext(creds=self.kerberos, usage="accept")
        context.step(token)
        return str(context.initiator_name)

    def connection(self, stream):
        handshake, signed = None, ""
        while True:
            head = stream.until(b"\r\n\r\n")
            if not head:
                return
            request = Request(head, "")
            scheme, _, token = request.fields.get("authorization", "").partition(" ")
            token, reply, demanded = base64.b64decode(token) if token else b"", "", self.demands(request)
            self.told.append((request.method, request.target, scheme, token[8] if token[:8] == b"NTLMSSP\0" else 0))
            try:
                if demanded == "Negotiate" and scheme == "Negotiate":
                    request.user = self.by_ticket(token)
                    if self.refuse:
                        request.user, self.refuse = "", self.refuse - 1
                elif demanded == "NTLM" and scheme == "NTLM":
                    if token[8] == 1:
                        handshake, signed = gssapi.SecurityContext(creds=self.ntlm, usage="accept"), ""
                    answer = handshake.step(ntlm_of_curl(token))
                    reply = " " + base64.b64encode(answer).decode() if answer else ""
                    signed = str(handshake.initiator_name).rstrip("\0") if handshake.complete else ""
                elif demanded == "Basic" and scheme == "Basic":
                    user, _, password = token.decode().partition(":")
                    request.user = user if self.passwords.get(user) == password else ""
            except (gssapi.exceptions.GSSError, AttributeError) as e:
                self.told.append(("refused", request.target, str(e)[:300], 0))
            request.user = request.user or (signed if demanded == "NTLM" else "")
            if demanded and not request.user:
                stream.body(head)
                stream.send(("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %s%s\r\nContent-Length: 0\r\n\r\n" % (
                    demanded + (' realm="owa"' if demanded == "Basic" else ""), reply)).encode())
                continue
            with self.lock:
                self.log.append(request)
            self.app(self, request, stream, head)


def reply(stream, body, kind="text/xml", status="200 OK", fields=""):
    body = body.encode() if isinstance(body, str) else body
    stream.send(("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n" % (status, kind, len(body), fields)).encode() + body)
