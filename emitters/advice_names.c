/* advice_names: public names that no certificate of their listener has. The files are those that the site map names; one that is
 * not here, or cannot be read, says nothing. */
#include "emit.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

typedef VEC(X509 *) certificates;

static X509 *read_certificate(const char *file)
{
    BIO *b = BIO_new_file(file, "r");
    X509 *x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    BIO_free(b);
    return x;
}

static void read_all(struct arena *a, const struct plan_listener *l, certificates *out)
{
    for (size_t i = 0; i < l->sockets.n; i++) {
        const struct plan_socket *s = &l->sockets.v[i];
        bool known = !s->tls || !s->chain || !strncmp(s->chain, MISSING_DIR "/", sizeof MISSING_DIR);
        for (size_t k = 0; k < i && !known; k++)
            known = str_equal(l->sockets.v[k].chain, s->chain);
        X509 *x = known ? NULL : read_certificate(s->chain);
        if (x)
            vec_add(a, out, x);
    }
}

static bool on_certificate(const certificates *c, const struct public_name *n)
{
    for (size_t i = 0; i < c->n; i++) {
        char any[300];
        if (n->kind == NAME_ADDRESS && X509_check_ip_asc(c->v[i], n->name, 0) == 1)
            return true;
        snprintf(any, sizeof any, "%s%s", n->kind == NAME_WILDCARD ? "any" : "", n->name + (n->kind == NAME_WILDCARD));
        if (n->kind != NAME_ADDRESS && X509_check_host(c->v[i], any, 0, 0, NULL) == 1)
            return true;
    }
    return false;
}

static void advise_rule(struct findings *f, const struct rule *r, const certificates *c)
{
    enum { SHOWN = 5 };
    struct strbuf names = { 0 };
    size_t missing = 0;
    for (size_t i = 0; i < r->names.n; i++)
        if (!on_certificate(c, &r->names.v[i]) && missing++ < SHOWN)
            buf_printf(&names, "%s%s", names.n ? ", " : "", r->names.v[i].name);
    if (missing) {
        struct finding *x = finding_add(f, F_NAME_ON_NO_CERTIFICATE, "no certificate of its listener is for %s%s",
                                        names.p, missing > SHOWN ? ", ..." : "");
        x->subject = SUBJECT_RULE;
        x->name = r->name;
        x->guid = r->at.guid;
        x->line = origin_line(&r->at, "names");
        x->setting = "PublicNames";
    }
    buf_free(&names);
}

void advise_names(const struct plan *p, struct findings *f)
{
    struct arena *a = arena_new();
    for (size_t i = 0; i < p->listeners.n; i++) {
        const struct plan_listener *l = &p->listeners.v[i];
        certificates c = { 0 };
        read_all(a, l, &c);
        for (size_t k = 0; c.n && k < l->rules.n; k++)
            if (p->policy->rules.v[l->rules.v[k]].action == ACTION_ALLOW)
                advise_rule(f, &p->policy->rules.v[l->rules.v[k]], &c);
        for (size_t k = 0; k < c.n; k++)
            X509_free(c.v[k]);
    }
    arena_free(a);
}
