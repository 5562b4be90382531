"""Every row of the settings table: set in an otherwise plain export, it changes each target's config as it should, or a
finding names it, or the row says why it has no effect - and then nothing changes.

CASES has an entry for each row that has an effect somewhere, MOVES for rows that are no scalars; a row without one fails.
An expectation is a pattern for the lines of the configs that change, the same for all targets or one for each, or None
where that value asks for nothing. Where the table says `exact`, the config must change; where it says anything else, the
row's finding must name the target.
"""
import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from fpc import *
from fpc import _render
from .common import read, test

SPACE = "{http://schemas.microsoft.com/isa/config-4}"
CONFIGS = {"nginx": (("nginx", "nginx.conf"), ("nginx", "stream.conf")), "haproxy": (("haproxy", "haproxy.cfg"),), "publishd": (("publishd", "publishd.yaml"),)}
ElementTree.register_namespace("fpc4", SPACE[1:-1])
CERT, OTHER_CERT = thumbprint("test"), thumbprint("other")
SITE = ('site: 1\ncertificates:\n  "%s": {chain: a.pem, key: a.key}\n  "%s": {chain: b.pem, key: b.key}\ntrust: ca.pem\n'
        'networks:\n  Nowhere: [203.0.113.0/24]\n' % (CERT, OTHER_CERT))
NTLM_SET = "{11111111-2222-3333-4444-555555555555}"


# ---- the plain exports ---------------------------------------------------------------------------------------------
def array(rule_options=None, listener_options=None, more_rules=(), vendor=None, extra_elements=None, extra=(), relations=()):
    where = listener("Web", ["127.0.0.1"], http=18080, https=18443, certificates=[(CERT, "")], **(listener_options or {}))
    mixed = node("ComputerSet", guid("computerset", "Mixed"), string("Name", "Mixed"),
                 node("Computers", "Computers", computer("Three", "198.51.100.3")),
                 node("AddressRanges", "AddressRanges", address_range("Some", "198.51.100.100", "198.51.100.120")),
                 node("Subnets", "Subnets", subnet("Sub", "198.51.100.64", "255.255.255.240")))
    plain_set = node("NetworkSet", guid("networkset", "Set"), string("Name", "Set"), integer("NetworkSetType", 0),
                     refs("Networks", [(guid("network", "Branch"), "Network")]))
    elements = {
        "ProxyScheduleTemplates": [schedule("Nights", range(24))],
        "Computers": [computer("One", "198.51.100.7")], "AddressRanges": [address_range("Low", "198.51.100.20", "198.51.100.29")],
        "Subnets": [subnet("Middle", "198.51.100.96", "255.255.255.224")], "ComputerSets": [mixed], "WebListeners": [where],
        "AuthenticationSchemes": [forms_scheme()], "UserSets": predefined_users() + [user_set("Staff", ["CONTOSO-Staff"])],
        "ServerFarms": [farm("Farm", ["10.9.0.1", "10.9.0.2"]), farm("Spare", ["10.9.1.1"])]}
    elements.update(extra_elements or {})
    options = dict(dict(site="app.corp.example"), **(rule_options or {}))
    nets = node("NetworkSets", "NetworkSets", plain_set)
    return document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "ONE")),
                    [web_rule("Site", 1, "Web", ["www.example"], **options), *more_rules], elements=elements, name="ONE", vendor=vendor,
                    networks=[external(), network("Branch", [("10.1.0.0", "10.1.255.255")]), network("Nowhere")], extra=[nets, *extra], network_rules=relations)


def published(relations=(), server="10.0.0.9", protocols=None, **options):
    """The same with a server publishing rule."""
    return array(more_rules=[server_rule("Mail", 2, server, "192.0.2.1", **options)], relations=relations,
                 extra_elements={"Protocols": protocols or [protocol("SMTP Server", [(25, 25, TCP, 0)])]})


FORMS = dict(forms={"SessionTimeOutForPublicComputers": 10})
TYPE_SETS = {"ContentTypeSets": [content_types("Texts", ["text/html", "text/plain"]), content_types("Data", ["application/json", ".dat"])]}
BASES = {
    "plain": lambda: array(),
    "deny": lambda: array(dict(deny=True)),
    "farm": lambda: array(dict(farm_name="Farm")),
    "tcp": lambda: array(dict(farm_name="Farm"), extra_elements={"ServerFarms": [farm("Farm", ["10.9.0.1"], request=2, port=8081)]}),
    "forms": lambda: array(dict(users="Staff"), FORMS),
    "notice": lambda: array(dict(users="Staff"), dict(forms=dict(FORMS["forms"], PasswordExpirationWarningEnabled=1))),
    "sso": lambda: array(dict(users="Staff"), dict(FORMS, sso=["example"], SSOEnabled=True)),
    "users": lambda: array(dict(users="Staff"), dict(BasicAuthentication=True)),
    "integrated": lambda: array(dict(users="Staff"), dict(IntegratedWindowsAuthentication=True)),
    "basic": lambda: array(dict(users="Staff", CredentialsDelegationType=BASIC), dict(BasicAuthentication=True)),
    "kerberos": lambda: array(dict(users="Staff", CredentialsDelegationType=KERBEROS), dict(IntegratedWindowsAuthentication=True)),
    "scheduled": lambda: array(dict(when="Nights")),
    "computer": lambda: array(dict(source=[("computer", "One")])),
    "subnet": lambda: array(dict(source=[("subnet", "Middle")])),
    "range": lambda: array(dict(source=[("addressrange", "Low")])),
    "set": lambda: array(dict(source=[("computerset", "Mixed")])),
    "network": lambda: array(dict(source=[("network", "Branch")])),
    "networkset": lambda: array(dict(source=[("networkset", "Set")])),
    "nowhere": lambda: array(dict(source=[("network", "Nowhere")])),
    "path": lambda: array(dict(paths=["/one/*"])),
    "mapped": lambda: array(dict(paths=[("/one/*", "/two/*")])),
    "ssl": lambda: array(dict(PublishedServerType=SSL)),
    "links": lambda: array(dict(TranslateLinks=True)),
    "array links": lambda: array(dict(TranslateLinks=True), extra=[node("WebProxy", "WebProxy", node(
        "ExplicitLinkTranslationMappings", "ExplicitLinkTranslationMappings", node(
            "ExplicitLinkTranslationMapping", guid("mapping"), string("OriginalUrl", "http://old.example"), string("TranslatedUrl", "https://new.example"))))]),
    "compression": lambda: array(dict(site="10.1.0.9"), extra_elements=TYPE_SETS, extra=[compression(["Texts"], ["Web"])]),
    "compressed for": lambda: array(extra_elements=TYPE_SETS, extra=[compression(["Texts"], clients=([("computer", "One")], []))]),
    "vendor": lambda: array(dict(vendor={NTLM_SET: {"Plain": 1}})),
    "front": lambda: array(dict(vendor={FRONT_END_HTTPS: {"AddHttpsFrontEndOn": 0}})),
    "server": lambda: published(),
    "firewall": lambda: published(UseFirewallIPAsSource=True),
    "route": lambda: published(relations=[network_rule("Branch", 1, ROUTE, ["Branch"], ["External"])], server="10.1.0.9"),
    "nat": lambda: published(relations=[network_rule("Branch", 1, NAT, ["Branch"], ["External"])], server="10.1.0.9"),
    "access": lambda: array(more_rules=[access_rule("Out", 2)]),
    "limit": lambda: array(None, dict(NumberOfConnections=50)),
    "two addresses": lambda: array(None, dict(certificates=None)),
}


