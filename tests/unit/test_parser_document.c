/* test_parser_document: the document as a whole: kinds of rules, what is unknown, the ledger, listeners; encodings, hostile and
 * broken input; files of names; every row of the settings table; the real exports, where they are present. */
#include "export_text.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

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
    only_rule(
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
    const struct rule *r = only_rule(ARRAY(
        RULE(WEB(PLAIN S("NewThing", "x") S("LogoffURL", "/bye") "<fpc4:Deep><fpc4:A>1</fpc4:A></fpc4:Deep>")), ""));
    CHECK(balances() && policy->ledger.unknown == 3 && policy->ledger.unknown_attributes == 0);
    CHECK(counted(&policy->ledger.settings, "WEB_LOGOFF") == 1 && counted(&r->at.counts, "WEB_LOGOFF") == 1);
    CHECK(counted(&policy->ledger.settings, "WEB_SITE") == 1 &&
          counted(&r->at.counts, "WEB_SITE") == 0); /* every target has it */
    only_rule(ARRAY(RULE(WEB(PLAIN "<fpc4:LogoffURL odd=\"1\">/bye</fpc4:LogoffURL>")), ""));
    CHECK(balances() && policy->ledger.unknown_attributes == 1 && notes(F_UNKNOWN_ELEMENT) == 1);
    CHECK(strstr(first_note(F_UNKNOWN_ELEMENT)->message,
                 "the attribute odd of PolicyRule/WebPublishingProperties/LogoffURL"));
    only_rule(ARRAY(
        RULE(WEB(PLAIN "<fpc4:PublishedServerApplication>1<fpc4:Inside/></fpc4:PublishedServerApplication>")), ""));
    CHECK(balances() && policy->ledger.unknown == 1 && notes(F_UNKNOWN_ELEMENT) == 1);
    only_rule(ARRAY(
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
    return parser_report();
}
