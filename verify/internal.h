/* What the files of verify/ share among themselves. */
#ifndef TMGC_VERIFY_INTERNAL_H
#define TMGC_VERIFY_INTERNAL_H
#include <openssl/ssl.h>
#include <sys/types.h>

#include "../ir/decide_server.h"
#include "verify.h"

/* ---- authority.c: certificates made on the spot ------------------------------ */
struct authority;
struct authority *authority_new(void);
void authority_free(struct authority *a);
int authority_write_ca(const struct authority *a, const char *file, struct strbuf *err);       /* PEM */
int authority_write_revoked(const struct authority *a, const char *file, struct strbuf *err);  /* a list that revokes nothing, PEM */
/* A listener's certificate and its key in one file; its common name tells which it is (listener_certificate_number). */
int authority_write_listener(const struct authority *a, size_t number, const char *file, struct strbuf *err);
long listener_certificate_number(const X509 *x);                      /* -1: not one of ours */
/* A client context; with a certificate signed by a, or without one (a NULL). The caller frees it. */
SSL_CTX *authority_client(const struct authority *a);
/* A server context that shows a certificate for name, signed by the authority. The caller frees it. */
SSL_CTX *authority_server(const struct authority *a, const char *name);

/* ---- sandbox.c: a folder and child processes that never outlive the run ------ */
struct sandbox { char *dir; int wire; pid_t supervisor; };
int sandbox_open(struct sandbox *s, struct strbuf *err);              /* call it before any thread exists */
int sandbox_start(struct sandbox *s, const char *const *argv, const char *log, struct strbuf *err);
bool sandbox_running(struct sandbox *s);                              /* is the child that was started last still there? */
void sandbox_stop(struct sandbox *s);                                 /* kills it and waits */
void sandbox_close(struct sandbox *s);

/* ---- loopback.c: the run's own piece of 127.0.0.0/8 -------------------------- */
struct endpoint { uint32_t ip; uint16_t port; };
struct loopback { int lock; uint32_t net; uint16_t port; unsigned host, ranges; };
int loopback_open(struct loopback *l, struct strbuf *err);            /* takes a /24 that no other run holds */
void loopback_close(struct loopback *l);
struct endpoint loopback_take(struct loopback *l);                    /* an address and port where nobody listens */
enum { LOOPBACK_HOSTS = 200 };
uint16_t loopback_port(struct loopback *l);                            /* one that is free on l->net + 2 and the LOOPBACK_HOSTS - 1 after it */
/* For ranges of ports: the first of n neighbours that nobody listens on (0: there are none), and an address that loopback_take
 * never gives (0: they are used up). */
uint16_t loopback_ports(const struct loopback *l, size_t n);
uint32_t loopback_address(struct loopback *l);
int loopback_listen(struct endpoint e);                               /* a listening socket, non-blocking; -1 */
/* A blocking socket; -1. from 0: any address; *port 0: any port, and if it is in use too; gets the one that was taken. */
int loopback_connect(struct endpoint e, uint32_t from, uint16_t *port, int timeout_ms);

/* Client addresses of the policy, mapped order-preserving to 127.64.0.0 and up: see docs/verify.md. */
struct client_map { ipset cuts; uint32_t slot; };
void clients_cut(struct arena *a, struct client_map *s, struct ip_range r);
void clients_ready(struct client_map *s);                                /* after the last cut */
uint32_t clients_image(const struct client_map *s, uint32_t ip);
struct ip_range clients_image_range(const struct client_map *s, struct ip_range r);

