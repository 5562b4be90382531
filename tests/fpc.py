"""Writes ISA 2006 / TMG 2010 configuration exports: the samples, the bench's big array and the random policies are made with it.

One function an object of the source product; each gives an element, and `document` gives the text. Elements are
spelled as the product spells them (fpc4 prefix, dt:dt types, StorageName, StorageType); GUIDs are derived from
names, so that the same description gives the same bytes.
"""
import hashlib
import uuid
from xml.sax.saxutils import escape

NAMESPACE = uuid.UUID("6d1f6a2e-0a53-4f2c-9d5d-3a0f8a3f6c11")
EXTERNAL = "{F129EACF-778B-44FE-B339-5B752D7220A3}"
FBA_WITH_AD = "{4C0562DC-2D02-4fe3-A870-D308D6DC74D9}"
HTTP_FILTER = "{f1076e51-bbaf-48ba-a2d7-b0875211e80d}"
LINK_DICTIONARY = "{3563FFF5-DF93-40eb-ABC3-D24B5F14D8AA}"
FRONT_END_HTTPS = "{5e302ed5-f5d5-4fad-9b8a-01c72e1569f3}"
KB_SWITCHES = "{143F5698-103B-12D4-FF34-1F34767DEabc}"

# bridging, delegation, SSL requirement, HTTP->HTTPS redirect: the source's numbers by name
HTTP, SSL, BOTH, FTP = range(4)
PASS, BLOCK, SECURID, BASIC, NTLM, NEGOTIATE, KERBEROS = range(7)


def guid(*words):
    """The GUID of the object that these words name."""
    return "{%s}" % str(uuid.uuid5(NAMESPACE, "/".join(map(str, words)))).upper()


def thumbprint(subject):
    """A certificate's SHA-1 thumbprint, as the export has it."""
    return hashlib.sha1(subject.encode()).hexdigest()


# ---- elements: (name, attributes, text or list of elements) ----------------

def _scalar(dt):
    return lambda name, value: (name, ' dt:dt="%s"' % dt, str(value))


string, integer, hexadecimal = _scalar("string"), _scalar("int"), _scalar("bin.hex")


def boolean(name, value):
    return (name, ' dt:dt="boolean"', "1" if value else "0")


def scalar(name, value):
    """A scalar of the type that the Python value has."""
    if isinstance(value, bool):
        return boolean(name, value)
    return integer(name, value) if isinstance(value, int) else string(name, value)


def node(name, storage, *children, kind=1):
    """An object: scalars first, by name, then everything else in the order given."""
    children = [c for c in children if c is not None]
    scalars = sorted((c for c in children if "dt:dt" in c[1]), key=lambda c: c[0])
    rest = [c for c in children if "dt:dt" not in c[1]]
    return (name, ' StorageName="%s" StorageType="%d"' % (escape(storage, {'"': "&quot;"}), kind), scalars + rest)


def strings(name, values):
    return (name, "", [string("Str", v) for v in values])


def ref(slot, target, refclass, exclude=False, enterprise=False):
    return node("Ref", slot, string("Name", target), string("RefClass", "msFPC" + refclass),
                integer("IncludeStatus", 1) if exclude else None, integer("Scope", 1) if enterprise else None)


def refs(slot, items):
    """items: the arguments of ref() without the slot."""
    return node("Refs", slot, *[ref(guid("ref", slot, n, *i[:2]), *i) for n, i in enumerate(items)])


def parameters(sets):
    """sets: {set guid: {name: value}}."""
    return node("VendorParametersSets", "VendorParametersSets", *[
        node("VendorParametersSet", set_guid, *[
            node("Parameter", guid("parameter", set_guid, n), string("Name", n), scalar("Value", v))
            for n, v in values.items()])
        for set_guid, values in sets.items()])


# ---- network objects --------------------------------------------------------

