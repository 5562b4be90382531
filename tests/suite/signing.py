"""Signing in by forms: publishd in front of a server, people with browsers and others without (issue 7, points 3 and 5)."""
import base64
import html
import os
import pwd
import re
import ssl
import subprocess
import time
import urllib.parse

import browser
from live import Publishd, Server, certificate, rule
from ports import free_port
from suite.common import test, test_each

BUILDS = ("plain", "sanitized")
NAMES = ("mail.site.test", "portal.site.test", "other.test")
FIREFOX = b"User-Agent: Mozilla/5.0\r\n"
ACCOUNTS = (("alice", "secret", "staff", ""), ("bob", "secret", "guests", ""), ("gone", "secret", "staff", "disabled"), ("old", "secret", "staff", "must-change"),
            ("j\u00fcrgen", "gr\u00fc\u00df", "staff", ""))


def program(t, build="plain"):
    return os.path.join(t.build if build == "plain" else t.asan, "publishd")


def passwords(t, accounts=ACCOUNTS):
    """The local file of accounts, with hashes that the system's crypt makes."""
    name = os.path.join(t.dir, "passwords")
    with open(name, "w") as f:
        for account, password, groups, flags in accounts:
            r = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password.encode(), stdout=subprocess.PIPE, check=True)
            f.write("%s:%s:%s:%s\n" % (account, r.stdout.decode().strip(), groups, flags))
    os.chmod(name, 0o600)
    return name


def echo_once(stream):
    """Answers with what it got, as text; False at the end."""
    head, body = stream.request()
    text = head + body
    if head:
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    return bool(head)


def echoing(stream):
    while echo_once(stream):
        pass


class Front(Publishd):
    """publishd with a listener for forms over TLS, and one over HTTP without."""
    def __init__(self, t, server, build="plain", form="", delegation="basic", listener="", service="", more="", keys=None, folder=None, log=None, accounts=ACCOUNTS, user=None, trust=None, sign_in=""):
        pair = certificate(t.dir, "front", NAMES)
        self.tls_port, self.plain = free_port(), free_port()
        self.keys = keys or os.path.join(t.dir, "keys")
        top = ("user_sets:\n  - {name: Staff, groups: [staff]}\nservice:%s\n  forms:\n    keys: %s\n    make_keys: true\n%s  sign_in:\n    passwords: %s\n%s"
               % (("\n  user: " + user if user else "") + ("\n  log: " + log if log else ""), self.keys, "".join("    %s\n" % line for line in service.splitlines()), passwords(t, accounts),
                  "    %s\n" % sign_in if sign_in else ""))
        rules = [rule(server.port, name=name, delegation=delegation, more="users: [Staff]\n" + more) for name in NAMES]
        sockets = '\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s}\n      - {address: "127.0.0.1", port: %d}' % ((self.tls_port,) + pair + (self.plain,))
        authentication = "authentication:\n  forms: ad\n  validator: ad\n  domain: LAB\n%s  form:\n    change_password: true\n%s" % (
            "".join("  %s\n" % line for line in listener.splitlines()), "".join("    %s\n" % line for line in form.splitlines()))
        authentication += "client_trust: %s\n" % trust if trust else ""
        super().__init__(program(t, build), folder or t.dir, rules, listener=authentication, top=top, sockets=sockets)
        self.port = self.plain

    def url(self, path="/", host=NAMES[0]):
        return "https://%s:%d%s" % (host, self.tls_port, path)


