/* report_sarif: the findings as SARIF 2.1.0 (OASIS), for code-review tools. One result a line, so that a small change
 * of the input is a small change of the file.
 *
 * Places are relative: the export and the site map to folders that only the reader knows (EXPORT, SITEMAP), the
 * generated files to the folder of the report (OUTPUT). What came through a pipe has no place. */
#include "report.h"
#include <string.h>

/* The numbers that results refer to artifacts by; -1: not there. */
struct artifacts {
    int export, site, config[TARGETS], streams[TARGETS];
};
struct sarif {
    struct strbuf *out;
    const struct report *r;
    const struct report_model *m;
    struct artifacts at;
    struct strbuf uri[2], name; /* of the export and the site map; scratch */
};

static const char *level_of(enum severity s)
{
    static const char *const levels[] = { "note", "warning", "error" };
    return levels[s];
}

/* ---- text that has a meaning in SARIF ------------------------------------------ */

/* RFC 3986: a relative reference of one segment, whatever the file is called. */
static void put_uri(struct strbuf *b, const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    for (; *name; name++) {
        if (strchr(plain, *name))
            buf_putc(b, *name);
        else
            buf_printf(b, "%%%02X", (unsigned char)*name);
    }
}

/* A message (3.11.5, 3.11.6): braces are doubled, since {0} stands for an argument, and what looks like a link is
 * escaped, so that no name of the export becomes one. */
static void put_message(struct strbuf *b, struct strbuf *scratch, const char *subject, const char *name,
                        const char *text)
{
    buf_clear(scratch);
    if (subject && name)
        buf_printf(scratch, "%s \"%s\": ", subject, name);
    buf_puts(scratch, text);
    bool link = strstr(scratch->p, "](") != NULL;
    if (link || strpbrk(scratch->p, "{}")) {
        size_t n = scratch->n;
        for (size_t i = 0; i < n; i++) {
            char c = scratch->p[i];
            if (c == '{' || c == '}')
                buf_putc(scratch, c);
            else if (link && (c == '[' || c == ']'))
                buf_putc(scratch, '\\');
            buf_putc(scratch, c);
        }
        memmove(scratch->p, scratch->p + n, scratch->n - n + 1);
        scratch->n -= n;
    }
    buf_json(b, scratch->p);
}

/* ---- the tool and its rules ------------------------------------------------------ */

/* "delegation-lost" -> "DelegationLost", as the format's guidance wants names. */
static void put_pascal(struct strbuf *b, const char *name)
{
    bool up = true;
    for (; *name; name++) {
        if (*name != '-')
            buf_putc(b, up && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name);
        up = *name == '-';
    }
}

static void put_kind(struct sarif *s, size_t id, enum severity gravest)
{
    const struct finding_kind *k = &finding_kinds[id];
    struct strbuf help = { 0 };
    buf_printf(s->out, "%s\n{\"id\":\"TMG%04u\",\"name\":\"", id ? "," : "", k->code);
    put_pascal(s->out, k->name);
    buf_puts(s->out, "\",\"shortDescription\":{\"text\":");
    buf_json(s->out, k->meaning);
    buf_puts(s->out, "},\"fullDescription\":{\"text\":");
    buf_json(s->out, k->meaning);
    buf_puts(s->out, "},\"help\":{\"text\":");
    buf_printf(&help, "%s What to do: %s", k->meaning, k->remedy);
    buf_json(s->out, help.p);
    buf_clear(&help);
    buf_printf(&help, "**TMG%04u %s** (%s)\n\n%s\n\n**What to do:** %s", k->code, k->name, class_names[k->class],
               k->meaning, k->remedy);
    buf_puts(s->out, ",\"markdown\":");
    buf_json(s->out, help.p);
    buf_printf(s->out,
               "},\"defaultConfiguration\":{\"level\":\"%s\"},\"properties\":{\"class\":\"%s\",\"tags\":[\"%s\"]}}",
               level_of(gravest), class_names[k->class], class_names[k->class]);
    buf_free(&help);
}

/* A viewer that shows the rule's level must not show less than one of its results has. */
static void put_kinds(struct sarif *s)
{
    enum severity gravest[FINDINGS];
    for (size_t i = 0; i < FINDINGS; i++)
        gravest[i] = finding_kinds[i].severity;
    for (size_t i = 0; i < s->r->findings->list.n; i++) {
        const struct finding *f = &s->r->findings->list.v[i];
        if (f->severity > gravest[f->id])
            gravest[f->id] = f->severity;
    }
    buf_puts(s->out, "\"tool\":{\"driver\":{\"name\":\"tmgc\",\"semanticVersion\":\"" TMGC_VERSION "\",\"rules\":[");
    for (size_t i = 0; i < FINDINGS; i++)
        put_kind(s, i, gravest[i]);
    buf_puts(s->out, "\n]}},\n");
}