# ---- changing an export ----------------------------------------------------------------------------------------------
def element(item):
    """An element of fpc.py as one of ElementTree's."""
    out = []
    _render(out, (item[0], item[1] + ' xmlns:fpc4="%s" xmlns:dt="urn:schemas-microsoft-com:datatypes"' % SPACE[1:-1], item[2]), "")
    return ElementTree.fromstring("\n".join(out))


def local(e):
    return e.tag.split("}")[-1]


def find(root, name, storage=None):
    for e in root.iter(SPACE + name):
        if storage is None or e.get("StorageName") == storage:
            return e
    raise LookupError("%s %s" % (name, storage))


def set_scalar(parent, name, value):
    for child in list(parent):
        if local(child) == name:
            parent.remove(child)
    parent.insert(0, element(string(name, value)))


def remove(parent, name):
    for child in list(parent):
        if name in (local(child), child.get("StorageName")):
            parent.remove(child)


def put(parent, item, name=None):
    remove(parent, name or item[0])
    parent.append(element(item))


def point(reference, target):
    """Lets the first reference at or below an element lead elsewhere."""
    find(reference, "Name").text = target


# Where the object of a row stands, if not at its first element.
AT = {
    "Root": lambda root: root,
    "SourceSelectionIPs": lambda root: find(root, "SelectionIPs", "SourceSelectionIPs"),
    "ServerFarm": lambda root: find(root, "ServerFarm", guid("farm", "Farm")),
    "Network": lambda root: find(root, "Network", guid("network", "Branch")),
    "UserSet": lambda root: find(root, "UserSet", guid("users", "Staff")),
    "AuthenticationScheme": lambda root: find(root, "AuthenticationScheme", FBA_WITH_AD),
    "Addresses": lambda root: find(root, "Computer", guid("computer", "One")),
    "Ref": lambda root: find(root, "Ref", "WebListenerUsed"),
    "PublishedServer": lambda root: find(root, "PublishedServer", guid("member", "Farm", "10.9.0.1")),
    "ServerPublishingProperties": lambda root: find(root, "ServerPublishingProperties"),
    "Protocol": lambda root: find(root, "Protocol", guid("protocol", "SMTP Server")),
    "ProtocolConnection": lambda root: find(root, "ProtocolConnection"),
}
# The plain export of an object's rows, if not "plain".
BASE_OF = {"SourceSelectionIPs": "computer", "PathMapping": "path", "LoadBalancingConfig": "farm", "ServerFarm": "farm", "PublishedServer": "farm",
           "ConnectivityVerifier": "farm", "FormsBasedAuthenticationProperties": "forms", "AuthenticationScheme": "forms", "Network": "network",
           "Addresses": "computer", "ProxyScheduleTemplate": "scheduled", "UserSet": "users", "Account": "users", "VendorParametersSet": "vendor",
           "ExplicitLinkTranslationMapping": "array links", "ServerPublishingProperties": "server", "AccessProperties": "access", "Protocol": "server", "ProtocolConnection": "server",
           "NetworkRule": "route", "HTTPCompressionConfiguration": "compression", "ContentTypeSet": "compression"}


def each(nginx, haproxy, publishd):
    return {"nginx": nginx, "haproxy": haproxy, "publishd": publishd}


def case(expected, value, base=None, code=None):
    """A scalar's value. code: the finding, where it is not the row's own; "" for none."""
    return (base, lambda parent, root, name: set_scalar(parent, name, value), expected, code, repr(value))


def move(expected, change, base=None, code=None, what="changed"):
    return (base, lambda parent, root, name: change(parent, root), expected, code, what)


LIMITS = each("TMG3045", "", "")
LINKS = each("TMG3041", "TMG2033", "")
FORWARD_HOST = r"(?i)host"
P, L, W = "WebPublishingProperties/", "WebListenerProperties/", "FormsBasedAuthenticationProperties/"
F, V, S = "ServerFarm/", "ConnectivityVerifier/", "SourceSelectionIPs/"
X, Z = "ServerPublishingProperties/", "HTTPCompressionConfiguration/"


def PROXIES(pattern):
    """What the configs of the two that relay streams show; publishd says that it does not."""
    return each(pattern, pattern, None)


CLOSES = each("TMG4001", "TMG4001", "")
GONE = r"app\.corp\.example|www\.example"


def new_source(slot, kind, name):
    refclass = {s[0]: s[2] for s in SOURCE_SLOTS}[kind]
    return lambda parent, root: put(parent, refs(slot, [(guid(kind, name), refclass)]), "Computers")


