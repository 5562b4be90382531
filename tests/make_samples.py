#!/usr/bin/env python3
"""Writes samples/*/export.xml. Usage: make_samples.py [FOLDER]

The exports are of our own making, in the real format. Each function below describes one installation; run this after
changing one, then `make goldens` and read the difference. What each sample is for stands in samples/README.md.
"""
import os
import sys
from fpc import *  # the vocabulary of the format

ARRAY = ("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", None)
POLICY = ("{3B1E2E9C-59E1-4D5C-9D1A-5C0D1F5A4E77}", "PolicyRules")
WEB_LISTENER = "{A4C6B79A-849E-4459-8B23-82B093040C55}"


def array(name):
    return (ARRAY[0], guid("array", name))


def lync(names, forward_host):
    """A firewall policy export of a Lync 2010 edge: web services over HTTPS, discovery and the CRL over HTTP."""
    host = {"SendOriginalHostHeader": True} if forward_host else {}
    rules = [
        web_rule("Lync 2010 Web Services", 1, "Lync HTTPS", names, ["/*"], site="lyncpool01.corp.contoso.example",
                 PublishedServer="lyncfe01.corp.contoso.example", PublishedServerType=SSL, SSLRedirectPort=4443,
                 CredentialsDelegationType=PASS, **host),
        web_rule("Lync Discover", 2, "Lync HTTP", ["lyncdiscover.contoso.example"], ["/*"], site="lyncpool01.corp.contoso.example",
                 PublishedServer="lyncfe01.corp.contoso.example", PublishedServerType=HTTP, HTTPRedirectPort=8080,
                 CredentialsDelegationType=BLOCK, **host),
        web_rule("Certificate Revocation List", 3, "Lync HTTP", ["crl.contoso.example"], [("/crl/*", "/CertEnroll/*")],
                 site="pki01.corp.contoso.example", PublishedServerType=HTTP, CredentialsDelegationType=BLOCK),
    ]
    listeners = [
        listener("Lync HTTPS", ["192.0.2.20"], http=0, https=443, certificates=[(thumbprint("lync.contoso.example"), "")], kind=2),
        listener("Lync HTTP", ["192.0.2.20"], http=80, kind=2),
    ]
    return document(POLICY, rules, listeners, {"UserSets": predefined_users()}, [external()])