def network(name, ranges=(), kind=4, at=None, stored=1):
    return node("Network", at or guid("network", name), string("Name", name), integer("NetworkType", kind),
                node("IpRangeSet", "IpRangeSet", *[
                    node("IpRange", guid("range", name, a), string("IPFrom", a), string("IPTo", b), kind=stored)
                    for a, b in ranges], kind=stored) if ranges else None, kind=stored)


def external(stored=2):
    return node("Network", EXTERNAL, string("Description", "Built-in network object representing the Internet."),
                string("Name", "External"), integer("NetworkType", 3), kind=stored)


def computer(name, address):
    return node("Computer", guid("computer", name), string("Name", name), string("IPAddress", address))


def address_range(name, low, high):
    return node("AddressRange", guid("addressrange", name), string("Name", name), string("IPFrom", low), string("IPTo", high))


def subnet(name, address, mask):
    return node("Subnet", guid("subnet", name), string("Name", name), string("IPAddress", address), string("IPMask", mask))


# ---- listeners, farms, schedules, user sets ----------------------------------

def listener(name, addresses=(), http=80, https=0, certificates=(), forms=None, sso=(), kind=1, network_guid=EXTERNAL, **properties):
    """certificates: (thumbprint, address or ""); forms: properties of FormsBasedAuthenticationProperties."""
    properties.setdefault("IntegratedWindowsAuthentication", False)
    on = node("IPOnNetwork", guid("on", name), integer("IPSelectionMethod", 2 if addresses else 0),
              ref("Network", network_guid, "Network"),
              node("IPAddresses", "IPAddresses", strings("IPAddressesStrings", addresses)) if addresses else None)
    return node(
        "WebListener", guid("listener", name), string("Name", name),
        node("WebListenerProperties", "WebListenerProperties",
             integer("TCPPort", http), integer("SSLPort", https), *[scalar(k, v) for k, v in properties.items()],
             refs("AuthenticationSchemes", [(FBA_WITH_AD, "AuthenticationScheme")]) if forms is not None else None,
             node("DomainNameSet", "DomainNameSet", strings("DomainNameStrings", sso), string("Name", "")) if sso else None,
             node("AppliedSSLCertificates", "AppliedSSLCertificates", *[
                 node("AppliedSSLCertificate", guid("applied", name, n), string("IPAddress", ip) if ip else None,
                      hexadecimal("SSLCertificateHash", hex_))
                 for n, (hex_, ip) in enumerate(certificates)]) if certificates else None,
             node("FormsBasedAuthenticationProperties", "FormsBasedAuthenticationProperties",
                  *[scalar(k, v) for k, v in forms.items()]) if forms else None),
        refs("SourceNetworkSets", []),
        node("IPsOnNetworks", "IPsOnNetworks", on), kind=kind)


def forms_scheme():
    return node("AuthenticationScheme", FBA_WITH_AD,
                string("Description", "Enables forms-based (cookie) authentication using Active Directory"),
                string("Name", "FBA with AD"), boolean("Predefined", True), integer("Provides", 2),
                string("Vendor", "Microsoft (R) Corporation"), string("Version", "4.0"), kind=2)


def farm(name, members, request=0, address="http://*/", host="", port=0, threshold=0):
    """members: host names, a drained one as (name, True)."""
    members = [m if isinstance(m, tuple) else (m, False) for m in members]
    return node("ServerFarm", guid("farm", name), string("Name", name),
                node("PublishedServers", "PublishedServers", *[
                    node("PublishedServer", guid("member", name, m), string("NameOrIP", m),
                         boolean("DrainStopped", True) if drained else None)
                    for m, drained in members]),
                node("ConnectivityVerifier", "ConnectivityVerifier", integer("RequestType", request),
                     string("ServerAddress", address) if address else None, string("HostHeader", host) if host else None,
                     integer("TCPPort", port) if port else None, integer("Threshold", threshold) if threshold else None))


