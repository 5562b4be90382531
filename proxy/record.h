/* record: what is kept of a request when it is over - the numbers, and a line of the log. */
#ifndef PROXY_RECORD_H
#define PROXY_RECORD_H
#include "exchange.h"

/* Of x, which is over. Its strings are still there. */
void record(struct exchange *x);
/* A loop's log, before it runs. The lines that wait when it has ended are handed over by record_flush. */
void record_to(struct loop *l, struct access_log *log);
void record_flush(struct loop *l);
#endif