def exchange_2010():
    """Forms for browsers, Integrated with constrained delegation for Outlook, and what is open to everybody."""
    mail, eas, open_ = "mail.contoso.example", "eas.contoso.example", "Exchange Open"
    cas = dict(site="cas.corp.contoso.example", farm_name="CAS farm", PublishedServerType=SSL, PublishedServerApplication=1)
    kerberos = dict(cas, users="All Authenticated Users", affinity_by_address=True, CredentialsDelegationType=KERBEROS,
                    ServicePrincipalName="http/*")
    rules = [
        web_rule("OWA root", 1, "Exchange Forms", [mail], ["/"], deny=True, redirect="https://mail.contoso.example/owa/",
                 description="Sends the bare name to OWA."),
        web_rule("OWA", 2, "Exchange Forms", [mail], ["/owa/*", "/ecp/*", "/public/*", "/exchange/*"], **cas,
                 users="All Authenticated Users", CredentialsDelegationType=BASIC, SendAcceptEncodingHeader=True,
                 LogoffURL="/owa/logoff.owa", BlockAttachmentsForPublicComputers=True, SSLRequireSecureChannel=1,
                 vendor={FRONT_END_HTTPS: {"AddHttpsFrontEndOn": True}}),
        web_rule("Outlook Anywhere", 3, "Exchange Integrated", ["outlook.contoso.example"], ["/rpc/*"], **kerberos),
        web_rule("EWS and Autodiscover", 4, "Exchange Integrated", ["outlook.contoso.example", "autodiscover.contoso.example"],
                 ["/EWS/*", "/Autodiscover/*", "/OAB/*"], **kerberos),
        web_rule("ActiveSync", 5, open_, [eas], ["/Microsoft-Server-ActiveSync/*"], **cas, CredentialsDelegationType=PASS,
                 SendOriginalHostHeader=True, SSLRequireSecureChannel=1),
        web_rule("EWS for Fabrikam", 6, open_, [eas], ["/EWS/*"], **cas, CredentialsDelegationType=PASS,
                 source=[("subnet", "Fabrikam")], exclude=[("computer", "Fabrikam guests")],
                 description="Free and busy times for the partner, without its guest network."),
        web_rule("Offline address book", 7, open_, [eas], ["/OAB/*"], **cas),
        web_rule("Legacy OWA", 8, open_, ["legacy.contoso.example"], ["/exchange/*", "/exchweb/*", "/public/*"],
                 site="exch2003.corp.contoso.example", PublishedServer="10.0.0.23", PublishedServerType=HTTP,
                 CredentialsDelegationType=PASS, vendor={FRONT_END_HTTPS: {"AddHttpsFrontEndOn": True}}),
        web_rule("Revocation lists", 9, open_, ["crl.contoso.example"], [("/crl/*", "/CertEnroll/*")],
                 site="pki01.corp.contoso.example", PublishedServerType=HTTP),
        web_rule("Voice mail status", 10, open_, ["um.contoso.example"], [("/status/*", "/um/status/*")],
                 site="um01.corp.contoso.example", PublishedServerType=BOTH, HTTPRedirectPort=8081, SSLRedirectPort=8444),
        web_rule("Meeting rooms", 11, open_, ["rooms.contoso.example"], ["/*"], site="rooms.corp.contoso.example",
                 PublishedServerType=HTTP, SendOriginalHostHeader=True),
        web_rule("POP and IMAP help", 12, open_, ["help.contoso.example"], ["/*"], site="help.corp.contoso.example", enabled=False),
        web_rule("Signed-out page", 13, "Exchange Forms", [mail], ["/signedout.htm", "/images/*"], site="rooms.corp.contoso.example",
                 PublishedServerType=HTTP),
    ]
    certificate = thumbprint("mail.contoso.example")
    listeners = [
        listener("Exchange Forms", ["192.0.2.10"], http=80, https=443, certificates=[(certificate, "")], sso=[".contoso.example"],
                 SSOEnabled=True, RedirectHTTPAsHTTPS=2, Domain="CONTOSO",
                 forms={"SessionTimeOutForPublicComputers": 15, "SessionTimeOutUnitsForPublicComputers": 2,
                        "ChangePasswordAllowed": True}),
        listener("Exchange Integrated", ["192.0.2.11"], http=0, https=443, certificates=[(certificate, "")],
                 IntegratedWindowsAuthentication=True),
        listener("Exchange Open", ["192.0.2.12"], http=80, https=443, certificates=[(certificate, "192.0.2.12")],
                 ConnectionTimeout=1800),
    ]
    elements = {
        "Computers": [computer("Fabrikam guests", "198.51.100.66")],
        "Subnets": [subnet("Fabrikam", "198.51.100.0", "255.255.255.0")],
        "WebListeners": listeners,
        "AuthenticationSchemes": [forms_scheme()],
        "UserSets": predefined_users(),
        "ServerFarms": [farm("CAS farm", ["cas01.corp.contoso.example", "cas02.corp.contoso.example", ("cas03.corp.contoso.example", True)],
                             address="http://*/", host=mail, threshold=5000)],
    }
    switches = {KB_SWITCHES: {"EnableKcdWithSPNego": True, "UseFQDNinKerberosTicket": 2, "SendUnmodifiedOriginalHostHeader": True}}
    return document(array("EXCH-EDGE"), rules, elements=elements, networks=[external(), network("Internal", [("10.0.0.0", "10.255.255.255")])],
                    vendor=switches, name="EXCH-EDGE")