/* ---- probes.c and others: what to ask (probes.h: how it is made) -------------- */
enum body { BODY_NONE, BODY_EMPTY, BODY_LENGTH, BODY_CHUNKED, BODY_BIG, BODY_SLOW };      /* slow: the rest only when the start has arrived */
enum reply_body { REPLY_SHORT, REPLY_LONG, REPLY_CHUNKED, REPLY_UNTIL_CLOSE, REPLY_NONE, REPLY_HELD };   /* held: the same, for answers */
enum extra { EXTRA_NONE, EXTRA_UPGRADE, EXTRA_FORGED };               /* headers beside the usual ones */
enum shown { SHOWS_NONE, SHOWS_GOOD, SHOWS_OTHER, SHOWN };      /* certificate of the client: none, of an issuer in client_trust, of another */
#define PROBE_CLIENT 0xc6336401u      /* 198.51.100.1: a client of the world outside */
struct probe {
    const char *aim;                 /* what it is meant to show, for the report */
    int aimed;                       /* rule it was made for; -1 */
    enum condition condition;        /* which of its conditions, MATCHED if none in particular */
    bool want;                       /* ... to hold or to fail */
    uint32_t listener, socket;       /* indexes into plan */
    const char *method, *host, *target;   /* host NULL: no Host field */
    bool http10;
    uint32_t client;                 /* the policy's address; clients_image gives the one used */
    uint16_t port_low, port_high;    /* the client's port is one of these, if it is free; 0: any */
    enum shown shows;
    enum body body;
    enum extra extra;
    const char *field;               /* one more header field, "Name: value"; NULL */
    int status;                      /* how the stand-in is to answer */
    const char *location, *content_location;   /* ... with these; NULL */
    enum reply_body reply;
    const char *page, *page_type;    /* the stand-in sends this, and as this type, instead; NULL */
    const char *accept;              /* Accept-Encoding; "": none; NULL: gzip and deflate, but where links may be looked for */
    bool packs;                      /* the stand-in sends the page by gzip, where it is asked for that */
    int group;                       /* > 0: farm probes that are judged together */
    bool bad_certificate;            /* the stand-in shows a certificate for another name */
    const struct plan_stream *stream;   /* the request is the bytes of a connection to this socket, by no listener; NULL */
    uint16_t stream_port;            /* ... to this one of its ports. aimed is then an index into plan->server_rules */
};
typedef VEC(struct probe) probes;
void probes_make(const struct plan *p, const struct verify_options *o, struct arena *a, probes *out);
/* The user's own requests, one a probe; those that cannot be sent as they are get the method NULL and are not asked. */
void probes_take(const struct verify_request *list, size_t n, struct arena *a, probes *out);
int probes_read(const struct plan *p, const char *file, struct arena *a, probes *out, struct strbuf *err);
/* Variants of names and paths around the boundary where a condition flips. */
struct variant { const char *text, *aim; bool edge; };        /* edge: at the boundary itself */
typedef VEC(struct variant) variants;
void variants_of_name(struct arena *a, const struct public_name *n, variants *out);
void variants_of_path(struct arena *a, const struct path *p, variants *out);
const char *name_sample(struct arena *a, const struct public_name *n);    /* a host that it matches */
const char *path_sample(struct arena *a, const struct path *p);           /* a target that it matches */
void probe_request(const struct plan *p, const struct probe *b, struct request *r);   /* as decide() takes it */
void probe_connection(const struct probe *b, struct connection *c);                  /* as decide_connection() takes one with b->stream */

/* ---- places.c: where on loopback each thing of the plan is for this run ------ */
struct server_place { const char *host; uint16_t port; struct endpoint at; const char *site; };
/* Of a range of ports up to last, each is as far from at.port as from port. */
struct socket_place { const char *address; uint16_t port, last; bool udp; struct endpoint at; bool present; };
struct host_place { const char *host; uint32_t ip; };
struct certificate_place { const char *name, *file; };
struct places {
    struct arena *arena;
    const struct plan *plan;
    struct loopback *loopback;
    struct authority *authority;
    const struct authority *clients_authority;   /* signs the certificates of clients */
    const char *dir;                 /* certificates are written here */
    struct client_map clients;
    VEC(struct server_place) servers;      /* those of the plan, by host and port: one stand-in each */
    VEC(struct socket_place) sockets;      /* those of the plan, in its order, then others that a text names */
    VEC(struct certificate_place) certificates;
    const uint16_t *moved;           /* stream_places.c: for a port of a range, the port that stands for it; NULL: none */
    VEC(struct host_place) hosts;    /* ... the servers that have all ports of a range */
    struct endpoint dead;            /* nobody listens here: for servers that the plan does not know */
    const char *ca, *client_ca, *client_crl, *other_ca;   /* PEM files */
};
/* arena, plan, loopback, authority and dir are set by the caller. */
int places_open(struct places *s, struct strbuf *err);
void places_clients(struct places *s);                                 /* the cuts of the plan's sources */
size_t places_server(const struct places *s, const char *host, uint16_t port);   /* SIZE_MAX: none */
/* The port that checks of the farm by this port go to, the same one if they go where the requests do (B-118); 0: not one for all members. */
uint16_t places_check_port(const struct places *s, const char *farm, uint16_t port);
bool places_behind(const struct places *s, const char *host, uint16_t port);       /* one of publishd's behind the proxies */
size_t places_socket(const struct places *s, const char *address, uint16_t port, bool udp);       /* SIZE_MAX: none */
struct endpoint places_listen(struct places *s, const char *address, uint16_t port); /* the text names it: one of the plan, or a new one */
/* The place of the probe's socket; false: the config does not name it. */
bool places_of_probe(const struct places *s, const struct probe *b, struct endpoint *at);
/* ---- stream_places.c: for server publishing rules, whose doors may be ranges of ports */
void places_move_ports(struct places *s);                              /* before the servers and sockets are collected */
void places_stream_servers(struct places *s);
void places_stream_sockets(struct places *s);
uint32_t places_host(const struct places *s, const char *host, size_t n);   /* of a server without a port; 0: none */
/* The number of the certificate that stands for the file, made if need be; SIZE_MAX with a message. */
size_t places_certificate(struct places *s, const char *chain, struct strbuf *err);