def schedule(name, hours):
    """hours: the hours of the week in which it applies, 0 = Sunday 00:00."""
    bits = sum(1 << (167 - h) for h in hours)
    return node("ProxyScheduleTemplate", guid("schedule", name), string("Name", name), hexadecimal("Schedule", "%042x" % bits))


def user_set(name, accounts):
    """accounts: "DOMAIN-Name" of groups."""
    return node("UserSet", guid("users", name), string("Name", name),
                node("Accounts", "Access", *[
                    node("Account", a, string("AccountSid", "S-1-5-21-1004336348-1177238915-682003330-%d" % (1100 + n)),
                         integer("AccountType", 1))
                    for n, a in enumerate(accounts)]))


ALL_USERS = guid("users", "All Users")
AUTHENTICATED = guid("users", "All Authenticated Users")


def predefined_users():
    return [node("UserSet", g, string("Name", n), boolean("Predefined", True), kind=2)
            for g, n in ((ALL_USERS, "All Users"), (AUTHENTICATED, "All Authenticated Users"))]


# ---- rules ---------------------------------------------------------------------

SOURCE_SLOTS = (("network", "Networks", "Network"), ("networkset", "NetworkSets", "NetworkSet"), ("computer", "Computers", "Computer"),
                ("computerset", "ComputerSets", "ComputerSet"), ("addressrange", "AddressRanges", "AddressRange"), ("subnet", "Subnets", "Subnet"))


def sources(included=(), excluded=(), slot="SourceSelectionIPs"):
    """Each source is (kind, name), kind as in SOURCE_SLOTS; nothing at all means anywhere."""
    place = slot
    groups = []
    for kind, slot, refclass in SOURCE_SLOTS:
        items = [(EXTERNAL if s == ("network", "External") else guid(*s), refclass, out)
                 for out, group in ((False, included), (True, excluded)) for s in group if s[0] == kind]
        if items:
            groups.append(refs(slot, items))
    return node("SelectionIPs", place, *groups)


def content_types(name, types):
    return node("ContentTypeSet", guid("types", name), string("Name", name), strings("ContentStrings", types))


def compression(types, listeners=(), excepted=(), clients=None, servers=None, **properties):
    """HTTP compression of the array. types: names of content type sets; clients, servers: arguments of sources()."""
    return node("WebProxy", "WebProxy", node(
        "HTTPCompressionConfiguration", "HTTP-Compression-Configuration", *[scalar(*p) for p in properties.items()],
        refs("CompressibleContentTypeSets", [(guid("types", n), "ContentTypeSet") for n in types]),
        refs("WebListenerUsed", [(guid("listener", n), "WebListener", out) for out, names in ((False, listeners), (True, excepted)) for n in names]),
        sources(*clients, slot="RequestSource") if clients else None, sources(*servers, slot="RequestDestination") if servers else None))


def path(n, rule_name, external, internal=None):
    """One path mapping; internal None: the same as external."""
    return node("PathMapping", guid("path", rule_name, n), boolean("SameAsInternalPath", internal is None),
                string("InternalPath", external if internal is None else internal),
                string("ExternalPath", external) if internal is not None else None)


