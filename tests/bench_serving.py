#!/usr/bin/env python3
"""Times publishd beside nginx and HAProxy, which run the configs that tmgc wrote from the same export.

All three stand in front of one nginx that answers 1 KiB, and take turns of a second; what is compared is CPU time a request of the
proxy's own processes, since requests a second depend on what else runs and on how fast the machine happens to be. Where valgrind is
installed, instructions a request in user mode are counted too: those do not depend on anything.
"""
import argparse
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import lab
from fpc import *
from localise import own_folders

NAMES = ("publishd", "nginx", "haproxy")
RULES = (10, 1000, 10000)
BACKEND, SINK = 19640, 19641            # SINK: the server of the first rule, which reads bodies
ROUNDS, SECONDS = 7, 1
BULK_ROUNDS = 3
PARTS = ("plain", "tls", "h2", "handshakes", "bulk", "rules", "memory", "instructions", "sign-in")


def port(name, tls=False, rules=RULES[0]):
    return 19600 + 10 * NAMES.index(name) + 2 * RULES.index(rules) + tls


# ---- what runs ----------------------------------------------------------------------------------------------------
def export(rules):
    """Rules with a name each; the one that is asked for is the last."""
    made = [web_rule("Site %d" % n, n + 1, "Web", ["app%05d.example" % n], ["/*"], site="app%05d.corp.example" % n,
                     SendOriginalHostHeader=True) for n in range(rules)]
    where = listener("Web", ["127.0.0.1"], http=80, https=443, certificates=[(thumbprint("bench"), "")])
    return document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "B")), made, elements={
        "WebListeners": [where], "UserSets": predefined_users()}, name="B", networks=[external()])


def host_of(n):
    """The name of the n-th rule."""
    return "app%05d.example" % (n - 1)


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=bench",
                    "-keyout", folder + "/key.pem", "-out", folder + "/chain.pem"], check=True, stderr=subprocess.DEVNULL)


def configs(build, folder, rules):
    """The three configs for so many rules; gives their folders."""
    source = "%s/%d.xml" % (folder, rules)
    with open(source, "w") as out:
        out.write(export(rules))
    found = {}
    for name in NAMES:
        http, https = port(name, False, rules), port(name, True, rules)
        site = "%s/%s-%d.yaml" % (folder, name, rules)
        with open(site, "w") as out:
            out.write('site: 1\nlisteners: {Web: {addresses: [127.0.0.1], http: %d, https: %d}}\ncertificates: {"%s": {chain: chain.pem, key: key.pem}}\n'
                      "publishd: {loops: 1}\nbackends:\n" % (http, https, thumbprint("bench")))
            out.writelines('  "app%05d.corp.example": "127.0.0.1:%d"\n' % (n, BACKEND if n else SINK) for n in range(rules))
        found[name] = "%s/%s-%d" % (folder, name, rules)
        subprocess.run([build + "/tmgc", "convert", source, "-m", site, "-t", name, "-o", found[name], "--fail-on", "never", "-q"], check=True)
    return found


