#!/usr/bin/env python3
"""A Windows domain on loopback: Samba as its domain controller, Apache as the published servers, FreeRADIUS.

    tests/lab.py run COMMAND…     brings it up, runs the command with the lab's environment, takes it down
    tests/lab.py up DIR           brings it up in DIR and leaves it; prints the environment
    tests/lab.py env DIR          prints the environment as lines for a shell's eval
    tests/lab.py down DIR         stops it and removes DIR

In Python: `with Lab() as lab: …`, or `Lab(folder)` for one that is up. Everything lives in one folder; every process is stopped by
its pid. It needs root (Samba's provision changes owners, LDAP's port is below 1024). `run` makes namespaces of its own where it may
(network, mounts, processes): nothing in it can reach beyond loopback, and ending the command ends every server. Otherwise the lab
has a loopback address to itself, and winbindd's socket and the names are found by libnss_wrapper.

The domain is LAB, realm LAB.TEST; USERS and SERVICES below are who is in it. Apache answers on back.lab.test:18080 with JSON of what it
got (…/who: with X-User alone, fast): /krb, /ntlm, /nego, /basic want that scheme, /kept wants Kerberos once a connection and says so,
/anon none.
"""
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REALM, DOMAIN, HTTP_PORT = "LAB.TEST", "LAB", 18080
KDC_PORT, KPASSWD_PORT, RADIUS_PORT = 10088, 10464, 11812
NAMES = ("dc1", "front", "isa", "back", "other", "kerbonly")
ADMIN = "Admin.Pw1"

# name: password, and what is special about the account
USERS = {
    "alice": ("Alice.Pw1", ()),
    "bob": ("Bob.Pw1", ("member",)),             # of the group webusers
    "carol": ("Carol.Pw1", ("sensitive",)),      # may not be delegated
    "dan": ("Dan.Pw1", ("disabled",)),
    "erin": ("Erin.Pw1", ("must-change",)),
    "frank": ("Frank.Pw1", ("expired",)),
    "gina": ("Gina.Pw1", ("locked",)),
    "zoë": ("Zoe.Pw1", ()),
    "hana": ("Hana.Pw1", ("upn",)),              # hana.m@mail.example is her UPN
    "ivan": ("Ivan.Pw1", ("soon",)),             # the password runs out in two days and a half
}
# For many at once (tests/lab_isolation.py).
CROWD = {"crowd%02d" % n: "Crowd.Pw%02d" % n for n in range(16)}
PASSWORDS = {**{name: password for name, (password, _) in USERS.items()}, **CROWD}
# account: password, names, whether it may sign in for others ("any" protocol, "kerberos" only, None), and to what
SERVICES = {
    "svc-isa": ("Isa.Pw1.long", ("HTTP/front.lab.test", "HTTP/outlook.contoso.example", "HTTP/autodiscover.contoso.example"), "any",
                ("HTTP/back.lab.test", "HTTP/cas01.corp.contoso.example", "HTTP/cas02.corp.contoso.example")),
    "isa1$": ("Machine.Pw1", ("HTTP/isa.lab.test",), "any", ("HTTP/back.lab.test", "HTTP/nobody.lab.test")),
    "isa2$": ("Machine.Pw2", ("HTTP/kerbonly.lab.test",), "kerberos", ("HTTP/back.lab.test",)),
    "svc-web": ("Web.Pw1.long", ("HTTP/back.lab.test",), None, ()),
    "cas01$": ("Cas1.Pw1.long", ("HTTP/cas01.corp.contoso.example",), None, ()),          # samples/exchange-2010's
    "cas02$": ("Cas2.Pw1.long", ("HTTP/cas02.corp.contoso.example",), None, ()),
    "svc-other": ("Other.Pw1.long", ("HTTP/other.lab.test",), None, ()),
}
RADIUS_SECRET = "radius-secret"
ANYWHERE = "127.0.0.1/8"                     # stands in a new domain's configuration for where it will be
# For ASAN_OPTIONS: outside namespaces libnss_wrapper is loaded before the sanitizer.
PRELOADED = "verify_asan_link_order=0"

