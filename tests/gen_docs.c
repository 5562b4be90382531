/* gen_docs: the parts of docs/ that are made from tables. `gen_docs findings` prints docs/findings.md from
 * base/findings.def and the examples below; `gen_docs settings` prints docs/settings.md from settings/settings.def;
 * `gen_docs versions` prints docs/versions.md from emitters/versions.def; `gen_docs answers` docs/answers.md from proxy/pages.def. */
#include "base/finding.h"
#include "emitters/versions.h"
#include "settings/settings.h"
#include "proxy/pages.h"

#include <string.h>

/* What a finding of each kind looks like. A kind without one does not compile into a page: see findings_page. */
static const char *const examples[FINDINGS] = {
#define EXAMPLE(id, text) [F_##id] = text,
#include "finding_examples.def"
#undef EXAMPLE
};

static const struct {
    enum finding_class class;
    const char *title, *intro;
} chapters[] = {
    { CLASS_INPUT, "Input: the export is incomplete, dangling or unknown",
      "What is said here comes from reading the export; it is part of the policy and travels with `tmgc ir`." },
    { CLASS_LOST, "Lost: no equivalent", "The setting does nothing on the targets that the finding names." },
    { CLASS_DIFFERS, "Differs: equivalent, with a stated residue",
      "The rule works; what is different is said in full." },
    { CLASS_CLOSED, "Closed: refused on purpose",
      "The setting restricts who may pass, and the target cannot express that. The rule answers 403 there until the "
      "site map accepts the finding:\n\n```yaml\naccept:\n  - {code: TMG4001, rule: \"OWA\", target: nginx, reason: "
      "\"sign-in moved to the application\", until: 2027-03-31}\n```" },
    { CLASS_ADVICE, "Advice: the source itself looks wrong",
      "These are faults of the published rules, whatever runs them." },
    { CLASS_SITE, "Site: the site map must say more",
      "`tmgc site EXPORT` prints a site map that asks for all of these." },
};

static int findings_page(struct strbuf *b)
{
    int missing = 0;
    buf_puts(
        b,
        "<!-- Made by `make docs` from base/findings.def and tests/finding_examples.def. -->\n"
        "# Findings\n\n"
        "Every difference between the source and a target is one finding with a stable code. Severities: `error`, a site would be\n"
        "open, closed or broken compared with the source; `warning`, it works, but differently; `info`, worth knowing.\n"
        "A finding that was read and is fine can be accepted in the site map (`accept`), which lowers it to `info`.\n");
    for (size_t c = 0; c < sizeof chapters / sizeof *chapters; c++) {
        buf_printf(b, "\n## %s\n\n%s\n", chapters[c].title, chapters[c].intro);
        for (size_t i = 0; i < FINDINGS; i++) {
            const struct finding_kind *k = &finding_kinds[i];
            if (k->class != chapters[c].class)
                continue;
            buf_printf(b, "\n### TMG%u %s\n\n%s, %s. %s\n\n", k->code, k->name, severity_names[k->severity],
                       class_names[k->class], k->meaning);
            if (examples[i])
                buf_printf(b, "    %s\n\n", examples[i]);
            else
                missing++;
            buf_printf(b, "What to do: %s\n", k->remedy);
        }
    }
    if (missing)
        fprintf(stderr, "gen_docs: %d kinds of finding have no example in tests/finding_examples.def\n", missing);
    return missing ? 1 : 0;
}

static int settings_page(struct strbuf *b)
{
    buf_puts(
        b,
        "<!-- Made by `make docs` from settings/settings.def. -->\n"
        "# What becomes of each setting\n\n"
        "The source's properties that publishing knows, where each goes in the policy, and what each target does with it.\n"
        "`tmgc capabilities` prints the same; `tests/suite/mutation.py` shows of each row that it is true.\n\n");
    capabilities_write(b, -1, "markdown");
    return 0;
}

static int versions_page(struct strbuf *b)
{
    buf_puts(
        b,
        "<!-- Made by `make docs` from emitters/versions.def. -->\n"
        "# Releases of nginx and HAProxy\n\n"
        "`--nginx-version` and `--haproxy-version` choose among spellings, and what the findings say, where releases\n"
        "differ. The default is what Debian 12 has; the tests run the output for the oldest and newest releases there. What other\n"
        "releases need is known from their change logs.\n\n");
    for (unsigned t = 0; t < TARGETS; t++) {
        const struct version_range *r = &version_ranges[t];
        if (!r->newest)
            continue;
        buf_printf(b,
                   "## %s %u.%u to %u.%u, by default %u.%u\n\n| from | what differs | source |\n| --- | --- | --- |\n",
                   target_names[t], r->oldest / 1000, r->oldest % 1000, r->newest / 1000, r->newest % 1000,
                   r->usual / 1000, r->usual % 1000);
        for (size_t i = 0; i < VERSION_FACTS; i++)
            if (version_rows[i].target == t)
                buf_printf(b, "| %u.%u | %s | %s |\n", version_rows[i].since / 1000, version_rows[i].since % 1000,
                           version_rows[i].what, version_rows[i].source);
        buf_puts(b, "\n");
    }
    return 0;
}

static int answers_page(struct strbuf *b)
{
    static const struct {
        int status, code;
        const char *title, *text;
    } causes[] = {
#define CAUSE(id, status, code, title, text) { status, code, title, text },
#include "proxy/pages.def"
#undef CAUSE
    };
    buf_puts(
        b,
        "# What publishd answers by itself\n\n"
        "<!-- Made by `make docs` from proxy/pages.def. -->\n"
        "The code is the one that the source's error pages were named by (B-145, B-146). A page of the operator's own is named by\n"
        "the code or by the status: `12202.html`, `403.html`, in the folder `error_pages`.\n\n"
        "| status | code | reason | text |\n|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        buf_printf(b, "| %d | ", causes[i].status);
        if (causes[i].code)
            buf_printf(b, "%d", causes[i].code);
        buf_printf(b, " | %s | %s |\n", causes[i].title, causes[i].text);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*write)(struct strbuf *);
    } pages[] = { { "findings", findings_page },
                  { "settings", settings_page },
                  { "versions", versions_page },
                  { "answers", answers_page } };
    struct strbuf b = { 0 };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (argc != 2 || strcmp(argv[1], pages[i].name) != 0)
            continue;
        int status = pages[i].write(&b);
        fwrite(b.p, 1, b.n, stdout);
        buf_free(&b);
        return status;
    }
    fputs("usage: gen_docs findings|settings|versions|answers\n", stderr);
    return 2;
}
