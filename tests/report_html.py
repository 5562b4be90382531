"""report.html in a real browser: inert, filterable without script, usable by keyboard, quick, readable.

Run by tests/run; alone: tests/run report-html. Needs chromium and chromedriver (tests/setup pages).
"""
import json
import os
import re
import subprocess
import sys

from browser import Browser
from suite.common import SAMPLES, TOP, export_of, read, site_of, test

PAYLOADS = (
    '<script>window.pwned=1;alert(1)</script>', '"><img src=http://127.0.0.1:9/x onerror="window.pwned=1">', "' onmouseover='window.pwned=1' x='",
    '</title></style></textarea><svg onload="window.pwned=1">', '--></pre></details><iframe src="javascript:parent.pwned=1"></iframe>',
    '<a href="javascript:window.pwned=1" id="search">x</a>', '&lt;script&gt;window.pwned=1&lt;/script&gt; &#60;b&#62;', '<base href="http://127.0.0.1:9/"><form action=x>',
    "<style>@import 'http://127.0.0.1:9/';*{background:url(http://127.0.0.1:9/y)}</style>", '\u202e<b>gnp.exe</b>\u2066', "${7*7}{{7*7}}<!--[if gte IE 4]>",
)
ROW = "return document.querySelectorAll('.parts .f').length"
SHOWN = "return Array.from(document.querySelectorAll('.parts .f')).filter(e=>e.checkVisibility({contentVisibilityAuto:false})).length"


def report(t, sample, name=None):
    name = name or sample
    t.convert(export_of(sample), t.path(name), "--fail-on", "never", "-q", site=site_of(sample))
    return t.path(name, "report.html"), json.loads(read(t.path(name, "report.json")))


def hostile_export(t, sample):
    """Every name, description, value in the sample gets a payload, in turn."""
    from xml.sax.saxutils import escape
    original, n = read(export_of(sample)).decode(), [0]

    def poison(m):
        if m.group(2).startswith("{") or m.group(2) in ("", "External", "Internal", "All Users", "All Authenticated Users", "FBA with AD"):
            return m.group(0)
        n[0] += 1
        return m.group(1) + escape(m.group(2) + PAYLOADS[n[0] % len(PAYLOADS)]) + m.group(3)
    text = re.sub(r'(<fpc4:(?:Name|Description|ServicePrincipalName|RedirectUrl|LogoffURL|Value|HostHeader)\b[^>]*>)([^<]*)(</)', poison, original)
    return t.write('hostile "><script>alert(1)<.xml', text), n[0]


@test
def test_report_html_inert(t):
    """A hostile export: no script of its own runs, nothing is fetched, every string is shown as text."""
    with Browser() as b:
        for sample in ("exchange-2010", "busy-array", "sharepoint"):
            export, poisoned = hostile_export(t, sample)
            site = t.write("site.yaml", read(site_of(sample)).decode().split("accept:")[0])
            r = t.convert(export, t.path(sample), "--fail-on", "never", "-q", site=site)
            t.equal(r.status, 0, "convert")
            t.check(poisoned > 10, "payloads", poisoned)
            page = t.path(sample, "report.html")
            b.requests(), b.console()
            b.open(page)
            b.run("document.querySelectorAll('details').forEach(d=>{d.open=true}); window.scrollTo(0,1e6)")
            b.run("for (const e of document.querySelectorAll('main *')) for (const k of ['mouseover','focus','click','error','load']) if (!e.closest('a,input,summary,label')) e.dispatchEvent(new Event(k))")
            t.equal(b.alert(), None, sample + ": a dialog")
            t.equal(b.run("return window.pwned===undefined"), True, sample + ": a script of the export ran")
            asked = [u for u in b.requests() if not u.startswith(("data:", "chrome:", "chrome-untrusted:")) and u != "file://" + page.replace('"', "%22")]
            t.equal(asked, [], sample + ": requests")
            t.equal(b.console(), [], sample + ": the console says")
            t.equal(b.run("return [document.scripts.length, document.querySelectorAll('iframe,img,object,embed,base,form,textarea,image').length, document.styleSheets.length]"), [1, 0, 1], sample + ": elements")
            attributes = b.run("const s=new Set(); for (const e of document.querySelectorAll('*')) for (const a of e.attributes) s.add(a.name); return [...s]")
            t.check(not [a for a in attributes if a.startswith("on") or a in ("style", "src", "action", "srcdoc")], sample + ": attributes", attributes)
            links = b.run("return Array.from(document.querySelectorAll('[href]')).map(e=>e.getAttribute('href'))")
            odd = [x for x in links if not re.fullmatch(r"#[A-Za-z]+(-?\d+)?|(nginx|haproxy|publishd)/[a-z.]+|data:,", x)]
            t.equal(odd, [], sample + ": links")
            text = b.run("return document.body.textContent")
            t.check("<script>window.pwned=1;alert(1)</script>" in text and "\u202e" not in text and "\u2066" not in text, sample + ": shown as text")


