"""tmgc redact: the same findings and the same configs up to renaming, and no word of the original (tests/redact.py)."""
import os
import re
import subprocess
import sys
from .common import SAMPLES, THOROUGH, TOP, export_of, read, test, test_each
import redact


@test_each(*SAMPLES)
def test_redact_sample(t, sample):
    wrong = redact.compare(t.tmgc, export_of(sample), t.dir)
    t.check(not wrong, "redact:", *wrong)


@test
def test_redact_random(t):
    """30 random exports, TMGC_THOROUGH times as many."""
    for seed in range(30 * THOROUGH):
        p = subprocess.run([sys.executable, os.path.join(TOP, "tests", "random_policy.py"), str(seed), "2"], capture_output=True, check=True)
        wrong = redact.compare(t.tmgc, t.write("random.xml", p.stdout), t.dir)
        t.check(not wrong, "seed %d:" % seed, *wrong)


FILTER = """<Configuration MaxRequestBodyLen="5000" ViaHeaderAction="2" NewViaHeaderValue="Musterproxy 1.0"><UrlValidation MaxLength="1024" BlockDotInPath="true">
<Extensions AllowCondition="2"><Extension Value=".exe"/><Extension Value=".secretive"/></Extensions></UrlValidation><Verbs AllowCondition="1"><Verb Value="GET"/><Verb
Value="BREW"/></Verbs><RequestHeaders><Header Name="X-Muster-Header"/></RequestHeaders><DeniedSignatures><Signature SearchIn="RequestUrl" Pattern="/musterfolder/a&amp;b"/>
<Signature SearchIn="RequestHeaders" Header="User-Agent" Pattern="Musterclient"/></DeniedSignatures></Configuration>"""


@test
def test_redact_filter(t):
    """An HTTP filter does the same after redacting, with other words."""
    from xml.sax.saxutils import escape
    export = read(export_of("sharepoint")).decode()
    at = export.index("&lt;Configuration")
    end = export.index("&lt;/Configuration&gt;", at) + len("&lt;/Configuration&gt;")
    changed = t.write("filter.xml", export[:at] + escape(FILTER, {'"': "&quot;"}) + export[end:])
    wrong = redact.compare(t.tmgc, changed, t.dir)
    t.check(not wrong, "filter:", *wrong)
    out = t.run("redact", changed).out.decode()
    for word in ("muster", "secretive", "brew"):
        t.check(word not in out.lower(), "left: " + word)
    for word in (".exe", "GET", "RequestUrl", "User-Agent"):
        t.check(word in out, "gone: " + word)


ODD = """<?xml version="1.0" encoding="UTF-8"?>
<!-- written by Wendelin
     for Musterfirma -->
<fpc4:Root xmlns:fpc4="http://schemas.microsoft.com/isa/config-4" xmlns:dt="urn:schemas-microsoft-com:datatypes" StorageName="FPC" StorageType="0" owner="Wendelin">
<fpc4:Comment dt:dt="string">First words
second words</fpc4:Comment>
<fpc4:Arrays StorageName="Arrays" StorageType="0"><fpc4:Array StorageName="{6FDD5896-3D74-538F-8827-7AF64998958B}">
<fpc4:Name><![CDATA[Muster<firma>]]></fpc4:Name>
<fpc4:AdminPassword dt:dt="string">geheimnis</fpc4:AdminPassword>
<fpc4:EncryptedData><fpc4:Data dt:dt="bin.hex">00ffabcd00ffabcd</fpc4:Data></fpc4:EncryptedData>
<fpc4:Strange dt:dt="string">Wende<!-- in
the middle -->lin</fpc4:Strange>
<fpc4:Stranger>mixed words <fpc4:Leaf>\u0627\u0644\u0628\u0631\u064a\u062f</fpc4:Leaf> and more</fpc4:Stranger>
<fpc4:Contact>wendelin@musterfirma.example</fpc4:Contact>
<?page break Wendelin?>
</fpc4:Array></fpc4:Arrays></fpc4:Root>
"""


@test
def test_redact_odd(t):
    """Comments, CDATA, secrets, mixed content, unknown attributes, other encodings: nothing is left, lines stay, and it is still XML."""
    original = t.write("odd.xml", ODD)
    r = t.run("redact", original)
    t.equal(r.status, 0, "odd: %s" % r)
    for word in ("Wendelin", "Muster", "firma", "geheimnis", "00ffabcd", "words", "middle", "more", "\u0627\u0644"):
        t.check(word.lower() not in r.out.decode().lower(), "left: " + word)
    t.equal(r.out.count(b"\n"), ODD.count("\n"), "lines")
    t.equal(t.run("ir", t.write("again.xml", r.out)).status, 0, "the result can be read")
    for encoding, bytes_ in (("UTF-16", ODD.replace("UTF-8", "UTF-16").encode("utf-16")), ("UTF-16", ODD.replace("UTF-8", "UTF-16").encode("utf-16-be")),
                             ("ISO-8859-6", ODD.replace("UTF-8", "ISO-8859-6").encode("iso-8859-6"))):
        other = t.run("redact", t.write("other.xml", bytes_))
        t.equal(other.out, r.out, "%s gives the same in UTF-8: %s" % (encoding, other))
    for name, bad in (("no export", b"<html></html>"), ("truncated", ODD.encode()[:600]), ("policy", b"policy: 1\n")):
        other = t.run("redact", t.write("bad", bad), "--map", t.path("map"))
        t.check(other.status == 2 and not other.out and not os.path.exists(t.path("map")), name + ":", other)


@test
def test_redact_robust(t):
    """Changed exports under the sanitizers: done or refused, never a crash, and what is done can be read again."""
    import random
    from .robust import ASAN, mutated
    program = os.path.join(t.asan, "tmgc")
    data = read(export_of("exchange-2010")) + b""
    for n in range(60):
        bad = mutated(random.Random("redact %d" % n), data)
        r = t.run("redact", t.write("bad.xml", bad), env=ASAN, program=program)
        if t.check(r.status in (0, 2), "mutation %d:" % n, r) and r.status == 0:
            t.check(t.run("ir", t.write("again.xml", r.out)).status == 0, "mutation %d: the result cannot be read" % n)


@test
def test_redact_map(t):
    """The map is for its owner only, even where the file was there before, and holds what stands for what."""
    secret = t.write("map.json", "old")
    os.chmod(secret, 0o644)
    r = t.run("redact", export_of("sharepoint"), "--map", secret)
    t.equal(r.status, 0, "redact")
    t.equal(os.stat(secret).st_mode & 0o777, 0o600, "mode")
    t.check(b"portal.contoso.example" in read(secret) and b"portal.contoso.example" not in r.out, "the map has what the export lost")
    t.check(not re.findall(rb"contoso", r.out, re.I), "a name is left")
