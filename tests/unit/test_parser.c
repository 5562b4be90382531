/* test_parser: what a web publishing rule says, in the usual spelling and in every other that is taken: names, paths, references,
 * users, sources, farms, vendor parameters. */
#include "export_text.h"

/* ---- the usual spelling ------------------------------------------------------------------------------------------------ */
static void test_plain(void)
{
    const struct rule *r = only_rule(ARRAY(RULE(WEB(PLAIN)), ""));
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
    const struct rule *r = only_rule(ARRAY(
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
    r = only_rule(ARRAY(
        RULE(S("Action", "banana") S("Enabled", "perhaps") WEB(PLAIN S("HTTPRedirectPort", "99999999999999999999"))),
        ""));
    CHECK(r->action == ACTION_DENY && !r->enabled && r->http_port == 80 && notes(F_BAD_VALUE) == 3);
}

static void test_names(void)
{
    const struct rule *r =
        only_rule(ARRAY(RULE(WEB(S("WebSite", "w.example") USES PATHS(PATH(S("InternalPath", "/*"))) NAMES(
                            S("Str", "A.example") S("Str", "a.example") S("Str", "bad name") S("Str", "*.b.example")
                                S("Str", "192.0.2.9") S("Str", "b\xc3\xbc"
                                                               "cher.example")))),
                        ""));
    CHECK(r->names.n == 4 && notes(F_DUPLICATE_NAME) == 1 && notes(F_BAD_NAME) == 1 && !r->all_names);
    CHECK(r->names.v[1].kind == NAME_WILDCARD && r->names.v[2].kind == NAME_ADDRESS);
    CHECK(strncmp(r->names.v[3].name, "xn--", 4) == 0 && r->names.v[0].line > 0);
    r = only_rule(
        ARRAY(RULE(WEB(S("WebSite", "w.example") USES PATHS(PATH(S("InternalPath", "/*"))) NAMES(S("Str", "*")))), ""));
    CHECK(r->all_names && r->names.n == 0);
    r = only_rule(ARRAY(
        RULE(WEB(S("WebSite", "w.example") S("AllPublicNames", "1") USES PATHS(PATH(S("InternalPath", "/*"))))), ""));
    CHECK(r->all_names && notes(F_RULE_WITHOUT_NAME) == 0);
    r = only_rule(ARRAY(RULE(WEB(S("WebSite", "w.example") USES)), ""));
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
        r = only_rule(shapes[i]);
        CHECK(r->names.n == 2 && same(r->names.v[0].name, "a.example") && same(r->names.v[1].name, "b.example"));
        CHECK(notes(F_UNKNOWN_ELEMENT) == 0);
    }
}

static void test_paths(void)
{
#define WITH_PATHS(shape) ARRAY(RULE(WEB(S("WebSite", "w.example") USES NAMES(S("Str", "a.example")) shape)), "")
    const struct rule *r = only_rule(WITH_PATHS(PATHS(
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
    r = only_rule(WITH_PATHS(PATHS(PATH(S("InternalPath", "/_vti_inf.html*")) PATH(S("InternalPath", "/a/*"))
                                       PATH(S("InternalPath", "/A/b/*")))));
    CHECK(r->paths.n == 3 && notes(F_PATH_PATTERN) == 1 && notes(F_OVERLAPPING_PATHS) == 1);
    only_rule(WITH_PATHS(PATHS(PATH(S("InternalPath", "/a/*")) PATH(S("InternalPath", "/A/*")))));
    CHECK(notes(F_OVERLAPPING_PATHS) == 1 && strstr(first_note(F_OVERLAPPING_PATHS)->message, "twice"));
    r = only_rule(WITH_PATHS(PATHS(PATH(S("ExternalPath", "/one") S("InternalPath", "/two/*")))));
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
        r = only_rule(shapes[i]);
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
        CHECK(same(only_rule(shapes[i])->listener, "Main"));
        CHECK(notes(F_RULE_WITHOUT_LISTENER) == 0 && notes(F_UNKNOWN_ELEMENT) == 0);
    }
    const struct rule *r =
        only_rule(ARRAY(RULE(WEB(NO_LISTENER REF("WebListenerUsed", G("77"), "msFPCWebListener"))), ""));
    CHECK(!r->listener && notes(F_RULE_WITHOUT_LISTENER) == 1 &&
          strstr(first_note(F_RULE_WITHOUT_LISTENER)->message, G("77")));
    r = only_rule(ARRAY(RULE(WEB(PLAIN REFS("UserSets", REF(G("0E"), G("78"), "msFPCUserSet")))
                                 REF("ScheduleUsed", G("79"), "msFPCProxyScheduleTemplate")),
                        ""));
    CHECK(!r->all_users && r->users.n == 1 && same(r->users.v[0], G("78")) && r->schedule_unknown &&
          notes(F_DANGLING_REF) == 2);
    r = only_rule(ARRAY(RULE(WEB(PLAIN REFS("UserSets", REF(G("0E"), "All Users", "msFPCUserSet")))), ""));
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
    const struct rule *r = only_rule(ARRAY(USERS_RULE, STAFF HOURS("800000000000000000000000000000000000000001")));
    CHECK(!r->all_users && r->users.n == 1 && same(r->users.v[0], "Staff") && same(r->schedule, "Work") &&
          !r->schedule_unknown);
    CHECK(policy->user_sets.n == 1 && policy->user_sets.v[0].accounts.n == 1);
    CHECK(same(policy->user_sets.v[0].accounts.v[0].name, "CORP-Domain Users") &&
          policy->user_sets.v[0].accounts.v[0].group);
    CHECK(policy->schedules.n == 1 && policy->schedules.v[0].hours[0] == 0x80 && policy->schedules.v[0].hours[20] == 1);
    CHECK(policy->notes.list.n == 0);
    r = only_rule(ARRAY(USERS_RULE, STAFF HOURS("80")));
    CHECK(!r->schedule && r->schedule_unknown && notes(F_BAD_VALUE) == 1);
    r = only_rule(
        ARRAY(RULE(WEB(PLAIN REFS("UserSets", OPEN("Ref", G("0E")) S("Name", "Staff") S("RefClass", "msFPCUserSet")
                                                  S("IncludeStatus", "1") CLOSE("Ref")))),
              STAFF));
    CHECK(!r->all_users && r->users.n == 1 && notes(F_BAD_VALUE) == 1);
    r = only_rule(ARRAY(RULE(WEB(PLAIN) OPEN("AccessProperties", "AccessProperties")
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
    const struct rule *r = only_rule(FROM(""));
    CHECK(r->sources.any);
    r = only_rule(FROM(REFS("ComputerSets", REF(G("0E"), G("35"), "msFPCComputerSet"))));
    CHECK(r->sources.any && policy->notes.list.n == 0);
    r = only_rule(FROM(REFS("Subnets", REF(G("0E"), G("33"), "msFPCSubnet"))
                           REFS("Computers", EXCEPT(G("0F"), G("32"), "msFPCComputer"))));
    CHECK(!r->sources.any && r->sources.addresses.n == 2 && r->sources.addresses.v[0].from == 0xc0000200 &&
          r->sources.addresses.v[0].to == 0xc0000204);
    CHECK(r->sources.except_addresses.n == 0 && policy->notes.list.n == 0);
    r = only_rule(FROM(REFS("Networks", REF(G("0E"), G("30"), "msFPCNetwork"))
                           REFS("AddressRanges", EXCEPT(G("0F"), G("34"), "msFPCAddressRange"))));
    CHECK(r->sources.networks.n == 1 && same(r->sources.networks.v[0], "Lab") && r->sources.except_addresses.n == 1 &&
          !r->sources.any);
    CHECK(policy_network(policy, "lab") && policy_network(policy, "lab")->addresses.n == 1);
    r = only_rule(FROM(REFS("NetworkSets", REF(G("0E"), G("37"), "msFPCNetworkSet"))));
    CHECK(r->sources.networks.n == 1 && policy_network(policy, "All but Lab")->kind == NETWORK_SET_EXCEPT);
    CHECK(policy_network(policy, "All but Lab")->members.n == 1 &&
          same(policy_network(policy, "All but Lab")->members.v[0], "Lab"));
    r = only_rule(FROM(REFS("Networks", REF(G("0E"), "{f129eacf-778b-44fe-b339-5b752d7220a3}", "msFPCNetwork"))));
    CHECK(r->sources.networks.n == 1 && same(r->sources.networks.v[0], "External") && notes(F_DANGLING_REF) == 0);
    r = only_rule(FROM(REFS("Computers", REF(G("0E"), G("99"), "msFPCComputer"))));
    CHECK(r->sources.unknown && !r->sources.any && notes(F_DANGLING_REF) == 1);
    r = only_rule(FROM(REFS("Networks", REF(G("0E"), G("99"), "msFPCNetwork"))));
    CHECK(r->sources.networks.n == 1 && !r->sources.any && notes(F_DANGLING_REF) == 1 &&
          policy_network(policy, G("99")));
    r = only_rule(FROM(REFS("ComputerSets", EXCEPT(G("0F"), G("33"), "msFPCSubnet"))));
    CHECK(!r->sources.any && r->sources.addresses.n == 2);
    r = only_rule(FROM("<fpc4:Mystery>1</fpc4:Mystery>"));
    CHECK(r->sources.unknown && notes(F_UNKNOWN_ELEMENT) == 1);
    r = only_rule(FROM(REFS("Computers", OPEN("Computer", G("3A")) S("Name", "Inline") S("IPAddress", "192.0.2.77")
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
        only_rule(ARRAY(RULE(WEB(PLAIN S("LoadBalancingEnabled", "1") S("CredentialsDelegationType", "6")
                                     OPEN("LoadBalancingConfig", "LoadBalancingConfig") S("AffinityType", "1")
                                         REF("ServerFarm", G("40"), "msFPCServerFarm") CLOSE("LoadBalancingConfig"))),
                        FARM));
    CHECK(same(r->farm, "Farm") && r->affinity_by_address && same(r->spn, "http/*") && r->spns.n == 2);
    const struct farm *f = policy_farm(policy, "farm");
    CHECK(f && f->members.n == 2 && same(f->members.v[0].host, "web1.corp.example") && f->members.v[1].drained);
    CHECK(f && f->probe == PROBE_TCP && f->probe_port == 81 && same(f->probe_host, "h.example") &&
          f->probe_threshold == 900);
    CHECK(policy->notes.list.n == 0);
    r = only_rule(
        ARRAY(RULE(WEB(PLAIN S("LoadBalancingEnabled", "0") REF("ServerFarm", G("40"), "msFPCServerFarm"))), FARM));
    CHECK(!r->farm);
    r = only_rule(ARRAY(RULE(WEB(PLAIN REF("ServerFarm", G("40"), "msFPCServerFarm"))), FARM));
    CHECK(same(r->farm, "Farm") && notes(F_DEFAULT_TAKEN) == 1);
    r = only_rule(
        ARRAY(RULE(WEB(PLAIN S("LoadBalancingEnabled", "1") REF("ServerFarm", G("44"), "msFPCServerFarm"))), FARM));
    CHECK(same(r->farm, G("44")) && notes(F_DANGLING_REF) == 1);
    CHECK(policy_farm(policy, r->farm) && policy_farm(policy, r->farm)->members.n == 0);
    r = only_rule(ARRAY(RULE(WEB(USES NAMES(S("Str", "a.example")) PATHS(PATH(S("InternalPath", "/*"))))), ""));
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
        only_rule(SETS(SET("{5E302ED5-f5d5-4fad-9b8a-01c72e1569f3}", PARAM("AddHttpsFrontEndOn", "1"))
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
    r = only_rule(
        SETS(SET(G("50"), "<fpc4:BlobData dt:dt=\"bin.hex\">01000000 04000000 41000000 0b00 ffff</fpc4:BlobData>")));
    CHECK(r->parameters.n == 1 && same(r->parameters.v[0].name, "A") && same(r->parameters.v[0].value, "1") &&
          notes(F_BAD_VALUE) == 0);
    r = only_rule(SETS(SET(G("50"), "<fpc4:BlobData dt:dt=\"bin.hex\">ffffffff ffffffff 41</fpc4:BlobData>")));
    CHECK(r->parameters.n == 0 && notes(F_BAD_VALUE) == 1);
    r = only_rule(SETS(SET("{5e302ed5-f5d5-4fad-9b8a-01c72e1569f3}", S("AddHttpsFrontEndOn", "1"))));
    CHECK(r->front_end_https);
    r = only_rule(SETS(OPEN("VendorParametersSet", "set") S("Name", "{5e302ed5-f5d5-4fad-9b8a-01c72e1569f3}")
                           PARAM("AddHttpsFrontEndOn", "-1") CLOSE("VendorParametersSet")));
    CHECK(r->front_end_https && r->parameters.n == 0);
    r = only_rule(SETS(SET(G("51"), S("Whatever", "<![CDATA[<Configuration/>]]>"))));
    CHECK(same(r->http_filter, "<Configuration/>"));
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
    return parser_report();
}
