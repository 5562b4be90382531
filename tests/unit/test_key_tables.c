/* test_key_tables: the documents of the file formats end with the key tables that the readers use.
 * "test_key_tables --update" writes them afresh (make docs). Runs in the project's folder. */
#include <stdio.h>
#include <string.h>
#include "../../ir/schema.h"
#include "../../config/schema.h"

static const struct {
    const char *file;
    const struct schema *schema;
} documents[] = {
    { "docs/policy.md", &policy_schema },
    { "docs/site-map.md", &site_schema },
    { "docs/publishd.yaml.md", &config_schema },
};
enum { DOCUMENTS = sizeof documents / sizeof *documents };

/* Where the tables begin in a document: the first heading of the third level behind "All keys". */
static char *tables_in(struct strbuf *text)
{
    char *keys = strstr(text->p, "\n## All keys\n");
    char *first = keys ? strstr(keys, "\n### ") : NULL;
    return first ? first + 1 : NULL;
}

static bool in_step(size_t i, bool update)
{
    struct strbuf table = { 0 }, text = { 0 }, err = { 0 };
    schema_markdown(&table, documents[i].schema);
    while (table.n && table.p[table.n - 1] == '\n')
        table.p[--table.n] = '\0';
    buf_putc(&table, '\n');
    char *at = file_read(documents[i].file, 1 << 20, &text, &err) ? NULL : tables_in(&text);
    bool same = at && str_equal(at, table.p);
    if (update && at && !same) {
        FILE *out = fopen(documents[i].file, "w");
        same =
            out && fwrite(text.p, 1, (size_t)(at - text.p), out) == (size_t)(at - text.p) && fputs(table.p, out) >= 0;
        same = out && fclose(out) == 0 && same;
    }
    if (!same)
        printf("FAILED: %s does not end with the tables of the reader; make docs writes them\n", documents[i].file);
    buf_free(&table);
    buf_free(&text);
    buf_free(&err);
    return same;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (size_t i = 0; i < DOCUMENTS; i++)
        failed += !in_step(i, argc > 1 && strcmp(argv[1], "--update") == 0);
    if (argc == 1)
        printf("key_tables: %d passed, %d failed\n", (int)DOCUMENTS - failed, failed);
    return failed ? 1 : 0;
}
