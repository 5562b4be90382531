/* What a program did with each of the requests of verify_options.only: kept whatever the verdict, for explain --live. */
#include <string.h>

#include "internal.h"

/* "GET /path HTTP/1.1": one word of it. */
static const char *word_of(struct arena *a, const char *line, int nth)
{
    while (nth-- > 0) {
        line += strcspn(line, " \r\n");
        line += *line == ' ';
    }
    return arena_strndup(a, line, strcspn(line, " \r\n"));
}

static const char *field_of(struct arena *a, const char *head, const char *name)
{
    size_t n;
    const char *v = head ? head_field(head, name, 0, &n) : NULL;
    return v ? arena_strndup(a, v, n) : NULL;
}

struct verify_answer *answers_new(struct arena *a, const probes *list)
{
    struct verify_answer *w = arena_alloc(a, (list->n + 1) * sizeof *w);
    for (size_t i = 0; i < list->n; i++)
        w[i] = (struct verify_answer){ .verdict = VERDICT_UNTESTED,
                                       .error = list->v[i].method ? "the program ended" : "it cannot be sent as it is",
                                       .expected = "",
                                       .got = "",
                                       .finding = -1 };
    return w;
}

void answer_fill(struct verify_answer *w, struct arena *a, const struct places *places, const struct exchange *e,
                 const struct sighting *s, const struct judgement *g)
{
    *w = (struct verify_answer){ .verdict = g->verdict,
                                 .status = e->status,
                                 .finding = g->verdict == VERDICT_DECLARED ? g->finding : -1,
                                 .expected = arena_strdup(a, g->expected.p ? g->expected.p : ""),
                                 .got = arena_strdup(a, g->got.p ? g->got.p : "") };
    if (e->status == 0)
        w->error = arena_strdup(a, e->error ? e->error : "no answer");
    else
        w->location = field_of(a, e->head.p, "Location");
    if (s->times && s->head) {
        const struct server_place *to = &places->servers.v[s->server];
        w->server = arena_strdup(a, to->host);
        w->port = to->port;
        w->tls = s->tls;
        w->method = word_of(a, s->head, 0);
        w->target = word_of(a, s->head, 1);
        w->host = field_of(a, s->head, "Host");
    }
}
