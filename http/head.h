/* head: the head of an HTTP message, read. What http/1 and http/2 fronts, the router, the rewriting of headers and the
 * upstream's codec hand to each other. Knows no sockets.
 *
 * A head owns one buffer, text, in which every string stands NUL-terminated (the gate refuses a NUL inside); fields
 * point into it, to what head_copy gave, or to strings that outlive the head. A zeroed head is an empty one. Nothing
 * here is shared between threads.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H
#include "../base/base.h"

/* Fields that somebody asks for by name: known[] in head.c has the names. */
enum field_id {
    FIELD_OTHER, FIELD_HOST, FIELD_CONNECTION, FIELD_CONTENT_LENGTH, FIELD_TRANSFER_ENCODING, FIELD_KEEP_ALIVE,
    FIELD_PROXY_CONNECTION, FIELD_TE, FIELD_TRAILER, FIELD_UPGRADE, FIELD_EXPECT, FIELD_AUTHORIZATION,
    FIELD_WWW_AUTHENTICATE, FIELD_PROXY_AUTHORIZATION, FIELD_PROXY_AUTHENTICATE, FIELD_COOKIE, FIELD_SET_COOKIE,
    FIELD_ACCEPT_ENCODING, FIELD_CONTENT_ENCODING, FIELD_CONTENT_TYPE, FIELD_LOCATION, FIELD_CONTENT_LOCATION,
    FIELD_VIA, FIELD_SERVER, FIELD_DATE, FIELD_X_FORWARDED_FOR, FIELD_FRONT_END_HTTPS, FIELD_USER_AGENT,
    FIELD_REFERER, FIELD_ORIGIN, FIELD_ACCEPT, FIELD_ACCEPT_LANGUAGE, FIELD_CACHE_CONTROL, FIELD_PRAGMA, FIELD_ETAG,
    FIELD_RANGE, FIELD_CONTENT_RANGE, FIELD_VARY, FIELD_PERSISTENT_AUTH, FIELD_IDS
};
struct field {
    enum field_id id;
    uint32_t name_n, value_n;        /* bytes; name_n is 0 for one that was removed */
    bool hop;                        /* Connection named it: for this connection alone, never sent on (http1.h) */
    const char *name, *value;        /* the name in the sender's spelling; the value without the white space around it */
};

/* How the body's end is known. Towards the other side framing is always written anew. */
enum framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

/* Limits beneath whatever a policy says: fields received, fields with those that were added, bytes. */
enum { HEAD_FIELDS = 128, HEAD_FIELDS_MAX = HEAD_FIELDS + 32, HEAD_BYTES = 64 << 10 };

struct head {
    char *text;                      /* the buffer; from malloc */
    size_t text_n, text_cap;
    struct head_more *more;          /* what head_copy put outside of text, which never moves under the fields */
    const char *method, *target;     /* requests */
    int status;                      /* answers: 100 to 999 */
    const char *reason;              /* answers; "" */
    int version;                     /* 10, 11; 20 from HTTP/2 */
    bool keep_alive;                 /* what version and Connection say together */
    bool expects;                    /* Expect: 100-continue */
    bool upgrades;                   /* Upgrade, with Connection naming it */
    enum framing framing;
    uint64_t length;                 /* for BODY_LENGTH, bytes */
    uint32_t n;                      /* fields, in the order in which they were sent */
    uint32_t first[FIELD_IDS];       /* index + 1 of the first of that name; 0: there is none. Not for FIELD_OTHER */
    struct field fields[HEAD_FIELDS_MAX];
};

/* The first field of that name, or NULL. */
static inline const struct field *head_field(const struct head *h, enum field_id id)
{
    return h->first[id] ? &h->fields[h->first[id] - 1] : NULL;
}
/* Its value, or NULL. */
static inline const char *head_value(const struct head *h, enum field_id id)
{
    return h->first[id] ? h->fields[h->first[id] - 1].value : NULL;
}
enum field_id field_id_of(const char *name, size_t n);   /* without case */
/* The comma-separated list in every field of that name holds the token (without case). */
bool head_has_token(const struct head *h, enum field_id id, const char *token);
void head_reset(struct head *h);     /* empty again; keeps the buffer */
void head_wipe(struct head *h);      /* head_reset, and what was in it is zeroed */
void head_free(struct head *h);      /* the buffer alone: the struct is the caller's */
char *head_room(struct head *h, size_t n);               /* for a reader: empties h; n bytes at the start of text, and NULs behind */

/* Changing a head that is to be sent on. Strings are borrowed: they outlive the head or come from head_copy.
 * False: HEAD_FIELDS_MAX are there already. */
bool head_set(struct head *h, enum field_id id, const char *name, const char *value);    /* replaces all of that name, or adds */
bool head_add(struct head *h, const char *name, const char *value);
bool head_push(struct head *h, struct field f);          /* the same, with all lengths known; id as field_id_of says */
void head_remove(struct head *h, enum field_id id);
void head_remove_at(struct head *h, uint32_t i);         /* by its index; removed fields keep their place with name_n 0 */
const char *head_copy(struct head *h, const char *s, size_t n);      /* into the head's own memory; valid until head_reset */
#endif
