/* test_parser: exports in the usual spelling and in every other that is taken; encodings; hostile and broken input;
 * the real exports, where they are present. */
#pragma GCC diagnostic ignored "-Woverlength-strings" /* whole exports, written inline */
#include "parser/parser.h"
#include "parser/store.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned passed, failed;
#define CHECK(condition) check((condition), #condition, __LINE__)
static void check(bool good, const char *what, int line)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("parser: line %d: %s\n", line, what);
}

static bool same(const char *a, const char *b)
{
    bool equal = str_equal(a, b);
    if (!equal)
        printf("parser: \"%s\" is not \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
    return equal;
}

/* ---- documents ------------------------------------------------------------------------------------------------------- */
#define HEAD                                                                                                                \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                                          \
    "<fpc4:Root xmlns:fpc4=\"http://schemas.microsoft.com/isa/config-4\" xmlns:dt=\"urn:schemas-microsoft-com:datatypes\" " \
    "StorageName=\"FPC\" StorageType=\"0\">\n"
#define TAIL "</fpc4:Root>\n"
#define OPEN(name, storage) "<fpc4:" name " StorageName=\"" storage "\" StorageType=\"1\">"
#define CLOSE(name) "</fpc4:" name ">\n"
#define S(name, value) "<fpc4:" name " dt:dt=\"string\">" value "</fpc4:" name ">\n"
#define REF(slot, name, class)                                                                                         \
    OPEN("Ref", slot) S("Name", name)                                                                                  \
    S("RefClass", class)                                                                                               \
    CLOSE("Ref")
#define REFS(slot, refs) OPEN("Refs", slot) refs CLOSE("Refs")
#define G(n) "{00000000-0000-0000-0000-0000000000" n "}"

#define LISTENER                                                                                                           \
    OPEN("WebListener", G("01")) S("Name", "Main")                                                                         \
    OPEN("WebListenerProperties", "WebListenerProperties")                                                                 \
    S("IntegratedWindowsAuthentication", "0")                                                                              \
    S("SSLPort", "443")                                                                                                    \
    S("TCPPort", "80")                                                                                                     \
    OPEN("AppliedSSLCertificates", "AppliedSSLCertificates") OPEN("AppliedSSLCertificate", G("02")) S("IPAddress", "")     \
    "<fpc4:SSLCertificateHash dt:dt=\"bin.hex\">0123456789ABCDEF0123456789abcdef01234567</fpc4:SSLCertificateHash>" CLOSE( \
        "AppliedSSLCertificate") CLOSE("AppliedSSLCertificates") CLOSE("WebListenerProperties")                            \
        OPEN("IPsOnNetworks", "IPsOnNetworks") OPEN("IPOnNetwork", G("03")) S("IPSelectionMethod", "2")                    \
    REF("Network", "{F129EACF-778B-44FE-B339-5B752D7220A3}", "msFPCNetwork")                                               \
    OPEN("IPAddresses", "IPAddresses") "<fpc4:IPAddressesStrings>" S("Str", "192.0.2.1")                                   \
    "</fpc4:IPAddressesStrings>" CLOSE("IPAddresses") CLOSE("IPOnNetwork") CLOSE("IPsOnNetworks") CLOSE("WebListener")
#define NAMES(strings)                                                                                                 \
    OPEN("PublicNames", "PublicNames")                                                                                 \
    "<fpc4:PublicNamesStrings>" strings "</fpc4:PublicNamesStrings>" CLOSE("PublicNames")
#define PATH(content) OPEN("PathMapping", G("0A")) content CLOSE("PathMapping")
#define PATHS(list) OPEN("PathMappings", "PathMappings") list CLOSE("PathMappings")
#define USES REF("WebListenerUsed", G("01"), "msFPCWebListener")
#define WEB(content) OPEN("WebPublishingProperties", "WebPublishingProperties") content CLOSE("WebPublishingProperties")
#define RULE(content)                                                                                                  \
    OPEN("PolicyRule", G("10")) S("Name", "R")                                                                         \
    content CLOSE("PolicyRule")
#define PLAIN                                                                                                          \
    S("WebSite", "Web.Corp.Example")                                                                                   \
    NAMES(S("Str", "www.Example.com")) PATHS(PATH(S("InternalPath", "/*") S("SameAsInternalPath", "1"))) USES
#define ARRAY(rules, elements)                                                                                         \
    HEAD OPEN("Arrays", "Arrays") OPEN("Array", G("00")) OPEN("RuleElements", "RuleElements")                          \
        LISTENER elements CLOSE("RuleElements") OPEN("ArrayPolicy", "ArrayPolicy") OPEN("PolicyRules", "PolicyRules")  \
            rules CLOSE("PolicyRules") CLOSE("ArrayPolicy") CLOSE("Array") CLOSE("Arrays") TAIL

static struct policy *policy; /* of the last read */
static struct strbuf errors;

static bool read_bytes(const char *bytes, size_t n, const char *names)
{
    policy_free(policy);
    policy = NULL;
    buf_clear(&errors);
    return export_read("dir/test.xml", bytes, n, names, &policy, &errors) == 0;
}

static bool read_text(const char *text)
{
    bool good = read_bytes(text, strlen(text), NULL);
    if (!good)
        printf("parser: %s", errors.p ? errors.p : "no message\n");
    return good;
}

static bool refused(const char *bytes, size_t n, const char *message)
{
    bool good = !read_bytes(bytes, n, NULL) && !policy && errors.n && strstr(errors.p, message);
    if (!good)
        printf("parser: expected \"%s\", got %s\n", message, errors.p ? errors.p : "nothing");
    return good;
}

static size_t notes(enum finding_id id)
{
    size_t n = 0;
    for (size_t i = 0; i < policy->notes.list.n; i++)
        n += policy->notes.list.v[i].id == id;
    return n;
}

static const struct finding *first_note(enum finding_id id)
{
    for (size_t i = 0; i < policy->notes.list.n; i++)
        if (policy->notes.list.v[i].id == id)
            return &policy->notes.list.v[i];
    static const struct finding none = { .message = "" };
    return &none;
}

static const struct rule *only_rule(const char *text)
{
    static const struct rule none;
    CHECK(read_text(text));
    CHECK(policy && policy->rules.n == 1);
    return policy && policy->rules.n ? &policy->rules.v[0] : &none;
}

static const struct rule *web_rule(const char *text)
{
    return only_rule(text);
}

/* ---- the usual spelling ------------------------------------------------------------------------------------------------ */
static void test_plain(void)
{
    const struct rule *r = web_rule(ARRAY(RULE(WEB(PLAIN)), ""));
    CHECK(same(r->name, "R") && same(r->at.guid, G("10")) && r->at.line > 10);
    CHECK(r->enabled && r->action == ACTION_ALLOW && same(r->listener, "Main"));
    CHECK(r->names.n == 1 && same(r->names.v[0].name, "www.example.com"));
    CHECK(r->paths.n == 1 && r->paths.v[0].kind == PATH_PREFIX && same(r->paths.v[0].external, "") &&
          !r->paths.v[0].internal);
    CHECK(same(r->site, "web.corp.example") && !r->server && !r->farm);
    CHECK(r->sources.any && r->all_users && !r->schedule && !r->forward_host && r->pass_options && r->logging);
    CHECK(r->http_port == 80 && r->ssl_port == 443 && r->ftp_port == 21 && r->bridging == BRIDGE_HTTP);
    CHECK(r->delegation == DELEGATE_NONE_BLOCK && !r->spn);
    CHECK(origin_line(&r->at, "site") > r->at.line && origin_line(&r->at, "delegation") == r->at.line);
    CHECK(policy->notes.list.n == 0);
    CHECK(policy->listeners.n == 1 && same(policy->source, "test.xml"));
    const struct listener *l = &policy->listeners.v[0];
    CHECK(l->http == 80 && l->https == 443 && l->certificates.n == 1 && !l->integrated);
    CHECK(same(l->certificates.v[0].thumbprint, "0123456789abcdef0123456789abcdef01234567") &&
          !l->certificates.v[0].address);
    CHECK(l->on.n == 1 && l->on.v[0].select == ADDRESS_SPECIFIED && same(l->on.v[0].network, "External"));
    CHECK(l->on.v[0].addresses.n == 1 && same(l->on.v[0].addresses.v[0], "192.0.2.1"));
    CHECK(l->connection_timeout == 120 && l->form.public_timeout == 600 && l->form.private_timeout == 21600 &&
          l->form.bind_to_address);
    CHECK(policy->networks.n == 1 && policy->networks.v[0].kind == NETWORK_EXTERNAL);
}

static void test_scalars(void)
{
    const struct rule *r = web_rule(ARRAY(
        OPEN("PolicyRule", G("10")) S("Name", "R") S("Action", "1") S("Enabled", "false") S("Description", "words")
            S("LimitSourcePortLow", "1024") S("LimitSourcePortHigh", "0xffff") S("EnableLogging", "0")
                WEB(PLAIN S("RedirectUrl", "https://x.example/y") S("PublishedServer", "10.0.0.1")
                        S("PublishedServerType", "2") S("HTTPRedirectPort", "8080") S("SSLRedirectPort", "4443")
                            S("SendOriginalHostHeader", "-1") S("SendAcceptEncodingHeader", "yes")
                                S("PassOptionsRequestsToServer", "0") S("CredentialsDelegationType", "6")
                                    S("StripDomainFromCredentials", "1") S("SSLRequireSecureChannel", "3")
                                        S("SSLClientCertificateClaim", "2") S("TranslateLinks", "1")
                                            S("LinkTranslationMode", "1") S("LogoffURL", "/off")
                                                S("PublishedServerApplication", "2") S("UseFirewallIPAsSource", "0")
                                                    OPEN("CodePages", "CodePages") S("Str", "1252") CLOSE("CodePages")
                                                        OPEN("SSLClientCertificate", "SSLClientCertificate")
                                                            S("SSLCertificateHash", "ABCD")
                                                                CLOSE("SSLClientCertificate")) CLOSE("PolicyRule"),
        ""));
    CHECK(r->action == ACTION_DENY && !r->enabled && same(r->description, "words") && !r->logging);
    CHECK(r->source_port_low == 1024 && r->source_port_high == 65535);
    CHECK(same(r->redirect_url, "https://x.example/y") && same(r->server, "10.0.0.1") && r->bridging == BRIDGE_BOTH);
    CHECK(r->http_port == 8080 && r->ssl_port == 4443 && r->forward_host && r->accept_encoding && !r->pass_options);
    CHECK(r->delegation == DELEGATE_KERBEROS && same(r->spn, "http/web.corp.example") && r->spns.n == 1);
    CHECK(r->strip_domain && r->require_ssl == 2 && r->client_certificate == CERTIFICATE_REQUESTED);
    CHECK(r->translate_links && r->link_mode == 1 && same(r->logoff_url, "/off") && r->application == 2 &&
          r->forward_client_address);
    CHECK(r->code_pages.n == 1 && same(r->code_pages.v[0], "1252") && same(r->backend_certificate, "abcd"));
    CHECK(notes(F_UNKNOWN_ELEMENT) == 0);
    r = web_rule(ARRAY(
        RULE(S("Action", "banana") S("Enabled", "perhaps") WEB(PLAIN S("HTTPRedirectPort", "99999999999999999999"))),
        ""));
    CHECK(r->action == ACTION_DENY && !r->enabled && r->http_port == 80 && notes(F_BAD_VALUE) == 3);
}

static void test_names(void)
{
    const struct rule *r =
        web_rule(ARRAY(RULE(WEB(S("WebSite", "w.example") USES PATHS(PATH(S("InternalPath", "/*")))
                                    NAMES(S("Str", "A.example") S("Str", "a.example") S("Str", "bad name")
                                              S("Str", "*.b.example") S("Str", "192.0.2.9") S("Str", "b\xc3\xbc"
                                                                                                     "cher.example")))),
                       ""));
    CHECK(r->names.n == 4 && notes(F_DUPLICATE_NAME) == 1 && notes(F_BAD_NAME) == 1 && !r->all_names);
    CHECK(r->names.v[1].kind == NAME_WILDCARD && r->names.v[2].kind == NAME_ADDRESS);
    CHECK(strncmp(r->names.v[3].name, "xn--", 4) == 0 && r->names.v[0].line > 0);
    r = web_rule(
        ARRAY(RULE(WEB(S("WebSite", "w.example") USES PATHS(PATH(S("InternalPath", "/*"))) NAMES(S("Str", "*")))), ""));
    CHECK(r->all_names && r->names.n == 0);
    r = web_rule(ARRAY(
        RULE(WEB(S("WebSite", "w.example") S("AllPublicNames", "1") USES PATHS(PATH(S("InternalPath", "/*"))))), ""));
    CHECK(r->all_names && notes(F_RULE_WITHOUT_NAME) == 0);
    r = web_rule(ARRAY(RULE(WEB(S("WebSite", "w.example") USES)), ""));
    CHECK(notes(F_RULE_WITHOUT_NAME) == 1 && notes(F_RULE_WITHOUT_PATH) == 1);
#define ONLY_NAMES(shape)                                                                                              \
    ARRAY(RULE(WEB(S("WebSite", "w.example") USES PATHS(PATH(S("InternalPath", "/*"))) shape)), "")
    static const char *const shapes[] = {
        ONLY_NAMES(OPEN("PublicNames", "PublicNames") S("Str", "a.example") S("Str", "b.example") CLOSE("PublicNames")),
        ONLY_NAMES("<fpc4:PublicNamesStrings>" S("Str", "a.example")
                       S("Str", "b.example") "</fpc4:PublicNamesStrings>"),
        ONLY_NAMES(OPEN("PublicNames", "PublicNames") OPEN("PublicName", G("0B")) S("Name", "a.example") CLOSE(
            "PublicName") OPEN("PublicName", G("0C")) S("Name", "b.example") CLOSE("PublicName") CLOSE("PublicNames")),
        ONLY_NAMES("<fpc4:PublicNames>" S("PublicName", "a.example") S("DNSName", "b.example") "</fpc4:PublicNames>"),
        ONLY_NAMES(S("PublicName", "a.example") S("PublicName", "b.example")),
        ONLY_NAMES(S("PublicNames", "a.example; b.example")),
        ONLY_NAMES("<fpc4:Strings StorageName=\"PublicNames\">" S("Str", "a.example")
                       S("Str", "b.example") "</fpc4:Strings>"),
        ONLY_NAMES(
            "<fpc4:PublicNames><fpc4:Item StorageName=\"a.example\"/><fpc4:Item StorageName=\"b.example\"/></fpc4:PublicNames>"),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        r = web_rule(shapes[i]);
        CHECK(r->names.n == 2 && same(r->names.v[0].name, "a.example") && same(r->names.v[1].name, "b.example"));
        CHECK(notes(F_UNKNOWN_ELEMENT) == 0);
    }
}

static void test_paths(void)
{
#define WITH_PATHS(shape) ARRAY(RULE(WEB(S("WebSite", "w.example") USES NAMES(S("Str", "a.example")) shape)), "")
    const struct rule *r = web_rule(WITH_PATHS(PATHS(
        PATH(S("ExternalPath", "/ext/*") S("InternalPath", "/int/*") S("SameAsInternalPath", "0"))
            PATH(S("ExternalPath", "/x/*") S("InternalPath", "/x/*"))
                PATH(S("ExternalPath", "/ignored") S("InternalPath", "/page.htm") S("SameAsInternalPath", "1")) PATH(
                    S("ExternalPath", "/") S("InternalPath", "/app\\")) PATH(S("InternalPath", "no/slash")) PATH(""))));
    CHECK(r->paths.n == 4 && notes(F_BAD_PATH) == 1);
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct path *p = &r->paths.v[i];
        if (str_equal(p->external, "/ext"))
            CHECK(p->kind == PATH_PREFIX && same(p->internal, "/int") && p->line > 0);
        else if (str_equal(p->external, "/x"))
            CHECK(!p->internal);
        else if (str_equal(p->external, "/page.htm"))
            CHECK(p->kind == PATH_EXACT && !p->internal);
        else
            CHECK(same(p->external, "/") && same(p->internal, "/app/"));
    }
    r = web_rule(WITH_PATHS(PATHS(PATH(S("InternalPath", "/_vti_inf.html*")) PATH(S("InternalPath", "/a/*"))
                                      PATH(S("InternalPath", "/A/b/*")))));
    CHECK(r->paths.n == 3 && notes(F_PATH_PATTERN) == 1 && notes(F_OVERLAPPING_PATHS) == 1);
    web_rule(WITH_PATHS(PATHS(PATH(S("InternalPath", "/a/*")) PATH(S("InternalPath", "/A/*")))));
    CHECK(notes(F_OVERLAPPING_PATHS) == 1 && strstr(first_note(F_OVERLAPPING_PATHS)->message, "twice"));
    r = web_rule(WITH_PATHS(PATHS(PATH(S("ExternalPath", "/one") S("InternalPath", "/two/*")))));
    CHECK(notes(F_PATH_PATTERN) == 1 && same(r->paths.v[0].internal, "/two/"));
    static const char *const shapes[] = {
        WITH_PATHS(OPEN("PathMappings", "PathMappings") "<fpc4:PathMappingsStrings>" S("Str", "/i/*|/j/*")
                       S("Str", "/k") "</fpc4:PathMappingsStrings>" CLOSE("PathMappings")),
        WITH_PATHS(
            "<fpc4:PathMappings><fpc4:Item><fpc4:External>/i/*</fpc4:External><fpc4:Internal>/j/*</fpc4:Internal></fpc4:Item>"
            "<fpc4:Item><fpc4:Path>/k</fpc4:Path></fpc4:Item></fpc4:PathMappings>"),
        WITH_PATHS(PATH(S("ExternalPath", "/i/*") S("InternalPath", "/j/*")) PATH(S("InternalPath", "/k"))),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        r = web_rule(shapes[i]);
        CHECK(r->paths.n == 2 && notes(F_UNKNOWN_ELEMENT) == 0);
        for (size_t k = 0; k < r->paths.n; k++)
            CHECK(str_equal(r->paths.v[k].external, "/i") ? same(r->paths.v[k].internal, "/j")
                                                          : same(r->paths.v[k].external, "/k"));
    }
}