class Client:
    """Somebody with cookies, over TLS, one request a connection."""
    def __init__(self, front, host=NAMES[0], fields=FIREFOX, source=None):
        self.front, self.host, self.fields, self.source, self.cookies = front, host, fields, source, {}

    def ask(self, path="/", method="GET", body=None, fields=b""):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        stream = self.front.connect(port=self.front.tls_port, source=self.source)
        stream.sock = self.wrap(stream.sock, context)
        jar = b"Cookie: %s\r\n" % "; ".join("%s=%s" % c for c in self.cookies.items()).encode() if self.cookies else b""
        length = b"Content-Length: %d\r\n" % len(body) if body is not None else b""
        stream.send(b"%s %s HTTP/1.1\r\nHost: %s:%d\r\n%s%s%s%s\r\n" % (method.encode(), path.encode(), self.host.encode(), self.front.tls_port, self.fields, jar, fields, length) + (body or b""))
        status, head, got, _ = stream.answer(method.encode())
        stream.close()
        for name, value, rest in re.findall(r"\r\nSet-Cookie: ([^=\r]+)=([^;\r]*)([^\r]*)", head.decode()):
            if "Max-Age=0" in rest:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        place = re.search(r"\r\nLocation: ([^\r]*)", head.decode())
        return status, place.group(1) if place else "", got.decode("utf-8", "replace")

    def wrap(self, sock, context):
        return context.wrap_socket(sock, server_hostname=self.host)

    def form(self, user, password, url="/", computer="public", place="sign-in", **more):
        status, _, page = self.ask("/.publishd/%s?url=%s&why=ended" % (place, urllib.parse.quote(url)))
        token = re.search(r'name="token" value="([^"]+)"', page)
        fields = dict(token=html.unescape(token.group(1)) if token else "", url=url, user=user, password=password, computer=computer, **more)
        origin = b"Origin: https://%s:%d\r\n" % (self.host.encode(), self.front.tls_port)
        return self.ask("/.publishd/" + place, "POST", urllib.parse.urlencode(fields).encode(),
                        b"Content-Type: application/x-www-form-urlencoded\r\n" + origin)

    def session(self):
        return {n: v for n, v in self.cookies.items() if n.startswith("__") and not n.endswith("-form")}


def basic(user, password):
    return b"Authorization: Basic %s\r\n" % base64.b64encode(("%s:%s" % (user, password)).encode())


@test_each(*BUILDS)
def test_signing_form(t, build):
    """The way through the form, and what the published server sees of it."""
    with Server(echoing) as server, Front(t, server, build, form="public_timeout: 6\nprivate_timeout: 60") as front:
        c = Client(front)
        status, place, _ = c.ask("/owa/?a=b&c=d")
        t.equal((status, place), (302, front.url("/.publishd/sign-in?url=/owa/%3Fa%3Db%26c%3Dd")), "to the form")
        t.equal(server.connections, 0, "the server was not asked")
        status, _, page = c.form("alice", "wrong")
        t.check(status == 403 and "is not right" in page, "a wrong password", status, page)
        for user in ("nobody", "gone"):
            t.equal(Client(front).form(user, "secret")[0], 403, user)
        status, place, _ = c.form("alice", "secret", "/owa/?a=b&c=d")
        t.equal((status, place), (303, front.url("/owa/?a=b&c=d")), "in")
        c.cookies["own"] = "1"
        status, _, seen = c.ask("/owa/?a=b&c=d")
        t.check(status == 200 and "Authorization: Basic " + base64.b64encode(b"LAB\\alice:secret").decode() in seen, "the server sees alice", status, seen)
        t.check("publishd" not in seen and "Cookie: own=1" in seen, "and none of our cookies", seen)
        status, _, seen = c.ask("/upload", "POST", b"x" * 100000)
        t.check(status == 200 and seen.endswith("x" * 100000), "a body goes through", status, len(seen))
        t.equal(Client(front, source="127.0.0.2").ask("/")[0], 302, "somebody else")
        thief = Client(front, source="127.0.0.2")
        thief.cookies = dict(c.cookies)
        status, place, _ = thief.ask("/")
        t.check(status == 302 and "why=elsewhere" in place, "the cookie from another address", status, place)
        other = Client(front, host="other.test")
        other.cookies = dict(c.cookies)
        t.equal(other.ask("/")[0], 302, "the cookie at another name")
        guest = Client(front)
        t.equal(guest.form("bob", "secret")[0], 303, "bob may sign in")
        t.equal(guest.ask("/")[0], 403, "but not pass: he is in none of the sets")
        umlaut = Client(front)
        t.equal(umlaut.form("j\u00fcrgen", "gr\u00fc\u00df")[0], 303, "a name that is not ASCII")
        seen = umlaut.ask("/")[2]
        t.check("Basic " + base64.b64encode("LAB\\j\u00fcrgen:gr\u00fc\u00df".encode()).decode() in seen, "goes on as UTF-8", seen)
        status, _, page = Client(front).form("old", "secret")
        t.check(status == 403 and "has expired" in page and 'name="again"' in page, "a password that must be changed", status, page)
        before = dict(c.session())
        for _ in range(4):                   # used all the time, it lives longer than its time
            time.sleep(2.5)
            t.equal(c.ask("/")[0], 200, "in use")
        t.check(c.session() != before, "the cookie was renewed")
        old = Client(front)
        old.cookies = before
        status, place, _ = old.ask("/")
        t.check(status == 302 and "why=ended" in place, "the first cookie is over", status, place)
        time.sleep(6.5)
        status, place, _ = c.ask("/")
        t.check(status == 302 and "why=ended" in place, "idle: over", status, place)
        t.equal(c.form("alice", "secret")[0], 303, "in again")
        stolen = dict(c.cookies)
        status, _, page = c.ask("/.publishd/sign-out")
        t.check(status == 200 and "signed out" in page and not c.session(), "signed out")
        c.cookies = stolen
        t.equal(c.ask("/")[0], 302, "a copy of the cookie is worth nothing")
        t.equal(front.stop(), 0, "ends cleanly")
        t.check("secret" not in front.said() and "ERROR" not in front.said(), "nothing of a password in what it says", front.said()[-2000:])