/* ---- substitute.c: the generated text, moved to loopback --------------------- */
/* One span of the text and what stands there instead. */
struct change { size_t at, n; const char *text; };
struct substitution {
    struct places *places;
    const char *text;
    VEC(struct change) changes;      /* in the order of the text */
    const char *(*link)(void *arg, const char *name);  /* what a certificate name relative to the config stands for; NULL: none */
    void *link_arg;
    struct strbuf *err;
    bool failed;
};
void substitute_listen(struct substitution *s, const char *at, size_t n, bool udp); /* address:port, address:low-high, port, *:port */
void substitute_server(struct substitution *s, const char *at, size_t n);          /* host:port; a lone host has the client's port */
void substitute_check_port(struct substitution *s, const char *at, size_t n, const char *host, size_t host_n, bool with_host);
void substitute_check_host(struct substitution *s, const char *at, size_t n, const char *port, size_t port_n);
void substitute_certificate(struct substitution *s, const char *at, size_t n);     /* a file */
void substitute_trust(struct substitution *s, const char *at, size_t n, bool of_clients);
void substitute_revoked(struct substitution *s, const char *at, size_t n);
bool substitute_clients(struct substitution *s, const char *at, size_t n, bool as_range);   /* false: not addresses */
void buf_cidrs(struct strbuf *b, struct ip_range r);                                /* "10.0.0.0/8 11.0.0.0/9" */
void substitute_text(struct substitution *s, const char *at, size_t n, const char *text);
void substitute_nginx(struct substitution *s);
void substitute_haproxy(struct substitution *s);
void substitute_publishd(struct substitution *s);
void substitution_apply(const struct substitution *s, struct strbuf *out);
/* Client addresses that the texts name beside those of the plan: called for each text before clients_ready. */
void substitution_scan(struct substitution *s);

/* ---- stand_in.c: the published servers ---------------------------------------- */
struct sighting {                    /* what the published servers saw of one probe */
    unsigned times;
    size_t server;                   /* index into places->servers */
    bool tls;
    char *sni;                       /* NULL: none */
    long certificate;                /* number of the one that the target showed; -1: none, or no such one */
    uint32_t from;                   /* where the connection came from */
    char *head;                      /* request line and fields, as received */
    size_t body_n; uint64_t body_hash;
    char *proxied;                   /* the PROXY line before the request; NULL: none */
};
struct stand_in;
struct stand_in *stand_in_start(const struct places *s, const struct authority *a, const probes *list, struct strbuf *err);
void stand_in_stop(struct stand_in *s);
void stand_in_wrong_name(struct stand_in *s, bool wrong);              /* also closes what is open */
void stand_in_take(struct stand_in *s, size_t probe, struct sighting *out);   /* the caller ends it with sighting_free */
void sighting_free(struct sighting *s);
bool stand_in_begun(struct stand_in *s, size_t probe);                 /* has the head of the request arrived? */
void stand_in_release(struct stand_in *s, size_t probe);               /* lets the rest of a held answer go */
uint64_t hash_bytes(const char *s, size_t n);
void reply_text(struct strbuf *b, size_t number, const struct probe *p); /* the body that the stand-in sends */
void body_text(struct strbuf *b, size_t probe, enum body kind);        /* the body that the client sends */