/* ---- references ---------------------------------------------------------------------------------------------------------- */
static void test_references(void)
{
#define NO_LISTENER                                                                                                    \
    S("WebSite", "w.example")                                                                                          \
    NAMES(S("Str", "a.example")) PATHS(PATH(S("InternalPath", "/*")))
    static const char *const shapes[] = {
        ARRAY(RULE(WEB(NO_LISTENER
                       "<fpc4:WebListenerUsed>" REF(G("0D"), G("01"), "msFPCWebListener") "</fpc4:WebListenerUsed>")),
              ""),
        ARRAY(RULE(WEB(NO_LISTENER REF("SomethingElse", G("01"), "msFPCWebListener"))), ""),
        ARRAY(RULE(WEB(NO_LISTENER) REF(G("0D"), G("01"), "msFPCWebListener")), ""),
        ARRAY(RULE(WEB(NO_LISTENER REF("WebListenerUsed", "main", "msFPCWebListener"))), ""),
        ARRAY(RULE(WEB(NO_LISTENER S("WebListenerUsed", "00000000-0000-0000-0000-000000000001"))), ""),
        ARRAY(RULE(WEB(NO_LISTENER S("WebListener", "Main"))), ""),
        ARRAY(RULE(WEB(NO_LISTENER REF("ServerFarm", G("01"), "msFPCWebListener"))), ""),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        CHECK(same(web_rule(shapes[i])->listener, "Main"));
        CHECK(notes(F_RULE_WITHOUT_LISTENER) == 0 && notes(F_UNKNOWN_ELEMENT) == 0);
    }
    const struct rule *r =
        web_rule(ARRAY(RULE(WEB(NO_LISTENER REF("WebListenerUsed", G("77"), "msFPCWebListener"))), ""));
    CHECK(!r->listener && notes(F_RULE_WITHOUT_LISTENER) == 1 &&
          strstr(first_note(F_RULE_WITHOUT_LISTENER)->message, G("77")));
    r = web_rule(ARRAY(RULE(WEB(PLAIN REFS("UserSets", REF(G("0E"), G("78"), "msFPCUserSet")))
                                REF("ScheduleUsed", G("79"), "msFPCProxyScheduleTemplate")),
                       ""));
    CHECK(!r->all_users && r->users.n == 1 && same(r->users.v[0], G("78")) && r->schedule_unknown &&
          notes(F_DANGLING_REF) == 2);
    r = web_rule(ARRAY(RULE(WEB(PLAIN REFS("UserSets", REF(G("0E"), "All Users", "msFPCUserSet")))), ""));
    CHECK(r->all_users && r->users.n == 0 && policy->notes.list.n == 0);
}

