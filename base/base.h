/* base: what every room uses - memory, growing strings, vectors, text helpers.
 *
 * Ownership, said once: an arena owns everything that was allocated from it and
 * is freed as a whole; whoever gets a pointer into it borrows it until then.
 * Nobody frees single objects. Running out of memory ends the program with
 * exit status 2 (mem_fatal): no caller has to handle a NULL from here.
 *
 * Strings inside the program are NUL-terminated, and contain no other NUL:
 * the readers (XML, YAML) refuse one before it gets here.
 */
#ifndef TMGC_BASE_H
#define TMGC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* ---- arena ------------------------------------------------------------ */
struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *a);                    /* NULL is allowed */
void arena_reset(struct arena *a);                   /* empty again; its first block stays, for who works request by request */
void arena_wipe(struct arena *a);                     /* arena_reset, and what was in it is zeroed */
void *arena_alloc(struct arena *a, size_t bytes);    /* zeroed, aligned for any type */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
__attribute__((noreturn)) void mem_fatal(void);

/* ---- vector: a struct with these three members; grows in an arena ------ */
#define VEC(T) struct { T *v; size_t n, cap; }
/* Adds a zeroed element and gives its address (valid until the next push). */
#define vec_push(arena, vec) \
    (vec_grow((arena), (void **)&(vec)->v, (vec)->n, &(vec)->cap, sizeof *(vec)->v), \
     &(vec)->v[(vec)->n++])
#define vec_add(arena, vec, value) (*vec_push((arena), (vec)) = (value))
void vec_grow(struct arena *a, void **v, size_t n, size_t *cap, size_t item);

typedef VEC(const char *) strings;

/* ---- string buffer: heap, grows; p is always NUL-terminated ------------ */
struct strbuf { char *p; size_t n, cap; };
void buf_free(struct strbuf *b);
void buf_clear(struct strbuf *b);                    /* keeps the memory */
char *buf_grow(struct strbuf *b, size_t n);          /* buf_reserve, where there is no room */
/* Room for n more bytes and the NUL; where they go. These few are inline: whole configs are written through them. */
static inline char *buf_reserve(struct strbuf *b, size_t n)
{
    return n < b->cap - b->n ? b->p + b->n : buf_grow(b, n);
}
static inline void buf_add(struct strbuf *b, const char *s, size_t n)
{
    char *p = buf_reserve(b, n);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    b->n += n;
}
static inline void buf_puts(struct strbuf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}
static inline void buf_putc(struct strbuf *b, char c)
{
    char *p = buf_reserve(b, 1);
    p[0] = c;
    p[1] = '\0';
    b->n++;
}
void buf_printf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct strbuf *b, const char *fmt, va_list ap);
/* For what nobody shall find in freed memory: room as buf_reserve makes it, zeroing what it leaves behind; adding so; the end. */
char *buf_reserve_secret(struct strbuf *b, size_t n);
void buf_add_secret(struct strbuf *b, const char *s, size_t n);
void buf_wipe(struct strbuf *b);                     /* zeroes all of its memory and frees it */

/* ---- text -------------------------------------------------------------- */
static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
int ascii_casecmp(const char *a, const char *b);               /* ASCII only, any locale */
int ascii_ncasecmp(const char *a, const char *b, size_t n);
bool str_equal(const char *a, const char *b);                  /* NULL equals NULL only */
bool utf8_valid(const char *s, size_t n);
/* Control characters, bidirectional marks and line/paragraph separators made
 * visible as \xNN or \u{NNNN}: for terminals, comments and messages. */
void buf_visible(struct strbuf *b, const char *s);
/* JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void buf_json(struct strbuf *b, const char *s);

/* ---- files -------------------------------------------------------------- */
/* Whole file into *out ("-" is standard input). 0, or -1 with a message in err. */
int file_read(const char *path, size_t limit, struct strbuf *out, struct strbuf *err);
int file_make_dirs(const char *dir, struct strbuf *err);       /* mkdir -p */
int file_write_new(const char *path, const char *data, size_t n, struct strbuf *err);  /* must not exist; 0 or -1, then it is gone */
bool file_holds(const char *path, const char *data, size_t n);  /* a regular file with just these bytes */
const char *path_basename(const char *path);
char *path_join(struct arena *a, const char *dir, const char *name);   /* absolute names stay */
char *path_absolute(struct arena *a, const char *path);       /* lexical; . and .. resolved */

#endif
