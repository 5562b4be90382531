#include "shared_schema.h"
#include "compression.h"
#include "policy.h"
#include "schema_rows.h"

_Static_assert(sizeof(enum delegation) == sizeof(int), "Y_WORD takes an enum for an int");

const char *const words_redirect[] = { "never", "authenticated", "always", NULL };
const char *const words_forms[] = { "none", "ad", "ldap", "radius", "radius-otp", "securid", NULL };
const char *const words_validator[] = { "ad", "ldap", "radius", "securid", NULL };
const char *const words_cookies[] = { "never", "private", "always", NULL };
const char *const words_probe[] = { "http", "ping", "tcp", NULL };
const char *const words_action[] = { "allow", "deny", NULL };
const char *const words_delegation[] = { "pass", "block", "securid", "basic", "ntlm", "negotiate", "kerberos", NULL };
const char *const words_certificate[] = { "ignored", "required", "requested", NULL };
const char *const words_ssl[] = { "optional", "required", "required-128", NULL };
const char *const words_application[] = { "general", "exchange", "sharepoint", NULL };

static const struct field content_types_fields[] = {
    TEXTS(content_types, list, "as `text/html`, `text/*`, and `.htm` for answers without a Content-Type"),
    BOOL(content_types, except, false, "all types but these"),
    BOOL(content_types, untyped, false, "answers with neither a type nor an extension too"),
};
const struct schema content_types_schema = { SCHEMA("content types", content_types, content_types_fields),
                                             .layout = LAYOUT_FLOW_IF_SHORT, .check = content_types_check };

static const struct field link_fields[] = { NAME(link_mapping, from, "text in a page"),
                                            NAME(link_mapping, to, "what replaces it") };
const struct schema link_schema = { SCHEMA("a link translation", link_mapping, link_fields), .layout = LAYOUT_FLOW };

static const struct field account_fields[] = {
    TEXT(account, name, "DOMAIN\\\\name"),
    TEXT(account, sid, "as in the source"),
    BOOL(account, group, false, "a group, not a user"),
};
const struct schema account_schema = { SCHEMA("an account", account, account_fields), .layout = LAYOUT_FLOW };
