/* ldap_limit: a limit of time for each read from a directory server. libldap 2.5 shakes hands for TLS, and reads the rest of a record,
 * without one (in a loop that never rests): a server that takes connections and says nothing would have the thread for good. So a
 * layer of ours stands between the socket and TLS, and waits. */
#include "internal.h"

#include <errno.h>
#include <ldap.h>
#include <poll.h>
#include <stdlib.h>

static int limit_setup(Sockbuf_IO_Desc *d, void *milliseconds)
{
    d->sbiod_pvt = milliseconds;
    return 0;
}

static int limit_remove(Sockbuf_IO_Desc *d)
{
    d->sbiod_pvt = NULL;
    return 0;
}

static int limit_control(Sockbuf_IO_Desc *d, int option, void *arg)
{
    return LBER_SBIOD_CTRL_NEXT(d, option, arg);
}

/* What libldap has waited for itself is there: then this costs a system call. */
static ber_slen_t limit_read(Sockbuf_IO_Desc *d, void *to, ber_len_t n)
{
    struct pollfd p = { .fd = -1, .events = POLLIN };
    ber_sockbuf_ctrl(d->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd);
    int ready = poll(&p, 1, (int)(intptr_t)d->sbiod_pvt);
    if (ready > 0)
        return LBER_SBIOD_READ_NEXT(d, to, n);
    if (ready == 0)
        errno = ETIMEDOUT;
    return -1;
}

static ber_slen_t limit_write(Sockbuf_IO_Desc *d, void *from, ber_len_t n)
{
    return LBER_SBIOD_WRITE_NEXT(d, from, n);
}

static int limit_close(Sockbuf_IO_Desc *d)
{
    (void)d;
    return 0;
}

/* Called when the connection is made, before anything is said. */
static int connected(LDAP *l, Sockbuf *s, LDAPURLDesc *url, struct sockaddr *address, struct ldap_conncb *c)
{
    static Sockbuf_IO limit = { limit_setup, limit_remove, limit_control, limit_read, limit_write, limit_close };
    struct timeval *wait = NULL;
    (void)url, (void)address, (void)c;
    ldap_get_option(l, LDAP_OPT_NETWORK_TIMEOUT, &wait);
    intptr_t milliseconds = wait ? (intptr_t)wait->tv_sec * 1000 : -1;
    ldap_memfree(wait);
    return ber_sockbuf_add_io(s, &limit, (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2,
                              (void *)milliseconds);
}

static void closed(LDAP *l, Sockbuf *s, struct ldap_conncb *c)
{
    (void)l, (void)s, (void)c;
}

int ldap_limit_reads(LDAP *l)
{
    static struct ldap_conncb calls = { connected, closed, NULL };
    return ldap_set_option(l, LDAP_OPT_CONNECT_CB, &calls);
}
