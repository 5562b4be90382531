/* compression: which answers are compressed, by their type (B-65, B-143). The source goes by Content-Type, and by the extension of
 * the URL where an answer has none. */
#ifndef TMGC_COMPRESSION_H
#define TMGC_COMPRESSION_H
#include "policy.h"
#include "yaml.h"

/* Shorter bodies would hardly get smaller. The source's own limit is not known; HAProxy 2.6 has none (D-18). */
enum { COMPRESSION_LEAST = 256 };

/* Lower case, without white space: "text/html", "text/" "*", "*", ".htm". NULL: it is none of these. */
const char *content_type_normal(struct arena *a, const char *text);
/* For schemas: makes each of the list normal; what is none is an error. */
void content_types_check(struct yaml_reader *r, const struct node *node, void *types);
/* Whether an answer with this Content-Type (NULL: none) to a request for target is compressed. */
bool content_types_hold(const struct content_types *t, const char *content_type, const char *target);

/* The same for programs that go by a list of types alone: each once, "text/" "*" as it stands (stars) or as the usual texts that it
 * stands for. Where all types but some are compressed: the usual texts without those. A list of "*" alone is all types. */
void content_types_listed(struct arena *a, const struct content_types *t, bool stars, strings *out);
/* Such a list says something else than t. */
bool content_types_differ(const struct content_types *t, bool stars);
/* Every usual text, as "text/" "*" and some of application/: for who asks for compression where the source has no types. */
void content_types_usual(struct arena *a, struct content_types *out);
#endif