static void test_users_and_schedule(void)
{
#define STAFF                                                                                                          \
    OPEN("UserSet", G("20")) S("Name", "Staff")                                                                        \
    OPEN("Accounts", "Access") OPEN("Account", "CORP-Domain Users") S("AccountSid", "S-1-5-21-1")                      \
    S("AccountType", "1")                                                                                              \
    CLOSE("Account") CLOSE("Accounts") CLOSE("UserSet")
#define HOURS(hex)                                                                                                     \
    OPEN("ProxyScheduleTemplate", G("21")) S("Name", "Work")                                                           \
    "<fpc4:Schedule dt:dt=\"bin.hex\">" hex "</fpc4:Schedule>" CLOSE("ProxyScheduleTemplate")
#define USERS_RULE                                                                                                     \
    RULE(WEB(PLAIN REFS("UserSets", REF(G("0E"), "{00000000-0000-0000-0000-000000000020}", "msFPCUserSet")))           \
             REF("ScheduleUsed", G("21"), "msFPCProxyScheduleTemplate"))
    const struct rule *r = web_rule(ARRAY(USERS_RULE, STAFF HOURS("800000000000000000000000000000000000000001")));
    CHECK(!r->all_users && r->users.n == 1 && same(r->users.v[0], "Staff") && same(r->schedule, "Work") &&
          !r->schedule_unknown);
    CHECK(policy->user_sets.n == 1 && policy->user_sets.v[0].accounts.n == 1);
    CHECK(same(policy->user_sets.v[0].accounts.v[0].name, "CORP-Domain Users") &&
          policy->user_sets.v[0].accounts.v[0].group);
    CHECK(policy->schedules.n == 1 && policy->schedules.v[0].hours[0] == 0x80 && policy->schedules.v[0].hours[20] == 1);
    CHECK(policy->notes.list.n == 0);
    r = web_rule(ARRAY(USERS_RULE, STAFF HOURS("80")));
    CHECK(!r->schedule && r->schedule_unknown && notes(F_BAD_VALUE) == 1);
    r = web_rule(
        ARRAY(RULE(WEB(PLAIN REFS("UserSets", OPEN("Ref", G("0E")) S("Name", "Staff") S("RefClass", "msFPCUserSet")
                                                  S("IncludeStatus", "1") CLOSE("Ref")))),
              STAFF));
    CHECK(!r->all_users && r->users.n == 1 && notes(F_BAD_VALUE) == 1);
    r = web_rule(ARRAY(RULE(WEB(PLAIN) OPEN("AccessProperties", "AccessProperties")
                                REFS("UserSets", REF(G("0E"), G("20"), "msFPCUserSet")) CLOSE("AccessProperties")),
                       STAFF));
    CHECK(!r->all_users && r->users.n == 1 && same(r->users.v[0], "Staff"));
}

