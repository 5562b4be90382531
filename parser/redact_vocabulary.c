/* redact_vocabulary: words that stay, because the product, a protocol or the advice knows them and nobody is found by them. */
#include "redact_words.h"

#include <string.h>

const char *const vocabulary_names[] = { "All Users",
                                         "All Authenticated Users",
                                         "System and Network Service",
                                         "External",
                                         "Internal",
                                         "Local Host",
                                         "VPN Clients",
                                         "Quarantined VPN Clients",
                                         "All Networks",
                                         "All Networks (and Local Host)",
                                         "All Protected Networks",
                                         "Anywhere",
                                         "Anywhere (Relay)",
                                         "Always",
                                         "Work Hours",
                                         "Weekends",
                                         "Default rule",
                                         "FBA with AD",
                                         "FBA with LDAP",
                                         "FBA with RADIUS",
                                         "FBA with RADIUS OTP",
                                         "FBA with SecurID",
                                         "SecurID",
                                         "LDAP",
                                         "RADIUS",
                                         "Integrated",
                                         "Digest",
                                         "Basic",
                                         "Microsoft (R) Corporation",
                                         "Microsoft Corporation",
                                         "FPC",
                                         "true",
                                         "false",
                                         "yes",
                                         "no",
                                         "Windows",
                                         NULL };
/* Found anywhere in a name, they give a rule away as one of Lync's; they go before the pseudonym. */
const char *const vocabulary_in_names[] = { "lync", "ocs ", "skype for business", "communications server", NULL };
const char *const vocabulary_top_labels[] = {
    "com",   "net",         "org", "edu",  "gov",      "mil",      "int",     "info", "biz",     "eu",
    "uk",    "co",          "us",  "ca",   "au",       "nz",       "de",      "ch",   "at",      "li",
    "fr",    "it",          "es",  "pt",   "nl",       "be",       "lu",      "dk",   "se",      "no",
    "fi",    "ie",          "pl",  "cz",   "sk",       "hu",       "ro",      "bg",   "gr",      "ru",
    "ua",    "tr",          "il",  "za",   "in",       "cn",       "hk",      "tw",   "jp",      "kr",
    "sg",    "br",          "mx",  "ar",   "cl",       "io",       "example", "test", "invalid", "localhost",
    "local", "localdomain", "lan", "home", "internal", "intranet", "corp",    "arpa", NULL
};
const char *const vocabulary_labels[] = {
    "www",  "mail",   "webmail",   "owa", "ftp", "smtp", "sip", "autodiscover", "lyncdiscover", "lyncdiscoverinternal",
    "meet", "dialin", "localhost", NULL
};
/* Advice looks at how a name begins. */
const char *const vocabulary_beginnings[] = { "meet", "join",  "dialin", "dial-in", "lyncdiscover", "lyncweb", "lync",
                                              "ocs",  "skype", "sfb",    "webcon",  "csweb",        NULL };
const char *const vocabulary_segments[] = { "owa",
                                            "ecp",
                                            "ews",
                                            "oab",
                                            "rpc",
                                            "rpcwithcert",
                                            "mapi",
                                            "exchange",
                                            "exchweb",
                                            "public",
                                            "unifiedmessaging",
                                            "autodiscover",
                                            "autodiscover.xml",
                                            "microsoft-server-activesync",
                                            "oma",
                                            "meet",
                                            "dialin",
                                            "abs",
                                            "groupexpansion",
                                            "webticket",
                                            "reach",
                                            "ucwa",
                                            "collabcontent",
                                            "persistentchat",
                                            "datacollabweb",
                                            "_vti_bin",
                                            "_vti_inf.html",
                                            "_layouts",
                                            "_upresources",
                                            "certsrv",
                                            "certprov",
                                            "certenroll",
                                            "remote",
                                            "rdweb",
                                            "favicon.ico",
                                            "robots.txt",
                                            NULL };
const char *const vocabulary_extensions[] = { "htm", "html", "asp", "aspx", "ashx", "asmx", "svc", "php",
                                              "jsp", "txt",  "xml", "ico",  "png",  "gif",  "jpg", "css",
                                              "js",  "dll",  "exe", "com",  "bat",  "cmd",  NULL };
const char *const vocabulary_http[] = {
    "GET",       "HEAD",       "POST",          "PUT",         "DELETE",       "OPTIONS", "TRACE", "CONNECT",
    "PATCH",     "PROPFIND",   "PROPPATCH",     "MKCOL",       "COPY",         "MOVE",    "LOCK",  "UNLOCK",
    "SEARCH",    "SUBSCRIBE",  "UNSUBSCRIBE",   "POLL",        "NOTIFY",       "BCOPY",   "BMOVE", "BDELETE",
    "BPROPFIND", "BPROPPATCH", "X-MS-ENUMATTS", "RPC_IN_DATA", "RPC_OUT_DATA", "Server",  "Via",   "Host",
    "Cookie",    "Set-Cookie", "User-Agent",    "Location",    "true",         "false",   NULL
};

bool vocabulary_has(const char *const *list, const char *s, size_t n)
{
    for (; *list; list++)
        if (strlen(*list) == n && ascii_ncasecmp(*list, s, n) == 0)
            return true;
    return false;
}
