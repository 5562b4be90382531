/* cookies: the Cookie header taken apart (RFC 6265, 4.2.1), leniently as servers do: pairs between semicolons. */
#include "session.h"

static const char *skip_blank(const char *p)
{
    return p + strspn(p, " \t");
}

const char *cookie_next(const char **p, const char *name, size_t *value_n)
{
    size_t name_n = strlen(name);
    while (**p) {
        const char *pair = skip_blank(*p);
        size_t n = strcspn(pair, ";");
        *p = pair + n + (pair[n] == ';');
        if (n > name_n && memcmp(pair, name, name_n) == 0 && pair[name_n] == '=') {
            const char *value = pair + name_n + 1;
            *value_n = n - name_n - 1;
            while (*value_n && (value[*value_n - 1] == ' ' || value[*value_n - 1] == '\t'))
                --*value_n;
            return value;
        }
    }
    return NULL;
}

static bool begins(const char *pair, size_t n, const char *const *prefixes, size_t prefixes_n)
{
    for (size_t i = 0; i < prefixes_n; i++) {
        size_t k = strlen(prefixes[i]);
        if (k && k <= n && memcmp(pair, prefixes[i], k) == 0)
            return true;
    }
    return false;
}

/* What stays of a Cookie header; false: all of it. */
static bool without(const char *text, const char *const *prefixes, size_t n, struct strbuf *kept)
{
    bool found = false;
    while (*text) {
        const char *pair = skip_blank(text);
        size_t len = strcspn(pair, ";");
        text = pair + len + (pair[len] == ';');
        if (begins(pair, len, prefixes, n)) {
            found = true;
            continue;
        }
        if (len) {
            buf_puts(kept, kept->n ? "; " : "");
            buf_add(kept, pair, len);
        }
    }
    return found;
}

void set_cookies_remove(struct head *answer, const char *const *prefixes, size_t n)
{
    for (uint32_t i = 0; answer->first[FIELD_SET_COOKIE] && i < answer->n; i++) {
        const struct field *f = &answer->fields[i];
        const char *pair = skip_blank(f->value);
        if (f->id == FIELD_SET_COOKIE && f->name_n && begins(pair, strlen(pair), prefixes, n))
            head_remove_at(answer, i);
    }
}

void cookies_remove(struct head *head, const char *const *prefixes, size_t n)
{
    for (uint32_t i = 0; i < head->n; i++) {
        struct field *f = &head->fields[i];
        struct strbuf kept = { 0 };
        if (f->id != FIELD_COOKIE || !f->name_n)
            continue;
        if (without(f->value, prefixes, n, &kept)) {
            if (kept.n) {
                f->value = head_copy(head, kept.p, kept.n);
                f->value_n = (uint32_t)kept.n;
            } else {
                head_remove_at(head, i);
            }
        }
        buf_free(&kept);
    }
}