def sharepoint():
    """What the SharePoint wizard writes, and sites whose paths are mapped."""
    wizard = ["/_vti_inf.html*", "/_vti_bin/*", "/_upresources/*", "/_layouts/*", "/*"]
    farm_site = dict(site="sp01.corp.contoso.example", PublishedServerApplication=2)
    http_filter = ('<Configuration BlockExecutables="false" ViaHeaderAction="0" NewViaHeaderValue="" ServerHeaderAction="0" NewServerHeaderValue="" '
                   'MaxRequestBodyLen="107374182400"><UrlValidation NormalizeBeforeScan="true" VerifyNormalization="false" AllowHighBitCharacters="true" '
                   'BlockDotInPath="false" MaxLength="10240" MaxQueryLength="10240"><Extensions AllowCondition="0"/></UrlValidation>'
                   '<Verbs AllowCondition="0"/><RequestHeaders/><ResponseHeaders/><DeniedSignatures/></Configuration>')
    rules = [
        web_rule("Portal", 1, "SharePoint", ["portal.contoso.example"], wizard, **farm_site, PublishedServerType=SSL,
                 CredentialsDelegationType=PASS, SendOriginalHostHeader=True, AlternateAccessMappingConfigured=True, TranslateLinks=True,
                 LinkTranslationOptions=1, LogoffURL="/_layouts/SignOut.aspx", SendAcceptEncodingHeader=True,
                 vendor={FRONT_END_HTTPS: {"AddHttpsFrontEndOn": True}, HTTP_FILTER: {"XML_POLICY": http_filter},
                         LINK_DICTIONARY: {"http://portal.contoso.example": "https://portal.contoso.example"}}),
        web_rule("My sites", 2, "SharePoint", ["my.contoso.example"], ["/*"], **farm_site, PublishedServerType=HTTP, HTTPRedirectPort=8088,
                 SendOriginalHostHeader=True, AlternateAccessMappingConfigured=True,
                 vendor={FRONT_END_HTTPS: {"AddHttpsFrontEndOn": True}}),
        web_rule("Project rooms", 3, "SharePoint", ["teams.contoso.example"],
                 [("/projects/*", "/sites/projects/*"), ("/hr/*", "/sites/humanresources/*"), "/_layouts/*"], **farm_site,
                 PublishedServerType=HTTP, TranslateLinks=True,
                 vendor={LINK_DICTIONARY: {"http://sp01": "https://teams.contoso.example", "http://files01": "https://files.contoso.example"}}),
        web_rule("Search", 4, "SharePoint", ["search.contoso.example"], [("/", "/sites/search\\"), ("/results/*", "/sites/search/results/*"), "/_layouts/*"],
                 **farm_site, PublishedServerType=HTTP, description="The bare name goes to the search site: the backslash way."),
        web_rule("Logo", 5, "SharePoint", ["images.contoso.example"], [("/logo.png", "/_layouts/images/contoso.png"), "/_layouts/images/*"],
                 **farm_site, PublishedServerType=HTTP),
        web_rule("Records for the auditors", 6, "SharePoint", ["records.contoso.example"], ["/*"], **farm_site, users="Auditors",
                 PublishedServerType=SSL, CredentialsDelegationType=NTLM),
    ]
    listeners = [listener("SharePoint", ["192.0.2.30"], http=80, https=443, certificates=[(thumbprint("*.contoso.example"), "")],
                          RedirectHTTPAsHTTPS=2, BasicAuthentication=True)]
    elements = {"WebListeners": listeners,
                "UserSets": predefined_users() + [user_set("Auditors", ["CONTOSO-Auditors", "CONTOSO-External Audit"])]}
    return document(array("SP-EDGE"), rules, elements=elements, name="SP-EDGE")


