/* test_server: server publishing rules - doors, the streams that they share, who has a connection, and number patterns. */
#include "check.h"
#include <stdio.h>
#include <string.h>
#include "../../emitters/emit.h"
#include "../../ir/decide_server.h"

static struct policy *policy;
static struct site *site;
static struct plan *plan;
static struct findings found;
static struct arena *arena;

static void clear(void)
{
    plan_free(plan);
    site_free(site);
    policy_free(policy);
    if (arena)
        arena_free(arena);
    plan = NULL;
    site = NULL;
    policy = NULL;
    arena = NULL;
}

static const char head[] =
    "policy: 1\n"
    "networks:\n"
    "  - {name: External, kind: external}\n"
    "  - {name: Internal, addresses: [10.0.0.0/8]}\n"
    "  - {name: Unknown}\n"
    "schedules:\n"
    "  - name: Nights\n"
    "    hours: [\"Mon-Sun 00:00-05:00\"]\n"
    "  - name: Work\n"
    "    hours: [\"Mon-Fri 08:00-18:00\"]\n"
    "listeners:\n"
    "  - {name: Web, on: [{network: External, select: specified, addresses: [192.0.2.9]}], http: 80}\n"
    "protocols:\n"
    "  - name: mail\n"
    "    primary: [{low: 25, high: 25}]\n"
    "  - name: names\n"
    "    primary: [{low: 53, high: 53}, {transport: udp, low: 53, high: 53}]\n"
    "  - name: range\n"
    "    primary: [{low: 20, high: 29}]\n"
    "  - name: wide\n"
    "    primary: [{low: 1024, high: 65535}]\n"
    "  - name: web\n"
    "    primary: [{low: 80, high: 80}]\n"
    "  - name: gre\n"
    "    primary: [{transport: other, number: 47}]\n"
    "  - name: outward\n"
    "    primary: [{low: 25, high: 25, outbound: true}]\n"
    "server_rules:\n";
#define AT(address) "on: [{network: External, select: specified, addresses: [" address "]}]"
#define RULE(name, more) "  - {name: " name ", server: 10.0.0.1, " more "}\n"
#define ANY ", sources: {any: true}"

/* What goes wrong here is a mistake in a test. */
static bool make(const char *rules, const char *map)
{
    struct strbuf text = { 0 }, err = { 0 };
    clear();
    arena = arena_new();
    buf_printf(&text, "%s%s", head, rules);
    policy = policy_read("p.yaml", text.p, text.n, &err);
    site = site_parse("s.yaml", map, strlen(map), &err);
    findings_init(&found, arena);
    if (policy && site)
        plan = plan_make(policy, site, &found);
    else
        printf("%s\n", err.p);
    buf_free(&text);
    buf_free(&err);
    CHECK(plan != NULL);
    return plan != NULL;
}

static size_t count(enum finding_id id)
{
    size_t n = 0;
    for (size_t i = 0; i < found.list.n; i++)
        n += found.list.v[i].id == id;
    return n;
}

static struct passage_decision decide_at(enum target t, const char *address, uint16_t port, const char *client,
                                         uint16_t client_port, int hour)
{
    struct connection c = { .transport = TRANSPORT_TCP, .port = port, .client_port = client_port, .hour = hour };
    struct passage_decision d;
    ip_parse(address, &c.address);
    ip_parse(client, &c.client);
    decide_connection(plan, t, &c, arena, &d);
    return d;
}
#define DECIDE(port, client) decide_at(TARGETS, "192.0.2.1", port, client, 0, -1)

static void test_order(void)
{
    if (!make(RULE("a", "protocol: mail, " AT("192.0.2.1") ", sources: {addresses: [198.51.100.0/24]}") RULE(
                  "b", "protocol: range, " AT("192.0.2.1") ", sources: {any: true, except_addresses: [203.0.113.0/24]}")
                  RULE("c", "protocol: mail, action: deny, " AT("192.0.2.1") ANY),
              "site: 1\n"))
        return;
    CHECK(DECIDE(25, "198.51.100.7").rule == 0 && DECIDE(25, "192.0.2.77").rule == 1);
    struct passage_decision d = DECIDE(25, "203.0.113.5");
    CHECK(d.rule == 2 && d.passage == PASSAGE_DENIED && d.trail.n == 2 && d.trail.v[1].failed == SERVER_FAILED_SOURCE);
    d = DECIDE(29, "192.0.2.77");
    CHECK(d.passage == PASSAGE_RELAYED && d.port == 29 && strcmp(d.door->host, "10.0.0.1") == 0);
    CHECK(DECIDE(29, "203.0.113.5").passage == PASSAGE_NO_RULE && DECIDE(30, "192.0.2.77").passage == PASSAGE_NOBODY);
    CHECK(plan->streams.n == 3); /* 20 to 24, 25, 26 to 29 */
    CHECK(plan->streams.v[0].low == 20 && plan->streams.v[0].high == 24 && plan->streams.v[1].tries.n == 3 &&
          plan->streams.v[2].low == 26 && plan->streams.v[2].high == 29);
}