/* ---- client.c: asks ------------------------------------------------------------ */
struct exchange {
    int status;                      /* 0: no answer; error says why */
    const char *error;
    struct strbuf head, body;        /* the answer */
    bool cut;                        /* the body ended early, or could not be unpacked */
    bool coded;                      /* it came by gzip; body is what was in it */
    bool request_held, answer_held;  /* the start did not come through before the rest was sent (B-74) */
    long certificate;                /* number of the listener's certificate; -1 none or unknown */
    uint16_t client_port;
};
struct client { int fd; SSL *ssl; struct endpoint to; uint32_t from; uint16_t port; enum shown shows; long certificate; struct strbuf in; size_t used; };
void connection_close(struct client *c);
/* Sends probe number n and reads the answer, over c if it is still open and fits, else over a new connection. tls: a context
 * for each kind of certificate that a client shows. */
void client_ask(struct client *c, SSL_CTX *const tls[SHOWN], const struct probe *b, size_t n, struct endpoint to, bool secure,
                uint32_t from, const char *cookie, struct stand_in *servers, struct exchange *out);
void exchange_free(struct exchange *e);
void client_head(struct strbuf *out, const struct probe *b, size_t n, const char *cookie);   /* request line and fields */
/* Field `name` in a head (first line skipped), the nth, without white space around; NULL. Points into head; *len its length. */
const char *head_field(const char *head, const char *name, size_t nth, size_t *len);

/* ---- compare.c: judges --------------------------------------------------------- */
struct judge {
    const struct plan *plan;
    const struct findings *findings;
    enum target target;
    struct places *places;
};
struct judgement {
    enum verdict verdict;
    int rule;                        /* whom it is about; -1 */
    int finding;                     /* of a declared difference; -1 */
    struct strbuf expected, got;
};
void judge_exchange(const struct judge *j, const struct probe *b, size_t number, const struct exchange *e,
                    const struct sighting *s, struct judgement *out);
/* compare_forward.c: what must arrive at the published server, and come back from it. Adds what differs to out. */
const char *client_accepts(const struct probe *b);                     /* its Accept-Encoding; "": none (client.c) */
void judge_forwarded(const struct judge *j, const struct probe *b, size_t number, const struct decision *d,
                     const struct exchange *e, const struct sighting *s, struct judgement *out);
/* What Accept-Encoding says of gzip, in the few ways in which probes say it. */
bool accepts_gzip(const char *value, size_t n);
/* compare_coding.c: compression (B-64, B-65). What a server must be asked for by Accept-Encoding; NULL: nothing. */
const char *coding_asked(const struct judge *j, const struct probe *b, const struct decision *d, const struct sighting *s);
/* Whether the answer may have come by gzip, or must have; what it was is in e. */
void judge_coding(const struct judge *j, const struct probe *b, const struct decision *d, const struct exchange *e,
                  const struct sighting *s, struct judgement *out);
bool declared(const struct judge *j, enum finding_id id);              /* does a finding say so for this target? */
/* compare_stream.c: who has the connection by decide_connection, and that nothing touched its bytes. hour: of the week */
void judge_connection(const struct judge *j, const struct probe *b, size_t number, const struct exchange *e, const struct sighting *s,
                      int hour, struct judgement *out);
void differs(struct judgement *out, const char *expected, const char *got, const char *what);
const char *curl_command(const struct plan *p, const struct probe *b, struct arena *a);
const char *connection_command(const struct probe *b, struct arena *a);         /* the same for one with b->stream */
uint32_t probe_place(const struct plan *p, const struct probe *b);     /* index of its socket in places->sockets; for streams, beyond */

/* ---- answer.c: for verify_options.only ------------------------------------------- */
struct verify_answer *answers_new(struct arena *a, const probes *list);        /* one a probe, untested as yet */
void answer_fill(struct verify_answer *w, struct arena *a, const struct places *places, const struct exchange *e, const struct sighting *s,
                 const struct judgement *g);

/* ---- coverage.c ------------------------------------------------------------------ */
void coverage_measure(const struct plan *p, const probes *list, struct verify_report *r);
#endif