def single_sign_on():
    """One server that demands Kerberos, published by a form and by Integrated; the names are those of tests/lab.py, for make demo-auth."""
    back = dict(site="back.lab.test", PublishedServerType=HTTP, HTTPRedirectPort=18080, users="Web users", CredentialsDelegationType=KERBEROS,
                ServicePrincipalName="http/back.lab.test")
    rules = [
        web_rule("Portal", 1, "People", ["portal.lab.test"], [("/*", "/krb/*")], **back, description="Browsers: a form, then a ticket for the server."),
        web_rule("Services", 2, "Programs", ["front.lab.test"], [("/*", "/krb/*")], **back, description="Programs: Kerberos or NTLM, then a ticket for the server."),
    ]
    certificate = thumbprint("lab.test")
    listeners = [
        listener("People", ["192.0.2.40"], http=0, https=443, certificates=[(certificate, "")], Domain="LAB",
                 forms={"SessionTimeOutForPublicComputers": 15, "SessionTimeOutUnitsForPublicComputers": 2}),
        listener("Programs", ["192.0.2.41"], http=0, https=443, certificates=[(certificate, "")], IntegratedWindowsAuthentication=True),
    ]
    elements = {"WebListeners": listeners, "AuthenticationSchemes": [forms_scheme()],
                "UserSets": predefined_users() + [user_set("Web users", ["LAB-webusers"])]}
    return document(array("SSO-EDGE"), rules, elements=elements, networks=[external()], name="SSO-EDGE")


