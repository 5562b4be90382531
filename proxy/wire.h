/* wire: what OpenSSL reads from and writes to: a socket's descriptor, by what is known of it.
 *
 * OpenSSL's own socket BIO asks the system for five bytes of a record, then for the rest, and then once more to learn that
 * there is nothing. This one reads ahead - as much as OpenSSL has room for, a record and its head - and asks no more until
 * epoll has told that something came.
 */
#ifndef PROXY_WIRE_H
#define PROXY_WIRE_H
#include "socket.h"

bool wire_use(SSL *ssl, struct sock *s);         /* for s->watch.fd, as long as ssl lives. false: out of memory */
#endif
