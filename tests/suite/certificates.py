"""Certificates besides the listener's own: what publishd shows to published servers, and what clients show to it (B-51, B-98)."""
import os
import shutil
import ssl
import subprocess
import time

from live import Publishd, Server, certificate, get, rule
from suite.common import test_each

BUILDS = ("plain", "sanitized")
VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}


def program(t, build="plain"):
    return os.path.join(t.build if build == "plain" else t.asan, "publishd")


def common_name(cert):
    """Of the certificate that a socket's other side showed; "nobody"."""
    return next((v for field in (cert or {}).get("subject", ()) for k, v in field if k == "commonName"), "nobody")


def demanding(pair, ca, version):
    """A server's context that wants a client certificate of ca."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    return context


def naming(stream):
    """Answers with who the client is, and whether the TLS session was resumed; /close ends the connection behind it."""
    while True:
        head, _ = stream.request()
        if not head:
            return
        text = b"%s %s" % (common_name(stream.sock.getpeercert()).encode(), b"resumed" if stream.sock.session_reused else b"new")
        end = head.startswith(b"GET /close ")
        stream.send(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (b"Connection: close\r\n" if end else b"", len(text), text))
        if end:
            stream.sock.unwrap()             # OpenSSL forgets a session whose connection ends without a close_notify
            return


def shows(pair):
    return "backend_chain: %s\nbackend_key: %s\n" % pair


@test_each(*["%s, %s" % (b, v) for b in BUILDS for v in VERSIONS])
def test_certificates_shown(t, case):
    """A server that demands a certificate gets the rule's, on kept, new and resumed connections, and no other rule's."""
    build, version = case.split(", ")
    ca = certificate(t.dir, "ca", ["Test CA"])
    pairs = {name: certificate(t.dir, name, [name + ".shown"], ca) for name in ("first", "second", "third")}
    context = demanding(certificate(t.dir, "server", ["site.example"], ca), ca[0], VERSIONS[version])
    with Server(naming, context) as server:
        rules = [rule(server.port, name=name + ".example", tls=True, more=shows(pairs[name])) for name in ("first", "second")]
        rules += [rule(server.port, name="same.example", tls=True, more=shows(pairs["first"])), rule(server.port, name="none.example", tls=True)]
        with Publishd(program(t, build), t.dir, rules, top="trust: " + ca[0], loops=1) as p:
            stream = p.connect()

            def ask(name, path=b"/"):
                stream.send(get(path, host=name.encode() + b".example"))
                status, _, body, _ = stream.answer()
                return status, body.decode()
            seen = []
            for _ in range(10):
                seen += [(name, ask(name)) for name in ("first", "second", "same")]
            wrong = [s for s in seen if s[1][0] != 200 or not s[1][1].startswith(("second" if s[0] == "second" else "first") + ".shown ")]
            t.check(not wrong, "each rule shows its own certificate", wrong[:3])
            t.equal(server.connections, 2, "connections: one a certificate, for three rules")
            t.equal(ask("none")[0], 502, "a rule without a certificate")
            resumed = 0
            for _ in range(4):
                for name in ("first", "second"):
                    status, text = ask(name, b"/close")
                    t.check(status == 200 and text.startswith(name + ".shown "), "on a connection of its own", name, status, text)
                    resumed += text.endswith(" resumed")
            t.check(resumed >= 4, "sessions were resumed", resumed)
            for kept, new in zip(pairs["first"], pairs["third"]):
                shutil.copyfile(new, kept)
            p.reload()
            for _ in range(100):
                status, text = ask("first")
                if text.startswith("third"):
                    break
                time.sleep(0.05)
            t.check(status == 200 and text.startswith("third.shown "), "a renewed certificate after a reload", status, text)
            t.equal(ask("second")[1].split()[0], "second.shown", "the other one stays")
            stream.close()
            t.equal(p.stop(), 0, "ends cleanly")
            t.check("Sanitizer" not in p.said(), p.said()[-2000:])
    t.note = "30 requests of three rules on two connections, %d of 8 resumed" % resumed


def asks_later(stream):
    """Wants the certificate after the request is there, as servers do for a part of a site."""
    while True:
        head, _ = stream.request()
        if not head:
            return
        stream.sock.verify_client_post_handshake()
        stream.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        stream.sock.settimeout(0.1)
        for _ in range(50):
            try:
                stream.more()
            except (TimeoutError, ssl.SSLWantReadError):
                pass
            if stream.sock.getpeercert():
                break
        stream.sock.settimeout(60)
        name = common_name(stream.sock.getpeercert()).encode()
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))


@test_each(*BUILDS)
def test_certificates_asked_later(t, build):
    """TLS 1.3: a server that asks after the handshake. A key that does not fit is refused at the start."""
    ca = certificate(t.dir, "ca", ["Test CA"])
    first, second = certificate(t.dir, "first", ["first.shown"], ca), certificate(t.dir, "second", ["second.shown"], ca)
    context = demanding(certificate(t.dir, "server", ["site.example"], ca), ca[0], ssl.TLSVersion.TLSv1_3)
    context.post_handshake_auth = True
    with Server(asks_later, context) as server:
        rules = [rule(server.port, tls=True, more=shows(first))]
        with Publishd(program(t, build), t.dir, rules, top="trust: " + ca[0]) as p:
            stream = p.connect()
            stream.send(get())
            status, head, body, _ = stream.answer()
            while 100 <= status < 200:
                status, head, body, _ = stream.answer()
            t.equal((status, body), (200, b"first.shown"), "shown when asked for")
            p.write([rule(server.port, tls=True, more=shows((first[0], second[1])))], top="trust: " + ca[0])
            r = subprocess.run([program(t, build), "-t", "-c", p.file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            started = subprocess.run([program(t, build), "-f", "-c", p.file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            t.check(started.returncode != 0 and b"second.key" in started.stdout, "another's key is refused", r.returncode, started.returncode, started.stdout)
            p.write([rule(server.port, tls=True, more="backend_chain: %s\n" % first[0])], top="trust: " + ca[0])
            r = subprocess.run([program(t, build), "-t", "-c", p.file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            t.check(r.returncode != 0 and b"backend_key" in r.stdout, "a chain without a key", r.returncode, r.stdout)
            stream.close()
            t.equal(p.stop(), 0, "ends cleanly")
