/* tools: what publishd does for an operator besides serving. */
#ifndef PUBLISHD_TOOLS_H
#define PUBLISHD_TOOLS_H

/* Reads a password from standard input (not shown where that is a terminal), prints its hash for the password file. 0, or 1. */
int hash_password(void);
/* Tries to delegate for a user at every server of the rule of that name, and explains what is refused. 0: all works. */
int check_delegation(const char *file, const char *user, const char *rule);
#endif
