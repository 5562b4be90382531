"""publishd when things go wrong around it: servers whose answers are no HTTP, no descriptors left, no memory, a full disk."""
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import threading
import time
from .common import TOP, test, test_each
from lanes import Answers, Lanes
from live import Publishd, Server, answering, get, rule
from ports import free_port

sys.path.insert(0, os.path.join(TOP, "tests", "http1"))
import vectors

LANES = 8
ASK = b"%s /%d HTTP/1.1\r\nHost: a\r\n\r\n"


def final(verdict):
    """(status or None for a bad answer, its body, is it whole, does it end the connection) of the first final answer in a verdict."""
    m = re.match(rb"(?:1\d\d )*(?:([2-9]\d\d)(?:=(.*?))?(bad|\.\.\.|<)?(?: [2-9b.].*)?|bad|\.\.\.|101)\Z", verdict, re.S)
    return (int(m.group(1)), m.group(2) or b"", m.group(3) not in (b"bad", b"..."), m.group(3) == b"<") if m and m.group(1) else (None, b"", False, False)


@test_each("plain", "sanitized")
def test_upsets_answers(t, build):
    """Each answer of the vectors from a server: the client gets what the verdict says, or a 502, and the next client gets what is its own."""
    answers = vectors.answers()

    def answer(request):
        n = int(request.target[1:])
        if n >= len(answers):                            # the next client's
            return b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
        verdict, data = answers[n][1], answers[n][3]
        return data, bool(re.search(rb"<|\.\.\.", verdict))

    def unchunked(body):
        return b"".join(re.findall(rb"[0-9a-f]+\r\n(.*?)\r\n", body, re.S)) if re.match(rb"[0-9a-fA-F]+\r\n", body) else body

    def one(lane, n):
        method, verdict, name, _ = answers[n]
        status, body, whole, _ = final(verdict)
        with proxy.connect(lane) as s:
            s.sendall(ASK % (method.encode(), n))
            got = Answers(s, method == "HEAD").read(1, 0)
        with proxy.connect(lane) as s:
            s.sendall(ASK % (b"GET", len(answers)))
            after = Answers(s).read(1, 0)
        last = got.statuses[-1:]
        if status == 401:                                # the rule's delegation is "none, block" (D-11)
            fine = last == [403]
        elif whole:
            fine = last == [status] and unchunked(got.bodies[-1]) == body
        elif status:                                     # its head was good: the client sees that it was cut, or a page
            fine = last != [status] or not got.bodies[-1].startswith(b"hello")
        else:
            fine = last == [502]
        return name, fine, "%s %s, expected %s" % (got.statuses, got.bodies, verdict), after.statuses == [200] and after.bodies == [b"mine"], after

    with Lanes(t, "publishd", LANES, answer=answer, build=build) as proxy:
        def lane(i):
            return [one(i, n) for n in range(i, len(answers), LANES)]
        with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
            results = [r for results in pool.map(lane, range(LANES)) for r in results]
        for name, fine, detail, unmixed, after in results:
            t.check(fine, name + ":", detail)
            t.check(unmixed, name + ": the next client got", after.statuses, after.bodies)
        t.check(proxy.untouched(), "publishd has ended:", proxy.said())
    t.note = "%d answers" % len(answers)


