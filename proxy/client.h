/* client: a connection from a client, as exchanges see it, whichever front (HTTP/1, HTTP/2) reads it. */
#ifndef PROXY_CLIENT_H
#define PROXY_CLIENT_H
#include "loop.h"
#include "serving.h"
#include <netinet/in.h>
#include <openssl/ssl.h>

struct shown;
struct upstream;
/* First member of a front's own struct. listening.c accepts and fills what it knows, h1.c makes one of it. */
struct client {
    struct loop *loop;
    struct serving *serving;             /* the configuration that the request under way came in under; a reference */
    const struct serving_socket *at;     /* where it came in; in serving */
    uint32_t address;                    /* IPv4, host byte order */
    uint16_t port;                       /* the client's */
    uint32_t held;                       /* the address for which it counts as a connection (flood.h); 0: none */
    bool tls;
    SSL *ssl;                            /* NULL without TLS of our own; the socket's: gone when that is closed */
    struct shown *shown;                 /* the client's certificate, as client_trust.c judged it; NULL: not looked at */
    uint64_t number;                     /* of the connection, for the log; never used twice in a process */
    uint64_t requests;                   /* that came over it */
    /* What signing.c remembers of the connection: who signed in on it, a handshake that is under way. */
    void *identity;
    void (*identity_free)(void *identity);
    /* Server connections that are this client's alone, because NTLM or Negotiate was seen on them (B-68, B-102).
     * Each speaks for one user (pool.h). Closed with the client's. Chained by upstream->next; pool.c takes and adds. */
    struct upstream *bound;
    struct client *next, **back;         /* in loop->clients */
    void (*drain)(struct client *c);     /* the front's: no further requests; ends when those under way have */
    void (*kill)(struct client *c);      /* the front's: ends now */
};

/* For fronts: lists the client, which was zeroed, and counts it; and what ends with its connection. */
struct arrival {
    struct loop *loop;
    struct serving *serving;             /* borrowed */
    const struct serving_socket *at;
    int fd;                              /* the front's from now on */
    uint32_t address;
    uint16_t port;
};
/* What a front's struct begins with: a connection whose client chooses HTTP/2 changes its kind in place (h2.h). Needs
 * socket.h. */
#define FRONT                                                                                                          \
    struct client c;                                                                                                   \
    struct sock s;                                                                                                     \
    struct grave grave;                                                                                                \
    struct timer timer
void client_begin(struct client *c, const struct arrival *a);
void client_end(struct client *c);
/* Before a request, while no other is under way: from now on the connection is served under the loop's newest
 * configuration - unless that does not listen where it came in. */
void client_refresh(struct client *c);
void h1_begin(const struct arrival *a);  /* a new connection: reads HTTP/1 from it */
#endif