CASES = {
    "PolicyRule/Name": [case(r"(?i)other", "Other")],
    "PolicyRule/Enabled": [case(GONE, 0), case(None, 1)],
    "PolicyRule/Action": [case(r"403|deny|proxy_pass|server|action", 1), case(None, 0)],
    "PolicyRule/System": [case(GONE, 1, code="TMG1012"), case(None, 0)],
    "PolicyRule/Type": [case(GONE, 256), case(None, 2), case(None, 0, code="TMG1007")],
    "PolicyRule/LimitSourcePortLow": [case(each(r"1024|remote_port", r"src_port 1024:1024", r"source_port_low: 1024"), 1024, code="")],
    "PolicyRule/LimitSourcePortHigh": [case(each(r"remote_port|2048", r"src_port 0:2048", r"source_port_high: 2048"), 2048, code="")],
    "PolicyRule/ScheduleUsed": [move(r"schedule|Nights|time|date|hour", lambda p, r: put(p, ref("ScheduleUsed", guid("schedule", "Nights"), "ProxyScheduleTemplate"), "ScheduleUsed"))],
    "PolicyRule/SourceSelectionIPs": [move(r"198\.51\.100\.7", lambda p, r: put(p, sources([("computer", "One")]), "SourceSelectionIPs")),
                                      move(r"403|deny|closed", lambda p, r: put(p, sources([("computer", "Lost")]), "SourceSelectionIPs"), code="TMG4003")],
    "PolicyRule/WebPublishingProperties": [move(GONE, lambda p, r: remove(p, "WebPublishingProperties"))],
    "PolicyRule/ServerPublishingProperties": [move(each(r"192\.0\.2\.1:25", r"192\.0\.2\.1:25", None), lambda p, r: (find(r, "PolicyRules").append(element(server_rule("Mail", 2, "10.0.0.9", "192.0.2.1"))), point(find(r, "Ref", "PublishedProtocol"), "SMTP Server")), code=each("", "", "TMG2060"))],
    "PolicyRule/AccessProperties": [move(None, lambda p, r: find(r, "PolicyRules").append(element(access_rule("Out", 2))), code="TMG1012")],
    "PolicyRule/VendorParametersSets": [move(None, lambda p, r: put(p, parameters({NTLM_SET: {"Plain": 1}})), code="TMG2039")],
    P + "WebListenerUsed": [move(GONE, lambda p, r: remove(p, "WebListenerUsed"), code="TMG1004")],
    P + "AllPublicNames": [case(r"default|www|all|names|\*", 1, code="")],
    P + "PublicNames": [move(r"more\.example", lambda p, r: find(p, "PublicNamesStrings").append(element(string("Str", "more.example"))), code=""),
                        move(r"www\.example", lambda p, r: find(p, "PublicNamesStrings").remove(find(p, "Str")), code="TMG1016"),
                        move(None, lambda p, r: find(p, "PublicNamesStrings").append(element(string("Str", "not a name"))), code="TMG1005")],
    P + "PathMappings": [move(r"more", lambda p, r: find(p, "PathMappings").append(element(path(7, "x", "/more/*"))), base="path", code=""),
                         move(None, lambda p, r: find(p, "PathMappings").append(element(path(7, "x", "no"))), base="path", code="TMG1006")],
    P + "UserSets": [move(r"403|deny|users|Staff", lambda p, r: put(p, refs("UserSets", [(guid("users", "Staff"), "UserSet")]), "UserSets"))],
    P + "RedirectUrl": [case(r"https://else\.example/", "https://else.example/", base="deny")],
    P + "WebSite": [case(r"new\.corp\.example", "new.corp.example", code=""), case(r"app\.corp\.example", "?", code="TMG1009")],
    P + "PublishedServer": [case(r"10\.8\.0\.1", "10.8.0.1")],
    P + "LoadBalancingEnabled": [case(r"10\.9\.0\.1", 0, base="farm"), case(None, 1, base="farm")],
    P + "LoadBalancingConfig": [move(r"10\.9\.0\.1", lambda p, r: remove(p, "LoadBalancingConfig"), base="farm")],
    P + "PublishedServerType": [case(None, 0), case(each(r"https://", r"ssl", r"ssl|https|tls"), 1, code=""),
                                case(each(r"https?://|scheme", r"ssl", r"both|https|tls|bridging"), 2, code=""), case(r"403|deny|ftp|closed", 3)],
    P + "HTTPRedirectPort": [case(r"\b8088\b", 8088)],
    P + "SSLRedirectPort": [case(r"\b4443\b", 4443, base="ssl")],
    P + "FTPRedirectPort": [case(None, 2121, code="", base="plain"),
                            move(r"403|deny|ftp", lambda p, r: (set_scalar(p, "FTPRedirectPort", 2121), set_scalar(p, "PublishedServerType", 3)))],
    P + "SendOriginalHostHeader": [case(FORWARD_HOST, 1), case(None, 0)],
    P + "UseOriginalClientAddress": [case(None, 1), case(None, 0, code="")],
    P + "UseFirewallIPAsSource": [case(None, 0), case(None, 1, code="")],
    P + "SendAcceptEncodingHeader": [case(r"(?i)accept.encoding", 1), case(None, 0)],
    P + "PassOptionsRequestsToServer": [case(each(None, None, r"pass_options: false"), 0), case(None, 1, code="")],
    P + "CredentialsDelegationType": [case(r"delegation", 0, base="users", code=""), case(None, 1, base="users", code=""), case(r"delegation", 2, base="users"),
                                      case(r"basic", 3, base="users", code=each("TMG3001", "TMG3001", "")), case(r"ntlm", 4, base="users"), case(r"negotiate", 5, base="integrated"),
                                      case(r"kerberos", 6, base="integrated")],
    P + "ServicePrincipalName": [case(r"http/other", "http/other.corp.example", base="kerberos")],
    P + "StripDomainFromCredentials": [case(r"strip_domain", 1, base="basic")],
    P + "PassAuthenticationResponseBodyToClient": [case(each(None, None, r"pass_auth_body: true"), 1), case(None, 0, code="")],
    P + "SSLRequireSecureChannel": [case(None, 0), case(r"403|deny|require_ssl|https", 1), case(r"403|deny|require_ssl|https", 2)],
    P + "RequireSSLClientCertificate": [case(r"403|deny|certificate", 1), case(None, 0, code="")],
    P + "SSLClientCertificateClaim": [case(r"403|deny|certificate", 1), case(None, 0, code="")],
    P + "SSLClientCertificate": [move(None, lambda p, r: put(p, hexadecimal("SSLClientCertificate", "00" + OTHER_CERT[2:])), base="ssl"),
                                move(each(r"proxy_ssl_certificate.*b\.pem", r"crt", r"backend_chain.*b\.pem"), lambda p, r: put(p, hexadecimal("SSLClientCertificate", OTHER_CERT)), base="ssl", code="")],
    P + "TranslateLinks": [case(each(r"sub_filter", None, r"link"), 1, code=LINKS), case(None, 0, code="")],
    P + "LinkTranslationMode": [case(r"link", 1, base="links", code=LINKS)],
    P + "LinkTranslationOptions": [case(each(r"%3a", None, r"link"), 1, base="links", code=LINKS), case(each(r"sub_filter", None, r"link"), 2, base="links", code=LINKS)],
    P + "LinkTranslationPatterns": [move(each(None, None, r"replyforwardnote"), lambda p, r: put(p, strings("LinkTranslationPatterns", ["CURRENT FILE==*replyforwardnote"])), base="links", code=LINKS)],
    Z + "Enabled": [case(each(r"gzip", r"compression", r"compress"), 0, code=""), case(None, 1)],
    Z + "CompressibleContentTypeSets": [move(r"application/json", lambda p, r: find(p, "Refs", "CompressibleContentTypeSets").append(
                                             element(ref(guid("x"), guid("types", "Data"), "ContentTypeSet")))),
                                        move(r"gzip|compress", lambda p, r: point(find(p, "Refs", "CompressibleContentTypeSets"), "{11111111-2222-3333-4444-555555555556}"), code="TMG1003")],
    Z + "NoCompressionForSpecifiedContentTypes": [case(each(r"application/json", r"application/json", r"except: true"), 1), case(None, 0)],
    Z + "AllowCompressionWithoutContentType": [case(each(None, None, r"untyped: true"), 1), case(None, 0)],
    Z + "WebListenerUsed": [move(r"gzip|compress", lambda p, r: remove(p, "WebListenerUsed"), code=""),
                            move(r"gzip|compress", lambda p, r: set_scalar(find(find(p, "Refs", "WebListenerUsed"), "Ref"), "IncludeStatus", 1), code="")],
    Z + "RequestSource": [move(r"198\.51\.100\.20", lambda p, r: put(p, sources([("addressrange", "Low")], slot="RequestSource"), "RequestSource"), base="compressed for"),
                          move(each(r"compressed_for", r"unless compressed", r"compress_for"), lambda p, r: put(p, sources([], [("computer", "One")], slot="RequestSource"), "RequestSource")),
                          move(r"gzip|compress", lambda p, r: put(p, sources([("network", "Branch")], slot="RequestSource"), "RequestSource"), base="compressed for")],
    Z + "RequestDestination": [move(each(r"gunzip", r"set-header Accept-Encoding gzip", r"asks_gzip"), lambda p, r: put(p, sources([("network", "Branch")], slot="RequestDestination"), "RequestDestination")),
                               move(None, lambda p, r: put(p, sources([("computer", "One")], slot="RequestDestination"), "RequestDestination"))],
    "ContentTypeSet/ContentStrings": [move(r"text/css", lambda p, r: find(p, "ContentStrings").append(element(string("Str", "Text/CSS")))),
                                      move(None, lambda p, r: find(p, "ContentStrings").append(element(string("Str", "text/html; $x")))),
                                      move(each(None, None, r"\.htm"), lambda p, r: find(p, "ContentStrings").append(element(string("Str", ".htm"))))],
    "ExplicitLinkTranslationMapping/OriginalUrl": [case(each(r"older", None, r"older"), "http://older.example", code=LINKS)],
    "ExplicitLinkTranslationMapping/TranslatedUrl": [case(each(r"newer", None, r"newer"), "https://newer.example", code=LINKS)],
    P + "CodePages": [move(each(None, None, r"1252"), lambda p, r: put(p, strings("CodePages", ["1252"])), base="links", code=LINKS)],
    P + "PublishedServerApplication": [case(None, 0), case(r"3600", 1), case(None, 2)],
    P + "LogoffURL": [case(r"/bye", "/bye")],
    P + "BlockAttachmentsForPublicComputers": [case(None, 1), case(None, 0, code="")],
    P + "BlockAttachmentsForTrustedComputers": [case(None, 1), case(None, 0, code="")],
    S + "Networks": [move(r"10\.1\.", new_source("Networks", "network", "Branch"), code="")],
    S + "NetworkSets": [move(r"10\.1\.", new_source("NetworkSets", "networkset", "Set"), code="")],
    S + "Computers": [move(r"198\.51\.100\.7", new_source("AddressRanges", "addressrange", "Low"), code="", what="removed")],
    S + "ComputerSets": [move(r"198\.51\.100\.3", new_source("ComputerSets", "computerset", "Mixed"), code="")],
    S + "AddressRanges": [move(r"198\.51\.100\.20", new_source("AddressRanges", "addressrange", "Low"), code="")],
    S + "Subnets": [move(r"198\.51\.100\.96", new_source("Subnets", "subnet", "Middle"), code="")],
    "PathMapping/ExternalPath": [case(r"/three", "/three/*", base="mapped", code="")],
    "PathMapping/InternalPath": [case(r"/three", "/three/*", base="mapped", code="")],
    "PathMapping/SameAsInternalPath": [case(r"/one|/two", 1, base="mapped")],
    "LoadBalancingConfig/AffinityType": [case(None, 0), case(each(None, r"balance|cookie|hash|stick", r"affinity"), 1, code="")],
    "LoadBalancingConfig/ServerFarm": [move(r"10\.9\.1\.1", lambda p, r: put(p, ref("ServerFarm", guid("farm", "Spare"), "ServerFarm"), "ServerFarm"), code="")],
    "WebListener/Name": [case(r"(?i)other", "Other")],
    "WebListener/WebListenerProperties": [move(r"18080|18443", lambda p, r: remove(p, "WebListenerProperties"), code="")],
    "WebListener/SourceNetworkSets": [move(r"127\.0\.0\.1|\*", lambda p, r: put(p, refs("SourceNetworkSets", [(guid("networkset", "Set"), "NetworkSet")]), "SourceNetworkSets"), code="TMG3009")],
    "WebListener/IPsOnNetworks": [move(r"127\.0\.0\.1|0\.0\.0\.0|\*", lambda p, r: remove(p, "IPsOnNetworks"))],
    "WebListener/VendorParametersSets": [move(None, lambda p, r: put(p, parameters({NTLM_SET: {"Plain": 1}})))],
    L + "TCPPort": [case(r"\b18090\b", 18090, code=""), case(r"\b18080\b", 0, code="")],
    L + "SSLPort": [case(r"\b18493\b", 18493, code=""), case(r"\b18443\b", 0, code="")],
    L + "AppliedSSLCertificates": [move(r"a\.pem|a\.key|\.pem", lambda p, r: remove(p, "AppliedSSLCertificates"), code="TMG6003")],
    L + "RedirectHTTPAsHTTPS": [case(None, 0), case(each(None, None, r"redirect"), 1, base="users"), case(r"30[12]|redirect|https", 2)],
    L + "BasicAuthentication": [case(r"basic", 1)],
    L + "DigestAuthentication": [case(r".", 1)],
    L + "IntegratedWindowsAuthentication": [case(r"integrated|ntlm|negotiate|offer", 1), case(None, 0, code="")],
    L + "SSLCertificateAuthentication": [case(r"certificate", 1)],
    L + "AuthenticationSchemes": [move(r"form", lambda p, r: put(p, refs("AuthenticationSchemes", [(FBA_WITH_AD, "AuthenticationScheme")]), "AuthenticationSchemes"))],
    L + "AlwaysAuthenticate": [case(r"403|deny|always|users", 1), case(None, 0, code="")],
    L + "AllowAuthenticationOverHTTP": [case(each(None, None, r"http"), 1, base="users")],
    L + "Domain": [case(r"CONTOSO", "CONTOSO", base="users")],
    L + "FormsBasedAuthenticationProperties": [move(r"timeout|form", lambda p, r: set_scalar(find(p, "FormsBasedAuthenticationProperties"), "SessionTimeOutForPublicComputers", 7), base="forms")],
    L + "SSOEnabled": [case(r"sso", 0, base="sso", code=""), case(None, 1, base="sso")],
    L + "DomainNameSet": [move(r"more\.example", lambda p, r: find(p, "DomainNameStrings").append(element(string("Str", "more.example"))), base="sso")],
    L + "NumberOfConnections": [case(each(r"limit_conn .*500", r"fe_conn gt 500", None), 500, code=LIMITS), case(None, 0, code="")],
    L + "UnlimitedNumberOfConnections": [case(None, 0, base="limit", code=LIMITS), case(each(r"limit_conn", r"fe_conn gt 50", None), 1, base="limit", code="")],
    L + "ConnectionTimeout": [case(r"77", 77)],
    L + "SSLAcceleratorPort": [case(None, 8443), case(None, 0, code="")],
    L + "SSLClientCertificateRestrictionsEnabled": [case(None, 1), case(None, 0, code="")],
    "IPOnNetwork/IPSelectionMethod": [case(r"127\.0\.0\.1|0\.0\.0\.0|\*", 0)],
    "IPOnNetwork/Network": [move(None, lambda p, r: put(p, ref("Network", guid("network", "Lost"), "Network"), "Network"), code="TMG1003")],
    "IPOnNetwork/IPAddresses": [move(r"127\.0\.0\.9", lambda p, r: find(p, "IPAddressesStrings").append(element(string("Str", "127.0.0.9"))))],
    "AppliedSSLCertificate/IPAddress": [],
    "AppliedSSLCertificate/SSLCertificateHash": [case(r"b\.pem|b\.key|" + OTHER_CERT, OTHER_CERT, code=""), case(r"a\.pem|a\.key|\.pem", thumbprint("third"))],
    W + "ClientIPAddressSigningEnabled": [case(r"bind", 0)],
    W + "CustomFormsDirectory": [case(None, "Contoso")],
    W + "SessionTimeOutForTrustedComputers": [case(r"private_timeout", 9)],
    W + "SessionTimeOutUnitsForTrustedComputers": [case(r"private_timeout", 2)],
    W + "SessionTimeOutForPublicComputers": [case(r"public_timeout", 9)],
    W + "SessionTimeOutUnitsForPublicComputers": [case(r"public_timeout", 3)],
    W + "UseAbsoluteCookieExpiration": [case(r"absolute", 1)],
    W + "ChangePasswordAllowed": [case(None, 1), case(None, 0, code="")],
    W + "PasswordExpirationWarningEnabled": [case(each(None, None, r"expiry_notice: 15"), 1), case(None, 0, code="")],
    W + "PasswordExpirationWarningPeriod": [case(each(None, None, r"expiry_notice: 9"), 9, base="notice")],
    W + "RequireSSLClientCertificate": [case(r"certificate", 1)],
    W + "UsePersistentCookies": [case(r"persistent", 1), case(r"persistent", 2)],
    W + "FBACookieName": [case(r"Biscuit", "Biscuit")],
    "AuthenticationScheme/Name": [case(r"ldap", "FBA with LDAP"), case(r"radius", "FBA with RADIUS"), case(r"form", "LDAP")],
    F + "Name": [case(r"(?i)other|cookie", "Other")],
    F + "PublishedServers": [move(r"10\.9\.0\.1", lambda p, r: remove(p, "PublishedServers"), code="")],
    F + "ConnectivityVerifier": [move(r"check|probe", lambda p, r: put(p, node("ConnectivityVerifier", "ConnectivityVerifier", integer("RequestType", 1))))],
    "PublishedServer/NameOrIP": [case(r"10\.9\.7\.7", "10.9.7.7")],
    "PublishedServer/DrainStopped": [case(r"10\.9\.0\.1|drained", 1), case(None, 0)],
    "PublishedServer/Enabled": [case(r"10\.9\.0\.1|drained", 0), case(None, 1)],
    V + "RequestType": [case(None, 0, code=each("TMG2038", "", "")), case(r"ping", 1), case(each(None, r"check", r"tcp"), 2, code=each("TMG2038", "", ""))],
    V + "ServerAddress": [case(r"/alive", "http://*/alive", code=each("TMG2038", "", ""))],
    V + "TCPPort": [case(r"\b9099\b", 9099, base="tcp", code=each("TMG2038", "", ""))],
    V + "HostHeader": [case(r"probe\.example", "probe.example", code=each("TMG2038", "", ""))],
    V + "Threshold": [case(r"7777|7s", 7777, code=each("TMG2038", "", ""))],
    "Network/Name": [],
    "Network/NetworkType": [case(r"10\.1\.|0\.0\.0\.0|sources|from", 3, code="")],
    "Network/IpRangeSet": [move(r"10\.1\.0\.0|10\.1\.", lambda p, r: remove(p, "IpRangeSet"))],
    "Network/NetworkSetType": [],
    "Network/Networks": [],
    "Addresses/IPAddress": [case(r"198\.51\.100\.8", "198.51.100.8", code=""), case(r"403|deny|closed", "x", code="TMG1007")],
    "Addresses/IPMask": [], "Addresses/IPFrom": [], "Addresses/IPTo": [], "Addresses/Computers": [], "Addresses/AddressRanges": [], "Addresses/Subnets": [],
    "ProxyScheduleTemplate/Name": [case(each(r"(?i)other", None, r"Other"), "Other")],
    "ProxyScheduleTemplate/Schedule": [case(r".", "00" * 20 + "ff", code="")],
    "UserSet/Name": [case(r"Other", "Other")],
    "UserSet/Accounts": [move(r"Two", lambda p, r: find(p, "Accounts").append(element(node("Account", "CONTOSO-Two", integer("AccountType", 1)))), code=CLOSES)],
    "UserSet/NonWindowsUsers": [move(r"joe", lambda p, r: p.append(element(node("NonWindowsUsers", "NonWindowsUsers", node("Account", "joe", string("Namespace", "RADIUS"))))), code=CLOSES)],
    "Account/AccountSid": [case(r"S-1-5-21-9", "S-1-5-21-9-9-9-9", code=CLOSES)],
    "Account/AccountType": [case(r"CONTOSO|group|user", 0, code=CLOSES)],
    "Account/Name": [case(r"Third", "CONTOSO\\Third", code=CLOSES)],
    "Account/Namespace": [case(r"RADIUS", "RADIUS", code=CLOSES)],
    "Ref/Name": [case(GONE, guid("listener", "Lost"), code="TMG1004")],
    "Ref/RefClass": [case(GONE, "msFPCPolicyGroup", code="")],
    "Ref/IncludeStatus": [],
    "VendorParametersSet/VendorParametersSet": [move(None, lambda p, r: p.set("StorageName", "{22222222-2222-3333-4444-555555555555}"))],
    "VendorParametersSet/Name": [move(None, lambda p, r: set_scalar(find(p, "Parameter"), "Name", "Other"))],
    "VendorParametersSet/Value": [move(None, lambda p, r: set_scalar(find(p, "Parameter"), "Value", "7"))],
    "VendorParametersSet/BlobData": [case(None, "010000000200000058000b000100")],
    X + "PublishedServerIP": [case(PROXIES(r"10\.0\.0\.77"), "10.0.0.77"), case(PROXIES(r"10\.0\.0\.9"), "mail.example", code="TMG1060")],
    X + "PublishedProtocol": [move(PROXIES(r"server_rule"), lambda p, r: remove(p, "PublishedProtocol"), code="TMG1060"),
                              move(PROXIES(r":993\b"), lambda p, r: put(p, node("Ref", "PublishedProtocol", string("Name", "IMAPS Server"), string("RefClass", "msFPCProtocol")), "PublishedProtocol"))],
    X + "IPsOnNetworks": [move(PROXIES(r"192\.0\.2\.2:25"), lambda p, r: find(p, "IPAddressesStrings").append(element(string("Str", "192.0.2.2")))),
                          move(PROXIES(r"listen 25;|\*:25"), lambda p, r: remove(p, "IPsOnNetworks"), code="TMG3009")],
    X + "IPsOnNetworkSets": [move(PROXIES(r"listen 25;|\*:25"), lambda p, r: put(p, refs("IPsOnNetworkSets", [(guid("networkset", "Set"), "NetworkSet")]), "IPsOnNetworkSets"), code="TMG3009")],
    X + "OverridePublishPort": [case(PROXIES(r"192\.0\.2\.1:2525"), 2525), case(None, 0)],
    X + "OverrideServerPort": [case(PROXIES(r"10\.0\.0\.9:2626"), 2626), case(None, 0)],
    X + "UseFirewallIPAsSource": [case(None, 1, code=""), case(None, 0, code=each("TMG2061", "TMG2061", "")), case(None, 0, base="firewall", code=each("TMG2061", "TMG2061", ""))],
    "Protocol/Name": [case(None, "Other")],
    "Protocol/PrimaryConnections": [move(PROXIES(r":26\b"), lambda p, r: find(p, "ProtocolConnections").append(element(connection("x", 9, 26)))),
                                    move(PROXIES(r"server_rule"), lambda p, r: remove(p, "PrimaryConnections"), code="TMG1060")],
    "Protocol/SecondaryConnections": [move(None, lambda p, r: put(p, node("ProtocolConnections", "SecondaryConnections", connection("x", 9, 1024, 65535)), "SecondaryConnections"))],
    "Protocol/ApplicationFilters": [move(None, lambda p, r: put(p, refs("ApplicationFilters", [("SMTP Filter", "ApplicationFilter")]), "ApplicationFilters"))],
    "ProtocolConnection/ConnectionType": [case(each(r"udp", None, None), 17), case(None, 6, code=""), case(PROXIES(r"server_rule"), 47, code="TMG2060")],
    "ProtocolConnection/PortLow": [case(PROXIES(r"192\.0\.2\.1:24-25"), 24), case(PROXIES(r"server_rule"), 26, code="TMG1060")],
    "ProtocolConnection/PortHigh": [case(PROXIES(r"192\.0\.2\.1:25-28"), 28), case(None, 25), case(PROXIES(r"server_rule"), 9000, code="TMG2060")],
    "ProtocolConnection/Direction": [case(PROXIES(r"server_rule"), 1, code="TMG1060"), case(None, 0)],
    "NetworkRule/Enabled": [case(PROXIES(r"192\.0\.2\.1:25"), 0, code=""), case(None, 1)],
    "NetworkRule/RoutingType": [case(None, 0), case(PROXIES(r"192\.0\.2\.1:25"), 1, code=""), case(PROXIES(r"192\.0\.2\.1:25"), 0, base="nat")],
    "NetworkRule/SourceSelectionIPs": [move(PROXIES(r"192\.0\.2\.1:25"), lambda p, r: point(find(p, "SelectionIPs", "SourceSelectionIPs"), guid("network", "Nowhere")), code="")],
    "NetworkRule/DestinationSelectionIPs": [move(PROXIES(r"192\.0\.2\.1:25"), lambda p, r: point(find(p, "SelectionIPs", "DestinationSelectionIPs"), guid("network", "Nowhere")), code="")],
    "VendorParametersSet/AddHttpsFrontEndOn": [move(r"(?i)front.end.https", lambda p, r: set_scalar(find(p, "Parameter"), "Value", 1), base="front")],
}


