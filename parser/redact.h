/* redact: an export with pseudonyms for everything that tells whose it is; its shape, numbers and the vocabulary of the
 * product stay, so that the same findings come at the same lines and the same configs up to renaming.
 *
 * redact.c splices pseudonyms into the bytes, redact_meaning.c says what each text of the export means,
 * redact_words.c, redact_places.c and redact_users.c make pseudonyms, redact_address.c those of IP addresses. All of
 * them follow from the order in which things appear: nothing of the clear text is in them but lengths of path segments and what is common. */
#ifndef TMGC_REDACT_H
#define TMGC_REDACT_H
#include "../base/base.h"

/* bytes: an export in any encoding; out: UTF-8 where the input was not. map: JSON, one line a pseudonym. names_file as in
 * export_read. 0, or -1 with "source:line: why" in err. Linear in n, but for the look-up of words (n log n). */
int export_redact(const char *source, const char *bytes, size_t n, const char *names_file, struct strbuf *out, struct strbuf *map,
                  struct strbuf *err);
#endif