def processor_time(pids):
    """Seconds of processor time that the processes have used."""
    ticks = 0
    for pid in pids:
        with open("/proc/%s/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@test
def test_upsets_descriptors(t):
    """Out of descriptors: clients wait, nothing spins, requests in hand are answered; once there are some again all is as before."""
    with Lanes(t, "publishd", before=("prlimit", "--nofile=60")) as proxy:
        with proxy.connect() as s:                       # this one has a server connection, which stays in the pool
            s.sendall(ASK % (b"GET", 1))
            t.equal(Answers(s).read(1, 0).statuses, [200], "before")
        crowd = [proxy.connect() for _ in range(100)]
        time.sleep(0.5)
        before = processor_time(proxy.first)
        time.sleep(1)
        used = processor_time(proxy.first) - before
        t.check(used < 0.2, "%.2f s of processor time in a second of waiting" % used)
        crowd[0].sendall(ASK % (b"GET", 2))
        served = Answers(crowd[0]).read(1, 0).statuses
        t.check(served and served[0] in (200, 502, 503), "one that had come in gets", served)
        for s in crowd[:90]:
            s.close()
        for i, s in enumerate(crowd[90:]):
            s.sendall(ASK % (b"GET", i))
            t.equal(Answers(s).read(1, 0).statuses, [200], "one that had waited")
            s.close()
        t.check(proxy.untouched(), "publishd has ended:", proxy.said())


@test
def test_upsets_disk(t):
    """The log's disk is full: requests are answered all the same. With room there is a line for each."""
    with Server(answering()) as server, Publishd(os.path.join(t.build, "publishd"), t.dir, [rule(server.port)], top="service: {log: /dev/full}") as p:
        worker = p.worker()
        for _ in range(300):
            t.equal(p.ask(get())[0], 200, "with a full disk")
        t.equal(p.worker(), worker, "the process")
    with Server(answering()) as server, Publishd(os.path.join(t.build, "publishd"), t.dir, [rule(server.port)], top="service: {log: %s}" % t.path("requests.log")) as p:
        for _ in range(20):
            p.ask(get(b"/logged"))
    with open(t.path("requests.log")) as f:
        t.equal(sum("/logged" in line for line in f), 20, "lines with room")


@test
def test_upsets_killed(t):
    """kill -9 of the worker under load: another one serves at once; no client gets what is another's, and only what was under way is lost."""
    def answer(request):
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(request.target), request.target)

    stop, results = threading.Event(), []

    def client(n):
        good = lost = wrong = refused = 0
        while not stop.is_set():
            try:
                with proxy.connect() as s:
                    for k in range(20):
                        target = b"/%d/%d/%d" % (n, good, k)
                        s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target)
                        got = Answers(s).read(1, 0)
                        if not got.statuses:
                            lost += 1
                            break
                        wrong += got.bodies != [target]
                        good += 1
            except ConnectionRefusedError:
                refused += 1
                time.sleep(0.01)
            except OSError:
                lost += 1
        results.append((good, lost, wrong, refused))

    with Lanes(t, "publishd", answer=answer) as proxy:
        clients = [threading.Thread(target=client, args=(n,)) for n in range(6)]
        for c in clients:
            c.start()
        kills = 3
        for _ in range(kills):
            time.sleep(0.7)
            os.kill(int(proxy.workers()[0]), signal.SIGKILL)
            before, deadline = time.monotonic(), time.monotonic() + 10
            while time.monotonic() < deadline and not (proxy.workers() and served(proxy)):
                time.sleep(0.01)
            t.check(time.monotonic() - before < 5, "served again after %.1f s" % (time.monotonic() - before))
        stop.set()
        for c in clients:
            c.join()
        good, lost, wrong, refused = (sum(r[i] for r in results) for i in range(4))
        t.equal(wrong, 0, "answers of another request")
        t.equal(refused, 0, "connections refused: they have to wait for the next worker")
        t.check(good > 50, "%d answers" % good)
        t.check(lost <= 2 * kills * len(clients), "%d requests lost at %d kills of %d clients' worker" % (lost, kills, len(clients)))
        t.check(proxy.process.poll() is None, "publishd has ended:", proxy.said())
    t.note = "%d answers, %d lost with the worker" % (good, lost)


