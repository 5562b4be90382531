#include "service.h"
#include "schema.h"
#include "../base/ipset.h"
#include <string.h>

static void check_service(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct service *s = object;
    const char *colon = s->status ? strrchr(s->status, ':') : NULL;
    char host[16] = "";
    long port;
    uint32_t ip;
    if (colon && (size_t)(colon - s->status) < sizeof host)
        memcpy(host, s->status, (size_t)(colon - s->status));
    if (s->status && (!colon || !ip_parse(host, &ip) || !schema_number(colon + 1, &port) || port < 1 || port > 65535))
        yaml_error(r, node_value(node, "status"), "status: found \"%.200s\", allowed is an IPv4 address and port like 127.0.0.1:9180", s->status);
}

/* One row a key. */
/* clang-format off */
#define MEMBER(m) .key = #m, .at = offsetof(struct service, m)
static const char *const log_formats[] = { "json", "combined", NULL };
static const struct field service_fields[] = {
    { MEMBER(user), .type = Y_TEXT, .help = "account that publishd becomes once its ports are open and its keys are read" },
    { MEMBER(loops), .type = Y_LONG, .max = 256, .help = "threads that serve; 0: one a processor" },
    { MEMBER(drain_timeout), .type = Y_LONG, .dflt = 60, .max = 86400, .help = "seconds that requests under way get when publishd stops or loads a configuration" },
    { MEMBER(log), .type = Y_TEXT, .text = TEXT_FILE, .help = "file of requests, `-` for standard output; none if left out" },
    { MEMBER(log_format), .type = Y_WORD, .words = log_formats, .dflt = LOG_JSON, .help = "one JSON object a line, or the format that web servers share" },
    { MEMBER(status), .type = Y_TEXT, .help = "address and port of the status page and the metrics, like `127.0.0.1:9180`; none if left out" },
};
/* clang-format on */
const struct schema service_schema = {
    .name = "how publishd runs", .size = sizeof(struct service), .fields = FIELDS(service_fields), .check = check_service
};
