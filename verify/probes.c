/* What to ask: probes at the decision boundaries of the policy. For each rule one request that it answers is looked for
 * with decide(); then one thing at a time is varied: name, path, source, socket, method, body, and what the published server
 * answers. Then pairs of rules that share names, what no rule answers, farms, certificates, and random mixtures; last, connections to the sockets of server publishing rules.
 * The same policy and options give the same probes in the same order. */
#include "probes.h"

static void listener_probes(struct probe_maker *m, uint32_t listener, int *group)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[l->rules.v[i]];
        enum answer answer;
        bool reached = probe_find_base(m, r, listener);
        probe_on_schemes(m, "the rule itself", &m->base);
        probes_of_names(m, r);
        probes_of_paths(m, r);
        probes_of_sources(m, r);
        probes_of_ports(m, r);
        probes_of_certificates(m, r);
        probes_of_sockets(m);
        probe_answering(m, &m->base, &answer);
        if (!reached || (answer != ANSWER_FORWARD && answer != ANSWER_NEEDS_USER))
            continue;
        probes_of_requests(m);
        probes_of_filter(m, r);
        probes_of_answers(m, r);
        probes_of_farm(m, r, group);
        probes_of_wrong_certificate(m, r);
    }
    probes_of_unknown(m, listener);
    probes_of_pairs(m, listener);
}

void probes_make(const struct plan *p, const struct verify_options *o, struct arena *a, probes *out)
{
    struct probe_maker m = { .plan = p, .a = a, .out = out };
    uint64_t state = o->seed;
    int group = 0;
    for (uint32_t i = 0; i < p->listeners.n; i++)
        if (p->listeners.v[i].sockets.n)
            listener_probes(&m, i, &group);
    for (size_t i = 0; i < o->random && p->listeners.n; i++)
        probes_at_random(&m, &state);
    probes_of_streams(&m);
}