def days_ahead(n):
    return "expires=" + time.strftime("%Y-%m-%d", time.gmtime(time.time() + n * 86400))


@test_each(*BUILDS)
def test_signing_expiry(t, build):
    """The notice that a password is about to expire (B-94), as the file says when."""
    accounts = [(name, "secret", "staff", flags) for name, flags in (("alice", ""), ("today", days_ahead(0)), ("soon", days_ahead(3)), ("later", days_ahead(9)), ("over", days_ahead(-2)))]
    with Server(echoing) as server, Front(t, server, build, form="expiry_notice: 5", accounts=accounts) as front:
        for user, said in (("today", "less than a day"), ("soon", "expires in 3 days")):
            c = Client(front)
            status, place, page = c.form(user, "secret", "/owa/?a=b&c=d")
            t.check(status == 200 and not place and said in page, user + " is told", status, place, page)
            t.check('href="/.publishd/password?url=/owa/%3Fa%3Db%26c%3Dd"' in page and 'href="/owa/?a=b&amp;c=d"' in page and "<form" not in page, "and can change it, or go on", page)
            t.check(len(c.session()) == 1 and c.ask("/owa/")[0] == 200, "in")
            t.check('value="LAB\\%s"' % user in c.ask("/.publishd/password")[2], "the page for it knows the name")
        t.check('value=""' in Client(front).ask("/.publishd/password")[2], "but none of somebody who is not signed in")
        for user in ("alice", "later"):
            t.equal(Client(front).form(user, "secret")[:2], (303, front.url("/")), user + " is not")
        status, _, page = Client(front).form("over", "secret")
        t.check(status == 403 and "has expired" in page, "over: it must be changed", status, page)
        status, _, page = Client(front).form("over", "wrong")
        t.check(status == 403 and "is not right" in page and "expire" not in page, "which nobody else learns", status, page)
        status, _, page = Client(front).form("soon", "wrong")
        t.check(status == 403 and "expire" not in page, "nor when it will", status, page)
        german = Client(front, fields=FIREFOX + b"Accept-Language: de\r\n")
        german.form("soon", "secret")
        status, _, page = german.form("soon", "secret", "/\"><b>")
        t.check("in 3 Tagen ab" in page and "<b>" not in page, "in German, and nothing breaks out of the link", page)
        phone = Client(front, fields=b"User-Agent: Apple-iPhone/1\r\n")
        t.equal(phone.ask("/", fields=basic("soon", "secret"))[0], 200, "who signs in by Basic is told nothing")
        t.equal(front.stop(), 0, "ends cleanly")
        t.check("ERROR" not in front.said(), "nothing to say", front.said()[-2000:])


@test
def test_signing_absolute(t):
    """The time counts from the sign-in, however much the session is used; and where cookies are bound to no address."""
    with Server(echoing) as server, Front(t, server, form="public_timeout: 5\nabsolute_timeout: true\nbind_to_address: false") as front:
        c, began = Client(front), time.monotonic()
        t.equal(c.form("alice", "secret")[0], 303, "in")
        abroad = Client(front, source="127.0.0.2")
        abroad.cookies = dict(c.cookies)
        t.equal(abroad.ask("/")[0], 200, "from another address")
        while (answer := c.ask("/"))[0] == 200 and time.monotonic() < began + 60:
            time.sleep(0.2)
        t.check(answer[0] == 302 and "why=ended" in answer[1] and time.monotonic() - began > 4, "over, in use as it was", answer, time.monotonic() - began)
        t.equal(c.form("alice", "secret")[0], 303, "in again")
        fixed = Client(front)
        fixed.cookies = c.session()
        before = fixed.session()
        t.equal(fixed.form("bob", "secret")[0], 303, "somebody else, with the cookies of the one before")
        t.check(not set(before.items()) & set(fixed.session().items()), "gets a session of his own: nobody can fix one on him")
        t.equal(c.ask("/")[0], 302, "and the one before is over")


