/* Tests of verify's parts that need no proxy: the map of client addresses, the substitution, the spellings of paths and names, a
 * stand-in. */
#include "check.h"
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../verify/internal.h"

static uint32_t ip(const char *s)
{
    uint32_t v = 0;
    check(ip_parse(s, &v), "an address", s);
    return v;
}

/* ---- client addresses ------------------------------------------------------------ */

static void test_clients(void)
{
    struct arena *a = arena_new();
    struct client_map m = { 0 };
    struct ip_range whole = { ip("10.0.0.0"), ip("10.255.255.255") }, hole = { ip("10.1.0.0"), ip("10.1.255.255") },
                    one = { ip("10.1.2.3"), ip("10.1.2.3") }, last = { ip("240.0.0.0"), UINT32_MAX }, first = { 0, 9 };
    struct ip_range all[] = { whole, hole, one, last, first };
    for (size_t i = 0; i < 5; i++)
        clients_cut(a, &m, all[i]);
    clients_ready(&m);
    uint32_t points[64];
    size_t n = 0;
    for (size_t i = 0; i < 5; i++) {
        points[n++] = all[i].from;
        points[n++] = all[i].to;
        if (all[i].from > 0)
            points[n++] = all[i].from - 1;
        if (all[i].to < UINT32_MAX)
            points[n++] = all[i].to + 1;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t at = clients_image(&m, points[i]);
        check(at >> 24 == 127 && at >= ip("127.64.0.0"), "an image is in the upper half of 127/8", NULL);
        for (size_t k = 0; k < 5; k++) {
            struct ip_range r = clients_image_range(&m, all[k]);
            bool in = points[i] >= all[k].from && points[i] <= all[k].to;
            check(in == (at >= r.from && at <= r.to), "an image is inside where its address is", NULL);
        }
        for (size_t k = 0; k < n; k++)
            check((points[i] < points[k]) == (at < clients_image(&m, points[k])), "the order stays", NULL);
    }
    arena_free(a);
}

/* ---- the substitution -------------------------------------------------------------- */

struct scene {
    struct arena *arena;
    struct plan plan;
    struct loopback loopback;
    struct places places;
    struct strbuf err;
};

/* Places as places_open makes them, for one socket and one server, without opening anything. */
static void scene_open(struct scene *s)
{
    memset(s, 0, sizeof *s);
    s->arena = arena_new();
    s->plan.arena = s->arena;
    s->plan.trust = "/etc/trust.pem";
    s->places = (struct places){ .arena = s->arena,
                                 .plan = &s->plan,
                                 .loopback = &s->loopback,
                                 .dir = "/run",
                                 .dead = { ip("127.9.9.9"), 9 },
                                 .ca = "/run/ca.pem",
                                 .other_ca = "/run/other-ca.pem" };
    vec_add(s->arena, &s->places.servers,
            ((struct server_place){ "app.example", 8080, { ip("127.1.1.1"), 1001 }, "app.example" }));
    vec_add(s->arena, &s->places.sockets,
            ((struct socket_place){
                .address = "192.0.2.1", .port = 80, .at = { ip("127.1.1.2"), 1002 }, .present = false }));
    vec_add(s->arena, &s->places.certificates, ((struct certificate_place){ "/etc/a.pem", "/run/certificate-0.pem" }));
    check(loopback_open(&s->loopback, &s->err) == 0, "a part of loopback", s->err.p);
}

static void scene_close(struct scene *s)
{
    loopback_close(&s->loopback);
    buf_free(&s->err);
    arena_free(s->arena);
}

static void becomes(struct scene *s, bool nginx, const char *text, const char *expected)
{
    struct substitution x = { .places = &s->places, .text = text, .err = &s->err };
    struct strbuf out = { 0 };
    s->places.clients.cuts.n = 0;
    substitution_scan(&x);
    clients_ready(&s->places.clients);
    if (nginx)
        substitute_nginx(&x);
    else
        substitute_haproxy(&x);
    substitution_apply(&x, &out);
    check(!x.failed && str_equal(out.p, expected), text, out.p);
    buf_free(&out);
}