def busy_array():
    """Many rules on two listeners, in the order in which an old array has grown."""
    main, branch = "Internet", "Branch offices"
    shop, www = "shop.fabrikam.example", "www.fabrikam.example"

    def order(n=iter(range(1, 100))):
        return next(n)

    rules = [
        access_rule("Allow management from the console", order(), system=True),
        web_rule("Block the scraper", order(), main, all_names=True, deny=True, source=[("addressrange", "Scraper")]),
        web_rule("Moved site", order(), main, ["old.fabrikam.example"], deny=True, redirect="https://www.fabrikam.example/moved?from=old"),
        web_rule("Shop checkout", order(), main, [shop], ["/checkout/*"], site="pay.corp.fabrikam.example", PublishedServerType=SSL,
                 SSLRequireSecureChannel=1, SendOriginalHostHeader=True),
        web_rule("Shop", order(), main, [shop], site="shop.corp.fabrikam.example", PublishedServerType=BOTH, HTTPRedirectPort=8080,
                 SSLRedirectPort=8443, SendOriginalHostHeader=True),
        web_rule("Shop images", order(), main, [shop], ["/images/*"], site="static.corp.fabrikam.example",
                 description="Never reached: the rule Shop takes everything."),
        web_rule("Status of every site", order(), main, ["*.fabrikam.example"], [("/status/*", "/monitoring/public/*"), "/ping.txt"],
                 site="monitor.corp.fabrikam.example", HTTPRedirectPort=8081),
        web_rule("Partners, from their network", order(), main, ["partners.fabrikam.example"], site="extranet.corp.fabrikam.example",
                 source=[("addressrange", "Partner network")], exclude=[("subnet", "Partner guests")]),
        web_rule("Partners, from elsewhere", order(), main, ["partners.fabrikam.example"], ["/public/*", "/register.aspx"],
                 site="www.corp.fabrikam.example"),
        server_rule("Mail", order(), "10.1.0.25", "192.0.2.40"),
        web_rule("API version 2", order(), main, ["api.fabrikam.example"], [("/v2/*", "/service/v2/*")], site="api2.corp.fabrikam.example",
                 PublishedServerType=SSL, SSLRedirectPort=9443),
        web_rule("API", order(), main, ["api.fabrikam.example"], [("/*", "/service/*")], farm_name="API farm", site="api.corp.fabrikam.example",
                 HTTPRedirectPort=9080, affinity_by_address=True),
        web_rule("Timesheets", order(), main, ["time.fabrikam.example"], site="time.corp.fabrikam.example", users="Staff",
                 CredentialsDelegationType=BASIC),
        web_rule("Press pictures", order(), main, [www, "fabrikam.example"], [("/press/*", "/media/press/*")], site="static.corp.fabrikam.example"),
        web_rule("Website, preview", order(), main, [www], ["/preview/*"], site="stage.corp.fabrikam.example", source=[("network", "Internal")]),
        web_rule("Website, old login", order(), main, [www], ["/login.asp"], deny=True),
        web_rule("Website", order(), main, [www, "fabrikam.example", "www.fabrikam.example"], farm_name="Web farm",
                 site="www.corp.fabrikam.example", SendOriginalHostHeader=True, CredentialsDelegationType=BLOCK),
        web_rule("Bookshop", order(), main, ["b\u00fccher.fabrikam.example"], ["/*"], site="books.corp.fabrikam.example"),
        web_rule("Website, Christmas", order(), main, [www], ["/christmas/*"], site="www.corp.fabrikam.example", enabled=False),
        web_rule("Night batch", order(), main, ["batch.fabrikam.example"], site="batch.corp.fabrikam.example", when="Nights"),
        web_rule("By address", order(), main, ["192.0.2.40"], ["/health", "/about/*"], site="monitor.corp.fabrikam.example", HTTPRedirectPort=8081),
        web_rule("Guests of any name", order(), main, ["*.guests.fabrikam.example"], site="guests.corp.fabrikam.example",
                 SendOriginalHostHeader=True),
        web_rule("Any name", order(), main, all_names=True, paths=["/pub/*", "/robots.txt"], site="www.corp.fabrikam.example"),
        web_rule("Branch wiki", order(), branch, ["wiki.fabrikam.example"], [("/wiki/*", "/mediawiki/*"), ("/w/*", "/mediawiki/*")],
                 site="wiki.corp.fabrikam.example"),
        web_rule("Branch reports", order(), branch, ["reports.fabrikam.example"], ["/daily/*"], site="reports.corp.fabrikam.example",
                 source=[("computerset", "Branch gateways")], PublishedServerType=SSL),
        web_rule("Branch portal", order(), branch, ["reports.fabrikam.example", "portal.fabrikam.example"], site="portal.corp.fabrikam.example"),
        access_rule("Internet for everybody inside", order()),
        access_rule("Default rule", order(), deny=True, predefined=True),
    ]
    listeners = [
        listener(main, ["192.0.2.40", "192.0.2.41"], http=80, https=443,
                 certificates=[(thumbprint("www.fabrikam.example"), "192.0.2.40"), (thumbprint("shop.fabrikam.example"), "192.0.2.41")], BasicAuthentication=True),
        listener(branch, ["192.0.2.50"], http=80, https=443, certificates=[(thumbprint("branch.fabrikam.example"), "")], RedirectHTTPAsHTTPS=2),
    ]
    gateways = node("ComputerSet", guid("computerset", "Branch gateways"), string("Name", "Branch gateways"),
                    node("Computers", "Computers", computer("Branch Bern", "203.0.113.17"), computer("Branch Basel", "203.0.113.33")),
                    node("AddressRanges", "AddressRanges", address_range("Branch lab", "203.0.113.128", "203.0.113.191")))
    nights = [24 * day + hour for day in range(7) for hour in (0, 1, 2, 3, 4, 22, 23)]
    elements = {
        "ProxyScheduleTemplates": [schedule("Nights", nights)],
        "ComputerSets": [gateways],
        "AddressRanges": [address_range("Scraper", "198.51.100.200", "198.51.100.207"),
                          address_range("Partner network", "198.51.100.0", "198.51.100.127")],
        "Subnets": [subnet("Partner guests", "198.51.100.64", "255.255.255.224")],
        "Protocols": [protocol("SMTP Server", [(25,)])],
        "ContentTypeSets": [content_types("HTML Documents", ["text/html", ".htm", ".html", "application/xhtml+xml"]), content_types("Text", ["text/*", ".txt"])],
        "WebListeners": listeners,
        "UserSets": predefined_users() + [user_set("Staff", ["FABRIKAM-Staff"])],
        "ServerFarms": [farm("API farm", ["10.1.0.31", "10.1.0.32"], request=2, address="", port=9080),
                        farm("Web farm", ["web01.corp.fabrikam.example", "web02.corp.fabrikam.example"])],
    }
    return document(array("FAB-EDGE"), rules, elements=elements,
                    networks=[external(), network("Internal", [("10.0.0.0", "10.255.255.255"), ("192.168.0.0", "192.168.255.255")])], name="FAB-EDGE",
                    extra=[compression(["HTML Documents", "Text"], [branch], servers=([("network", "Internal")], []))])


