/* service: how publishd runs on its host - what no export says. The section `publishd` of a site map and the section
 * `service` of publishd.yaml are this struct, by one table; tmgc copies the one into the other.
 */
#ifndef TMGC_SERVICE_H
#define TMGC_SERVICE_H
#include "../base/base.h"

enum log_format { LOG_JSON, LOG_COMBINED };
struct service {
    const char *user;                /* whom publishd becomes once its ports are open; NULL: nobody else */
    long loops;                      /* threads that serve; 0: one a processor */
    long drain_timeout;              /* seconds that requests under way get at a stop or reload */
    const char *log;                 /* file of requests, "-" for standard output; NULL: none */
    enum log_format log_format;
    const char *status;              /* "127.0.0.1:9180": status page and metrics; NULL: none */
};
#endif