static void test_sources(void)
{
#define NETS                                                                                                           \
    OPEN("Network", G("30")) S("Name", "Lab")                                                                          \
    S("NetworkType", "4")                                                                                              \
    OPEN("IpRangeSet", "IpRangeSet") OPEN("IpRange", G("31")) S("IPFrom", "10.0.0.0")                                  \
    S("IPTo", "10.0.0.255")                                                                                            \
    CLOSE("IpRange") CLOSE("IpRangeSet") CLOSE("Network") OPEN("Computer", G("32")) S("Name", "PC")                    \
    S("IPAddress", "192.0.2.5")                                                                                        \
    CLOSE("Computer")                                                                                                  \
    OPEN("Subnet", G("33")) S("Name", "Net")                                                                           \
    S("IPAddress", "192.0.2.0")                                                                                        \
    S("IPMask", "255.255.255.0")                                                                                       \
    CLOSE("Subnet")                                                                                                    \
    OPEN("AddressRange", G("34")) S("Name", "Range")                                                                   \
    S("IPFrom", "192.0.2.16")                                                                                          \
    S("IPTo", "192.0.2.31")                                                                                            \
    CLOSE("AddressRange")                                                                                              \
    OPEN("ComputerSet", G("35")) S("Name", "Anywhere")                                                                 \
    OPEN("AddressRanges", "AddressRanges") OPEN("AddressRange", G("36")) S("IPFrom", "0.0.0.0")                        \
    S("IPTo", "255.255.255.255")                                                                                       \
    CLOSE("AddressRange")                                                                                              \
    CLOSE("AddressRanges") CLOSE("ComputerSet") OPEN("NetworkSet", G("37")) S("Name", "All but Lab")                   \
    S("NetworkSetType", "1")                                                                                           \
    REFS("Networks", REF(G("38"), G("30"), "msFPCNetwork")) CLOSE("NetworkSet")
#define EXCEPT(slot, name, class)                                                                                      \
    OPEN("Ref", slot) S("IncludeStatus", "1")                                                                          \
    S("Name", name)                                                                                                    \
    S("RefClass", class)                                                                                               \
    CLOSE("Ref")
#define FROM(refs) ARRAY(RULE(OPEN("SelectionIPs", "SourceSelectionIPs") refs CLOSE("SelectionIPs") WEB(PLAIN)), NETS)
    const struct rule *r = web_rule(FROM(""));
    CHECK(r->sources.any);
    r = web_rule(FROM(REFS("ComputerSets", REF(G("0E"), G("35"), "msFPCComputerSet"))));
    CHECK(r->sources.any && policy->notes.list.n == 0);
    r = web_rule(FROM(REFS("Subnets", REF(G("0E"), G("33"), "msFPCSubnet"))
                          REFS("Computers", EXCEPT(G("0F"), G("32"), "msFPCComputer"))));
    CHECK(!r->sources.any && r->sources.addresses.n == 2 && r->sources.addresses.v[0].from == 0xc0000200 &&
          r->sources.addresses.v[0].to == 0xc0000204);
    CHECK(r->sources.except_addresses.n == 0 && policy->notes.list.n == 0);
    r = web_rule(FROM(REFS("Networks", REF(G("0E"), G("30"), "msFPCNetwork"))
                          REFS("AddressRanges", EXCEPT(G("0F"), G("34"), "msFPCAddressRange"))));
    CHECK(r->sources.networks.n == 1 && same(r->sources.networks.v[0], "Lab") && r->sources.except_addresses.n == 1 &&
          !r->sources.any);
    CHECK(policy_network(policy, "lab") && policy_network(policy, "lab")->addresses.n == 1);
    r = web_rule(FROM(REFS("NetworkSets", REF(G("0E"), G("37"), "msFPCNetworkSet"))));
    CHECK(r->sources.networks.n == 1 && policy_network(policy, "All but Lab")->kind == NETWORK_SET_EXCEPT);
    CHECK(policy_network(policy, "All but Lab")->members.n == 1 &&
          same(policy_network(policy, "All but Lab")->members.v[0], "Lab"));
    r = web_rule(FROM(REFS("Networks", REF(G("0E"), "{f129eacf-778b-44fe-b339-5b752d7220a3}", "msFPCNetwork"))));
    CHECK(r->sources.networks.n == 1 && same(r->sources.networks.v[0], "External") && notes(F_DANGLING_REF) == 0);
    r = web_rule(FROM(REFS("Computers", REF(G("0E"), G("99"), "msFPCComputer"))));
    CHECK(r->sources.unknown && !r->sources.any && notes(F_DANGLING_REF) == 1);
    r = web_rule(FROM(REFS("Networks", REF(G("0E"), G("99"), "msFPCNetwork"))));
    CHECK(r->sources.networks.n == 1 && !r->sources.any && notes(F_DANGLING_REF) == 1 &&
          policy_network(policy, G("99")));
    r = web_rule(FROM(REFS("ComputerSets", EXCEPT(G("0F"), G("33"), "msFPCSubnet"))));
    CHECK(!r->sources.any && r->sources.addresses.n == 2);
    r = web_rule(FROM("<fpc4:Mystery>1</fpc4:Mystery>"));
    CHECK(r->sources.unknown && notes(F_UNKNOWN_ELEMENT) == 1);
    r = web_rule(FROM(REFS("Computers", OPEN("Computer", G("3A")) S("Name", "Inline") S("IPAddress", "192.0.2.77")
                                            CLOSE("Computer"))));
    CHECK(r->sources.addresses.n == 1 && r->sources.addresses.v[0].from == 0xc000024d);
}

