/* targets: the table of what can be emitted, and where its file goes below an output folder. */
#include "emit.h"

const struct target_output target_outputs[TARGETS] = {
    [TARGET_NGINX] = { "nginx", "nginx.conf", emit_nginx, "stream.conf" },
    [TARGET_HAPROXY] = { "haproxy", "haproxy.cfg", emit_haproxy, NULL },
    [TARGET_PUBLISHD] = { "publishd", "publishd.yaml", emit_publishd, NULL },
};

void emission_trim(struct emission *e, size_t rules)
{
    uint32_t last = 0;
    if (e->rules.n <= rules)
        return;
    for (size_t i = 0; i < rules; i++)
        if (e->rules.v[i].last > last)
            last = e->rules.v[i].last;
    const char *p = e->text.p;
    for (uint32_t line = 0; p && line < last; line++) {
        p = strchr(p, '\n');
        if (p)
            p++;
    }
    if (!p)
        return;
    struct strbuf kept = { 0 };
    buf_add(&kept, e->text.p, (size_t)(p - e->text.p));
    buf_free(&e->text);
    e->text = kept;
}
