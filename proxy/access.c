#include "access.h"
#include "../base/ipset.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PENDING = 4 << 20 }; /* bytes that may wait for the disk */

struct access_log {
    char *file;
    enum access_format format;
    int fd;
    bool torn; /* the writer's: the file ends within a line */
    atomic_bool reopen;
    atomic_ulong lost;
    pthread_t thread;
    pthread_mutex_t lock; /* of the next two */
    struct strbuf pending;
    bool stop;
    pthread_cond_t more;
};

/* ---- a line ------------------------------------------------------------------------------ */

/* The time's text, made once a second and thread: it is the dearest part of a line. */
static const char *stamp(enum access_format format, long long wall)
{
    static _Thread_local struct {
        long long wall;
        char text[40];
    } last[2] = { { .wall = -1 }, { .wall = -1 } };
    if (last[format].wall != wall) {
        time_t at = (time_t)wall;
        struct tm tm;
        if (format == ACCESS_JSON)
            strftime(last[format].text, sizeof last[format].text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&at, &tm));
        else
            strftime(last[format].text, sizeof last[format].text, "%d/%b/%Y:%H:%M:%S %z", localtime_r(&at, &tm));
        last[format].wall = wall;
    }
    return last[format].text;
}

static void add_number(struct strbuf *b, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, digits + i, sizeof digits - i);
}

static void add_text(struct strbuf *b, const char *key, const char *value)
{
    if (!value)
        return;
    buf_puts(b, key);
    buf_json(b, value);
}

static void json_line(struct strbuf *b, const struct access_entry *e)
{
    buf_puts(b, "{\"time\":\"");
    buf_puts(b, stamp(ACCESS_JSON, e->wall));
    char ms[] = { '.',
                  (char)('0' + e->wall_ms / 100 % 10),
                  (char)('0' + e->wall_ms / 10 % 10),
                  (char)('0' + e->wall_ms % 10),
                  'Z',
                  '"',
                  0 };
    buf_puts(b, ms);
    buf_puts(b, ",\"client\":\"");
    buf_ip(b, e->client);
    buf_putc(b, ':');
    add_number(b, e->port);
    buf_puts(b, "\",\"connection\":");
    add_number(b, e->connection);
    add_text(b, ",\"listener\":", e->listener);
    add_text(b, ",\"rule\":", e->rule);
    add_text(b, ",\"why\":", e->why);
    add_text(b, ",\"detail\":", e->detail);
    add_text(b, ",\"body\":", e->body);
    add_text(b, ",\"user\":", e->user);
    add_text(b, ",\"protocol\":", e->protocol);
    add_text(b, ",\"tls\":", e->tls);
    add_text(b, ",\"method\":", e->method);
    add_text(b, ",\"host\":", e->host);
    add_text(b, ",\"target\":", e->target);
    add_text(b, ",\"server\":", e->server);
    buf_puts(b, ",\"status\":");
    add_number(b, (uint64_t)e->status);
    buf_puts(b, ",\"received\":");
    add_number(b, e->received);
    buf_puts(b, ",\"sent\":");
    add_number(b, e->sent);
    buf_puts(b, ",\"ms\":");
    add_number(b, e->ms);
    add_text(b, ",\"agent\":", e->agent);
    buf_puts(b, "}\n");
}

/* Quotes, backslashes and what is no printable ASCII as \xNN, as Apache and nginx write them. */
static void add_escaped(struct strbuf *b, const char *s)
{
    static const char digits[] = "0123456789abcdef";
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            buf_putc(b, *s);
        else
            buf_add(b, (char[]){ '\\', 'x', digits[c >> 4], digits[c & 15] }, 4);
    }
}

static void add_field(struct strbuf *b, const char *s)
{
    buf_puts(b, " \"");
    add_escaped(b, s ? s : "-");
    buf_putc(b, '"');
}

