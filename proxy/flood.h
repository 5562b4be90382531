/* flood: what each client address does, against the limits that the source set by default (B-77): connections at a time, new ones and
 * requests a minute. One table for the process, since a client's connections are spread over all loops; it takes no memory that is not
 * used. Any thread. Where more addresses come than have a place the idlest are forgotten: nobody is refused for that.
 */
#ifndef PROXY_FLOOD_H
#define PROXY_FLOOD_H
#include <stdbool.h>
#include <stdint.h>

/* A connection or a request from address; now in ms, monotonic. It counts, and false says that it is one too many: who goes on in spite of
 * that stays above the limit. */
bool flood_connects(uint32_t address, uint64_t now);
bool flood_asks(uint32_t address, uint64_t now);
/* A connection that is served, until it ends. */
void flood_holds(uint32_t address, uint64_t now);
void flood_leaves(uint32_t address);
#endif