/* ---- farms, vendor parameters ----------------------------------------------------------------------------------------------- */
static void test_farm(void)
{
#define FARM                                                                                                           \
    OPEN("ServerFarm", G("40")) S("Name", "Farm")                                                                      \
    OPEN("PublishedServers", "PublishedServers")                                                                       \
    OPEN("PublishedServer", G("41")) S("DrainStopped", "0")                                                            \
    S("NameOrIP", "WEB1.corp.example")                                                                                 \
    CLOSE("PublishedServer")                                                                                           \
    OPEN("PublishedServer", G("42")) S("DrainStopped", "1")                                                            \
    S("NameOrIP", "10.0.0.2")                                                                                          \
    CLOSE("PublishedServer")                                                                                           \
    CLOSE("PublishedServers") OPEN("ConnectivityVerifier", "ConnectivityVerifier") S("RequestType", "2")               \
    S("ServerAddress", "http://*/")                                                                                    \
    S("TCPPort", "81")                                                                                                 \
    S("HostHeader", "h.example")                                                                                       \
    S("Threshold", "900")                                                                                              \
    CLOSE("ConnectivityVerifier") CLOSE("ServerFarm")
    const struct rule *r =
        web_rule(ARRAY(RULE(WEB(PLAIN S("LoadBalancingEnabled", "1") S("CredentialsDelegationType", "6")
                                    OPEN("LoadBalancingConfig", "LoadBalancingConfig") S("AffinityType", "1")
                                        REF("ServerFarm", G("40"), "msFPCServerFarm") CLOSE("LoadBalancingConfig"))),
                       FARM));
    CHECK(same(r->farm, "Farm") && r->affinity_by_address && same(r->spn, "http/*") && r->spns.n == 2);
    const struct farm *f = policy_farm(policy, "farm");
    CHECK(f && f->members.n == 2 && same(f->members.v[0].host, "web1.corp.example") && f->members.v[1].drained);
    CHECK(f && f->probe == PROBE_TCP && f->probe_port == 81 && same(f->probe_host, "h.example") &&
          f->probe_threshold == 900);
    CHECK(policy->notes.list.n == 0);
    r = web_rule(
        ARRAY(RULE(WEB(PLAIN S("LoadBalancingEnabled", "0") REF("ServerFarm", G("40"), "msFPCServerFarm"))), FARM));
    CHECK(!r->farm);
    r = web_rule(ARRAY(RULE(WEB(PLAIN REF("ServerFarm", G("40"), "msFPCServerFarm"))), FARM));
    CHECK(same(r->farm, "Farm") && notes(F_DEFAULT_TAKEN) == 1);
    r = web_rule(
        ARRAY(RULE(WEB(PLAIN S("LoadBalancingEnabled", "1") REF("ServerFarm", G("44"), "msFPCServerFarm"))), FARM));
    CHECK(same(r->farm, G("44")) && notes(F_DANGLING_REF) == 1);
    CHECK(policy_farm(policy, r->farm) && policy_farm(policy, r->farm)->members.n == 0);
    r = web_rule(ARRAY(RULE(WEB(USES NAMES(S("Str", "a.example")) PATHS(PATH(S("InternalPath", "/*"))))), ""));
    CHECK(!r->site && notes(F_NO_BACKEND) == 1);
}

static void test_vendor(void)
{
#define SETS(sets)                                                                                                     \
    ARRAY(RULE(WEB(PLAIN) OPEN("VendorParametersSets", "VendorParametersSets") sets CLOSE("VendorParametersSets")), "")
#define SET(guid, content) OPEN("VendorParametersSet", guid) content CLOSE("VendorParametersSet")
#define PARAM(name, value)                                                                                             \
    "<fpc4:Parameter>" S("Name", name)                                                                                 \
    S("Value", value)                                                                                                  \
    "</fpc4:Parameter>"
    const struct rule *r =
        web_rule(SETS(SET("{5E302ED5-f5d5-4fad-9b8a-01c72e1569f3}", PARAM("AddHttpsFrontEndOn", "1"))
                          SET("{3563FFF5-DF93-40eb-ABC3-D24B5F14D8AA}", PARAM("http://in", "https://out"))
                              SET("{f1076e51-bbaf-48ba-a2d7-b0875211e80d}",
                                  PARAM("XML_POLICY", "&lt;Configuration BlockExecutables=\"true\"/&gt;"))
                                  SET(G("50"), PARAM("Foo", "bar")) SET("{143F5698-103B-12D4-FF34-1F34767DEabc}",
                                                                        PARAM("UseFQDNinKerberosTicket", "2"))));
    CHECK(r->front_end_https && r->links.n == 1 && same(r->links.v[0].from, "http://in") &&
          same(r->links.v[0].to, "https://out"));
    CHECK(same(r->http_filter, "<Configuration BlockExecutables=\"true\"/>") && r->parameters.n == 2 &&
          same(r->parameters.v[0].name, "Foo"));
    CHECK(policy_parameter(policy, "UseFQDNinKerberosTicket") &&
          same(policy_parameter(policy, "UseFQDNinKerberosTicket")->value, "2"));
    CHECK(notes(F_UNKNOWN_ELEMENT) == 0);
    /* count 1, "A" with its zero as four bytes, VT_BOOL, -1 */
    r = web_rule(
        SETS(SET(G("50"), "<fpc4:BlobData dt:dt=\"bin.hex\">01000000 04000000 41000000 0b00 ffff</fpc4:BlobData>")));
    CHECK(r->parameters.n == 1 && same(r->parameters.v[0].name, "A") && same(r->parameters.v[0].value, "1") &&
          notes(F_BAD_VALUE) == 0);
    r = web_rule(SETS(SET(G("50"), "<fpc4:BlobData dt:dt=\"bin.hex\">ffffffff ffffffff 41</fpc4:BlobData>")));
    CHECK(r->parameters.n == 0 && notes(F_BAD_VALUE) == 1);
    r = web_rule(SETS(SET("{5e302ed5-f5d5-4fad-9b8a-01c72e1569f3}", S("AddHttpsFrontEndOn", "1"))));
    CHECK(r->front_end_https);
    r = web_rule(SETS(OPEN("VendorParametersSet", "set") S("Name", "{5e302ed5-f5d5-4fad-9b8a-01c72e1569f3}")
                          PARAM("AddHttpsFrontEndOn", "-1") CLOSE("VendorParametersSet")));
    CHECK(r->front_end_https && r->parameters.n == 0);
    r = web_rule(SETS(SET(G("51"), S("Whatever", "<![CDATA[<Configuration/>]]>"))));
    CHECK(same(r->http_filter, "<Configuration/>"));
}

/* ---- rules ---------------------------------------------------------------------------------------------------------------------- */
#define NAMED(guid, name, content)                                                                                     \
    OPEN("PolicyRule", guid) S("Name", name)                                                                           \
    content CLOSE("PolicyRule")