BASE_CONF = """[global]
	log file = {d}/dc/log/log.%m
	interfaces = {where}
	bind interfaces only = yes
	pid directory = {d}/dc/run
	lock directory = {d}/dc/lock
	ncalrpc dir = {d}/dc/run/ncalrpc
	winbindd socket directory = {winbindd}
	ntp signd socket directory = {d}/dc/run/ntp_signd
	krb5 port = 10088
	kpasswd port = 10464
	posix:eadb = {d}/dc/eadb.tdb
	server services = kdc, ldap, cldap, rpc, winbindd
	disable netbios = yes
	load printers = no
	printcap name = /dev/null
	rpc server dynamic port range = 49160-49190
	tls certfile = {d}/tls/dc1.pem
	tls keyfile = {d}/tls/dc1.key
	tls cafile = {d}/tls/ca.pem
"""
KRB5_CONF = """[libdefaults]
	default_realm = LAB.TEST
	dns_lookup_realm = false
	dns_lookup_kdc = false
	dns_uri_lookup = false
	dns_canonicalize_hostname = false
	rdns = false
	qualify_shortname = ""
	forwardable = true
	udp_preference_limit = 1
	default_ccache_name = FILE:{d}/no-such-cache
	default_keytab_name = FILE:{d}/no-such-keytab
[realms]
	LAB.TEST = {{
		kdc = {ip}:10088
		kpasswd_server = {ip}:10464
	}}
[domain_realm]
	.lab.test = LAB.TEST
	.contoso.example = LAB.TEST
"""
APACHE_CONF = """ServerRoot {d}/apache
ServerName back.lab.test
Listen {ip}:18080
PidFile {d}/apache/pid
Mutex file:{d}/apache default
ErrorLog {d}/log/apache.log
LogLevel warn
User www-data
Group www-data
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
StartServers 4
MaxRequestWorkers 64
{modules}
LogFormat "%m %U %>s %u" requests
CustomLog {d}/log/requests.log requests
SetEnv ap_trust_cgilike_cl 1
AliasMatch ^/[a-z]+/who$ {d}/apache/who
Header set X-User "expr=%{{REMOTE_USER}}"
ScriptAlias / {d}/apache/say.cgi/
<Directory {d}/apache>
	Require all granted
	CGIPassAuth On
</Directory>
<Location /krb>
	AuthType GSSAPI
	AuthName lab
	GssapiCredStore keytab:{d}/kt/back.keytab
	GssapiAllowedMech krb5
	Require valid-user
</Location>
<Location /kept>
	AuthType GSSAPI
	AuthName lab
	GssapiCredStore keytab:{d}/kt/back.keytab
	GssapiAllowedMech krb5
	GssapiConnectionBound On
	GssapiSignalPersistentAuth On
	Require valid-user
</Location>
<Location /ntlm>
	AuthType GSSAPI
	AuthName lab
	GssapiAllowedMech ntlmssp
	GssapiConnectionBound On
	Require valid-user
</Location>
<Location /nego>
	AuthType GSSAPI
	AuthName lab
	GssapiCredStore keytab:{d}/kt/back.keytab
	GssapiCredStore ntlmssp_keyfile:{d}/apache/ntlm
	GssapiAcceptorName HTTP@back.lab.test
	GssapiConnectionBound On
	Require valid-user
</Location>
<Location /basic>
	AuthType Basic
	AuthName lab
	AuthBasicProvider file
	AuthUserFile {d}/apache/passwords
	Require valid-user
</Location>
"""
MODULES = "mpm_prefork authn_core authn_file authz_core authz_user auth_basic auth_gssapi alias cgi env headers"
RADIUS_CONF = """prefix = /usr
logdir = {d}/log
raddbdir = {d}/radius
libdir = /usr/lib/freeradius
pidfile = {d}/radius/pid
correct_escapes = true
max_requests = 1024
log {{
	destination = files
	file = {d}/log/radius.log
}}
security {{
	allow_core_dumps = no
	reject_delay = 0
	require_message_authenticator = yes
}}
client lab {{
	ipaddr = 127.0.0.0/8
	secret = radius-secret
	require_message_authenticator = yes
}}
thread pool {{
	start_servers = 1
	max_servers = 2
	min_spare_servers = 1
	max_spare_servers = 2
}}
modules {{
	pap {{
	}}
	files {{
		usersfile = {d}/radius/users
	}}
	always ok {{
		rcode = ok
	}}
	always handled {{
		rcode = handled
	}}
	always reject {{
		rcode = reject
	}}
}}
server lab {{
	listen {{
		type = auth
		ipaddr = {ip}
		port = 11812
	}}
	authorize {{
		if (&User-Name == "mona" && &State) {{
			update control {{
				Auth-Type := Code
			}}
		}}
		else {{
			files
			pap
		}}
	}}
	authenticate {{
		Auth-Type PAP {{
			pap
			if (ok && &User-Name == "mona") {{
				update reply {{
					Message-Authenticator := 0x00
					State := 0x6f6e65
					Reply-Message := "Enter <the> code sent to your phone:"
				}}
				update control {{
					Response-Packet-Type := Access-Challenge
				}}
				handled
			}}
		}}
		Auth-Type Code {{
			if (&State == 0x6f6e65 && &User-Password == "123456") {{
				ok
			}}
			elsif (&State == 0x6f6e65 && &User-Password == "more") {{
				update reply {{
					Message-Authenticator := 0x00
					State := 0x74776f
					Prompt := Echo
					Reply-Message := "And the Wörd?"
				}}
				update control {{
					Response-Packet-Type := Access-Challenge
				}}
				handled
			}}
			elsif (&State == 0x74776f && &User-Password == "wörd") {{
				ok
			}}
			elsif (&User-Password == "again") {{
				update reply {{
					Message-Authenticator := 0x00
					State := 0x6f6e65
				}}
				update control {{
					Response-Packet-Type := Access-Challenge
				}}
				handled
			}}
			else {{
				reject
			}}
		}}
	}}
	post-auth {{
		update reply {{
			Message-Authenticator := 0x00
		}}
		Post-Auth-Type REJECT {{
			update reply {{
				Message-Authenticator := 0x00
			}}
		}}
	}}
}}
"""