def check_filters(t, b, what, found):
    """Each button, and pairs and triples of them, against report.json."""
    rank = {"info": 0, "warning": 1, "error": 2}
    classes = ["lost", "differs", "closed", "input", "advice", "site"]
    targets = ["nginx", "haproxy", "publishd"]

    def matches(f, severity, kind, target):
        return ((severity is None or rank[f["severity"]] == severity) and (kind is None or classes.index(f["class"]) == kind) and
                (target is None or not f["targets"] or targets[target] in f["targets"]))
    choices = [(s, None, None) for s in range(3)] + [(None, c, None) for c in range(6)] + [(None, None, x) for x in range(3)]
    choices += [(2, 2, None), (2, 2, 0), (1, 1, 0), (None, 4, 2), (0, None, 1), (2, 5, 2), (None, None, None)]
    before = (None, None, None)              # as the page opens
    for severity, kind, target in choices:
        for group, value, was in zip(("severity", "class", "target"), (severity, kind, target), before):
            if value != was:
                b.click("label[for=%s-%s]" % (group, "all" if value is None else value))
        before = severity, kind, target
        t.equal(b.run(SHOWN), sum(matches(f, severity, kind, target) for f in found), "%s: rows with severity %s, class %s, target %s" % (what, severity, kind, target))
        empty = b.run("return Array.from(document.querySelectorAll('.part')).filter(p=>p.checkVisibility()&&!Array.from(p.querySelectorAll('.f')).some(e=>e.checkVisibility({contentVisibilityAuto:false}))).length")
        if (severity, kind, target) != (None, None, None):
            t.equal(empty, 0, "%s: parts without a row, severity %s, class %s, target %s" % (what, severity, kind, target))


@test
def test_report_html_filters(t):
    """Severity, class, target and rule, with and without script; search with."""
    with Browser() as b:
        for sample in ("exchange-2010", "busy-array"):
            page, model = report(t, sample)
            b.open(page)
            t.equal(b.run(ROW), len(model["findings"]), sample + ": rows")
            check_filters(t, b, sample, model["findings"])
            b.open(page, "#rule-2")
            t.equal(b.run("return Array.from(document.querySelectorAll('.part')).filter(p=>p.checkVisibility()).map(p=>p.id)"), ["rule-2"], sample + ": one rule")
            t.equal(b.run(SHOWN), sum(f["rule"] == model["sites"][1]["name"] for f in model["findings"]), sample + ": its findings")
            t.equal(b.run("return document.querySelector('#rule-2 details').open"), True, sample + ": its settings are open")
            b.click(".only a")
            t.equal(b.run(SHOWN), len(model["findings"]), sample + ": all again")
        b.run("const s=document.querySelector('#search'); s.value='Shop'; s.dispatchEvent(new Event('input'))")
        b.run("return new Promise(done=>setTimeout(done,300))")
        parts = b.run("return Array.from(document.querySelectorAll('.part')).filter(p=>p.checkVisibility()).map(p=>p.textContent)")
        t.check(parts and all("shop" in p.lower() for p in parts) and len(parts) < len(model["sites"]), "search", len(parts))
    with Browser() as b:
        page, model = report(t, "exchange-2010", "again")
        b.scripts(False)
        b.open(page)
        t.equal(b.run("return document.querySelector('.search').checkVisibility()"), False, "without script: no search field")
        check_filters(t, b, "without script", model["findings"])
        b.click("#rule-3 summary")
        t.equal(b.run("return document.querySelector('#rule-3 pre').checkVisibility()"), True, "without script: settings open")