FILTER = '<Configuration BlockExecutables="true" MaxRequestBodyLen="1000"><Verbs AllowUnlisted="1"><Verb Value="TRACE"/></Verbs></Configuration>'
VENDOR_CHANGES = {"XML_POLICY": r"filter|405|403|method|TRACE", "LinkTranslationDictionary": r"from\.example", "ArrayParameters": None}


def at(name, storage=None):
    return lambda root: find(root, name, storage)


# Rows whose element is another one than the first of its object: (where, case).
PLACED = {
    "AppliedSSLCertificate/IPAddress": [(at("AppliedSSLCertificate"), case(None, "127.0.0.1", code=""))],
    "Network/NetworkSetType": [(at("NetworkSet"), case(r"10\.1\.", 1, base="networkset")), (at("NetworkSet"), case(None, 0, base="networkset"))],
    "Network/Networks": [(at("NetworkSet"), move(r"203\.0\.113\.", lambda p, r: find(p, "Refs").append(element(ref(guid("x"), guid("network", "Nowhere"), "Network"))), base="networkset", code=""))],
    "Addresses/IPMask": [(at("Subnet", guid("subnet", "Middle")), case(r"198\.51\.100\.", "255.255.255.192", base="subnet", code=""))],
    "Addresses/IPFrom": [(at("AddressRange", guid("addressrange", "Low")), case(r"198\.51\.100\.19", "198.51.100.19", base="range", code=""))],
    "Addresses/IPTo": [(at("AddressRange", guid("addressrange", "Low")), case(r"198\.51\.100\.", "198.51.100.30", base="range", code=""))],
    "Addresses/Computers": [(at("ComputerSet"), move(r"198\.51\.100\.3\b", lambda p, r: remove(p, "Computers"), base="set"))],
    "Addresses/AddressRanges": [(at("ComputerSet"), move(r"198\.51\.100\.1", lambda p, r: remove(p, "AddressRanges"), base="set"))],
    "Addresses/Subnets": [(at("ComputerSet"), move(r"198\.51\.100\.6|198\.51\.100\.7", lambda p, r: remove(p, "Subnets"), base="set"))],
    "Ref/IncludeStatus": [(lambda root: find(find(root, "Refs", "Computers"), "Ref"), case(r"198\.51\.100\.7|198\.51\.100\.8", 1, base="computer")),
                          (lambda root: find(find(root, "Refs", "Computers"), "Ref"), case(None, 0, base="computer"))],
}
PLACED["Network/Name"] = [(at("Network", guid("network", "Nowhere")), case(r"203\.0\.113|403|deny|closed", "Other", base="nowhere", code="TMG4003"))]
for _row, _base, _change in (
        ("XML_POLICY", "plain", lambda p, r: put(find(r, "PolicyRule"), parameters({HTTP_FILTER: {"XML_POLICY": FILTER}}))),
        ("LinkTranslationDictionary", "links", lambda p, r: put(find(r, "PolicyRule"), parameters({LINK_DICTIONARY: {"http://from.example": "https://to.example"}}))),
        ("ArrayParameters", "plain", lambda p, r: find(r, "Array").insert(0, element(parameters({KB_SWITCHES: {"SomeSwitch": 1}}))))):
    PLACED["VendorParametersSet/" + _row] = [(lambda root: root, move(VENDOR_CHANGES[_row], _change, base=_base, code=LINKS if _base == "links" else None))]