def lone_listener():
    """A single listener: what right-click, Export on it gives."""
    forms = {"ClientIPAddressSigningEnabled": False, "CustomFormsDirectory": "Contoso"}
    item = listener("Contoso forms", http=80, https=443, certificates=[(thumbprint("www.contoso.example"), "")], forms=forms,
                    sso=["*.contoso.example"])
    return document((WEB_LISTENER, guid("listener", "Contoso forms")), elements={"WebListeners": [item], "AuthenticationSchemes": [forms_scheme()]})


def isa_2006():
    """An ISA 2006 array: the older header, none of TMG's own properties."""
    rules = [
        web_rule("Intranet", 1, "ISA listener", ["intranet.tailspin.example"], site="intranet", PublishedServer="10.2.0.11",
                 SendOriginalHostHeader=True),
        web_rule("Mobile access", 2, "ISA listener", ["intranet.tailspin.example", "mobile.tailspin.example"], ["/oma/*"], site="mail.tailspin.local",
                 description="Reached by the second name only."),
        web_rule("Mail for phones", 3, "ISA listener", ["mobile.tailspin.example"], ["/Microsoft-Server-ActiveSync/*"], site="mail.tailspin.local",
                 PublishedServerType=SSL, SSLRequireSecureChannel=2, CredentialsDelegationType=BASIC),
        web_rule("Catalogue", 4, "ISA listener", ["catalogue.tailspin.example"], [("/products/*", "/catalog/*"), ("/order.asp", "/catalog/order/new.asp")],
                 site="catalog.tailspin.local", HTTPRedirectPort=8000),
        web_rule("Files", 5, "ISA listener", ["files.tailspin.example"], site="ftp.tailspin.local", PublishedServerType=FTP),
        web_rule("Everything of the lab", 6, "ISA listener", ["*.lab.tailspin.example"], site="lab.tailspin.local", PublishedServerType=BOTH,
                 source=[("network", "External")]),
        web_rule("Sales figures", 7, "ISA listener", ["sales.tailspin.example"], site="sales.tailspin.local", users="Sales"),
    ]
    listeners = [listener("ISA listener", ["192.0.2.60"], http=80, https=443, certificates=[(thumbprint("*.tailspin.example"), "")],
                          BasicAuthentication=True)]
    elements = {"WebListeners": listeners, "UserSets": predefined_users() + [user_set("Sales", ["TAILSPIN-Sales"])]}
    return document(array("TAILSPIN-ISA"), rules, elements=elements, product=ISA_2006, name="TAILSPIN-ISA",
                    networks=[external(), network("Internal", [("10.2.0.0", "10.2.255.255")])])