@test
def test_report_html_map(t):
    """A rule in the drawing is followed by pointing, by the keyboard, and by a link; it leads to its part."""
    lit = ("return Array.from(document.querySelectorAll('.map .way')).filter(e=>getComputedStyle(e).strokeWidth==='2px')"
           ".map(e=>e.closest('.rule').id).filter((x,i,a)=>a.indexOf(x)===i)")
    with Browser(1400, 1400) as b:
        page, model = report(t, "busy-array")
        b.open(page)
        t.equal(b.run(lit), [], "nothing is lit")
        b.run("document.querySelector('#map-4').scrollIntoView({block:'center'})")
        b.hover("#map-4 a")
        t.equal(b.run(lit), ["map-4"], "pointed at")
        t.check(b.run("return getComputedStyle(document.querySelector('#map-5')).opacity") == "0.35", "the others are dimmed")
        b.run("document.querySelector('#map-7 a').focus()")
        b.keys("\ue004")
        t.check("map-8" in b.run(lit), "the Tab key goes on to the next rule", b.run(lit))
        b.keys("\ue007")
        t.equal(b.run("return location.hash"), "#rule-8", "Enter leads to the rule's part")
        b.open(page, "#map-6")
        t.check("map-6" in b.run(lit), "a link to the drawing", b.run(lit))
        names = b.run("return Array.from(document.querySelectorAll('.map .rule title')).map(e=>e.textContent)")
        t.equal(len(names), sum(s["on"]["nginx"] not in ("disabled", "answers nothing") for s in model["sites"]), "rules that are drawn")
        t.check(all(re.match(r"Rule \d+, .* to .*; nginx (as before|differs|needs work|closed); HAProxy .*; publishd ", n) for n in names), "what is said of them", names[:2])


CONTRAST = r"""
function rgb(c){const m=c.match(/[\d.]+/g).map(Number);return m.length>3?m:[...m,1]}
function lum(c){const f=v=>{v/=255;return v<=.04045?v/12.92:((v+.055)/1.055)**2.4};return .2126*f(c[0])+.7152*f(c[1])+.0722*f(c[2])}
function ground(e){for(;e;e=e.parentElement){const c=rgb(getComputedStyle(e).backgroundColor);if(c[3]===1)return c}return [255,255,255,1]}
const bad=[];
for(const e of document.querySelectorAll('body *')){
  if(e.closest('svg,script')||!Array.from(e.childNodes).some(n=>n.nodeType===3&&n.data.trim())||!e.checkVisibility())continue;
  const f=lum(rgb(getComputedStyle(e).color)),g=lum(ground(e)),r=(Math.max(f,g)+.05)/(Math.min(f,g)+.05);
  if(r<4.5&&!e.closest('.none'))bad.push([r.toFixed(2),e.className,e.textContent.slice(0,30)]);
}
return bad.slice(0,8)"""


