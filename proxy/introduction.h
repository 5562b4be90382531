/* introduction: a proxy in front of publishd says who the client is, at the beginning of each connection: the PROXY
 * protocol, versions 1 and 2 (https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt).
 */
#ifndef PROXY_INTRODUCTION_H
#define PROXY_INTRODUCTION_H
#include "client.h"

enum { INTRODUCTION_MOST = 536 };        /* bytes that are looked at: version 1 has at most 107, version 2 its length's */

/* Bytes of the introduction at the beginning of p; 0: not all there yet; -1: it is none. The proxy may speak for itself
 * (LOCAL, UNKNOWN): address and port then stay as they are. Clients of another family than IPv4 are refused. */
long introduction_read(const unsigned char *p, size_t n, uint32_t *address, uint16_t *port);

/* Waits for it, takes it off the connection, and begins HTTP with the address that it names. Ends the connection if
 * something else comes, or nothing in time. */
void introduction_await(const struct arrival *a);
#endif