def web_rule(name, order, listener_name, names=(), paths=("/*",), site="", users=ALL_USERS, description="", enabled=True,
             deny=False, redirect="", source=(), exclude=(), when=None, farm_name=None, affinity_by_address=False,
             vendor=None, all_names=False, **properties):
    """A web publishing rule. paths: "/x/*" or (external, internal). properties: scalars by their own names."""
    paths = [p if isinstance(p, tuple) else (p,) for p in paths]
    user_guid = users if users.startswith("{") else guid("users", users)
    return node(
        "PolicyRule", guid("rule", name), string("Name", name), string("Description", description) if description else None,
        integer("Action", 1) if deny else None, boolean("Enabled", enabled), hexadecimal("Order", "%016x" % order), integer("Type", 2),
        ref("ScheduleUsed", guid("schedule", when), "ProxyScheduleTemplate") if when else None,
        sources(source, exclude),
        node("WebPublishingProperties", "WebPublishingProperties",
             string("WebSite", site) if site else None,
             boolean("AllPublicNames", True) if all_names else None,
             string("RedirectUrl", redirect) if redirect else None,
             boolean("LoadBalancingEnabled", True) if farm_name else None,
             *[scalar(k, v) for k, v in properties.items()],
             node("PublicNames", "PublicNames", strings("PublicNamesStrings", names)) if names else None,
             node("PathMappings", "PathMappings", *[path(n, name, *p) for n, p in enumerate(paths)]),
             node("LoadBalancingConfig", "LoadBalancingConfig", integer("AffinityType", int(affinity_by_address)),
                  ref("ServerFarm", guid("farm", farm_name), "ServerFarm")) if farm_name else None,
             ref("WebListenerUsed", guid("listener", listener_name), "WebListener"),
             refs("UserSets", [(user_guid, "UserSet")])),
        parameters(vendor) if vendor else None)


def access_rule(name, order, deny=False, system=False, predefined=False):
    return node("PolicyRule", guid("rule", name), string("Name", name), boolean("Enabled", True), integer("Type", 0),
                integer("Action", 1) if deny else None, boolean("System", True) if system else None,
                boolean("Predefined", True) if predefined else None, hexadecimal("Order", "%016x" % order),
                sources([("network", "Internal")]) if not predefined else sources(),
                node("AccessProperties", "AccessProperties", integer("ProtocolSelectionMethod", 0),
                     refs("UserSets", [(ALL_USERS, "UserSet")])))


TCP, UDP = 6, 17


def connection(name, n, low, high=None, transport=TCP, direction=None):
    """One of a protocol's connections; TCP is not written, as in real exports."""
    return node("ProtocolConnection", guid("connection", name, n), integer("PortLow", low), integer("PortHigh", high or low),
                integer("ConnectionType", transport) if transport != TCP else None,
                integer("Direction", direction) if direction is not None else None)


def protocol(name, primary, secondary=(), filters=()):
    """primary, secondary: arguments of connection() from the first port on; filters: names."""
    def slot(what, connections):
        return node("ProtocolConnections", what, *[connection(name, "%s %d" % (what, n), *c) for n, c in enumerate(connections)])
    return node("Protocol", guid("protocol", name), string("Name", name), slot("PrimaryConnections", primary),
                slot("SecondaryConnections", secondary) if secondary else None,
                refs("ApplicationFilters", [(f, "ApplicationFilter") for f in filters]) if filters else None, kind=2)


def server_rule(name, order, server, address="", published="SMTP Server", enabled=True, deny=False, source=(), exclude=(), when=None,
                network_guid=EXTERNAL, ports=(0, 0), description="", **properties):
    """A server publishing rule. address: where it listens, one or a list, none for all of External; ports: the limits of client ports."""
    addresses = [address] if isinstance(address, str) and address else list(address)
    return node("PolicyRule", guid("rule", name), string("Name", name), boolean("Enabled", enabled), integer("Type", 1),
                string("Description", description) if description else None, integer("Action", 1) if deny else None,
                integer("LimitSourcePortLow", ports[0]) if ports[0] else None, integer("LimitSourcePortHigh", ports[1]) if ports[1] else None,
                hexadecimal("Order", "%016x" % order), ref("ScheduleUsed", guid("schedule", when), "ProxyScheduleTemplate") if when else None,
                sources(source, exclude),
                node("ServerPublishingProperties", "ServerPublishingProperties", string("PublishedServerIP", server),
                     *[scalar(k, v) for k, v in properties.items()],
                     ref("PublishedProtocol", guid("protocol", published), "Protocol"),
                     node("IPsOnNetworks", "IPsOnNetworks",
                          node("IPOnNetwork", guid("on", name), integer("IPSelectionMethod", 2 if addresses else 0), ref("Network", network_guid, "Network"),
                               node("IPAddresses", "IPAddresses", strings("IPAddressesStrings", addresses)) if addresses else None)),
                     refs("IPsOnNetworkSets", [])))


