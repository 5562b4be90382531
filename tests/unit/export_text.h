/* export_text: exports written inline, one macro an element, and how a unit test reads them. Each test program that includes
 * this has a static of its own of everything. */
#ifndef TEST_EXPORT_TEXT_H
#define TEST_EXPORT_TEXT_H
#pragma GCC diagnostic ignored "-Woverlength-strings" /* whole exports, written inline */
#include "check.h"
#include "parser/parser.h"
#include "parser/store.h" /* before S is a macro of this file */

#include <string.h>

static inline bool same(const char *a, const char *b)
{
    bool equal = str_equal(a, b);
    if (!equal)
        printf("parser: \"%s\" is not \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
    return equal;
}

/* ---- documents ------------------------------------------------------------------------------------------------------- */
#define HEAD                                                                                                                \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                                          \
    "<fpc4:Root xmlns:fpc4=\"http://schemas.microsoft.com/isa/config-4\" xmlns:dt=\"urn:schemas-microsoft-com:datatypes\" " \
    "StorageName=\"FPC\" StorageType=\"0\">\n"
#define TAIL "</fpc4:Root>\n"
#define OPEN(name, storage) "<fpc4:" name " StorageName=\"" storage "\" StorageType=\"1\">"
#define CLOSE(name) "</fpc4:" name ">\n"
#define S(name, value) "<fpc4:" name " dt:dt=\"string\">" value "</fpc4:" name ">\n"
#define REF(slot, name, class)                                                                                         \
    OPEN("Ref", slot) S("Name", name)                                                                                  \
    S("RefClass", class)                                                                                               \
    CLOSE("Ref")
#define REFS(slot, refs) OPEN("Refs", slot) refs CLOSE("Refs")
#define G(n) "{00000000-0000-0000-0000-0000000000" n "}"

#define LISTENER                                                                                                           \
    OPEN("WebListener", G("01")) S("Name", "Main")                                                                         \
    OPEN("WebListenerProperties", "WebListenerProperties")                                                                 \
    S("IntegratedWindowsAuthentication", "0")                                                                              \
    S("SSLPort", "443")                                                                                                    \
    S("TCPPort", "80")                                                                                                     \
    OPEN("AppliedSSLCertificates", "AppliedSSLCertificates") OPEN("AppliedSSLCertificate", G("02")) S("IPAddress", "")     \
    "<fpc4:SSLCertificateHash dt:dt=\"bin.hex\">0123456789ABCDEF0123456789abcdef01234567</fpc4:SSLCertificateHash>" CLOSE( \
        "AppliedSSLCertificate") CLOSE("AppliedSSLCertificates") CLOSE("WebListenerProperties")                            \
        OPEN("IPsOnNetworks", "IPsOnNetworks") OPEN("IPOnNetwork", G("03")) S("IPSelectionMethod", "2")                    \
    REF("Network", "{F129EACF-778B-44FE-B339-5B752D7220A3}", "msFPCNetwork")                                               \
    OPEN("IPAddresses", "IPAddresses") "<fpc4:IPAddressesStrings>" S("Str", "192.0.2.1")                                   \
    "</fpc4:IPAddressesStrings>" CLOSE("IPAddresses") CLOSE("IPOnNetwork") CLOSE("IPsOnNetworks") CLOSE("WebListener")
#define NAMES(strings)                                                                                                 \
    OPEN("PublicNames", "PublicNames")                                                                                 \
    "<fpc4:PublicNamesStrings>" strings "</fpc4:PublicNamesStrings>" CLOSE("PublicNames")
#define PATH(content) OPEN("PathMapping", G("0A")) content CLOSE("PathMapping")
#define PATHS(list) OPEN("PathMappings", "PathMappings") list CLOSE("PathMappings")
#define USES REF("WebListenerUsed", G("01"), "msFPCWebListener")
#define WEB(content) OPEN("WebPublishingProperties", "WebPublishingProperties") content CLOSE("WebPublishingProperties")
#define RULE(content)                                                                                                  \
    OPEN("PolicyRule", G("10")) S("Name", "R")                                                                         \
    content CLOSE("PolicyRule")
#define PLAIN                                                                                                          \
    S("WebSite", "Web.Corp.Example")                                                                                   \
    NAMES(S("Str", "www.Example.com")) PATHS(PATH(S("InternalPath", "/*") S("SameAsInternalPath", "1"))) USES
#define ARRAY(rules, elements)                                                                                         \
    HEAD OPEN("Arrays", "Arrays") OPEN("Array", G("00")) OPEN("RuleElements", "RuleElements")                          \
        LISTENER elements CLOSE("RuleElements") OPEN("ArrayPolicy", "ArrayPolicy") OPEN("PolicyRules", "PolicyRules")  \
            rules CLOSE("PolicyRules") CLOSE("ArrayPolicy") CLOSE("Array") CLOSE("Arrays") TAIL

static struct policy *policy; /* of the last read */
static struct strbuf errors;

static inline bool read_bytes(const char *bytes, size_t n, const char *names)
{
    policy_free(policy);
    policy = NULL;
    buf_clear(&errors);
    return export_read("dir/test.xml", bytes, n, names, &policy, &errors) == 0;
}

static inline bool read_text(const char *text)
{
    bool good = read_bytes(text, strlen(text), NULL);
    if (!good)
        printf("parser: %s", errors.p ? errors.p : "no message\n");
    return good;
}

static inline bool refused(const char *bytes, size_t n, const char *message)
{
    bool good = !read_bytes(bytes, n, NULL) && !policy && errors.n && strstr(errors.p, message);
    if (!good)
        printf("parser: expected \"%s\", got %s\n", message, errors.p ? errors.p : "nothing");
    return good;
}

static inline size_t notes(enum finding_id id)
{
    size_t n = 0;
    for (size_t i = 0; i < policy->notes.list.n; i++)
        n += policy->notes.list.v[i].id == id;
    return n;
}

static inline const struct finding *first_note(enum finding_id id)
{
    for (size_t i = 0; i < policy->notes.list.n; i++)
        if (policy->notes.list.v[i].id == id)
            return &policy->notes.list.v[i];
    static const struct finding none = { .message = "" };
    return &none;
}

static inline const struct rule *only_rule(const char *text)
{
    static const struct rule none;
    CHECK(read_text(text));
    CHECK(policy && policy->rules.n == 1);
    return policy && policy->rules.n ? &policy->rules.v[0] : &none;
}

static inline int parser_report(void)
{
    policy_free(policy);
    buf_free(&errors);
    return summary("parser");
}
#endif
