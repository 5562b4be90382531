/* publishd.yaml, moved to loopback: its scalars are found by the tree's places and replaced where they stand, inside their
 * quotes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../ir/probe.h"
#include "../ir/yaml.h"
#include "internal.h"

struct yaml_text {
    struct substitution *s;
    VEC(const char *) lines; /* where each begins */
};

/* The scalar's text inside the file, without quotes. n is 0 for what is no scalar. */
struct span {
    const char *at;
    size_t n;
};

static struct span span_of(const struct yaml_text *t, const struct node *node)
{
    if (!node || node->kind != NODE_SCALAR || node->line > t->lines.n)
        return (struct span){ 0 };
    const char *p = t->lines.v[node->line - 1];
    for (uint32_t c = 1; c < node->column && *p; c++) /* columns are characters */
        do
            p++;
        while (((unsigned char)*p & 0xc0) == 0x80);
    if (node->plain)
        return (struct span){ p, strlen(node->text) };
    const char *q = p + 1;
    while (*q && *q != *p)
        q += *q == '\\' && *p == '"' && q[1] ? 2 : 1;
    return (struct span){ p + 1, (size_t)(q - p - 1) };
}

static void replace(const struct yaml_text *t, const struct node *node, const char *text)
{
    struct span w = span_of(t, node);
    if (w.n)
        substitute_text(t->s, w.at, w.n, text);
}

/* Host and port in two scalars become those of a place. */
static void replace_place(const struct yaml_text *t, const struct node *host, const struct node *port,
                          struct endpoint e)
{
    struct strbuf ip = { 0 };
    buf_ip(&ip, e.ip);
    replace(t, host, arena_strdup(t->s->places->arena, ip.p));
    replace(t, port, arena_printf(t->s->places->arena, "%u", e.port));
    buf_free(&ip);
}

static uint16_t port_of(const struct node *port)
{
    unsigned long v = port && port->kind == NODE_SCALAR ? strtoul(port->text, NULL, 10) : 0;
    return v > 65535 ? 0 : (uint16_t)v;
}

static void certificate_file(const struct yaml_text *t, const struct node *name)
{
    struct span w = span_of(t, name);
    if (w.n)
        substitute_certificate(t->s, w.at, w.n);
}

static void socket_item(const struct yaml_text *t, const struct node *item)
{
    const struct node *address = node_value(item, "address"), *port = node_value(item, "port");
    if (address && address->kind == NODE_SCALAR)
        replace_place(t, address, port, places_listen(t->s->places, address->text, port_of(port)));
    certificate_file(t, node_value(item, "chain"));
    certificate_file(t, node_value(item, "key"));
}

static void server_item(const struct yaml_text *t, const struct node *item)
{
    const struct node *connect = node_value(item, "connect"), *port = node_value(item, "port");
    if (!connect || connect->kind != NODE_SCALAR)
        return;
    size_t i = places_server(t->s->places, connect->text, port_of(port));
    replace_place(t, connect, port, i == SIZE_MAX ? t->s->places->dead : t->s->places->servers.v[i].at);
}

/* Checks go to where the members have their port here; where that is not one for all, by TCP to where the requests go. */
static void farm_item(const struct yaml_text *t, const struct node *farm)
{
    struct arena *a = t->s->places->arena;
    const struct node *name = node_value(farm, "name"), *probe = node_value(farm, "probe"),
                      *port = node_value(farm, "probe_port");
    struct span w = span_of(t, node_value(farm, "probe_url"));
    const char *url = arena_strndup(a, w.n ? w.at : "", w.n), *host = strstr(url, "://");
    bool http = probe && str_equal(probe->text, "http");
    uint16_t at = name && name->text && (!http || host)
                      ? places_check_port(t->s->places, name->text, http ? probe_url_parse(a, url).port : port_of(port))
                      : 0;
    if (at && http) {
        size_t before = (size_t)(host + 3 - url) + strcspn(host + 3, ":/?#"), old = strcspn(url + before, "/?#");
        substitute_text(t->s, w.at + before, old, arena_printf(a, ":%u", at));
        return;
    }
    replace(t, probe, "tcp");
    replace(t, port, arena_printf(a, "%u", at));
}

static const struct node *first_item(const struct node *map, const char *key)
{
    const struct node *list = map ? node_value(map, key) : NULL;
    return list && list->kind == NODE_LIST ? list->first : NULL;
}

static void listener_item(const struct yaml_text *t, const struct node *l)
{
    struct span trust = span_of(t, node_value(l, "client_trust")), revoked = span_of(t, node_value(l, "client_crl"));
    for (const struct node *k = first_item(l, "sockets"); k; k = k->next)
        socket_item(t, k);
    if (trust.n)
        substitute_trust(t->s, trust.at, trust.n, true);
    if (revoked.n)
        substitute_revoked(t->s, revoked.at, revoked.n);
}

static void rule_item(const struct yaml_text *t, const struct node *rule)
{
    static const char *const upstreams[] = { "upstream", "upstream_http", "upstream_https" };
    static const char *const clients[] = { "sources", "compress_for" };
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
        for (const struct node *range = first_item(rule, clients[i]); range; range = range->next) {
            struct span w = span_of(t, range);
            if (w.n)
                substitute_clients(t->s, w.at, w.n, true);
        }
    for (size_t i = 0; i < sizeof upstreams / sizeof *upstreams; i++)
        for (const struct node *server = first_item(node_value(rule, upstreams[i]), "servers"); server;
             server = server->next)
            server_item(t, server);
    certificate_file(t, node_value(rule, "backend_chain"));
    certificate_file(t, node_value(rule, "backend_key"));
    if (geteuid() != 0) /* which only root may ask for */
        replace(t, node_value(rule, "forward_client_address"), "false");
}

/* How it runs on its host - logs, its own ports, the account - is no part of what is asked: commented out. */
static void drop_service(const struct yaml_text *t, const struct node *root)
{
    for (const struct node *key = root->first; key; key = key->next->next) {
        if (!str_equal(key->text, "service"))
            continue;
        const struct node *after = key->next->next;
        for (uint32_t line = key->line; line <= t->lines.n && (!after || line < after->line); line++)
            substitute_text(t->s, t->lines.v[line - 1], 0, "#");
        return;
    }
}

static void find_lines(struct yaml_text *t)
{
    for (const char *p = t->s->text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        vec_add(t->s->places->arena, &t->lines, p);
}

static int by_place(const void *x, const void *y)
{
    const struct change *a = x, *b = y;
    return a->at < b->at ? -1 : a->at > b->at;
}

void substitute_publishd(struct substitution *s)
{
    struct yaml_text t = { .s = s };
    struct arena *tree = arena_new();
    struct yaml_reader r = { .file = "publishd.yaml", .arena = tree, .err = s->err };
    const struct node *root = yaml_parse(&r, tree, s->text, strlen(s->text));
    if (!root || root->kind != NODE_MAP) {
        s->failed = true;
        arena_free(tree);
        return;
    }
    find_lines(&t);
    drop_service(&t, root);
    struct span trust = span_of(&t, node_value(root, "trust"));
    if (trust.n)
        substitute_trust(s, trust.at, trust.n, false);
    for (const struct node *l = first_item(root, "listeners"); l; l = l->next)
        listener_item(&t, l);
    for (const struct node *f = first_item(root, "farms"); f; f = f->next)
        farm_item(&t, f);
    for (const struct node *rule = first_item(root, "rules"); rule; rule = rule->next)
        rule_item(&t, rule);
    if (s->changes.n)
        qsort(s->changes.v, s->changes.n, sizeof *s->changes.v, by_place);
    arena_free(tree);
}