def branch_services():
    """An array that publishes servers other than web servers, beside one website."""
    work = [24 * day + hour for day in range(1, 6) for hour in range(7, 19)]
    nights = [24 * day + hour for day in range(7) for hour in (0, 1, 2, 3, 4)]
    place = "192.0.2.80"
    rules = [
        server_rule("Mail from our provider", 1, "10.3.0.25", place, source=[("subnet", "Provider")], description="Filtered by the provider."),
        server_rule("Mail from anywhere", 2, "10.3.0.26", place, exclude=[("addressrange", "Spammers")]),
        server_rule("Mailboxes", 3, "10.3.0.25", place, "IMAPS Server", UseFirewallIPAsSource=True),
        server_rule("Partner portal", 4, "10.3.0.44", "192.0.2.81", "HTTPS Server", UseFirewallIPAsSource=True),
        server_rule("Name server", 5, "10.3.0.53", place, "DNS Server"),
        server_rule("Syslog from branches", 6, "10.3.0.54", place, "Syslog", source=[("computerset", "Branches")], ports=(514, 514)),
        server_rule("Administrators", 7, "10.3.0.33", place, "RDP (Terminal Services) Server", source=[("computerset", "Branches")], when="Working days",
                    UseFirewallIPAsSource=True, OverridePublishPort=33890),
        server_rule("Backup", 8, "10.3.0.90", place, "Backup agents", when="Nights", UseFirewallIPAsSource=True),
        server_rule("Files", 9, "10.3.0.21", place, "FTP Server", UseFirewallIPAsSource=True),
        server_rule("Old mail", 10, "10.3.0.27", place, enabled=False),
        server_rule("Plant", 11, "198.51.100.10", "", "Plant control", UseFirewallIPAsSource=True),
        server_rule("Tunnel", 12, "10.3.0.9", place, "PPTP Server"),
        web_rule("Website", 13, "Web", ["www.woodgrove.example"], site="www.corp.woodgrove.example"),
        access_rule("Default rule", 14, deny=True, predefined=True),
    ]
    branches = node("ComputerSet", guid("computerset", "Branches"), string("Name", "Branches"),
                    node("Computers", "Computers", computer("Branch Bern", "203.0.113.17"), computer("Branch Basel", "203.0.113.33")))
    elements = {
        "ProxyScheduleTemplates": [schedule("Working days", work), schedule("Nights", nights)],
        "ComputerSets": [branches],
        "AddressRanges": [address_range("Spammers", "198.51.100.200", "198.51.100.207")],
        "Subnets": [subnet("Provider", "203.0.113.64", "255.255.255.224")],
        "Protocols": [
            protocol("SMTP Server", [(25,)], filters=["SMTP Filter"]), protocol("IMAPS Server", [(993,)]), protocol("HTTPS Server", [(443,)]),
            protocol("DNS Server", [(53, 53, UDP, 2), (53,)], filters=["DNS Filter"]), protocol("Syslog", [(514, 514, UDP, 0)]),
            protocol("RDP (Terminal Services) Server", [(3389,)]), protocol("Backup agents", [(10000, 10009)]),
            protocol("FTP Server", [(21,)], filters=["FTP Access Filter"]), protocol("Plant control", [(502,)]),
            protocol("PPTP Server", [(1723,), (0, 0, 47)])],
        "WebListeners": [listener("Web", ["192.0.2.82"], http=80, https=443, certificates=[(thumbprint("www.woodgrove.example"), "")])],
        "UserSets": predefined_users(),
    }
    return document(array("WG-EDGE"), rules, elements=elements, name="WG-EDGE",
                    networks=[external(), network("Internal", [("10.3.0.0", "10.3.255.255")]), network("Plant", [("198.51.100.0", "198.51.100.63")], kind=0)],
                    network_rules=[network_rule("Internet access", 1, NAT, ["Internal"], ["External"]),
                                   network_rule("Plant to the internet", 2, ROUTE, ["Plant"], ["External"])])


LYNC_NAMES = ["lyncweb.contoso.example", "meet.contoso.example", "dialin.contoso.example", "lyncdiscover.contoso.example"]
SAMPLES = {
    "lync-right": lambda: lync(LYNC_NAMES, True),
    "lync-no-host-header": lambda: lync(LYNC_NAMES, False),
    "lync-names-missing": lambda: lync(LYNC_NAMES[:1], True),
    "exchange-2010": exchange_2010,
    "sharepoint": sharepoint,
    "single-sign-on": single_sign_on,
    "busy-array": busy_array,
    "branch-services": branch_services,
    "lone-listener": lone_listener,
    "isa-2006": isa_2006,
}


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "samples")
    for name, make in SAMPLES.items():
        os.makedirs(os.path.join(top, name), exist_ok=True)
        with open(os.path.join(top, name, "export.xml"), "w", encoding="utf-8", newline="\n") as out:
            out.write(make())


if __name__ == "__main__":
    main()