@test
def test_report_html_access(t):
    """Landmarks, headings, table headers, labels, names, contrast in light and dark; narrow and on paper."""
    with Browser() as b:
        for sample in SAMPLES:
            page, _ = report(t, sample)
            b.open(page)
            t.equal(b.run("return ['header','nav','main','footer','h1'].map(s=>document.querySelectorAll(s).length)"), [1, 1, 1, 1, 1], sample + ": landmarks")
            levels = b.run("return Array.from(document.querySelectorAll('h1,h2,h3,h4')).map(h=>+h.tagName[1])")
            t.check(levels[0] == 1 and all(y <= x + 1 for x, y in zip(levels, levels[1:])), sample + ": heading levels", levels)
            t.equal(b.run("return document.querySelectorAll('th:not([scope])').length"), 0, sample + ": headers without scope")
            t.equal(b.run("return Array.from(document.querySelectorAll('input')).filter(i=>!i.labels.length&&!i.ariaLabel).length"), 0, sample + ": inputs without label")
            t.equal(b.run("const n={};document.querySelectorAll('[id]').forEach(e=>{n[e.id]=(n[e.id]||0)+1});return Object.keys(n).filter(k=>n[k]>1)"), [], sample + ": an id twice")
            t.equal(b.run("return Array.from(document.querySelectorAll('a[href^=\"#\"]')).map(a=>a.getAttribute('href').slice(1)).filter(i=>!document.getElementById(i))"), [], sample + ": links to nowhere")
            t.equal(b.run("return Array.from(document.querySelectorAll('[aria-labelledby]')).filter(e=>!document.getElementById(e.getAttribute('aria-labelledby'))).length"), 0, sample + ": labels that are not there")
        page = t.path("exchange-2010", "report.html")
        for scheme in ("light", "dark"):
            b.media(prefers_color_scheme=scheme)
            b.open(page)
            b.run("document.querySelectorAll('details').forEach(d=>{d.open=true})")
            t.equal(b.run(CONTRAST), [], scheme + ": contrast below 4.5")
        grounds = b.run("return getComputedStyle(document.body).backgroundColor")
        b.media(prefers_color_scheme="light")
        t.check(b.run("return getComputedStyle(document.body).backgroundColor") != grounds, "light and dark look the same")
        b.size(360, 800)
        for sample in ("exchange-2010", "lone-listener", "busy-array"):
            b.open(t.path(sample, "report.html"))
            t.equal(b.run("return document.documentElement.scrollWidth"), 360, sample + ": wider than a narrow window")
        b.media("print")
        t.equal(b.run("return ['nav','.filters'].map(s=>document.querySelector(s).checkVisibility())"), [False, False], "on paper: buttons")
        b.pdf(t.path("page.pdf"))
        t.check(len(re.findall(rb"/Type\s*/Page\b", read(t.path("page.pdf")))) >= 3, "on paper: pages")


# The best time of five for a piece of work, in ms: 3 on a machine of which 2 seconds are asked, with nothing beside.
PIECE = """let best = 1e9;
for (let k = 0; k < 5; k++) {
  const t = performance.now(), a = [];
  for (let i = 0; i < 20000; i++) a.push({n: 'x' + i});
  a.sort((p, q) => p.n < q.n ? -1 : 1);
  if (a.map(o => o.n).join('').length) best = Math.min(best, performance.now() - t);
}
return best"""


@test
def test_report_html_large(t):
    """2,000 rules open in under 2 seconds, or as many times that as the machine is slower; 4,000 are cut at a limit that the page states."""
    for rules in (2000, 4000):
        with open(t.path("big.xml"), "wb") as out:
            subprocess.run([sys.executable, os.path.join(TOP, "tests", "gen_export.py"), str(rules)], stdout=out, check=True)
        t.equal(t.convert(t.path("big.xml"), t.path(str(rules)), "--fail-on", "never", "-q").status, 0, "convert %d" % rules)
    with Browser() as b:
        b.open("/dev/null")
        b.run(PIECE)                             # not compiled yet
        b.cdp("Performance.enable", timeDomain="threadTicks")
        times, before = [], 0
        for _ in range(8):                       # the best of some: other tests run beside this one
            b.open(t.path("2000", "report.html"))
            total = {m["name"]: m["value"] for m in b.cdp("Performance.getMetrics")["metrics"]}["TaskDuration"]
            waited = b.run("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000
            b.open("/dev/null")
            slower = max(1, b.run(PIECE) / 3)
            times.append((min(total - before, waited) / slower, total - before, slower))
            before = {m["name"]: m["value"] for m in b.cdp("Performance.getMetrics")["metrics"]}["TaskDuration"]
            if times[-1][0] < 2:
                break
        b.open(t.path("2000", "report.html"))
        t.check(times[-1][0] < 2, "opening took, in seconds of a machine with nothing beside, work, and how much slower this one was:", times)
        t.equal(b.run("return document.querySelectorAll('[id^=rule-]').length"), 2000, "parts of 2,000 rules")
        t.check(b.run("return document.querySelectorAll('.limit').length === 0 || !document.body.textContent.includes('The first')"), "a limit is stated that is none")
        t.note = "2,000 rules: %.1f s of work, on a machine %.1f times as slow as its best" % times[-1][1:]
    page = read(t.path("4000", "report.html"))
    t.check(len(page) < 30e6 and b"The first 2000 of 4000 rules" in page and b"first 2000 of 4000 rules; report.txt" in page, "4,000 rules: %d bytes" % len(page))


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, os.path.join(TOP, "tests", "run"), "report-html"] + sys.argv[1:]))