/* ---- artifacts ---------------------------------------------------------------------- */

/* A name of angle brackets or none is standard input. */
static bool is_file(const char *name)
{
    return name && *name && *name != '<' && strcmp(name, "stdin") != 0 && strcmp(name, "-") != 0;
}

static int put_artifact(struct sarif *s, int number, const char *uri, const char *base, const char *role)
{
    buf_printf(s->out, "%s\n{\"location\":{\"uri\":\"%s\",\"uriBaseId\":\"%s\"}", number ? "," : "", uri, base);
    if (role)
        buf_printf(s->out, ",\"roles\":[\"%s\"]", role);
    buf_putc(s->out, '}');
    return number;
}

static void put_artifacts(struct sarif *s)
{
    int n = 0;
    s->at = (struct artifacts){ -1, -1, { -1, -1, -1 }, { -1, -1, -1 } };
    buf_puts(s->out,
             "\"originalUriBaseIds\":{\"EXPORT\":{\"description\":{\"text\":\"The folder of the export.\"}},"
             "\"SITEMAP\":{\"description\":{\"text\":\"The folder of the site map.\"}},"
             "\"OUTPUT\":{\"description\":{\"text\":\"The folder that tmgc convert wrote, where this report is.\"}}},\n"
             "\"artifacts\":[");
    if (is_file(s->r->export_name)) {
        put_uri(&s->uri[0], s->r->export_name);
        s->at.export = put_artifact(s, n++, s->uri[0].p, "EXPORT", "analysisTarget");
    }
    if (is_file(s->r->site_name)) {
        put_uri(&s->uri[1], s->r->site_name);
        s->at.site = put_artifact(s, n++, s->uri[1].p, "SITEMAP", "userSpecifiedConfiguration");
    }
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!s->r->emissions[t])
            continue;
        buf_clear(&s->name);
        buf_printf(&s->name, "%s/%s", target_outputs[t].folder, target_outputs[t].file);
        s->at.config[t] = put_artifact(s, n++, s->name.p, "OUTPUT", NULL);
        if (!target_outputs[t].stream_file || !s->r->emissions[t]->server_rules.n)
            continue;
        buf_clear(&s->name);
        buf_printf(&s->name, "%s/%s", target_outputs[t].folder, target_outputs[t].stream_file);
        s->at.streams[t] = put_artifact(s, n++, s->name.p, "OUTPUT", NULL);
    }
    buf_puts(s->out, "\n],\n");
}

/* ---- results ------------------------------------------------------------------------- */

