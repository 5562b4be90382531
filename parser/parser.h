/* parser: export bytes -> policy. Nothing outside this room sees XML. */
#ifndef TMGC_PARSER_H
#define TMGC_PARSER_H
#include "../ir/policy.h"

/* names_file: a --names file, or NULL. source: name for messages ("array.xml").
 * 0 and *out (the caller frees it with policy_free), or -1 with "source:line: what it seems to be and what to do" in err.
 * What is merely odd is in (*out)->notes. Time and memory grow linearly with n. */
int export_read(const char *source, const char *bytes, size_t n, const char *names_file,
                struct policy **out, struct strbuf *err);

/* By content: true if it looks like XML (any encoding, BOM or not), false for YAML. Bytes that are neither (none at all,
 * binary) count as XML, because export_read can say best what they seem to be. */
bool looks_like_xml(const char *bytes, size_t n);
#endif