static void test_kinds(void)
{
    CHECK(read_text(
        ARRAY(NAMED(G("10"), "sys",
                    S("System", "1") OPEN("AccessProperties", "AccessProperties") S("ProtocolSelectionMethod", "1")
                        CLOSE("AccessProperties"))
                  NAMED(G("11"), "acc",
                        OPEN("AccessProperties", "AccessProperties") S("ProtocolSelectionMethod", "1")
                            CLOSE("AccessProperties")) NAMED(G("12"), "acc2", S("Type", "0"))
                      NAMED(G("13"), "srv",
                            OPEN("ServerPublishingProperties", "ServerPublishingProperties")
                                S("PublishedServerIP", "10.0.0.1") CLOSE("ServerPublishingProperties"))
                          NAMED(G("14"), "web",
                                OPEN("AccessProperties", "AccessProperties") CLOSE("AccessProperties") WEB(PLAIN)),
              "")));
    CHECK(policy->rules.n == 1 && same(policy->rules.v[0].name, "web") && notes(F_NOT_CONVERTED) == 2 &&
          notes(F_UNKNOWN_ELEMENT) == 0);
    CHECK(policy->server_rules.n == 1 && same(policy->server_rules.v[0].name, "srv") &&
          same(policy->server_rules.v[0].server, "10.0.0.1") && !policy->server_rules.v[0].protocol);
    CHECK(read_text(ARRAY("", "")) && notes(F_NO_RULE) == 1 && policy->rules.n == 0);
#define ORDER(hex) "<fpc4:Order dt:dt=\"bin.hex\">" hex "</fpc4:Order>"
    CHECK(read_text(ARRAY(NAMED(G("10"), "a", ORDER("0000000000000002") WEB(PLAIN))
                              NAMED(G("11"), "b", ORDER("0000000000000001") WEB(PLAIN)),
                          "")));
    CHECK(policy->rules.n == 2 && same(policy->rules.v[0].name, "a") && notes(F_ORDER_DISAGREES) == 1);
    CHECK(read_text(ARRAY(NAMED(G("10"), "a", ORDER("0000000000000002") WEB(PLAIN)) NAMED(G("11"), "b", WEB(PLAIN))
                              NAMED(G("12"), "c", ORDER("0000000000000001") WEB(PLAIN)),
                          "")));
    CHECK(notes(F_ORDER_DISAGREES) == 0);
    CHECK(read_text(HEAD OPEN("Enterprise", "Enterprise") OPEN("PolicyRules", "PolicyRules") NAMED(
        G("10"), "first", WEB(PLAIN)) NAMED(G("11"), "", S("Type", "256")) NAMED(G("12"), "last", WEB(PLAIN))
                        CLOSE("PolicyRules") CLOSE("Enterprise") OPEN("Arrays", "Arrays") OPEN("Array", G("00"))
                            LISTENER NAMED(G("13"), "middle", WEB(PLAIN)) CLOSE("Array") CLOSE("Arrays") TAIL));
    CHECK(policy->rules.n == 3 && same(policy->rules.v[0].name, "first") && same(policy->rules.v[1].name, "middle") &&
          same(policy->rules.v[2].name, "last"));
}

static void test_unknown(void)
{
    web_rule(
        ARRAY(RULE(WEB(PLAIN S("NewThing", "va\x7flue") "<fpc4:Deep><fpc4:A>1</fpc4:A><fpc4:B>2</fpc4:B></fpc4:Deep>")
                       S("Odd", "")),
              ""));
    CHECK(notes(F_UNKNOWN_ELEMENT) == 3);
    const struct finding *f = first_note(F_UNKNOWN_ELEMENT);
    CHECK(strstr(f->message, "PolicyRule/WebPublishingProperties/NewThing") && strstr(f->message, "lue\"") &&
          !strchr(f->message, 0x7f));
    CHECK(f->line > 0 && same(f->name, "R") && f->subject == SUBJECT_RULE);
}

static uint32_t counted(const ledger_counts *c, const char *id)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->v[i].setting, id) == 0)
            return c->v[i].n;
    return 0;
}

static bool balances(void)
{
    const struct ledger *l = &policy->ledger;
    long sum = l->structure + l->unknown + l->other_rules + l->elsewhere;
    for (size_t i = 0; i < l->settings.n; i++)
        sum += l->settings.v[i].n;
    return sum == l->elements && l->elements > 0;
}

static void test_ledger(void)
{
    const struct rule *r = web_rule(ARRAY(
        RULE(WEB(PLAIN S("NewThing", "x") S("LogoffURL", "/bye") "<fpc4:Deep><fpc4:A>1</fpc4:A></fpc4:Deep>")), ""));
    CHECK(balances() && policy->ledger.unknown == 3 && policy->ledger.unknown_attributes == 0);
    CHECK(counted(&policy->ledger.settings, "WEB_LOGOFF") == 1 && counted(&r->at.counts, "WEB_LOGOFF") == 1);
    CHECK(counted(&policy->ledger.settings, "WEB_SITE") == 1 &&
          counted(&r->at.counts, "WEB_SITE") == 0); /* every target has it */
    web_rule(ARRAY(RULE(WEB(PLAIN "<fpc4:LogoffURL odd=\"1\">/bye</fpc4:LogoffURL>")), ""));
    CHECK(balances() && policy->ledger.unknown_attributes == 1 && notes(F_UNKNOWN_ELEMENT) == 1);
    CHECK(strstr(first_note(F_UNKNOWN_ELEMENT)->message,
                 "the attribute odd of PolicyRule/WebPublishingProperties/LogoffURL"));
    web_rule(ARRAY(
        RULE(WEB(PLAIN "<fpc4:PublishedServerApplication>1<fpc4:Inside/></fpc4:PublishedServerApplication>")), ""));
    CHECK(balances() && policy->ledger.unknown == 1 && notes(F_UNKNOWN_ELEMENT) == 1);
    web_rule(ARRAY(
        RULE(WEB(S("WebSite", "w.example") USES PATHS(PATH(
            S("InternalPath", "/*"))) "<fpc4:PublicNames><fpc4:Strange>a.example</fpc4:Strange></fpc4:PublicNames>")),
        ""));
    CHECK(balances() && policy->ledger.unknown == 0 && notes(F_UNKNOWN_ELEMENT) == 1); /* read, and told */
    CHECK(strstr(first_note(F_UNKNOWN_ELEMENT)->message, "has no known name"));
}