static void put_physical(struct strbuf *b, const char *uri, const char *base, int index, uint32_t line)
{
    buf_puts(b, "\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"");
    buf_puts(b, uri);
    buf_puts(b, "\",\"uriBaseId\":\"");
    buf_puts(b, base);
    buf_puts(b, "\",\"index\":");
    put_number(b, (size_t)index);
    buf_putc(b, '}');
    buf_puts(b, ",\"region\":{\"startLine\":");
    put_number(b, line ? line : 1); /* what concerns the whole file is at its beginning */
    buf_puts(b, "}}");
}

static void put_location(struct sarif *s, const struct finding *f)
{
    struct strbuf *b = s->out;
    int index = f->in_site ? s->at.site : s->at.export;
    bool logical = f->name && finding_subject(f);
    if (index < 0 && !logical)
        return;
    buf_puts(b, ",\"locations\":[{");
    if (index >= 0)
        put_physical(b, s->uri[f->in_site].p, f->in_site ? "SITEMAP" : "EXPORT", index, f->line);
    if (logical) {
        buf_puts(b, index >= 0 ? ",\"logicalLocations\":[{\"name\":" : "\"logicalLocations\":[{\"name\":");
        buf_json(b, f->name);
        buf_puts(b, ",\"kind\":\"");
        buf_puts(b, finding_subject(f));
        buf_putc(b, '"');
        if (f->guid) {
            buf_puts(b, ",\"properties\":{\"guid\":");
            buf_json(b, f->guid);
            buf_putc(b, '}');
        }
        buf_puts(b, "}]");
    }
    buf_puts(b, "}]");
}

static void put_one_related(struct sarif *s, size_t id, unsigned t, const char *file, int artifact, uint32_t line)
{
    struct strbuf *b = s->out;
    buf_puts(b, id > 1 ? ",{\"id\":" : ",\"relatedLocations\":[{\"id\":");
    put_number(b, id);
    buf_puts(b, ",\"message\":{\"text\":\"the rule in the ");
    buf_puts(b, target_names[t]);
    buf_puts(b, " config\"},");
    buf_clear(&s->name);
    buf_puts(&s->name, target_outputs[t].folder);
    buf_putc(&s->name, '/');
    buf_puts(&s->name, file);
    put_physical(b, s->name.p, "OUTPUT", artifact, line);
    buf_putc(b, '}');
}

/* Where the rule's block begins in the configs of the targets that the finding concerns. */
static void put_related(struct sarif *s, size_t number, const struct finding *f)
{
    uint32_t rule = s->m->rule_of[number], server_rule = s->m->server_rule_of[number];
    size_t related = 0;
    for (unsigned t = 0; t < TARGETS; t++) {
        const struct emission *e = s->r->emissions[t];
        const struct target_output *o = &target_outputs[t];
        if (!(f->targets & ON(t)) || !e)
            continue;
        if (rule < e->rules.n && e->rules.v[rule].first)
            put_one_related(s, ++related, t, o->file, s->at.config[t], e->rules.v[rule].first);
        else if (server_rule < e->server_rules.n && e->server_rules.v[server_rule].first)
            put_one_related(s, ++related, t, o->stream_file ? o->stream_file : o->file,
                            o->stream_file ? s->at.streams[t] : s->at.config[t], e->server_rules.v[server_rule].first);
    }
    if (related)
        buf_putc(s->out, ']');
}

/* FNV-1a over what makes a finding the same one in the next run: not its line. */
static uint64_t hash(uint64_t h, const char *s)
{
    for (; s && *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3u;
    return (h ^ 0xff) * 0x100000001b3u;
}

static void put_fingerprint(struct strbuf *b, const struct finding *f)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t h = hash(0xcbf29ce484222325u, finding_kinds[f->id].name);
    h = hash(h, f->guid ? f->guid : f->name);
    h = hash(h, f->setting);
    h = hash(h, f->message) ^ f->targets;
    char text[16];
    for (size_t i = 0; i < 16; i++)
        text[i] = digits[h >> (60 - 4 * i) & 15];
    buf_puts(b, ",\"partialFingerprints\":{\"tmgcFinding/v1\":\"");
    buf_add(b, text, sizeof text);
    buf_puts(b, "\"}");
}

static void put_properties(struct strbuf *b, const struct finding *f)
{
    buf_puts(b, ",\"properties\":{\"targets\":[");
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(f->targets & ON(t)))
            continue;
        buf_puts(b, comma);
        buf_putc(b, '"');
        buf_puts(b, target_names[t]);
        buf_putc(b, '"');
        comma = ",";
    }
    buf_putc(b, ']');
    if (f->setting && *f->setting) {
        buf_puts(b, ",\"setting\":");
        buf_json(b, f->setting);
    }
    if (f->remedy && !str_equal(f->remedy, finding_kinds[f->id].remedy)) {
        buf_puts(b, ",\"remedy\":");
        buf_json(b, f->remedy);
    }
    buf_putc(b, '}');
}

static void put_result(struct sarif *s, size_t number)
{
    const struct finding *f = &s->r->findings->list.v[number];
    struct strbuf *b = s->out;
    buf_puts(b, number ? ",\n{\"ruleId\":\"TMG" : "\n{\"ruleId\":\"TMG");
    put_number(b, finding_kinds[f->id].code);
    buf_puts(b, "\",\"ruleIndex\":");
    put_number(b, f->id);
    buf_puts(b, ",\"level\":\"");
    buf_puts(b, level_of(f->severity));
    buf_puts(b, "\",\"message\":{\"text\":");
    put_message(b, &s->name, finding_subject(f), f->name, f->message);
    buf_putc(b, '}');
    put_location(s, f);
    put_related(s, number, f);
    put_fingerprint(b, f);
    if (f->accepted) {
        buf_puts(b, ",\"suppressions\":[{\"kind\":\"external\",\"status\":\"accepted\",\"justification\":");
        buf_json(b, f->accepted);
        buf_puts(b, "}]");
    }
    put_properties(b, f);
    buf_putc(b, '}');
}

void report_sarif(struct strbuf *out, const struct report *r)
{
    struct report_model *m = report_model_make(r);
    struct sarif s = { .out = out, .r = r, .m = m };
    buf_puts(
        out,
        "{\"$schema\":\"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json\",\n"
        "\"version\":\"2.1.0\",\n\"runs\":[{\n");
    put_kinds(&s);
    put_artifacts(&s);
    buf_puts(out, "\"columnKind\":\"utf16CodeUnits\",\n\"results\":[");
    for (size_t i = 0; i < r->findings->list.n; i++)
        put_result(&s, i);
    buf_puts(out, "\n]}]}\n");
    for (size_t i = 0; i < 2; i++)
        buf_free(&s.uri[i]);
    buf_free(&s.name);
    report_model_free(m);
}