@test_each(*BUILDS)
def test_signing_others(t, build):
    """Who is no browser; the old place; forms over HTTP; bodies that are no forms; guesses."""
    with Server(echoing) as server, Front(t, server, build) as front:
        phone = Client(front, fields=b"User-Agent: Apple-iPhone/1\r\n")
        t.equal(phone.ask("/Microsoft-Server-ActiveSync")[0], 401, "asked for Basic")
        status, _, seen = phone.ask("/Microsoft-Server-ActiveSync", fields=basic("alice", "secret"))
        t.check(status == 200 and "Authorization: Basic" in seen, "and taken", status, seen)
        t.equal(phone.ask("/", fields=basic("bob", "secret"))[0], 403, "outside the set: 403")
        t.equal(phone.ask("/", fields=basic("alice", "nonsense"))[0], 401, "wrong: 401")
        t.equal(phone.ask("/", fields=basic("al\nice", "secret"))[0], 401, "a name with a line's end: 401")
        c = Client(front)
        t.equal(c.ask("/CookieAuth.dll?GetLogon?curl=Z2FowaZ2F&reason=0")[1], front.url("/.publishd/sign-in?url=/owa/"), "old bookmarks")
        t.equal(c.ask("/.publishd/nothing")[0], 404, "another place")
        t.equal(c.ask("/.publishd/sign-in", "PUT", b"x")[0], 405, "another method")
        t.equal(c.ask("/.publishd/sign-in", "POST", b"x", b"Content-Type: text/plain\r\n")[0], 415, "no form")
        form = b"Content-Type: application/x-www-form-urlencoded\r\n"
        t.equal(c.ask("/.publishd/sign-in", "POST", b"x" * 20000, form)[0], 413, "too long")
        t.equal(c.ask("/.publishd/sign-in", "POST", b"", form)[0], 403, "empty")
        status, head, _, _ = front.ask(b"GET /.publishd/sign-in HTTP/1.1\r\nHost: mail.site.test\r\n%s\r\n" % FIREFOX)
        t.check(status == 403 and b"<form" not in head, "no form over HTTP", head)
        t.equal(front.ask(b"GET / HTTP/1.1\r\nHost: mail.site.test\r\n%s%s\r\n" % (FIREFOX, basic("alice", "secret")))[0], 403, "and no credentials")
        chunked = front.connect(port=front.tls_port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        chunked.sock = context.wrap_socket(chunked.sock, server_hostname=NAMES[0])
        chunked.send(b"POST /.publishd/sign-in HTTP/1.1\r\nHost: mail.site.test:%d\r\n%s%sTransfer-Encoding: chunked\r\n\r\n" % (front.tls_port, FIREFOX, form))
        for _ in range(5):
            chunked.send(b"fa0\r\n" + b"x" * 4000 + b"\r\n")
        t.equal(chunked.answer()[0], 413, "too long in chunks")
        chunked.close()
        for i in range(3):                   # and one above
            t.equal(Client(front).form("alice", "guess%d" % i)[0], 403, "guess")
        status, _, page = Client(front).form("alice", "guess")
        t.check(status == 429 and "30 minutes" in page, "too many guesses", status, page)
        t.equal(Client(front).form("j\u00fcrgen", "gr\u00fc\u00df")[0], 303, "of one account")
        t.equal(front.stop(), 0, "ends cleanly")
        t.check("ERROR" not in front.said(), "nothing to say", front.said()[-2000:])


@test
def test_signing_without_delegation(t):
    """The server learns nothing of who signed in; the groups are known all the same, and the log names the user."""
    log = os.path.join(t.dir, "requests.log")
    with Server(echoing) as server, Front(t, server, delegation="block", log=log) as front:
        c = Client(front)
        t.equal(c.form("alice", "secret")[0], 303, "in")
        for _ in range(2):
            status, _, seen = c.ask("/")
            t.check(status == 200 and "Authorization" not in seen, "passes, by her group; without credentials", status, seen)
        guest = Client(front)
        guest.form("bob", "secret")
        t.equal(guest.ask("/")[0], 403, "bob does not")
        t.equal(front.stop(), 0, "ends cleanly")
        with open(log) as f:
            text_ = f.read()
        t.check('"user":"LAB\\\\alice"' in text_ and "secret" not in text_, "the log names her", text_)


@test
def test_signing_keys(t):
    """The file of keys that publishd makes as root belongs to the user that it becomes: a reload reads it again, and sessions go on."""
    if os.geteuid() != 0:
        t.check(True, "becoming somebody else needs root")
        return
    log = os.path.join(t.dir, "requests.log")
    with Server(echoing) as server, Front(t, server, user="nobody", log=log) as front:
        for folder, _, names in os.walk(t.dir):            # what the user must be able to read again
            for name in [folder] + [os.path.join(folder, n) for n in names if n != "keys"]:
                os.chmod(name, 0o755 if name == folder else 0o644)
        t.equal(os.stat(front.keys).st_uid, pwd.getpwnam("nobody").pw_uid, "whose it is")
        c = Client(front)
        t.equal(c.form("alice", "secret")[0], 303, "in")
        t.check(front.reloaded(), "the reload reads it", front.said())
        t.equal(c.ask("/")[0], 200, "still in")


@test
def test_signing_instances(t):
    """Two instances with one file of keys share sessions; a reload keeps them; another key file does not know them."""
    second = os.path.join(t.dir, "second")
    os.mkdir(second)
    with Server(echoing) as server, Front(t, server) as one:
        c = Client(one)
        t.equal(c.form("alice", "secret")[0], 303, "in at the first")
        with Front(t, server, keys=one.keys, folder=second) as two:
            c.front = two
            t.equal(c.ask("/")[0], 200, "known at the second")
            with open(one.keys) as f:
                lines = f.read()
            with open(one.keys, "w") as f:
                f.write("11" * 32 + "\n" + lines)
            t.check(two.reloaded(), "read again")
            t.equal(c.ask("/")[0], 200, "with a new key on top")
            fresh = Client(two)
            t.equal(fresh.form("alice", "secret")[0], 303, "a session of the new key")
            fresh.front = one
            t.equal(fresh.ask("/")[0], 302, "is not known where the key is not")
            t.check(one.reloaded(), "read again")
            fresh.front = two
            fresh.form("alice", "secret")
            fresh.front = one
            t.equal(fresh.ask("/")[0], 200, "but where it is")
            with open(one.keys, "w") as f:
                f.write("11" * 32 + "\n")
            t.check(two.reloaded(), "read again")
            t.equal(c.ask("/")[0], 302, "the old key is gone, and with it its sessions")


# ---- in a browser ------------------------------------------------------------------------------

def sign_in(b, user, password, private=False):
    b.click("#user")
    b.run("document.getElementById('user').value = ''")
    b.keys(user)
    b.click("#password")
    b.keys(password)
    if private:
        b.click("input[value=private]")
    b.submit("button")


def text(b):
    return b.run("return document.body.innerText")


@test
def test_signing_browser(t):
    """Chromium: in, wrong, must change, over, out, one sign-in for two names, public and private; script off in the pages' looks."""
    if not browser.available():
        t.check(False, "chromium is missing: tests/setup pages")
        return
    with Server(echoing) as server, Front(t, server, form="public_timeout: 6\nprivate_timeout: 60\npersistent_cookies: private",
                                          listener="sso: true\nsso_domains: [.site.test]") as front, browser.Browser(1280, 800, local=True) as b:
        b.go(front.url("/owa/?x=1"))
        t.check(b.run("return location.pathname") == "/.publishd/sign-in" and "Sign in" in text(b), "led to the form", text(b))
        t.equal(b.run("return document.activeElement.id"), "user", "the first field has the focus")
        sign_in(b, "alice", "wrong")
        t.check("is not right" in text(b) and b.run("return document.getElementById('user').value") == "alice", "a wrong password", text(b))
        sign_in(b, "alice", "secret")
        t.check(b.run("return location.pathname + location.search") == "/owa/?x=1" and "Authorization: Basic" in text(b), "in, and where one wanted to go", text(b))
        own = {n: c for n, c in b.cookies().items() if not n.endswith("-form")}
        t.check(len(own) == 1, "one session", own)
        for name, c in own.items():
            t.check(name.startswith("__Secure-") and c["secure"] and c["httpOnly"] and c["sameSite"] == "Lax" and c["domain"].lstrip(".") == "site.test" and "expiry" not in c,
                    "its cookie", c)
        b.go(front.url("/x", "portal.site.test"))
        t.check("Host: portal.site.test" in text(b), "one sign-in for two names", text(b))
        b.go(front.url("/x", "other.test"))
        t.check("Sign in" in text(b), "not for a third", text(b))
        b.go(front.url("/.publishd/sign-out"))
        t.check("signed out" in text(b), "out", text(b))
        b.go(front.url("/x", "portal.site.test"))
        t.check("Sign in" in text(b), "from both", text(b))
        sign_in(b, "alice", "secret", private=True)
        t.check("Host: portal.site.test" in text(b), "in, on a computer of one's own", text(b))
        own = [c for n, c in b.cookies().items() if not n.endswith("-form")]
        t.check(len(own) == 1 and "expiry" in own[0], "the session survives the browser there", own)
        b.go(front.url("/.publishd/sign-out"))
        b.go(front.url("/x"))
        sign_in(b, "old", "secret")
        t.check("has expired" in text(b) and b.run("return document.getElementsByName('again').length") == 1, "must be changed", text(b))
        b.go(front.url("/y"))
        sign_in(b, "alice", "secret")
        t.check("GET /y" in text(b), "in", text(b))
        time.sleep(6.5)
        b.go(front.url("/y"))
        t.check("session has ended" in text(b), "idle: over, and it says so", text(b))
        b.run("const f = document.createElement('form'); f.method = 'post'; f.action = '/y'; document.body.append(f); f.submit()")
        time.sleep(0.5)
        t.check("was not delivered" in text(b), "what was sent too late is not lost without a word", text(b))
        t.equal([m for m in b.console() if "favicon" not in m and "403" not in m], [], "nothing to complain about")


@test
def test_signing_pages(t):
    """The pages with script off, wide and narrow, light and dark: nothing sticks out, everything has a label, contrast suffices."""
    if not browser.available():
        t.check(False, "chromium is missing: tests/setup pages")
        return
    contrast = """
      const lum = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4 });
                         return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2] };
      const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c)) return c } return 'rgb(255, 255, 255)' };
      let least = 99;
      for (const e of document.querySelectorAll('h1, p, label, legend, span, button, a, input')) {
        if (!e.innerText && e.tagName != 'INPUT') continue;
        const a = lum(getComputedStyle(e).color), b = lum(back(e));
        least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
      }
      return least"""
    accounts = (("alice", "secret", "staff", ""), ("soon", "secret", "staff", days_ahead(3)))
    with Server(echoing) as server, Front(t, server, form="expiry_notice: 5", accounts=accounts) as front, browser.Browser(1280, 800, local=True) as b:
        for width, height in ((1280, 800), (390, 844), (320, 600)):
            for scheme in ("light", "dark"):
                b.size(width, height)
                b.media(prefers_color_scheme=scheme)
                for path in ("/.publishd/sign-in?why=ended", "/.publishd/sign-in?why=interrupted", "/.publishd/password", "/.publishd/sign-out", "/.publishd/sign-in?why=ended&soon"):
                    b.go(front.url(path))
                    if path.endswith("soon"):
                        sign_in(b, "soon", "secret")
                        t.check("expires in 3 days" in text(b), "the notice", text(b))
                    what = "%s at %d, %s" % (path, width, scheme)
                    t.check(b.run("return document.documentElement.scrollWidth <= innerWidth"), what + ": nothing sticks out")
                    t.equal(b.run("return [...document.querySelectorAll('input:not([type=hidden])')].filter(i => !i.labels.length).length"), 0, what + ": labels")
                    t.equal(b.run("return document.scripts.length + document.querySelectorAll('[src], link[href^=http]').length"), 0, what + ": no script, nothing from elsewhere")
                    least = b.run(contrast)
                    t.check(least >= 4.5, what + ": contrast", least)
        b.go(front.url("/.publishd/sign-out"))
        b.scripts(False)
        b.go(front.url("/owa/"))
        sign_in_by_keys(b)
        b.scripts(True)
        t.check("GET /owa/" in text(b), "signed in with script off", text(b))


def sign_in_by_keys(b):
    """Without a script of ours or the page's: the first field has the focus, tab leads on."""
    b.keys("alice\ue004secret\ue007")
    time.sleep(1)