static void test_listeners(void)
{
#define PROPS(content)                                                                                                 \
    HEAD OPEN("WebListener", G("01")) S("Name", "L")                                                                   \
    OPEN("WebListenerProperties", "WebListenerProperties")                                                             \
    content CLOSE("WebListenerProperties") CLOSE("WebListener") TAIL
    CHECK(read_text(PROPS("")));
    CHECK(policy->listeners.v[0].http == 8080 && policy->listeners.v[0].https == 0 &&
          policy->listeners.v[0].integrated && notes(F_DEFAULT_TAKEN) == 2);
    CHECK(read_text(
        PROPS(S("TCPPort", "0x50") REFS("AuthenticationSchemes", REF(G("0E"), "RADIUS", "msFPCAuthenticationScheme"))
                  S("BasicAuthentication", "1") S("NumberOfConnections", "5")
                      OPEN("FormsBasedAuthenticationProperties", "FormsBasedAuthenticationProperties")
                          S("SessionTimeOutForPublicComputers", "2") S("SessionTimeOutUnitsForPublicComputers", "3")
                              CLOSE("FormsBasedAuthenticationProperties"))));
    const struct listener *l = &policy->listeners.v[0];
    CHECK(l->http == 80 && l->validator == VALIDATE_RADIUS && l->forms == FORMS_NONE && l->basic &&
          l->max_connections == 5 && l->form.public_timeout == 7200);
    CHECK(read_text(
        PROPS(S("TCPPort", "80") REFS("AuthenticationSchemes", REF(G("0E"), "Strange", "msFPCAuthenticationScheme")))));
    CHECK(policy->listeners.v[0].always_authenticate && notes(F_BAD_VALUE) == 1);
    CHECK(read_text(PROPS(S("TCPPort", "80") OPEN("AppliedSSLCertificate", "AppliedSSLCertificate")
                              OPEN("SSLCertificate", "SSLCertificate")
                                  S("SSLCertificateHash", "01 23 45 67 89 AB CD EF 01 23 45 67 89 AB CD EF 01 23 45 67")
                                      CLOSE("SSLCertificate") CLOSE("AppliedSSLCertificate"))));
    CHECK(policy->listeners.v[0].certificates.n == 1 && notes(F_UNKNOWN_ELEMENT) == 0);
    CHECK(read_text(HEAD OPEN("WebListener", G("01")) S("Name", "L") CLOSE("WebListener") OPEN("WebListener", G("02"))
                        S("Name", "l") CLOSE("WebListener") OPEN("WebListener", G("03")) S("Name", "L (2)")
                            CLOSE("WebListener") OPEN("WebListener", G("04")) S("Name", "") CLOSE("WebListener") TAIL));
    CHECK(policy->listeners.n == 4 && same(policy->listeners.v[1].name, "l (2)") &&
          same(policy->listeners.v[2].name, "L (2) (2)"));
    CHECK(read_text(HEAD "<fpc4:WebListener StorageName=\"" G("01") "\" StorageType=\"0\">" S("Name", "stub")
                        CLOSE("WebListener") OPEN("WebListener", G("01")) S("Name", "real") CLOSE("WebListener") TAIL));
    CHECK(policy->listeners.n == 1 && same(policy->listeners.v[0].name, "real"));
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------------------ */
static void utf16(struct strbuf *out, const char *text, bool big, bool mark)
{
    buf_clear(out);
    if (mark)
        buf_add(out, big ? "\xfe\xff" : "\xff\xfe", 2);
    for (; *text; text++) {
        char pair[2] = { big ? '\0' : *text, big ? *text : '\0' };
        buf_add(out, pair, 2);
    }
}

static void test_encodings(void)
{
    struct strbuf b = { 0 };
    const char *text = ARRAY(RULE(WEB(PLAIN)), "");
    for (int i = 0; i < 4; i++) {
        utf16(&b, text, i & 1, i & 2);
        CHECK(looks_like_xml(b.p, b.n) && read_bytes(b.p, b.n, NULL) && policy && policy->rules.n == 1 &&
              policy->rules.v[0].at.line > 10);
    }
    buf_clear(&b);
    buf_puts(&b, "\xef\xbb\xbf");
    buf_puts(&b, text);
    CHECK(looks_like_xml(b.p, b.n) && read_bytes(b.p, b.n, NULL));
    buf_clear(&b);
    buf_puts(&b, "<?xml version=\"1.0\" encoding=\"UTF-16\"?>");
    buf_puts(&b, strchr(text, '\n'));
    CHECK(read_bytes(b.p, b.n, NULL));
    buf_clear(&b);
    buf_puts(&b, "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>");
    buf_puts(&b, strchr(HEAD OPEN("WebListener", G("01")) S("Name", "B\xfc"
                                                                    "ro") CLOSE("WebListener") TAIL,
                        '\n'));
    CHECK(read_bytes(b.p, b.n, NULL) && same(policy->listeners.v[0].name, "B\xc3\xbcro"));
    CHECK(read_text("<Root xmlns='http://schemas.microsoft.com/isa/config-4'><weblistener storagename='" G(
        "01") "'><NAME>x</NAME></weblistener></Root>"));
    CHECK(policy->listeners.n == 1 && same(policy->listeners.v[0].name, "x"));
    buf_free(&b);
}

static void test_refused(void)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
    } cases[] = {
#define CASE(bytes, message) { bytes, sizeof bytes - 1, message }
        CASE("", "empty"),
        CASE(" \n\t", "white space"),
        CASE("{\"a\": 1}", "JSON"),
        CASE("policy: 1\nrules: []\n", "YAML"),
        CASE("hello\n", "plain text"),
        CASE("PK\x03\x04zip", "binary"),
        CASE("\0\0\0\0\x01\x02", "binary"),
        CASE("MSISA\x01\x02", "binary"),
        CASE("$fpc = New-Object -ComObject FPC.Root", "script"),
        CASE("<!DOCTYPE html><html></html>", "HTML"),
        CASE("<html><p>", "HTML"),
        CASE("<ISAInfo><x/></ISAInfo>", "ISAInfo"),
        CASE("<project/>", "root <project>"),
        CASE("<Root/>", "root <Root>"),
        CASE("<a \x01>", "test.xml:1:"),
        CASE("<!DOCTYPE Root [<!ENTITY x 'y'>]><Root/>", "DOCTYPE"),
        CASE("<!DOCTYPE Root SYSTEM 'file:///etc/passwd'><Root/>", "DOCTYPE"),
        CASE(HEAD "<a>\n<b>", "truncated"),
        CASE(HEAD "<a>\n</b></a>" TAIL, "not well-formed"),
        CASE(HEAD "&x;" TAIL, "not well-formed"),
        CASE(HEAD "\xff" TAIL, "not well-formed"),
        CASE(HEAD "<fpc4:A><fpc4:B StorageName=\"x", "truncated"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(refused(cases[i].bytes, cases[i].n, cases[i].message) && !strncmp(errors.p, "dir/test.xml:", 13));
    CHECK(!looks_like_xml("policy: 1\n", 10) && looks_like_xml("", 0) && looks_like_xml(" <Root/>", 8) &&
          looks_like_xml("\0\0\1\2", 4));
    struct strbuf b = { 0 };
    buf_puts(&b, HEAD);
    for (int i = 0; i < 200; i++)
        buf_puts(&b, "<a>");
    CHECK(refused(b.p, b.n, "nested too deeply"));
    buf_clear(&b);
    buf_puts(&b, HEAD);
    for (int i = 0; i < 70000; i++)
        buf_printf(&b, "<n%d/>", i);
    buf_puts(&b, TAIL);
    CHECK(refused(b.p, b.n, "too many different element names"));
    buf_free(&b);
    /* truncated at any place it is refused, and never with success */
    const char *text = ARRAY(RULE(WEB(PLAIN)), "");
    size_t refusals = 0, n = strlen(text) - 2;
    for (size_t i = 0; i < n; i += 7)
        refusals += !read_bytes(text, i, NULL) && errors.n;
    CHECK(refusals == (n + 6) / 7);
}

/* ---- names files, the table ----------------------------------------------------------------------------------------------------------- */
static bool with_names(const char *yaml, const char *export)
{
    char name[] = "/tmp/test_parser_XXXXXX";
    int fd = mkstemp(name);
    bool good =
        fd >= 0 && write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml) && read_bytes(export, strlen(export), name);
    if (fd >= 0)
        close(fd);
    unlink(name);
    return good;
}