static void test_nginx(struct scene *s)
{
    becomes(s, true, "server { listen 192.0.2.1:80; }", "server { listen 127.1.1.2:1002; }");
    becomes(s, true, "upstream u {\n  server app.example:8080 down;\n}",
            "upstream u {\n  server 127.1.1.1:1001 down;\n}");
    becomes(s, true, "upstream u { server app.example:8081; }", "upstream u { server 127.9.9.9:9; }");
    becomes(s, true, "upstream u { } location / { proxy_pass https://u$request_uri; }",
            "upstream u { } location / { proxy_pass https://u$request_uri; }");
    becomes(s, true, "location / { proxy_pass http://app.example:8080/x; }",
            "location / { proxy_pass http://127.1.1.1:1001/x; }");
    becomes(s, true, "location / { proxy_pass http://app.example/x; }",
            "location / { proxy_pass http://127.9.9.9:9/x; }");
    becomes(s, true, "location / { proxy_pass http://$to; }", "location / { proxy_pass http://$to; }");
    becomes(s, true, "ssl_certificate \"/etc/a.pem\";", "ssl_certificate \"/run/certificate-0.pem\";");
    becomes(s, true, "proxy_ssl_trusted_certificate /etc/trust.pem;", "proxy_ssl_trusted_certificate /run/ca.pem;");
    becomes(s, true, "proxy_ssl_trusted_certificate /etc/ssl/trust.pem;",
            "proxy_ssl_trusted_certificate /run/other-ca.pem;");
    becomes(s, true, "# listen 192.0.2.1:80;\nset $x \"listen 192.0.2.1:80;\";",
            "# listen 192.0.2.1:80;\nset $x \"listen 192.0.2.1:80;\";");
    becomes(s, true, "geo $f { ranges; default 0; 10.0.0.0-10.0.0.9 1; }",
            "geo $f { ranges; default 0; 127.64.1.0-127.64.1.255 1; }");
    becomes(s, true, "geo $f { default 0; 10.0.0.0/8 1; }", "geo $f { default 0; 127.64.1.0/24 1; }");
    becomes(s, true, "if ($a ~ \"^{2}$\") { return 403; } server { listen 192.0.2.1:80; }",
            "if ($a ~ \"^{2}$\") { return 403; } server { listen 127.1.1.2:1002; }");
    becomes(s, true, "events {}", "events { worker_connections 16384; }");
    becomes(s, true, "events { worker_connections 7; }", "events { worker_connections 7; }");
    becomes(s, true, "}}} ;;; { \"", "}}} ;;; { \"");
}

static void test_haproxy(struct scene *s)
{
    becomes(s, false, "    bind 192.0.2.1:80\n", "    bind 127.1.1.2:1002\n");
    becomes(s, false, "    bind 192.0.2.1:80 ssl crt /etc/a.pem alpn http/1.1",
            "    bind 127.1.1.2:1002 ssl crt /run/certificate-0.pem alpn http/1.1");
    becomes(s, false, "server a app.example:8080 ssl ca-file /etc/trust.pem",
            "server a 127.1.1.1:1001 ssl ca-file /run/ca.pem");
    becomes(s, false, "server a app.example:1 ssl ca-file /x", "server a 127.9.9.9:9 ssl ca-file /run/other-ca.pem");
    becomes(s, false, "server a app.example:8080 check port 8080 inter 3s",
            "server a 127.1.1.1:1001 check port 1001 addr 127.1.1.1 inter 3s");
    becomes(s, false, "server a app.example:8080 check port 8081",
            "server a 127.1.1.1:1001 check port 9 addr 127.9.9.9");
    becomes(s, false, "acl x src 10.0.0.0/8 10.1.2.3",
            "acl x src 127.64.1.0/24 127.64.2.0/23 " /* the second lies in it */);
    becomes(s, false, "use_backend b if { src 10.0.0.0/8 } { path /10.0.0.0 }",
            "use_backend b if { src 127.64.1.0/24 } { path /10.0.0.0 }");
    becomes(s, false, "# bind 192.0.2.1:80\n", "# bind 192.0.2.1:80\n");
    becomes(s, false, "http-request deny if { path -m reg '# bind' } # server x y:1",
            "http-request deny if { path -m reg '# bind' } # server x y:1");
    becomes(s, false, "server \"a b\" 'app.example:8080'", "server \"a b\" '127.1.1.1:1001'");
    becomes(s, false, "server a\nbind\n\"", "server a\nbind\n\"");
}

