/* forms: the pages that people see when they sign in, in their language. Templates and texts are built in (auth/html),
 * or come from a folder (`form.directory`), file by file: what the folder does not have is taken from the built-in ones.
 *
 * The folder may hold
 *   sign-in.html further.html password.html sign-out.html signed-off.html expires.html head.html notes.html style.css    templates
 *   texts.LANGUAGE            a catalog: lines "name = text", # begins a comment; what it lacks is said in English
 *   *.css *.png *.svg *.jpg *.gif *.ico *.woff2    files that pages refer to as {{files}}NAME; at most 1 MiB each
 *
 * A template is HTML with
 *   {{name}}                  a value, always escaped        {{t.name}}    a text of the catalog, escaped
 *   {{#name}}…{{/name}}       only if the value is not empty {{^name}}…{{/name}}  only if it is
 *   {{>file}}                 another file of the folder; read once, at the start
 * Anything else in double braces is an error, told at the start with file and line. No value can be put anywhere
 * unescaped. Templates are the operator's and are trusted; values are everybody's.
 */
#ifndef AUTH_FORMS_H
#define AUTH_FORMS_H
#include "../base/base.h"

enum form { FORM_SIGN_IN, FORM_PASSWORD, FORM_SIGN_OUT, FORM_SIGNED_OFF, FORM_EXPIRES, FORM_FURTHER, FORMS };
extern const char *const form_files[FORMS];

struct forms;                        /* immutable; for any thread */
/* NULL with lines in err. directory: NULL is none. */
struct forms *forms_new(const char *directory, struct strbuf *err);
void forms_free(struct forms *f);

/* The best language for an Accept-Language value (NULL: none was sent); "en" if nothing fits. A pointer into f. */
const char *forms_language(const struct forms *f, const char *accept_language);
/* A text of the catalog with {name} filled in from values; appended, not escaped. */
struct form_value { const char *name, *value; };     /* value: NULL is "" */
void forms_text(const struct forms *f, const char *language, const char *name, const struct form_value *values, size_t n, struct strbuf *out);
/* "10 minutes", "6 hours": the largest unit that divides it. */
void forms_time(const struct forms *f, const char *language, long seconds, struct strbuf *out);
void forms_render(const struct forms *f, enum form page, const char *language, const struct form_value *values, size_t n, struct strbuf *out);

struct form_file { const char *name, *type; const char *bytes; size_t n; };
const struct form_file *forms_file(const struct forms *f, const char *name);  /* of the folder; NULL */

/* Text for HTML, in elements and attributes alike. */
void html_escape(struct strbuf *out, const char *s, size_t n);

/* The built-in files, from auth/html; the build makes them. */
struct form_asset { const char *name; const char *const *lines; };   /* lines: NULL at the end */
extern const struct form_asset form_assets[];
#endif