static void test_names_file(void)
{
    const char *text = ARRAY(RULE(WEB(PLAIN S("PassHost", "1") S("ThePort", "81") S("PortToo", "82"))), "");
    CHECK(with_names(
        "SendOriginalHostHeader: PassHost\nWebPublishingProperties/HTTPRedirectPort: [ThePort, Other]\nSSLRedirectPort: [PortToo]\n",
        text));
    CHECK(policy && policy->rules.v[0].forward_host && policy->rules.v[0].http_port == 81 &&
          policy->rules.v[0].ssl_port == 82 && notes(F_UNKNOWN_ELEMENT) == 0);
    CHECK(!with_names("# x\nNoSuchThing: y\n", text) && strstr(errors.p, ":2: there is no setting \"NoSuchThing\""));
    CHECK(!with_names("WebSite: {a: b}\n", text) && strstr(errors.p, ":1: "));
    CHECK(!with_names("[a]\n", text) && !with_names("a: [\n", text) && !with_names("Nowhere/WebSite: x\n", text));
    CHECK(with_names("", text) && with_names("---\n{}\n", text));
}

static void test_table(void)
{
    for (size_t i = 1; i < SETTINGS; i++)
        CHECK(settings[i].object == settings[i - 1].object || settings[i].object == settings[i - 1].object + 1);
    struct strbuf b = { 0 };
    for (int t = -1; t < TARGETS; t++) {
        static const char *const formats[] = { "text", "markdown", "json" };
        for (size_t k = 0; k < 3; k++) {
            buf_clear(&b);
            capabilities_write(&b, t, formats[k]);
            size_t lines = 0;
            for (const char *s = b.p; *s; s++)
                lines += *s == '\n';
            const size_t legend[] = { 7, 8, 2 }; /* five lines of legend, and headings, empty lines, brackets */
            CHECK(lines == SETTINGS + legend[k] && strstr(b.p, "SendOriginalHostHeader") &&
                  !strstr(b.p, "haproxy") == (t >= 0 && t != TARGET_HAPROXY));
        }
    }
    buf_free(&b);
}

/* Every scalar of the table that a rule, listener or farm may have has a reader: one without would be reported by the
 * safety net here. */
static void add_rows(struct strbuf *b, enum setting_object object)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        int n = (int)strcspn(settings[i].names, "|");
        if (settings[i].object == object && settings[i].type <= TYPE_HEX)
            buf_printf(b, "<fpc4:%.*s>1</fpc4:%.*s>\n", n, settings[i].names, n, settings[i].names);
    }
}

static void test_every_row(void)
{
    struct strbuf b = { 0 };
    buf_puts(&b, HEAD);
    buf_puts(&b, "<fpc4:WebListener StorageName=\"" G("01") "\">");
    add_rows(&b, OBJ_LISTENER);
    buf_puts(&b, "<fpc4:WebListenerProperties>");
    add_rows(&b, OBJ_LISTENER_PROPERTIES);
    buf_puts(&b, "<fpc4:FormsBasedAuthenticationProperties>");
    add_rows(&b, OBJ_FORMS);
    buf_puts(&b, "</fpc4:FormsBasedAuthenticationProperties></fpc4:WebListenerProperties></fpc4:WebListener>"
                 "<fpc4:ServerFarm StorageName=\"" G("02") "\"><fpc4:ConnectivityVerifier>");
    add_rows(&b, OBJ_VERIFIER);
    buf_puts(&b, "</fpc4:ConnectivityVerifier>");
    add_rows(&b, OBJ_FARM);
    buf_puts(&b, "<fpc4:PublishedServers><fpc4:PublishedServer>");
    add_rows(&b, OBJ_MEMBER);
    buf_puts(&b, "</fpc4:PublishedServer></fpc4:PublishedServers></fpc4:ServerFarm><fpc4:PolicyRule StorageName=\"" G(
                     "03") "\"><fpc4:WebPublishingProperties>");
    add_rows(&b, OBJ_WEB);
    buf_puts(&b, "<fpc4:LoadBalancingConfig>");
    add_rows(&b, OBJ_BALANCING);
    buf_puts(&b, "</fpc4:LoadBalancingConfig><fpc4:PathMappings><fpc4:PathMapping>");
    add_rows(&b, OBJ_PATH);
    buf_puts(&b, "</fpc4:PathMapping></fpc4:PathMappings></fpc4:WebPublishingProperties>");
    buf_puts(&b, S("Name", "every row") S("Description", "1") S("Enabled", "1") S("Action", "0") S("Order", "00")
                     S("Predefined", "0") S("Type", "2") S("EnableLogging", "1") S("LimitSourcePortLow", "1")
                         S("LimitSourcePortHigh", "2") "</fpc4:PolicyRule>" TAIL);
    CHECK(read_bytes(b.p, b.n, NULL) && policy->rules.n == 1 && policy->listeners.n == 1 && policy->farms.n == 1);
    CHECK(policy && notes(F_UNKNOWN_ELEMENT) == 0);
    for (size_t i = 0; policy && i < policy->notes.list.n; i++)
        if (policy->notes.list.v[i].id == F_UNKNOWN_ELEMENT)
            printf("parser: %s\n", policy->notes.list.v[i].message);
    buf_free(&b);
}

/* ---- real exports ------------------------------------------------------------------------------------------------------------------------ */
static void test_real(void)
{
    const char *dir = getenv("TMGC_REAL");
    struct arena *a = arena_new();
    struct strbuf text = { 0 }, message = { 0 };
    dir = dir ? dir : "../shared/real";
    if (file_read(path_join(a, dir, "listener-forms.xml"), 1u << 20, &text, &message) == 0) {
        CHECK(read_bytes(text.p, text.n, NULL) && policy->listeners.n == 1 && notes(F_UNKNOWN_ELEMENT) == 0 &&
              notes(F_NO_RULE) == 1);
        const struct listener *l = &policy->listeners.v[0];
        CHECK(same(policy->product, "Forefront TMG 2010") && same(policy->kind, "web listener") && l->http == 80 &&
              l->https == 0);
        CHECK(l->forms == FORMS_AD && !l->integrated && !l->form.bind_to_address && l->form.private_timeout == 21600 &&
              same(l->form.directory, "BLAH"));
        buf_clear(&text);
        CHECK(file_read(path_join(a, dir, "listener-sso.xml"), 1u << 20, &text, &message) == 0 &&
              read_bytes(text.p, text.n, NULL));
        CHECK(notes(F_SSO_AMBIGUOUS) == 1 && policy->listeners.v[0].sso_domains.n == 1 &&
              notes(F_UNKNOWN_ELEMENT) == 0);
    }
    buf_free(&text);
    buf_free(&message);
    arena_free(a);
}

int main(void)
{
    test_plain();
    test_scalars();
    test_names();
    test_paths();
    test_references();
    test_users_and_schedule();
    test_sources();
    test_farm();
    test_vendor();
    test_kinds();
    test_unknown();
    test_ledger();
    test_listeners();
    test_encodings();
    test_refused();
    test_names_file();
    test_table();
    test_every_row();
    test_real();
    policy_free(policy);
    buf_free(&errors);
    printf("parser: %u passed, %u failed\n", passed, failed);
    return failed != 0;
}
