/* agents: the table and how a line of it fits. */
#include "agents.h"

const struct agent agents_default[] = {
    { "*Blazer*", AGENT_FORM },  { "*Windows CE*", AGENT_FORM },
    { "*Symbian*", AGENT_FORM }, { "*SonyEricsson*", AGENT_FORM },
    { "*DoCoMo*", AGENT_FORM },  { "*Frontpage*", AGENT_BASIC },
    { "*Mozilla*", AGENT_FORM }, { "*Opera*", AGENT_FORM },
    { "*MSRPC*", AGENT_BASIC },  { "*", AGENT_BASIC },
};
const size_t agents_default_n = sizeof agents_default / sizeof *agents_default;

/* Goes back to the last star only: linear in text for each star, never more. */
bool agent_fits(const char *match, const char *text)
{
    const char *star = NULL, *again = NULL;
    while (*text) {
        if (*match == '*') {
            star = match++;
            again = text;
        } else if (ascii_lower(*match) == ascii_lower(*text)) {
            match++;
            text++;
        } else if (star) {
            match = star + 1;
            text = ++again;
        } else {
            return false;
        }
    }
    while (*match == '*')
        match++;
    return *match == '\0';
}

enum agent_answer agent_of(const struct agent *table, size_t n, const char *user_agent)
{
    for (size_t i = 0; i < n; i++)
        if (agent_fits(table[i].match, user_agent ? user_agent : ""))
            return table[i].answer;
    return AGENT_BASIC;
}