# The parts of an HTTP filter: (attributes of the root, of UrlValidation, below UrlValidation, behind it), beside the same
# filter without them.
_exe = '<Extensions AllowCondition="2"><Extension Value=".exe"/></Extensions>'
FILTER_PARTS = {
    "Verbs": [("", "", "", '<Verbs AllowCondition="2"><Verb Value="TRACE"/></Verbs>', r"(?i)trace"),
              ("", "", "", '<Verbs AllowCondition="1"><Verb Value="PUT"/></Verbs>', r"(?i)put")],
    "UrlValidation/Extensions": [("", "", _exe, "", r"exe|65"), ("", "", _exe.replace('"2"', '"1"'), "", r"exe|!~.*65|!{.*65")],
    "UrlValidation/MaxLength": [("", 'MaxLength="777"', "", "", r"77[78]")],
    "UrlValidation/MaxQueryLength": [("", 'MaxQueryLength="777"', "", "", r"77[78]")],
    "UrlValidation/VerifyNormalization": [("", 'VerifyNormalization="true"', "", "", r"25|Verify")],
    "UrlValidation/AllowHighBitCharacters": [("", 'AllowHighBitCharacters="false"', "", "", r"89a-f|8-9|x80|HighBit")],
    "UrlValidation/BlockDotInPath": [("", 'BlockDotInPath="true"', "", "", r"\.|BlockDot")],
    "UrlValidation/NormalizeBeforeScan": [("", 'NormalizeBeforeScan="false"', _exe, "", r"exe")],
    "MaxRequestBodyLen": [('MaxRequestBodyLen="777777"', "", "", "", r"777777")],
    "RequestHeaders": [("", "", "", '<RequestHeaders><Header Value="X-Bad"/></RequestHeaders>', r"(?i)x.bad")],
    "ResponseHeaders": [("", "", "", '<ResponseHeaders><Header Value="X-Bad"/></ResponseHeaders>', r"(?i)x.bad")],
    "DeniedSignatures": [("", "", "", '<DeniedSignatures><Signature SearchIn="Request body" Pattern="bot"/></DeniedSignatures>', r"bot")],
    "BlockExecutables": [('BlockExecutables="true"', "", "", "", r"Executables")],
    "ViaHeaderAction": [('ViaHeaderAction="2" NewViaHeaderValue="1.1 edge"', "", "", "", r"1\.1 edge")],
    "ServerHeaderAction": [('ServerHeaderAction="2" NewServerHeaderValue="edge"', "", "", "", r"edge")],
}