def quiet(*command, **options):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=400, **options)
    if p.returncode:
        raise RuntimeError("%s: %s" % (" ".join(command), (p.stderr + p.stdout).decode("utf-8", "replace")[-3000:]))
    return p.stdout.decode()


def as_root(*command):
    """The words that run a command as root."""
    kept = ["TMGC_LAB=" + os.environ["TMGC_LAB"]] if "TMGC_LAB" in os.environ else []
    return [*command] if os.geteuid() == 0 else ["sudo", "-n", "env", *kept, *command]


def inside(*command):
    """The words that run a command in a lab of its own."""
    return as_root(sys.executable, os.path.abspath(__file__), "run", *command)


def started(pid):
    """When a process started, to tell it from another with the same number. None: it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        return None


class Lab:
    def __init__(self, folder=None):
        self.own = folder is None
        self.private = os.environ.get("LAB_PRIVATE") == "1"          # in namespaces of its own
        self.dir = folder or tempfile.mkdtemp(prefix="lab-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.up_already = os.path.exists(self.path("state.json"))
        self.processes = {}
        if self.up_already:
            with open(self.path("state.json")) as f:
                state = json.load(f)
            self.ip, self.processes, self.private = state["ip"], state["processes"], state["private"]

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def __enter__(self):
        if not self.up_already:
            try:
                self.up()
            except BaseException:
                self.down()
                raise
        return self

    def __exit__(self, *_):
        if not self.up_already:
            self.down()

    # ---- what a program in the lab needs -------------------------------------------------------
    def env(self):
        e = {"KRB5_CONFIG": self.path("krb5.conf"), "KRB5RCACHEDIR": self.path("run"), "KRB5CCNAME": "FILE:" + self.path("no-such-cache"),
             "GSS_USE_PROXY": "0", "LAB_DIR": self.dir, "LAB_IP": self.ip}
        if not self.private:
            e.update(SELFTEST_WINBINDD_SOCKET_DIR=self.path("dc", "run", "winbindd"), LD_PRELOAD="libnss_wrapper.so",
                     NSS_WRAPPER_PASSWD="/etc/passwd", NSS_WRAPPER_GROUP="/etc/group", NSS_WRAPPER_HOSTS=self.path("hosts"))
        return e

    def environ(self, **more):
        return {**os.environ, **self.env(), **more}

    def sanitized(self):
        """The environment of a publishd with AddressSanitizer."""
        quiet("cc", "-shared", "-fPIC", "-O1", "-o", self.path("run", "ntlm_losses.so"), os.path.join(HERE, "ntlm_losses.c"), "-ldl")
        return self.environ(ASAN_OPTIONS=PRELOADED, NSS_WRAPPER_DISABLE_DEEPBIND="1", LD_PRELOAD=" ".join(filter(None, (self.path("run", "ntlm_losses.so"), self.env().get("LD_PRELOAD")))))

    def requests(self, path):
        """How many requests for a path the backends have answered with something else than 401."""
        time.sleep(0.2)                                  # the log is written behind the answer
        with open(self.path("log", "requests.log")) as f:
            return sum(1 for line in f if line.split()[1].startswith(path) and line.split()[2] != "401")

    def ticket(self, user, password=None):
        """A cache with a user's tickets: the value for KRB5CCNAME."""
        name = self.path("run", "cc." + user)
        subprocess.run(["kinit", "-c", name, user], input=(password or USERS[user][0]).encode() + b"\n", env=self.environ(), check=True,
                       stdout=subprocess.DEVNULL, timeout=60)
        return "FILE:" + name

    # ---- up ---------------------------------------------------------------------------------------
    def up(self):
        if os.geteuid() != 0:
            raise RuntimeError("the lab needs root")
        self.ip = "127.88.0.1" if self.private else self.free_address()
        for name in ("log", "run", "tls", "apache", "radius"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.dir, 0o755)
        os.chmod(self.path("run"), 0o777)                # the replay caches of www-data's and root's programs
        self.write("krb5.conf", KRB5_CONF)
        self.write("hosts", "127.0.0.1 localhost\n" + "".join("%s %s.lab.test\n" % (self.ip, n) for n in NAMES))
        if self.private:
            quiet("mount", "--bind", self.path("hosts"), "/etc/hosts")
        try:
            self.certificates()
            self.domain()
            self.web()
            self.radius()
        except BaseException as e:
            raise RuntimeError("%s\n%s" % (e, self.logs())) from e
        self.save()
        return self

    def free_address(self):
        for n in range(os.getpid() % 200, 256):
            ip = "127.88.%d.1" % n
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind((ip, 389))
                    return ip
                except OSError:
                    pass
        raise RuntimeError("no free loopback address")

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text.format(d=self.dir, ip=self.ip, **getattr(self, "more", {})))
        os.chmod(self.path(name), mode)

    def certificates(self):
        d = self.path("tls")
        quiet("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=Lab CA",
              "-keyout", d + "/ca.key", "-out", d + "/ca.pem")
        for name in ("dc1", "front", "back"):
            quiet("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                  "-subj", "/CN=%s.lab.test" % name, "-CA", d + "/ca.pem", "-CAkey", d + "/ca.key",
                  "-addext", "subjectAltName=DNS:%s.lab.test" % name, "-addext", "basicConstraints=critical,CA:false",
                  "-keyout", "%s/%s.key" % (d, name), "-out", "%s/%s.pem" % (d, name))
            os.chmod("%s/%s.key" % (d, name), 0o600)

    def domain(self):
        if self.private:
            os.makedirs("/run/samba", exist_ok=True)
            quiet("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run/samba")
        made = os.environ.get("TMGC_LAB", self.dir)
        with open(os.path.join(made, "making"), "a") as making:
            fcntl.flock(making, fcntl.LOCK_EX)           # the others wait until it is there
            if not os.path.exists(os.path.join(made, "made.conf")):
                self.provision(made)
        for name in ("dc", "kt") if made != self.dir else ():
            quiet("cp", "-a", os.path.join(made, name), self.dir)
        with open(os.path.join(made, "made.conf")) as f, open(self.path("dc", "etc", "smb.conf"), "w") as conf:
            conf.write(f.read().replace(made, self.dir).replace(ANYWHERE, self.ip + "/8"))
        self.start_dc()

    def provision(self, folder):
        """The domain with its accounts, in a folder. It takes 13 s of work: where TMGC_LAB is a folder, as within tests/run, labs copy the one there."""
        for name in ("dc", "kt"):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        for name in ("dc/etc", "kt"):
            os.makedirs(os.path.join(folder, name))
        base, conf = os.path.join(folder, "base.conf"), os.path.join(folder, "dc", "etc", "smb.conf")
        with open(base, "w") as f:
            f.write(BASE_CONF.format(d=folder, where=ANYWHERE, winbindd="/run/samba/winbindd" if self.private else folder + "/dc/run/winbindd"))
        env = dict(os.environ, TDB_NO_FSYNC="1", KRB5_CONFIG=self.path("krb5.conf"))
        quiet("samba-tool", "domain", "provision", "-s", base, "--quiet", "--targetdir=" + os.path.join(folder, "dc"), "--realm=" + REALM,
              "--domain=" + DOMAIN, "--server-role=dc", "--dns-backend=NONE", "--host-name=dc1", "--host-ip=127.0.0.1", "--adminpass=" + ADMIN, env=env)
        quiet("/usr/bin/python3", os.path.abspath(__file__), "populate", folder, env=env)
        with open(conf) as f, open(os.path.join(folder, "made.conf"), "w") as made:        # provision drops it: password checks by a plain LDAP bind
            made.write(f.read().replace("[global]\n", "[global]\n\tldap server require strong auth = no\n", 1))

    def start_dc(self):
        env = dict(os.environ, TDB_NO_FSYNC="1", KRB5_CONFIG=self.path("krb5.conf"))
        self.start("samba", ["samba", "-s", self.path("dc", "etc", "smb.conf"), "-i", "--no-process-group", "-M", "single"], env)
        for port in (KDC_PORT, KPASSWD_PORT, 389, 636):
            self.wait(port, "samba")
        wbinfo = ["wbinfo", "--ping-dc"]
        self.wait_for(lambda: subprocess.run(wbinfo, env=self.environ(), capture_output=True).returncode == 0, "winbindd")
        for folder, names, _ in os.walk(self.path("dc")):          # who checks NTLM answers there must be of its group
            if "winbindd_privileged" in names:
                shutil.chown(os.path.join(folder, "winbindd_privileged"), group="www-data")

    def web(self):
        quiet("cc", "-O1", "-o", self.path("apache", "say.cgi"), os.path.join(HERE, "say.c"))
        self.more = {"modules": "\n".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so" % (m, m) for m in MODULES.split()
                                          if os.path.exists("/usr/lib/apache2/modules/mod_%s.so" % m))}
        self.write("apache/conf", APACHE_CONF)
        self.write("apache/who", "see X-User\n")        # no program: for many requests
        with open(self.path("apache", "ntlm"), "w", encoding="utf-8") as f:
            f.writelines("%s:%s:%s\n" % (DOMAIN, name, password) for name, password in PASSWORDS.items())
        with open(self.path("apache", "passwords"), "w", encoding="utf-8") as f:
            for name, password in PASSWORDS.items():
                hashed = quiet("openssl", "passwd", "-5", "-salt", "lab", password).strip()
                f.write("%s:%s\n%s\\%s:%s\n" % (name, hashed, DOMAIN, name, hashed))
        for name in ("apache/ntlm", "kt/back.keytab"):
            shutil.chown(self.path(name), "www-data")
        env = self.environ()
        # /ntlm asks winbindd, and it must be the lab's: gss-ntlmssp's own file knows ASCII names alone where no locale is set, as in Apache.
        env.pop("NSS_WRAPPER_HOSTS", None)               # gives an address once for each of its names: Apache would listen on it twice
        self.start("apache", ["/usr/sbin/apache2", "-f", self.path("apache", "conf"), "-DFOREGROUND"], env)
        self.wait(HTTP_PORT, "apache")

    def radius(self):
        self.write("radius/radiusd.conf", RADIUS_CONF, 0o600)
        with open(self.path("radius", "users"), "w", encoding="utf-8") as f:
            for name, (password, _) in USERS.items():
                f.write('%s Cleartext-Password := "%s"\n\tClass = "webusers"\n' % (name, password) if name == "bob" else
                        '%s Cleartext-Password := "%s"\n' % (name, password))
            f.write('mona Cleartext-Password := "Mona.Pw1"\n')          # and then a code
            f.write('hana.m@mail.example Cleartext-Password := "%s"\n' % USERS["hana"][0])
        with open(self.path("radius", "secret"), "w") as f:
            f.write(RADIUS_SECRET + "\n")
        os.makedirs(self.path("radius", "mods-enabled"), exist_ok=True)
        self.start("radius", ["freeradius", "-f", "-d", self.path("radius")], os.environ)
        self.wait_for(lambda: "Ready to process requests" in self.text("log/radius.log"), "radius")

    def text(self, name):
        try:
            with open(self.path(name), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    # ---- processes ------------------------------------------------------------------------------------
    def start(self, name, command, env):
        with open(self.path("log", name + ".out"), "ab") as log:
            p = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.processes[name] = (p.pid, started(p.pid))
        self.save()

    def alive(self, name):
        pid, since = self.processes[name]
        return since is not None and started(pid) == since

    def stop(self, name):
        if name not in self.processes:
            return
        pid = self.processes[name][0]
        for sign, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            if not self.alive(name):
                break
            os.kill(pid, sign)
            end = time.monotonic() + seconds
            while self.alive(name) and time.monotonic() < end:
                time.sleep(0.02)
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        del self.processes[name]
        self.save()

    def wait_for(self, ready, what, seconds=60):
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise RuntimeError("%s did not come up" % what)
            time.sleep(0.03)

    def wait(self, port, name):
        def ready():
            if not self.alive(name):
                raise RuntimeError("%s ended" % name)
            with socket.socket() as s:
                return s.connect_ex((self.ip, port)) == 0
        self.wait_for(ready, "%s, port %d," % (name, port))

    def logs(self):
        out = []
        for folder in ("log", "dc/log"):
            for name in sorted(os.listdir(self.path(folder))) if os.path.isdir(self.path(folder)) else ():
                text = self.text(os.path.join(folder, name))[-3000:]
                out.append("---- %s\n%s" % (name, text) if text else "")
        return "\n".join(filter(None, out))

    def save(self):
        with open(self.path("state.json"), "w") as f:
            json.dump({"ip": self.ip, "processes": self.processes, "private": self.private}, f)

    def down(self):
        for name in list(self.processes)[::-1]:
            self.stop(name)
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- the domain's accounts; runs with the Python that Samba's modules are for ---------------------------
def populate(d):
    import ldb
    import samba.dckeytab                                # gives Net.export_keytab
    from samba.auth import system_session
    from samba.credentials import Credentials
    from samba.net import Net
    from samba.param import LoadParm
    from samba.samdb import SamDB
    lp = LoadParm()
    lp.load(os.path.join(d, "dc", "etc", "smb.conf"))
    sam = SamDB(url=os.path.join(d, "dc", "private", "sam.ldb"), session_info=system_session(), lp=lp)

    def modify(dn, controls=None, **values):
        m = ldb.Message(ldb.Dn(sam, str(dn)))
        for key, value in values.items():
            name = key.replace("_", "-")
            m[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
        sam.modify(m, controls=controls or [])

    def dn_of(account):
        return sam.search(sam.domain_dn(), expression="(sAMAccountName=%s)" % account, attrs=["userAccountControl"])[0]

    modify(sam.domain_dn(), minPwdAge="0", lockoutThreshold="0", lockoutDuration=str(-86400 * 10000000))
    sam.newgroup("webusers")
    for name, (password, marks) in USERS.items():
        sam.newuser(name, password)
        found = dn_of(name)
        flags = int(str(found["userAccountControl"]))
        flags |= 0x100000 if "sensitive" in marks else 0
        flags |= 0x2 if "disabled" in marks else 0
        modify(found.dn, userAccountControl=str(flags))
        if "member" in marks:
            sam.add_remove_group_members("webusers", [name], add_members_operation=True)
        if "must-change" in marks:
            modify(found.dn, pwdLastSet="0")
        if "expired" in marks:
            modify(found.dn, accountExpires=str(132000000000000000))
        if "locked" in marks:                            # what a wrong password too many would write
            modify(found.dn, controls=["local_oid:1.3.6.1.4.1.7165.4.3.12:0"], lockoutTime=str(int((time.time() + 11644473600) * 10000000)))
        if "soon" in marks:                              # it is good for 42 days
            modify(found.dn, controls=["local_oid:1.3.6.1.4.1.7165.4.3.12:0"], pwdLastSet=str(int((time.time() - 39.5 * 86400 + 11644473600) * 10000000)))
        if "upn" in marks:
            modify(found.dn, userPrincipalName="hana.m@mail.example")
    for name, password in CROWD.items():
        sam.newuser(name, password)
    for name, (password, spns, trusted, targets) in SERVICES.items():
        if name.endswith("$"):
            sam.newcomputer(name[:-1])
            sam.setpassword("(sAMAccountName=%s)" % name, password, False, name)
        else:
            sam.newuser(name, password)
        found = dn_of(name)
        values = {"servicePrincipalName": list(spns), "msDS_SupportedEncryptionTypes": "28"}
        if trusted == "any":
            values["userAccountControl"] = str(int(str(found["userAccountControl"])) | 0x1000000)
        if targets:
            values["msDS_AllowedToDelegateTo"] = list(targets)
        if trusted and not name.endswith("$"):
            values["userPrincipalName"] = "%s@%s" % (spns[0], REALM)
        modify(found.dn, **values)
    creds = Credentials()
    creds.guess(lp)
    net = Net(creds=creds, lp=lp)
    for file, principals in (("front", ("HTTP/front.lab.test",)), ("isa1", ("isa1$", "HTTP/isa.lab.test")), ("isa2", ("isa2$", "HTTP/kerbonly.lab.test")),
                             ("back", ("HTTP/back.lab.test",)), ("other", ("HTTP/other.lab.test",)),
                             ("cas01", ("HTTP/cas01.corp.contoso.example",)), ("cas02", ("HTTP/cas02.corp.contoso.example",))):
        for principal in principals:
            net.export_keytab(keytab=os.path.join(d, "kt", file + ".keytab"), principal="%s@%s" % (principal, REALM))


def main():
    arguments = sys.argv[1:] + [""]
    what = arguments[0]
    if what == "run" and arguments[1]:
        command = sys.argv[2:]
        if os.environ.get("LAB_PRIVATE") is None:
            apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
            if subprocess.run(apart + ["true"], capture_output=True).returncode == 0:
                again = "ip link set lo up && exec \"$@\""
                os.execvpe(apart[0], apart + ["sh", "-c", again, "sh", sys.executable, os.path.abspath(__file__), "run"] + command,
                           dict(os.environ, LAB_PRIVATE="1"))
        with Lab() as lab:
            return subprocess.run(command, env=lab.environ()).returncode
    if what == "populate":
        populate(arguments[1])
    elif what == "up" and arguments[1]:
        os.makedirs(arguments[1], exist_ok=True)
        lab = Lab(os.path.abspath(arguments[1]))
        if not lab.up_already:
            lab.up()
        show(lab)
    elif what == "env" and arguments[1]:
        show(Lab(os.path.abspath(arguments[1])))
    elif what == "down" and arguments[1]:
        Lab(os.path.abspath(arguments[1])).down()
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


def show(lab):
    for key, value in lab.env().items():
        print("export %s='%s'" % (key, value))


if __name__ == "__main__":
    sys.exit(main())
