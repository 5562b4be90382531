/* tell: what publishd says about itself - to standard error in the foreground, else to the system's log. */
#ifndef PROXY_TELL_H
#define PROXY_TELL_H
#include "../base/base.h"
#include <syslog.h>

void tell_to_syslog(void);               /* from now on; before threads are started */
/* level: LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO. Any thread. Text of strangers is made visible. */
void tell(int level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Each line of an error text. */
void tell_lines(int level, const struct strbuf *lines);
#endif