def filter_of(root="", urls="", below="", behind=""):
    return "<Configuration %s><UrlValidation %s>%s</UrlValidation>%s</Configuration>" % (root, urls, below, behind)


def with_filter(text):
    return lambda parent, root: put(find(root, "PolicyRule"), parameters({HTTP_FILTER: {"XML_POLICY": text}}))


BASES["filter"] = lambda: array(dict(vendor={HTTP_FILTER: {"XML_POLICY": filter_of()}}))
BASES["extensions"] = lambda: array(dict(vendor={HTTP_FILTER: {"XML_POLICY": filter_of(below=_exe)}}))
for _row, _parts in FILTER_PARTS.items():
    PLACED["VendorParametersSet/XML_POLICY/" + _row] = [
        (lambda root: root, move(_part[4], with_filter(filter_of(*_part[:4])), base="extensions" if "Normalize" in _row else "filter"))
        for _part in _parts]
# Rules of other kinds: whatever is set in one, it is counted as not converted, and nothing changes.
OTHER_KINDS = {"AccessProperties": "access"}
PLACED["AccessProperties/UserSets"] = [(at("PolicyRule"), move(r"users|Staff", lambda p, r: (remove(find(p, "WebPublishingProperties"), "UserSets"), put(p, node(
    "AccessProperties", "AccessProperties", refs("UserSets", [(guid("users", "Staff"), "UserSet")])))), base="plain"))]
