"""Exchange's and Lync's web services as far as their clients' requests go: a client access server and a front end of windows.Site.

Outlook Anywhere speaks RPC over HTTP version 2 (MS-RPCH): two requests that last, RPC_IN_DATA and RPC_OUT_DATA, are one connection. Here an RPC is
answered with who asked and what he said, as soon as it is there: both channels talk at the same time. EWS has answers that last too: GetStreamingEvents
is told of what CreateItem made. An empty body is what Exchange makes of it: an error that is no HTTP error for Autodiscover.
"""
import queue
import re
import struct
import uuid
from windows import Site, reply

RTS, REQUEST, RESPONSE = 20, 0, 2


# ---- RPC over HTTP --------------------------------------------------------------------------------------------------
def pdu(kind, body, call=0, flags=3):
    """A PDU of connection-oriented RPC: its first 16 bytes, then what the type adds."""
    return struct.pack("<BBBBIHHI", 5, 0, kind, flags, 0x10, 16 + len(body), 0, call) + body


def rts(*commands, flags=0):
    """Request-to-send: commands that both ends of a virtual connection say to each other (MS-RPCH 2.2.3, 2.2.4)."""
    return pdu(RTS, struct.pack("<HH", flags, len(commands)) + b"".join(commands))


def command(kind, *values):
    return struct.pack("<I", kind) + b"".join(v if isinstance(v, bytes) else struct.pack("<I", v) for v in values)


def conn_a1(virtual):
    """The first that a client says on its outgoing channel; 76 bytes."""
    return rts(command(6, 1), command(3, virtual), command(3, uuid.uuid4().bytes), command(0, 65536))


def conn_b1(virtual):
    """The same on the incoming channel; 104 bytes."""
    return rts(command(6, 1), command(3, virtual), command(3, uuid.uuid4().bytes), command(4, 1 << 30), command(5, 300000), command(12, uuid.uuid4().bytes))


def read_pdu(stream):
    """(type, call, body); None at the end."""
    head = stream.exactly(16)
    if len(head) < 16:
        return None
    _, _, kind, _, _, n, _, call = struct.unpack("<BBBBIHHI", head)
    return kind, call, stream.exactly(n - 16)


def channel_of(site, virtual):
    with site.lock:
        return site.channels.setdefault(virtual, queue.Queue())


def rpc_out(site, request, stream):
    """The answer lasts: what is put into the connection's queue."""
    _, _, first = read_pdu(stream)
    waiting = channel_of(site, first[16:32])
    stream.send(b"HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\nContent-Length: %d\r\n\r\n" % (1 << 30) + rts(command(2, 120000)))
    while (answer := waiting.get()) is not None:
        stream.send(answer)
    stream.sock.close()


def rpc_in(site, request, stream):
    """The request lasts; it is answered on the other channel."""
    _, _, first = read_pdu(stream)
    waiting = channel_of(site, first[16:32])
    waiting.put(rts(command(6, 1), command(0, 65536), command(2, 120000)))
    while (got := read_pdu(stream)) is not None:
        waiting.put(pdu(RESPONSE, request.user.encode() + b"|" + got[2], got[1]))
    waiting.put(None)


# ---- Autodiscover and EWS -------------------------------------------------------------------------------------------
AUTODISCOVER = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>%s@contoso.example</EMailAddress>
<AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"""


def soap(text):
    return ('<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Body>%s</s:Body></s:Envelope>' % text)


def autodiscover(request, stream):
    found = re.search(rb"<EMailAddress>([^<]+)<", request.body)
    if not found:
        reply(stream, "<Autodiscover><Response><Error><ErrorCode>600</ErrorCode><Message>Invalid Request</Message></Error></Response></Autodiscover>")
        return
    reply(stream, "<Autodiscover><Response><User><DisplayName>%s</DisplayName><EMail>%s</EMail></User><Account><EwsUrl>https://outlook.contoso.example/EWS/Exchange.asmx"
          "</EwsUrl></Account></Response></Autodiscover>" % (request.user, found.group(1).decode()))


def ews(site, request, stream):
    asked = re.search(rb"<m:(\w+)", request.body)
    operation = asked.group(1).decode() if asked else ""
    if operation == "GetStreamingEvents":        # of what comes from now on, until three were told
        with site.lock:
            news = site.channels["news"] = queue.Queue()
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(4):
            text = soap("<m:ConnectionStatus>OK</m:ConnectionStatus>" if not n else "<m:NewMailEvent>%s</m:NewMailEvent>" % news.get(timeout=30)).encode()
            stream.send(b"%x\r\n%s\r\n" % (len(text), text))
        stream.send(b"0\r\n\r\n")
        return
    if operation == "CreateItem":
        channel_of(site, "news").put(re.search(rb"<Subject>([^<]*)", request.body).group(1).decode())
    if operation:
        reply(stream, soap("<m:%sResponse><Mailbox>%s</Mailbox></m:%sResponse>" % (operation, request.user, operation)))
    else:
        reply(stream, soap("<s:Fault><faultcode>ErrorSchemaValidation</faultcode></s:Fault>"), status="500 Internal Server Error")


def exchange(site, request, stream, head):
    if request.method in ("RPC_OUT_DATA", "RPC_IN_DATA"):
        (rpc_out if request.method == "RPC_OUT_DATA" else rpc_in)(site, request, stream)
        return
    request.body = stream.body(head)[0]
    if request.path == "/autodiscover/autodiscover.xml":
        autodiscover(request, stream)
    elif request.path == "/ews/exchange.asmx":
        ews(site, request, stream)
    elif request.path.startswith("/owa"):
        reply(stream, "the mailbox of %s\n" % request.user, "text/html")
    else:
        reply(stream, "no such service", status="404 Not Found")


def client_access_server(**how):
    return Site(exchange, lambda r: "Basic" if r.path.startswith("/owa") else "Negotiate", **how)


# ---- Lync -----------------------------------------------------------------------------------------------------------
def lync(site, request, stream, head):
    """It goes by Host: meetings and dial-in numbers are simple URLs of names of their own."""
    request.body = stream.body(head)[0]
    name = request.host.partition(":")[0].partition(".")[0]
    if name == "meet" and re.fullmatch(r"/\w+/\w+", request.path):
        reply(stream, "join the meeting %s at %s\n" % (request.target, request.host), "text/html")
    elif name == "dialin" and request.path == "/":
        reply(stream, "dial-in numbers\n", "text/html")
    elif name == "lyncdiscover" and request.path == "/":
        reply(stream, '{"_links":{"self":{"href":"https://%s/"}}}' % request.host, "application/json")
    elif name == "lyncweb" and re.match(r"/(webticket|abs|groupexpansion)/", request.path):
        reply(stream, "%s for %s: %d bytes\n" % (request.path.split("/")[1], request.user, len(request.body)), "text/plain")
    else:
        reply(stream, "nothing here of %s\n" % request.host, "text/html", "404 Not Found")


def front_end(**how):
    return Site(lync, lambda r: "NTLM" if re.match(r"/(webticket|abs|groupexpansion)/", r.path) else "", **how)
