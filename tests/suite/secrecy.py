"""What is left of credentials in publishd's memory when nobody needs them any more (issue 7, hardening)."""
import subprocess

from live import Server
from memory import holds, spellings
from suite.common import test
from suite.signing import Client, Front, basic

PASSWORD = "kH/7 vülq+Zw=93xTb"      # looks different in each coding, and no part of it is a word


class Recording:
    """A server that keeps what it is sent, and answers without a word of it."""
    def __init__(self):
        self.heads = []

    def __call__(self, stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            self.heads.append(head)
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def by_pieces(front, request):
    """A request whose head and body come byte by byte, or nearly."""
    stream = front.connect(port=front.plain)
    for i in range(0, len(request), 7):
        stream.send(request[i:i + 7])
    status = stream.answer()[0]
    stream.close()
    return status


@test
def test_secrecy(t):
    """Basic and forms, HTTP/1 and HTTP/2, whole and in pieces, with the password sent on: behind the requests it is nowhere but in locked memory."""
    recording = Recording()
    with Server(recording) as server, Front(t, server, accounts=[("dora", PASSWORD, "staff", "")]) as front:
        words = spellings(PASSWORD)
        c = Client(front)
        t.equal(c.form("dora", PASSWORD)[0], 303, "by form")
        t.equal(c.ask("/")[0], 200, "in")
        t.equal(c.form("dora", "not " + PASSWORD)[0], 403, "a wrong one")
        t.equal(c.form("dora", PASSWORD, place="password", old=PASSWORD, new=PASSWORD + "2", again=PASSWORD + "3")[0], 403, "a new one, not twice the same")
        phone = Client(front, fields=b"User-Agent: Apple-iPhone/1\r\n")
        for name in ("LAB\\dora", "dora", "dora@lab.test"):
            t.equal(phone.ask("/", fields=basic(name, PASSWORD))[0], 200, "by Basic")
        t.equal(phone.ask("/upload", "POST", b"z" * 200000, basic("dora", PASSWORD))[0], 200, "by Basic, with a body")
        t.equal(by_pieces(front, b"GET / HTTP/1.1\r\nHost: mail.site.test\r\n%s\r\n" % basic("dora", PASSWORD)), 403, "over HTTP, where it is not taken")
        curl = ["curl", "-sk", "--http2", "-A", "Apple-iPhone/1", "-u", "dora:" + PASSWORD, "-w", "%{http_version} %{http_code}", "-o", "/dev/null",
                "--resolve", "mail.site.test:%d:127.0.0.1" % front.tls_port, front.url("/x")]
        many = [subprocess.Popen(curl + ["-d", "z" * 20000] * (i % 2), stdout=subprocess.PIPE, text=True) for i in range(10)]
        t.equal({p.communicate()[0] for p in many}, {"2 200"}, "HTTP/2, several at once")
        sent = [h for h in recording.heads if b"Authorization: Basic " in h]
        t.check(len(sent) == len(recording.heads) == 15, "the server got it each time", len(sent), len(recording.heads))
        found = holds(front.worker(), words)
        t.check(not found, "nothing of it is left:", *("%s in %s;" % f for f in found))
        t.check(holds(front.worker(), {"a name": b"mail.site.test"}), "where something else would be found")