# Where the changed lines are comments, because that is what the setting is for.
COMMENTS_COUNT = {"PolicyRule/Name", "WebListener/Name", "ServerFarm/Name", "Network/Name", "ProxyScheduleTemplate/Name"}
# What a setting with no effect is set to, by its type.
NO_EFFECT = {"string": ["x", ""], "int": [0, 1, 2], "bool": [0, 1], "hex": ["00", "ff"]}


# ---- running -------------------------------------------------------------------------------------------------------------
def meaningful(text, comments):
    """The lines of a config that say something, in order; a line's own place in the export is not part of it."""
    lines = (re.sub(r"export line \d+|\bline: \d+", "", l).strip() for l in text.split("\n"))
    return [l for l in (l if comments else re.sub(r"(^|\s)#.*$", "", l).strip() for l in lines) if l]


class Runner:
    def __init__(self, t):
        self.t, self.site, self.bases = t, t.write("site.yaml", SITE), {}

    def convert(self, text):
        """({target: text}, {(code, target)}) of an export, or None with a failed check."""
        out = self.t.path("out")
        shutil.rmtree(out, ignore_errors=True)
        r = self.t.convert(self.t.write("changed.xml", text), out, "-q", site=self.site)
        if not self.t.check(r.status in (0, 1), "convert:", r):
            return None
        found = set()
        for f in json.loads(read(self.t.path("out", "report.json")))["findings"]:
            found |= {(f["code"], target) for target in (f["targets"] or CONFIGS)}
        files = {target: [os.path.join(out, *place) for place in places] for target, places in CONFIGS.items()}
        return {target: "".join(read(f).decode() for f in names if os.path.exists(f)) for target, names in files.items()}, found

    def base(self, name):
        if name not in self.bases:
            text = BASES[name]()
            again = ElementTree.tostring(ElementTree.fromstring(text), encoding="unicode")
            self.bases[name] = (text, self.convert(again))
        return self.bases[name]

    def differences(self, row, where, one, comments):
        """{target: changed lines}, findings of the changed export, those that are new."""
        base, change, _, _, _ = one
        text, before = self.base(base or BASE_OF.get(row["object"], "plain"))
        root = ElementTree.fromstring(text)
        change(where(root), root, row["names"][0])
        after = self.convert(ElementTree.tostring(root, encoding="unicode"))
        if not before or not after:
            return None
        lines = {}
        for target in CONFIGS:
            a, b = meaningful(before[0][target], comments), meaningful(after[0][target], comments)
            old, new = set(a), set(b)
            lines[target] = [l for l in a if l not in new] + [l for l in b if l not in old]
            if not lines[target] and a != b:
                lines[target] = ["in another order"] + b
        return lines, after[1], after[1] - before[1]