ROUTE, NAT = 0, 1


def network_rule(name, order, kind, from_networks, to_networks, enabled=True):
    """from_networks, to_networks: names of networks; kind: ROUTE or NAT."""
    def side(slot, networks):
        return node("SelectionIPs", slot, refs("Networks", [(EXTERNAL if n == "External" else guid("network", n), "Network") for n in networks]))
    return node("NetworkRule", guid("networkrule", name), boolean("Enabled", enabled), string("Name", name), hexadecimal("Order", "%016x" % order),
                integer("RoutingType", kind), side("SourceSelectionIPs", from_networks), side("DestinationSelectionIPs", to_networks))


# ---- the document ----------------------------------------------------------------

TMG = dict(build="7.0.9193.644", xml="9.0", compatibility=4, edition=32, mode=True)
ISA_2006 = dict(build="5.0.5723.514", xml="5.30", compatibility=1, edition=16, mode=False)


def document(item, rules=(), listeners=(), elements=None, networks=(), vendor=None, product=TMG, name="", extra=(), network_rules=()):
    """item: (class id, storage name) of what was exported. elements: {collection: [objects]} of RuleElements."""
    whole = 1 if name else 0
    elements = dict(elements or {})
    elements.setdefault("WebListeners", list(listeners))
    collections = [node(c, c, *objects, kind=whole) for c, objects in elements.items()]
    array = node(
        "Array", guid("array", name or item[1]), integer("AdminMajorVersion", 0), integer("AdminMinorVersion", 0),
        integer("Components", -1), string("DNSName", name.lower() + ".corp.example" if name else ""), string("Name", name),
        string("Version", product["build"] if name else "0"),
        parameters(vendor) if vendor else None,
        node("RuleElements", "RuleElements", *collections, kind=whole),
        node("NetConfig", "NetConfig", node("Networks", "Networks", *(networks or [external()]), kind=whole),
             node("NetworkRules", "NetworkRules", *network_rules, kind=whole) if network_rules else None, kind=whole),
        node("ArrayPolicy", "ArrayPolicy", node("PolicyRules", "PolicyRules", *rules, kind=1), kind=whole) if rules else None,
        *extra, kind=whole)
    head = [string("Build", product["build"]), string("Comment", ""), integer("Edition", product["edition"]),
            integer("EnterpriseLevel", 2), string("ExportItemClassCLSID", item[0]),
            integer("ExportItemCompatibilityVersion", product["compatibility"]), integer("ExportItemScope", 0),
            string("ExportItemStorageName", item[1]), string("IsaXmlVersion", product["xml"]), integer("OptionalData", 0),
            boolean("Upgrade", False)]
    if product["mode"]:
        head.append(integer("ConfigurationMode", 0))
    root = ("Root", ' xmlns:fpc4="http://schemas.microsoft.com/isa/config-4" xmlns:dt="urn:schemas-microsoft-com:datatypes"'
            ' StorageName="FPC" StorageType="0"', head + [node("Arrays", "Arrays", array, kind=0)])
    out = ['<?xml version="1.0" encoding="UTF-8"?>']
    _render(out, root, "")
    return "\n".join(out) + "\n"


def _render(out, element, indent):
    name, attributes, content = element
    if not content:
        out.append("%s<fpc4:%s%s/>" % (indent, name, attributes))
    elif isinstance(content, str):
        out.append("%s<fpc4:%s%s>%s</fpc4:%s>" % (indent, name, attributes, escape(content), name))
    else:
        out.append("%s<fpc4:%s%s>" % (indent, name, attributes))
        for child in content:
            _render(out, child, indent + "\t")
        out.append("%s</fpc4:%s>" % (indent, name))
