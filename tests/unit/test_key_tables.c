/* test_key_tables: docs/policy.md and docs/site-map.md end with the key tables that the readers use.
 * "test_key_tables policy" and "test_key_tables site" print them, for pasting. Runs in the project's folder. */
#include <stdio.h>
#include <string.h>
#include "../../ir/schema.h"

static const struct {
    const char *name, *file;
    const struct schema *schema;
} documents[] = {
    { "policy", "docs/policy.md", &policy_schema },
    { "site", "docs/site-map.md", &site_schema },
};

int main(int argc, char **argv)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct strbuf table = { 0 }, text = { 0 }, err = { 0 };
        schema_markdown(&table, documents[i].schema);
        if (argc > 1 && strcmp(argv[1], documents[i].name) == 0)
            fputs(table.p, stdout);
        else if (argc == 1 && file_read(documents[i].file, 1 << 20, &text, &err) != 0)
            failed++, printf("FAILED: %s\n", err.p);
        else if (argc == 1 && !strstr(text.p, table.p))
            failed++, printf("FAILED: %s does not hold the tables that `test_key_tables %s` prints\n",
                             documents[i].file, documents[i].name);
        buf_free(&table);
        buf_free(&text);
        buf_free(&err);
    }
    if (argc == 1)
        printf("key_tables: %d passed, %d failed\n", 2 - failed, failed);
    return failed ? 1 : 0;
}