/* ---- spellings ------------------------------------------------------------------------ */

static void test_variants(void)
{
    static const struct {
        enum path_kind kind;
        const char *external;
    } paths[] = {
        { PATH_PREFIX, "" }, { PATH_PREFIX, "/owa" }, { PATH_EXACT, "/x.htm" }, { PATH_STEM, "/_vti_inf.html" },
        { PATH_EXACT, "/" }, { PATH_PREFIX, "/a b" },
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct path p = { paths[i].kind, paths[i].external, NULL, 0 };
        variants v = { 0 };
        size_t yes = 0, no = 0;
        variants_of_path(a, &p, &v);
        for (size_t k = 0; k < v.n; k++) {
            const char *t = v.v[k].text;
            check(*t == '/' && strpbrk(t, " \r\n\t") == NULL, "a target can be sent", t);
            size_t n = strcspn(t, "?");
            yes += path_matches(&p, t, n);
            no += !path_matches(&p, t, n);
        }
        check(strchr(p.external, ' ') || yes > 0, "some spelling matches", p.external);
        check(*p.external == '\0' || strchr(p.external, ' ') || no > 0, "some spelling does not match", p.external);
    }
    static const struct public_name names[] = { { NAME_EXACT, "mail.example", NULL, 0 },
                                                { NAME_WILDCARD, "*.example", NULL, 0 },
                                                { NAME_ADDRESS, "192.0.2.1", NULL, 0 } };
    for (size_t i = 0; i < 3; i++) {
        variants v = { 0 };
        size_t yes = 0, no = 0;
        variants_of_name(a, &names[i], &v);
        for (size_t k = 0; k < v.n; k++) {
            bool fits = name_matches(&names[i], host_canonical(a, v.v[k].text));
            yes += fits;
            no += !fits;
        }
        check(yes > 0 && no > 0, "names on both sides", names[i].name);
    }
    arena_free(a);
}

static void test_fields(void)
{
    const char *head = "GET / HTTP/1.1\r\nHost: a\r\nX-Y:  v w \t\r\nx-y: 2\r\nXX: Host: b\r\n\r\nHost: body";
    size_t n;
    const char *v = head_field(head, "x-y", 0, &n);
    check(v && n == 3 && memcmp(v, "v w", 3) == 0, "a field without the space around", NULL);
    v = head_field(head, "X-Y", 1, &n);
    check(v && n == 1 && *v == '2', "the second of its name", NULL);
    check(head_field(head, "X-Y", 2, &n) == NULL && head_field(head, "Hos", 0, &n) == NULL, "no such field", NULL);
    check(head_field("GET", "Host", 0, &n) == NULL && head_field("", "", 0, &n) == NULL, "no fields at all", NULL);
}

/* ---- stand-ins ---------------------------------------------------------------------- */

/* Health checks do so: the end of a connection that said nothing is answered by the other end, and not waited on for ever. */
static void test_says_nothing(void)
{
    struct strbuf err = { 0 };
    struct loopback l;
    check(loopback_open(&l, &err) == 0, "addresses of our own", err.p);
    struct arena *a = arena_new();
    struct authority *authority = authority_new();
    struct places places = { .arena = a };
    probes none = { 0 };
    vec_add(a, &places.servers, ((struct server_place){ .host = "srv", .port = 80, .at = loopback_take(&l) }));
    struct stand_in *s = stand_in_start(&places, authority, &none, &err);
    check(s != NULL, "a stand-in", err.p);
    uint16_t port = 0;
    char byte;
    int fd = loopback_connect(places.servers.v[0].at, 0, &port, 10000);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 20 }, sizeof(struct timeval));
    check(fd >= 0 && shutdown(fd, SHUT_WR) == 0 && recv(fd, &byte, 1, 0) == 0, "it ends too", NULL);
    close(fd);
    stand_in_stop(s);
    authority_free(authority);
    loopback_close(&l);
    arena_free(a);
    buf_free(&err);
}

int main(void)
{
    struct scene s;
    scene_open(&s);
    test_clients();
    test_nginx(&s);
    test_haproxy(&s);
    test_variants();
    test_fields();
    test_says_nothing();
    scene_close(&s);
    return summary("verify");
}