static void combined_line(struct strbuf *b, const struct access_entry *e)
{
    buf_ip(b, e->client);
    buf_puts(b, " - ");
    for (const char *u = e->user ? e->user : "-"; *u; u++) /* a space would make a column of its own */
        if (*u == ' ')
            buf_puts(b, "\\x20");
        else
            add_escaped(b, (char[]){ *u, 0 });
    buf_puts(b, " [");
    buf_puts(b, stamp(ACCESS_COMBINED, e->wall));
    buf_puts(b, "] \"");
    add_escaped(b, e->method ? e->method : "-");
    buf_putc(b, ' ');
    add_escaped(b, e->target ? e->target : "-");
    buf_putc(b, ' ');
    buf_puts(b, e->protocol ? e->protocol : "-");
    buf_puts(b, "\" ");
    add_number(b, (uint64_t)e->status);
    buf_putc(b, ' ');
    add_number(b, e->sent);
    add_field(b, e->referer);
    add_field(b, e->agent);
    buf_putc(b, '\n');
}

void access_line(struct strbuf *out, enum access_format format, const struct access_entry *e)
{
    if (format == ACCESS_JSON)
        json_line(out, e);
    else
        combined_line(out, e);
}

/* ---- the writer --------------------------------------------------------------------------- */

static int open_file(const char *file)
{
    return strcmp(file, "-") ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : dup(STDOUT_FILENO);
}

static unsigned long lines_in(const char *p, size_t n)
{
    unsigned long lines = 0;
    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* What was written, less than n where the disk is full or the file cannot be written. */
static size_t write_some(int fd, const char *p, size_t n)
{
    size_t done = 0;
    for (ssize_t w; done < n && ((w = write(fd, p + done, n - done)) > 0 || (w < 0 && errno == EINTR));)
        done += w > 0 ? (size_t)w : 0;
    return done;
}

/* What does not fit is lost; later lines may fit again, and begin on a line of their own. */
static void write_lines(struct access_log *l, const struct strbuf *b)
{
    if (l->torn && b->n)
        l->torn = write_some(l->fd, "\n", 1) != 1;
    size_t done = l->torn ? 0 : write_some(l->fd, b->p, b->n);
    if (done < b->n) {
        atomic_fetch_add(&l->lost, lines_in(b->p + done, b->n - done));
        l->torn = l->torn || (done && b->p[done - 1] != '\n');
    }
}

static void *writer(void *log)
{
    struct access_log *l = log;
    struct strbuf mine = { 0 };
    for (bool stop = false; !stop;) {
        pthread_mutex_lock(&l->lock);
        while (!l->pending.n && !l->stop && !atomic_load(&l->reopen))
            pthread_cond_wait(&l->more, &l->lock);
        struct strbuf full = l->pending;
        l->pending = mine;
        stop = l->stop;
        pthread_mutex_unlock(&l->lock);
        if (atomic_exchange(&l->reopen, false)) {
            int fd = open_file(l->file);
            if (fd >= 0) { /* else the old file goes on being written */
                close(l->fd);
                l->fd = fd;
            }
        }
        write_lines(l, &full);
        mine = full;
        buf_clear(&mine);
    }
    buf_free(&mine);
    return NULL;
}

struct access_log *access_open(const char *file, enum access_format format, struct strbuf *err)
{
    int fd = open_file(file);
    if (fd < 0) {
        buf_printf(err, "%s: %s\n", file, strerror(errno));
        return NULL;
    }
    struct access_log *l = calloc(1, sizeof *l);
    if (!l || !(l->file = strdup(file)))
        mem_fatal();
    l->fd = fd;
    l->format = format;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->more, NULL);
    if (pthread_create(&l->thread, NULL, writer, l))
        mem_fatal();
    return l;
}

enum access_format access_format_of(const struct access_log *l)
{
    return l->format;
}

void access_hand_over(struct access_log *l, struct strbuf *lines)
{
    pthread_mutex_lock(&l->lock);
    bool fits = l->pending.n + lines->n <= PENDING;
    if (fits)
        buf_add(&l->pending, lines->p, lines->n);
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    if (!fits)
        atomic_fetch_add(&l->lost, lines_in(lines->p, lines->n));
    buf_clear(lines);
}

void access_reopen(struct access_log *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->reopen, true);
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
}

unsigned long access_lost(const struct access_log *l)
{
    return atomic_load(&l->lost);
}

void access_close(struct access_log *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->more);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    close(l->fd);
    buf_free(&l->pending);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->more);
    free(l->file);
    free(l);
}
