/* agents: which clients of a listener with forms get the form, and which are asked for Basic, by their User-Agent (B-85). A
 * program that is no browser cannot fill in a form; one that is shows an ugly box for Basic, and knows no log-off.
 */
#ifndef AUTH_AGENTS_H
#define AUTH_AGENTS_H
#include "../base/base.h"

enum agent_answer { AGENT_FORM, AGENT_BASIC };
struct agent { const char *match; enum agent_answer answer; };   /* match: the whole text without case; a star stands for anything */
typedef VEC(struct agent) agents;
/* The source's table, in its order. Its forms for telephones of 2006 (XHTML-MP, cHTML) are the one form here. */
extern const struct agent agents_default[];
extern const size_t agents_default_n;
/* The first that fits; none: Basic. user_agent: NULL is an empty one. */
enum agent_answer agent_of(const struct agent *table, size_t n, const char *user_agent);
bool agent_fits(const char *match, const char *text);
#endif
