/* h2: the front for HTTP/2 over TLS, by nghttp2. */
#ifndef PROXY_H2_H
#define PROXY_H2_H
#include "client.h"

/* The bytes that a connection's memory needs for either front: it begins as HTTP/1 and changes in place. */
size_t h2_size(void);
/* The client chose it (ALPN). memory: what h1_begin allocated; its front members stay, the rest is h2's from now on. */
void h2_take(void *memory);
#endif
