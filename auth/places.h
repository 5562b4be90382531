/* places: the paths that a listener with forms keeps for itself on every name that it publishes, what comes with requests
 * for them, and where people are sent afterwards. Pure functions over hostile text.
 *
 * The source's own path, /CookieAuth.dll (or /FBAHANDLER.DLL), stands in bookmarks and monitors: it leads to the form (B-84).
 */
#ifndef AUTH_PLACES_H
#define AUTH_PLACES_H
#include "../base/base.h"
#include "place_names.h"

#define PLACE_SIGN_IN_PATH PLACES "sign-in"
#define PLACE_PASSWORD_PATH PLACES "password"
#define PLACE_SIGN_OUT_PATH PLACES "sign-out"
#define PLACE_FILES_PATH PLACES "files/"

enum place { PLACE_NONE, PLACE_SIGN_IN, PLACE_PASSWORD, PLACE_SIGN_OUT, PLACE_FILE, PLACE_OLD, PLACE_UNKNOWN };
/* Path and query of a request target, absolute or not: behind the authority. */
const char *target_path(const char *target);
/* path: from target_path. *rest: the file's name for PLACE_FILE, else the query behind the ? or "". Ours is compared as
 * it stands, the old one without case. */
enum place place_of(const char *path, const char **rest);

/* The value of a parameter in a query or form body (application/x-www-form-urlencoded), decoded; lives in a. The first
 * of that name. NULL: not there, or not well-formed: a bad %, a NUL. n: bytes of the text. */
const char *parameter(struct arena *a, const char *text, size_t n, const char *name);
/* Percent-encoded for a query parameter's value. */
void parameter_encode(struct strbuf *out, const char *s);
/* What the source wrote into curl: Z and two hex digits for what is no letter or digit ("Z2Fowa" is "/owa"). NULL: nothing. */
const char *old_target(struct arena *a, const char *query);

/* May somebody be sent there after signing in? Only a path of the same host: it begins with one slash, holds visible ASCII
 * alone, no backslash, is none of our places and at most 2048 bytes long. Location then has scheme and host of our own in front,
 * so that no reading of it leads elsewhere. */
bool return_allowed(const char *target);

/* Does this request ask for the published application's log-off (B-93)? url: "/_layouts/SignOut.aspx" is that path whatever
 * the query; "/owa/?Cmd=logoff" that path and a query that begins so; "?Cmd=logoff" any path with it. Without case. */
bool asks_log_off(const char *url, const char *path);
#endif