def port_is_free(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except OSError:
        return True


class Program:
    """A proxy, or the backend: started in the foreground, its workers known."""
    def __init__(self, command, port, wrap=()):
        if not port_is_free(port):
            sys.exit("something else listens on port %d" % port)
        self.process = subprocess.Popen(list(wrap) + command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(3000):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit("%s does not start" % " ".join(command))
                time.sleep(0.05)
        sys.exit("%s does not listen" % " ".join(command))

    def pids(self):
        """The process that was started, and its children."""
        try:
            with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
                return [self.process.pid] + [int(p) for p in f.read().split()]
        except OSError:
            return [self.process.pid]

    def cpu(self):
        """Seconds in user and kernel mode so far, by the processes' own clocks: those count finer than /proc."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.pids())

    def memory(self, what="VmHWM"):
        """kB of the worker."""
        with open("/proc/%d/status" % self.pids()[-1]) as f:
            return int(re.search(what + r":\s*(\d+)", f.read()).group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Counted(Program):
    """A program under valgrind's callgrind, which counts instructions in user mode."""
    def __init__(self, command, port, folder):
        self.folder = tempfile.mkdtemp(prefix="callgrind-", dir=folder)
        super().__init__(command, port, ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--trace-children=yes", "--callgrind-out-file=%s/%%p" % self.folder])

    def tell(self, *words):
        subprocess.run(["callgrind_control", *words, str(self.pids()[-1])], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def during(self, use, before):
        """Instructions of the last of its processes while use() runs. before() is counted too, but not told: counting begins slowly."""
        self.tell("-i", "on")
        before()
        self.tell("-z")
        use()
        self.tell("-d", "here")
        total = 0
        for file in os.listdir(self.folder):
            with open(os.path.join(self.folder, file)) as f:
                text = f.read()
            if re.search(r"(?m)^desc: Trigger: .*here", text):
                total += sum(int(n) for n in re.findall(r"(?m)^(?:summary|totals): (\d+)", text)[:1])
            os.remove(os.path.join(self.folder, file))
        if not total:
            sys.exit("callgrind counted nothing")
        return total


def prepared_nginx(folder):
    """tmgc's config with what the bench needs around it: one worker, as the others, no log, and HTTP/2, which the source did not have."""
    with open(folder + "/nginx/nginx.conf") as f:
        text = re.sub(r"(?m)^(\s+listen .* ssl\b)", r"\1 http2", own_folders(f.read(), folder))
    with open(folder + "/nginx.conf", "w") as out:
        out.write(text.replace("worker_processes auto;", "worker_processes 1;\npid %s/nginx.pid;\ndaemon off;" % folder))
    return folder + "/nginx.conf"


def command_of(build, name, folder, single=False):
    """single: one process, for valgrind."""
    if name == "publishd":
        return [build + "/publishd", "-f", "-c", folder + "/publishd/publishd.yaml"]
    if name == "nginx":
        return ["nginx", "-c", prepared_nginx(folder), "-e", folder + "/error.log"] + (["-g", "master_process off;"] if single else [])
    with open(folder + "/haproxy/haproxy.cfg") as f:
        text = f.read().replace("\nglobal\n", "\nglobal\n    nbthread 1\n", 1).replace(" alpn http/1.1 ", " alpn h2,http/1.1 ")
    with open(folder + "/haproxy/bench.cfg", "w") as out:
        out.write(text)
    return ["haproxy", "-db", "-f", folder + "/haproxy/bench.cfg"]


def backend(folder):
    text = "x" * 1023
    os.makedirs(folder + "/backend", exist_ok=True)
    config = folder + "/backend/nginx.conf"
    with open(config, "w") as out:
        out.write("worker_processes 1;\ndaemon off;\npid %s/backend/pid;\nevents { worker_connections 4096; }\nhttp {\n    access_log off;\n"
                  "    client_body_temp_path %s/backend;\n    keepalive_requests 1000000000;\n    client_max_body_size 0;\n"
                  "    server {\n        listen 127.0.0.1:%d;\n        location / { return 200 '%s\\n'; }\n"
                  "        location /kept { add_header Persistent-Auth true; return 200 '%s\\n'; }\n"
                  "        location /big { root %s; }\n    }\n}\n" % (folder, folder, BACKEND, text, text, folder))
    return Program(["nginx", "-c", config, "-e", folder + "/backend/error.log"], BACKEND)


class Sink:
    """Reads a request's body to its end and answers how long it was: nginx without a file to put it into would answer first."""
    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", SINK))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listening.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def serve(connection):
        got, room = b"", bytearray(1 << 20)
        while b"\r\n\r\n" not in got:
            got += connection.recv(65536)
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)\ncontent-length: *(\d+)", head).group(1))
        n = len(body)
        while n < length and (more := connection.recv_into(room)):
            n += more
        text = b"%d" % n
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        connection.close()


# ---- measuring ------------------------------------------------------------------------------------------------------
def wrk(port, host, tls=False, fields=(), connections=64, seconds=SECONDS):
    p = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "-H", "Host: " + host] + [a for f in fields for a in ("-H", f)]
                       + ["%s://127.0.0.1:%d/" % ("https" if tls else "http", port)], capture_output=True, text=True, check=True)
    if "Non-2xx" in p.stdout:
        sys.exit("answers that are no 200:\n" + p.stdout)
    return int(re.search(r"(\d+) requests in", p.stdout).group(1))


def h2load(port, host, requests=12000, connections=16):
    """A number of requests and not a time: nginx ends a connection after 1,000, and with a duration h2load then goes on for ever."""
    p = subprocess.run(["h2load", "-c%d" % connections, "-m8", "-t1", "-n%d" % requests, "https://127.0.0.1:%d/" % port, "-H", ":authority: " + host],
                       capture_output=True, text=True, timeout=300)
    if "Application protocol: h2" not in p.stdout or not re.search(r"requests: .* %d succeeded" % requests, p.stdout):
        sys.exit("h2load on port %d: %s" % (port, p.stdout + p.stderr))
    return requests


def settle(programs):
    """Until none works any more at what the turn before has left: HAProxy has a second's work in its queue with 10,000 rules."""
    used, end = -1, time.monotonic() + 60
    while (now := sum(p.cpu() for p in programs)) > used and time.monotonic() < end:
        used = now
        time.sleep(0.1)


def move(at, option, way, file):
    """All of a file that lies in the backend's folder. A URL that ends in no slash: curl would put the file's name behind it."""
    host, path, more, counted = (host_of(1), "up", ["-T", file], "size_upload") if way == "up" else (host_of(10), os.path.basename(file), [], "size_download")
    p = subprocess.run(["curl", "-s", "-k", "-f", option, "-o", "/dev/null", "-H", "Host: " + host, "-H", "Expect:", "-w", "%{http_version} %{" + counted + "}",
                        *more, "%s://127.0.0.1:%d/%s" % ("https" if at % 2 else "http", at, path)], stdout=subprocess.PIPE, text=True)
    if p.returncode or p.stdout != "%s %d" % ("2" if option == "--http2" else "1.1", os.path.getsize(file)):
        sys.exit("%s %s through port %d: curl ends with %d, %s bytes" % (file, way, at, p.returncode, p.stdout))


def interleaved(programs, load):
    """{name: (requests a second, CPU microseconds a request, that beside the first one's)}: medians over rounds in which all take turns.
    What stands beside another is of one round: a machine that is slower for a while is so for both."""
    rounds = []
    for _ in range(ROUNDS):
        rounds.append({})
        for name, program in programs.items():
            settle(programs.values())
            before, start = program.cpu(), time.monotonic()
            done = load(name)
            rounds[-1][name] = done / (time.monotonic() - start), (program.cpu() - before) * 1e6 / done
    first = next(iter(programs))
    return {n: (*(statistics.median(r[n][i] for r in rounds) for i in (0, 1)), statistics.median(r[n][1] / r[first][1] for r in rounds)) for n in programs}


def show(title, figures):
    for name, (rate, cpu, beside) in figures.items():
        print("%-34s %-9s %9.0f a second  %7.1f us CPU a request   x %.2f" % (title, name, rate, cpu, beside), flush=True)


# ---- the parts --------------------------------------------------------------------------------------------------------
class Bench:
    def __init__(self, build, folder):
        self.build, self.folder, self.made = build, folder, {}

    def configs(self, rules):
        if rules not in self.made:
            self.made[rules] = configs(self.build, self.folder, rules)
        return self.made[rules]

    def with_programs(self, rules, use, names=NAMES):
        """Runs them with so many rules, or one for each of several numbers of them."""
        programs = {}
        try:
            for name in names:
                for n in rules if isinstance(rules, tuple) else (rules,):
                    key = name if n == rules else (name, n)
                    programs[key] = Program(command_of(self.build, name, self.configs(n)[name]), port(name, False, n))
            use(programs)
        finally:
            for p in programs.values():
                p.stop()

    def plain(self):
        self.with_programs(10, lambda ps: show("HTTP/1.1, kept connections", interleaved(ps, lambda n: wrk(port(n), host_of(10)))))

    def tls(self):
        self.with_programs(10, lambda ps: show("TLS 1.3, kept connections", interleaved(ps, lambda n: wrk(port(n, True), host_of(10), True))))

    def h2(self):
        self.with_programs(10, lambda ps: show("HTTP/2, kept connections", interleaved(ps, lambda n: h2load(port(n, True), host_of(10)))))

    def handshakes(self):
        """wrk comes again with the ticket that it was given last, if it was."""
        self.with_programs(10, lambda ps: show("a new TLS connection each", interleaved(
            ps, lambda n: wrk(port(n, True), host_of(10), True, ["Connection: close"], 16))))

    def rules(self):
        for rules in RULES:
            self.with_programs(rules, lambda ps: show("HTTP/1.1, the last of %d rules" % rules, interleaved(
                ps, lambda n: wrk(port(n, False, rules), host_of(rules)))))
        self.with_programs(RULES, lambda ps: show("publishd beside itself, rules:", {"%d" % n: v for (_, n), v in interleaved(
            ps, lambda k: wrk(port(k[0], False, k[1]), host_of(k[1]))).items()}), ("publishd",))

    def file(self, mebibytes):
        """Its path. It has been read once: what is in the page cache already does not wait for the first who asks."""
        path = "%s/big-%d" % (self.folder, mebibytes)
        with open(path, "wb") as f:
            f.truncate(mebibytes << 20)
        with open(path, "rb") as f:
            while f.read(1 << 20):
                pass
        return path

    def bulk(self):
        """1 GiB down and up, and the memory that it took."""
        file = self.file(1024)

        def use(programs):
            for what, tls, option in (("plain", False, "--http1.1"), ("TLS", True, "--http1.1"), ("HTTP/2", True, "--http2")):
                for way in ("down", "up"):
                    seen = {n: [] for n in programs}
                    for _ in range(BULK_ROUNDS):
                        for name, program in programs.items():
                            start, before = time.monotonic(), program.cpu()
                            move(port(name, tls), option, way, file)
                            seen[name].append((1024 / (time.monotonic() - start), program.cpu() - before))
                    for name, v in seen.items():
                        print("%-34s %-9s %9.0f MiB a second %6.2f s CPU, %.1f MB at most" % (
                            "1 GiB %s, %s" % (way, what), name, *(statistics.median(x[i] for x in v) for i in (0, 1)),
                            programs[name].memory() / 1024), flush=True)
        self.with_programs(10, use)

    def memory(self):
        """Of idle connections, 5,000 of them."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def use(programs):
            for tls in (False, True):
                for name, program in programs.items():
                    wrk(port(name, tls), host_of(10), tls)
                    before, held = program.memory("VmRSS"), []
                    try:
                        for _ in range(5000):
                            s = socket.create_connection(("127.0.0.1", port(name, tls)), 10)
                            held.append(context.wrap_socket(s) if tls else s)
                        time.sleep(0.5)
                        print("%-34s %-9s %9.2f kB a connection" % ("idle, " + ("TLS" if tls else "plain"), name, (program.memory("VmRSS") - before) / 5000), flush=True)
                    finally:
                        for s in held:
                            s.close()
                    time.sleep(0.5)
        self.with_programs(10, use)

    def counted(self, name, rules, begin, times, warm):
        """Instructions for each of so many of what begin(name) gives: a function that is told how many."""
        program = Counted(command_of(self.build, name, self.configs(rules)[name], True), port(name, False, rules), self.folder)
        try:
            ask = begin(name)
            return program.during(lambda: ask(times), lambda: ask(warm)) / times
        finally:
            program.stop()

    def instructions(self):
        """In user mode, by valgrind's callgrind."""
        if not shutil.which("valgrind"):
            print("no valgrind: instructions are not counted")
            return

        def kept(tls, rules=10):
            def begin(name):
                client = Client(port(name, tls, rules), host_of(rules), tls)
                client.ask(20)
                return client.ask
            return begin
        # Of 10,000 rules publishd's alone: nginx needs minutes to read so many under valgrind, and HAProxy as long to look through them.
        for what, each, rules, begin, times, warm, names in (
                ("HTTP/1.1, 10 rules", "request", 10, kept(False), 500, 5, NAMES),
                ("HTTP/1.1, 10000 rules", "request", 10000, kept(False, 10000), 500, 5, NAMES[:1]),
                ("TLS 1.3", "request", 10, kept(True), 500, 5, NAMES),
                ("HTTP/2, with 4 connections' begin", "request", 10, lambda name: lambda n: h2load(port(name, True), host_of(10), n, 4), 3600, 8, NAMES),
                ("a new TLS connection each", "request", 10, lambda name: lambda n: [Client(port(name, True), host_of(10), True).ask(1) for _ in range(n)], 50, 5, NAMES),
                ("1 GiB down, plain", "MiB", 10, lambda name: lambda n: move(port(name), "--http1.1", "down", self.file(n)), 1024, 1, NAMES),
                ("1 GiB up, plain", "MiB", 10, lambda name: lambda n: move(port(name), "--http1.1", "up", self.file(n)), 1024, 1, NAMES)):
            figures = {name: self.counted(name, rules, begin, times, warm) for name in names}
            for name, n in figures.items():
                print("%-34s %-9s %9.0f instructions in user mode a %s   x %.2f" % (what, name, n, each, n / figures["publishd"]), flush=True)

    def sign_in(self):
        """publishd alone, in a domain of its own; root is needed."""
        subprocess.run(lab.inside(sys.executable, HERE + "/bench_sign_in.py", self.build), check=True)


class Client:
    """A connection, and requests on it one behind the other."""
    def __init__(self, port, host, tls):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.request = b"GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n" % host.encode()
        self.got = self.socket.makefile("rb")

    def ask(self, n):
        for _ in range(n):
            self.socket.sendall(self.request)
            length, status = 0, self.got.readline()
            while (line := self.got.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if len(self.got.read(length)) != length or not length:
                sys.exit("an answer is missing: %r" % status)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="the folder with publishd and tmgc")
    parser.add_argument("parts", nargs="*", metavar="PART", help="%s; all of them, if none is named" % ", ".join(PARTS))
    options = parser.parse_args()
    build, parts = os.path.abspath(options.build), options.parts or PARTS
    if unknown := [p for p in parts if p not in PARTS]:
        parser.error("there is no part %s" % ", ".join(unknown))
    if not os.access(os.path.join(build, "publishd"), os.X_OK):
        parser.error("there is no publishd in %s" % build)
    folder = tempfile.mkdtemp(prefix="publishd-bench-")
    os.chmod(folder, 0o755)
    behind = None
    try:
        certificate(folder)
        behind = backend(folder)
        Sink()
        bench = Bench(build, folder)
        print("%d processors; medians of %d turns of about %d s; x: CPU time beside publishd's" % (os.cpu_count(), ROUNDS, SECONDS))
        for part in parts:
            getattr(bench, part.replace("-", "_"))()
    finally:
        if behind:
            behind.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
