/* mem: the arena and the vectors that grow in it. */
#define _GNU_SOURCE
#include "base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 16 * 1024, LARGEST_BLOCK = 4 * 1024 * 1024, ALIGN = 16 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) char data[];
};
struct arena {
    struct block *head; /* the one that is being filled */
};

void mem_fatal(void)
{
    fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
    exit(2);
}

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        mem_fatal();
    return a;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void arena_reset(struct arena *a)
{
    struct block *last = a->head;
    if (!last)
        return;
    for (struct block *next; last->next; last = next) {
        next = last->next;
        free(last);
    }
    last->used = 0;
    a->head = last;
}

void arena_wipe(struct arena *a)
{
    for (struct block *b = a->head; b; b = b->next)
        explicit_bzero(b->data, b->used);
    arena_reset(a);
}

/* Large requests get a block of their own behind the head, so that the head's rest is not wasted. */
static struct block *block_new(struct arena *a, size_t bytes)
{
    size_t size = a->head ? a->head->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    bool own = a->head && bytes > size / 4;
    if (size < bytes || own)
        size = bytes;
    if (size > SIZE_MAX - sizeof(struct block))
        mem_fatal();
    struct block *b = malloc(sizeof *b + size);
    if (!b)
        mem_fatal();
    b->used = 0;
    b->size = size;
    if (own) {
        b->next = a->head->next;
        a->head->next = b;
    } else {
        b->next = a->head;
        a->head = b;
    }
    return b;
}

static void *take(struct arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGN)
        mem_fatal();
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct block *b = a->head;
    if (!b || b->size - b->used < bytes)
        b = block_new(a, bytes);
    void *p = b->data + b->used;
    b->used += bytes;
    return p;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    return memset(take(a, bytes), 0, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX)
        mem_fatal();
    char *p = take(a, n + 1);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    struct strbuf b = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    char *p = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return p;
}

void vec_grow(struct arena *a, void **v, size_t n, size_t *cap, size_t item)
{
    if (n == *cap) {
        size_t more = *cap ? *cap * 2 : 4;
        if (more > SIZE_MAX / 2 / item)
            mem_fatal();
        void *p = take(a, more * item);
        if (n)
            memcpy(p, *v, n * item);
        *v = p;
        *cap = more;
    }
    memset((char *)*v + n * item, 0, item);
}