static void test_conditions(void)
{
    if (!make(RULE("a", "protocol: mail, " AT("192.0.2.1") ANY ", source_port_low: 1024, source_port_high: 2047")
                  RULE("b", "protocol: mail, " AT("192.0.2.1") ANY ", schedule: Work")
                      RULE("c", "protocol: mail, " AT("192.0.2.1") ", sources: {networks: [Unknown]}"),
              "site: 1\n"))
        return;
    enum { MONDAY_NINE = 24 + 9, SUNDAY_NINE = 9 };
    CHECK(decide_at(TARGETS, "192.0.2.1", 25, "192.0.2.7", 1500, SUNDAY_NINE).rule == 0);
    CHECK(decide_at(TARGETS, "192.0.2.1", 25, "192.0.2.7", 2048, MONDAY_NINE).rule == 1);
    struct passage_decision d = decide_at(TARGETS, "192.0.2.1", 25, "192.0.2.7", 2048, SUNDAY_NINE);
    CHECK(d.rule == 2 && d.passage == PASSAGE_CLOSED && d.trail.v[1].failed == SERVER_FAILED_SCHEDULE);
    CHECK(!schedule_is_daily(policy_schedule(policy, "Work")) && schedule_is_daily(policy_schedule(policy, "Nights")));
    assess(plan, ON_ALL, NULL, &found);
    CHECK(plan->server_rules.v[1].closed == ON(TARGET_NGINX) && plan->server_rules.v[2].closed == ON_PROXIES);
    d = decide_at(TARGET_NGINX, "192.0.2.1", 25, "192.0.2.7", 2048, SUNDAY_NINE);
    CHECK(d.rule == 1 && d.passage == PASSAGE_CLOSED); /* whatever the hour: nginx cannot tell */
    CHECK(decide_at(TARGET_HAPROXY, "192.0.2.1", 25, "192.0.2.7", 2048, MONDAY_NINE).passage == PASSAGE_RELAYED);
    CHECK(decide_at(TARGET_PUBLISHD, "192.0.2.1", 25, "192.0.2.7", 2048, MONDAY_NINE).passage == PASSAGE_ELSEWHERE);
}

static void test_ports(void)
{
    if (!make(RULE("a", "protocol: mail, " AT("192.0.2.1") ANY ", publish_port: 2525, server_port: 26")
                  RULE("b", "protocol: range, " AT("192.0.2.2") ANY ", publish_port: 2525")
                      RULE("c", "protocol: wide, " AT("192.0.2.3") ANY) RULE("d", "protocol: gre, " AT("192.0.2.4") ANY)
                          RULE("e", "protocol: outward, " AT("192.0.2.5") ANY)
                              RULE("f", "protocol: names, " AT("192.0.2.6") ANY ", publish_port: 5353"),
              "site: 1\nbackends: {\"10.0.0.1:26\": \"mail.example:2626\"}\nserver_rules: {f: {port: 5454}}\n"))
        return;
    struct passage_decision d = DECIDE(2525, "192.0.2.77");
    CHECK(d.passage == PASSAGE_RELAYED && d.port == 2626 && strcmp(d.door->host, "mail.example") == 0);
    CHECK(count(F_BAD_VALUE) == 1 && decide_at(TARGETS, "192.0.2.2", 25, "192.0.2.77", 0, -1).port == 25);
    CHECK(plan->server_rules.v[2].wide && !plan->server_rules.v[2].doors.n);
    CHECK(plan->server_rules.v[3].unported && plan->server_rules.v[3].answers && !plan->server_rules.v[3].doors.n);
    CHECK(!plan->server_rules.v[4].answers && count(F_SERVER_RULE_UNUSABLE) == 1);
    CHECK(plan->server_rules.v[5].doors.n == 2 && plan->server_rules.v[5].doors.v[1].low == 5454 &&
          plan->server_rules.v[5].doors.v[1].port == 53);
}

static void test_sockets(void)
{
    if (!make(RULE("a", "protocol: web, " AT("192.0.2.9") ANY)
                  RULE("b", "protocol: mail, on: [{network: External}]" ANY)
                      RULE("c", "protocol: mail, on: [{network: External}]" ANY)
                          RULE("d", "protocol: mail, on: [{network: Internal}]" ANY)
                              RULE("e", "protocol: mail, " AT("192.0.2.1") ANY),
              "site: 1\nserver_rules: {c: {client_address: transparent}}\n"))
        return;
    CHECK(!plan->server_rules.v[0].doors.n); /* the web listener has 192.0.2.9:80 */
    CHECK(plan->server_rules.v[1].doors.n == 1 && plan->server_rules.v[2].doors.n == 1);
    CHECK(!plan->server_rules.v[3].doors.n && !plan->server_rules.v[4].doors.n && count(F_SOCKET_SHARED) == 3);
    CHECK(plan->streams.n == 1 && plan->streams.v[0].tries.n == 2 && *plan->streams.v[0].address == '*');
    CHECK(plan->server_rules.v[2].client_address == CLIENT_ADDRESS_LOST && count(F_BAD_VALUE) == 1);
    CHECK(decide_at(TARGETS, "203.0.113.99", 25, "192.0.2.7", 0, -1).rule == 1);
    CHECK(count(F_ALL_ADDRESSES) == 3);
    CHECK(make(RULE("a", "protocol: mail, route: true, " AT("192.0.2.1") ANY), "site: 1\n") &&
          *plan->streams.v[0].address == '*' && count(F_ALL_ADDRESSES) == 0);
}

static void test_numbers(void)
{
    static const uint16_t ends[] = { 0,    1,    9,    10,   11,    19,    99,    100,  101,
                                     1023, 1024, 5000, 9999, 10000, 29999, 65534, 65535 };
    enum { N = sizeof ends / sizeof *ends };
    struct strbuf err = { 0 };
    struct arena *a = arena_new();
    for (size_t i = 0; i < N; i++)
        for (size_t k = i; k < N; k += 3) {
            const char *pattern = arena_printf(a, "^%s$", regex_numbers(a, ends[i], ends[k]));
            CHECK(regex_prove_numbers(pattern, ends[i], ends[k], &err) == 0);
        }
    CHECK(regex_prove_numbers("^(?:102[4-9])$", 1024, 1030, &err) != 0);
    buf_free(&err);
    arena_free(a);
}

int main(void)
{
    test_order();
    test_conditions();
    test_ports();
    test_sockets();
    test_numbers();
    clear();
    return summary("server");
}