def comes(condition):
    """Whether that becomes true, however busy the machine."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def kill_worker(p):
    """The worker dies, and there is another."""
    before = p.worker()
    os.kill(before, signal.SIGKILL)

    def another():
        try:
            return p.worker() != before
        except (OSError, IndexError):
            return False
    if not comes(another):
        raise RuntimeError("no other worker: " + p.said())


@test
def test_upsets_kept(t):
    """What listens outlives the worker; not so an address that a reload took away, nor anything once no worker can begin."""
    at = '\n      - {address: "127.0.0.1", port: %d}'
    more = free_port()
    with Server(answering()) as server:
        p = Publishd(os.path.join(t.build, "publishd"), t.dir, [rule(server.port)])
        one = p.sockets
        p.sockets = one + at % more
        p.write([rule(server.port)])
        with p:
            t.equal(p.ask(get())[0], 200, "the first worker")
            kill_worker(p)
            early = p.connect(port=more, timeout=60)     # before anybody serves again
            early.send(get())
            t.equal(early.answer()[0], 200, "who came between two workers")
            early.close()
            p.sockets = one
            p.write([rule(server.port)])
            t.check(p.reloaded(), "read again:", p.said())
            kill_worker(p)
            t.check(comes(lambda: refuses(p, more)), "the address that is gone refuses")
            t.equal(p.ask(get(), timeout=60)[0], 200, "the address that stays")
            with open(p.file, "a") as f:
                f.write("what: is this\n")
            os.kill(p.worker(), signal.SIGKILL)          # the next one lives for a moment only
            t.check(comes(lambda: refuses(p, p.port)), "no worker can begin: clients are refused")
            os.kill(p.process.pid, signal.SIGTERM)
            t.equal(p.process.wait(60), 1, "exit status of one that cannot begin again")


def refuses(p, port):
    try:
        p.connect(port=port).close()
        return False
    except ConnectionRefusedError:
        return True


def served(proxy):
    try:
        with proxy.connect(timeout=1) as s:
            s.sendall(ASK % (b"GET", 1))
            return Answers(s).read(1, 0).statuses == [200]
    except OSError:
        return False


# Which allocation fails: of those at the start (some thousands, most of them OpenSSL's), of those from the first connection on.
FAILING = [("FAIL_AT", int(1.5 ** n)) for n in range(1, 24)] + [("FAIL_SERVING", n) for n in range(1, 26)]
REQUESTS = [ASK % (b"GET", 1), b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n",
            b"POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"y" * 300000, b"GET /4 HTTP/1.1\r\nHost: a\r\nX: " + b"z" * 20000 + b"\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n"]


@test
def test_upsets_memory(t):
    """One allocation after the other fails: publishd ends with a word, or answers; never does a signal end it, never is an answer wrong."""
    preload = t.path("failing_malloc.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", preload, os.path.join(TOP, "tests", "failing_malloc.c")], check=True)
    outcomes = {"did not start": 0, "served all": 0, "served some": 0, "nothing failed": 0}
    for when, n in FAILING:
        what = "%s %d:" % (when, n)
        try:
            proxy = Lanes(t, "publishd", environment={"LD_PRELOAD": preload, when: str(n)})
        except RuntimeError as e:
            t.check("out of memory" in str(e) or "does not start" in str(e) and len(str(e)) > 60, what, "no word why it did not start:", e)
            outcomes["did not start"] += 1
            continue
        good = 0
        with proxy:
            for i, request in enumerate(REQUESTS):
                try:
                    with proxy.connect(timeout=5) as s:
                        s.sendall(request)
                        statuses = Answers(s).read(1, 0).statuses
                except OSError:                          # its process has ended, and the next one is not there yet
                    statuses = []
                t.check(not statuses or statuses == [200 if i < 4 else 505] or statuses[0] in (500, 502, 503), what, "request", i, "got", statuses)
                good += bool(statuses)
                for r in proxy.recorders[0].take()[0]:
                    t.check(not r.whole or r.body in (b"", b"x" * 4096, b"y" * 300000), what, "the server got another body")
            said = proxy.said()
        t.check(not re.search(r"signal|Segmentation|corrupt|invalid", said), what, said)
        outcomes["nothing failed" if "failing_malloc" not in said else "served all" if good == len(REQUESTS) else "served some"] += 1
    t.check(outcomes["nothing failed"] < 12, "allocations that failed: too few,", outcomes)
    t.note = ", ".join("%s: %d" % kv for kv in outcomes.items())