def carried(row, target, line):
    """publishd.yaml carries settings in the policy's words, whatever the daemon makes of them."""
    key = (row["policy"] or "").split(".")[-1]
    return target == "publishd" and (bool(key) and re.match(r"(- )?%s\b" % key, line) or row["object"] == "VendorParametersSet" or key == "parameters")


def judge(t, name, row, one, result):
    """One case against its expectation and the row's fates."""
    lines, found, new = result
    expected, code = one[2], one[3]
    for target in CONFIGS:
        fate = row["targets"][target]
        pattern = expected.get(target) if isinstance(expected, dict) else expected
        what = "%s = %s on %s (%s)" % (name, one[4], target, fate)
        changed = [l for l in lines[target] if not carried(row, target, l)]
        if expected is None:
            t.check(not changed, what + ": the config changes:", changed[:4])
        elif pattern and fate == "exact":
            t.check(any(re.search(pattern, l) for l in lines[target]), what + ": nothing that changes has %s:" % pattern, lines[target][:6])
        wanted = code.get(target) if isinstance(code, dict) else code
        if wanted is None and fate not in ("exact", "none"):
            wanted = row["finding"]
        if wanted:
            t.check((wanted, target) in found, what + ": no finding %s, but" % wanted, sorted({c for c, on in new if on == target}))
        elif expected is None and row["finding"]:
            t.check((row["finding"], target) not in new, what + ": asks for nothing, and has a finding")


def first(row):
    return AT.get(row["object"], lambda root: find(root, row["object"]))


def of_another_kind(row, base):
    own = row["names"][0]
    scalars = row["type"] in NO_EFFECT
    holder = refs(own, [(guid("protocol", "x"), "Protocol")]) if row["type"] in ("ref", "refs") else node(own, own)
    return case(None, 1, base) if scalars else move(None, lambda parent, root: put(parent, holder, own), base)


def without_effect(t, runner, name, row):
    """A row that has no effect on any target says why, and changes nothing."""
    t.check(len(row["note"]) > 5, name + " does not say why it has no effect")
    t.check(name not in CASES, name + " has a case, but no effect")
    for value in NO_EFFECT.get(row["type"], [None]):
        if value is None:
            holder = node(row["names"][0], row["names"][0], string("Name", "x"))
            one = (None, lambda parent, root, own: put(parent, holder), None, "", "there")
        else:
            one = case(None, value, code="")
        try:
            result = runner.differences(row, first(row), one, False)
        except LookupError:
            t.check(row["object"] == "Protocol", name + " has no place in a plain export")
            continue
        if result:
            judge(t, name, row, one, result)


@test
def test_mutation(t):
    """Every row of the settings table has its cases, and each shows what the row says."""
    rows = json.loads(t.run("capabilities", "--format", "json").out)
    runner, cases = Runner(t), 0
    names = ["%s/%s" % (row["object"], row["names"][0]) for row in rows]
    t.check(not CASES.keys() - set(names), "cases of no row:", sorted(CASES.keys() - set(names)))
    for name, row in zip(names, rows):
        if set(row["targets"].values()) == {"none"}:
            without_effect(t, runner, name, row)
            continue
        kind = OTHER_KINDS.get(row["object"])
        mine = [(first(row), of_another_kind(row, kind))] if kind and name not in PLACED else []
        mine += [(first(row), c) for c in CASES.get(name, [])] + PLACED.get(name, [])
        t.check(mine, "%s has no case in tests/suite/mutation.py" % name)
        for where, one in mine:
            result = runner.differences(row, where, one, name in COMMENTS_COUNT)
            if result:
                judge(t, name, row, one, result)
                cases += 1
    t.note = "%d rows, %d cases" % (len(rows), cases)
