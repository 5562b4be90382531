/* What the two files of the stand-ins share: stand_in.c has the sockets and TLS, stand_in_http.c reads requests and answers them. */
#ifndef TMGC_STAND_IN_H
#define TMGC_STAND_IN_H
#include <pthread.h>

#include "internal.h"

/* Where a connection is in the request that it carries. */
enum stage { STAGE_HEAD, STAGE_BODY, STAGE_CHUNK_SIZE, STAGE_CHUNK, STAGE_CHUNK_END, STAGE_TRAILER };
struct peer {
    int fd;
    size_t server;                   /* index into places->servers; for a listening socket too */
    bool listening, knows_kind, shaking, closing;
    SSL *ssl;
    char *sni;
    struct strbuf in, out;
    size_t sent;
    enum stage stage;
    char *head;
    char *proxied;                   /* its PROXY line, if that came first */
    size_t left;                     /* of the body, or of the chunk */
    size_t body_n; uint64_t body_hash;
    uint32_t events;
    struct strbuf rest;              /* of an answer that is held */
    size_t held;                     /* the probe whose answer that is; SIZE_MAX: none */
    struct peer *next, *prev;
};
struct known_name { const char *name; SSL_CTX *ctx; };
struct stand_in {
    const struct places *places;
    const struct authority *authority;
    const probes *list;
    pthread_t thread;
    int epoll, wake;
    bool stop, drop;                 /* under lock: what wake is about */
    bool wrong_name;                 /* the thread's own copy of wrong_next */
    bool wrong_next;                 /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t dropped;
    struct sighting *seen;           /* one a probe; under lock */
    struct progress { bool begun, released; } *progress;     /* the same */
    struct peer *peers;              /* a list of all, listening ones too */
    struct arena *arena;             /* of the names; the thread's own */
    VEC(struct known_name) names;    /* sorted by name */
    SSL_CTX *wrong;
};

/* Takes one step in the bytes that have come; false: it needs more. */
bool peer_step(struct stand_in *s, struct peer *p);
/* The rest of an answer that was held, once the client has let it go. */
void peer_release(struct stand_in *s, struct peer *p);
#endif
