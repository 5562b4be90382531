/* ldap_layers: what libldap leaves to be wished, put right between it and the socket.
 *
 * Below TLS, a limit of time for each read. libldap 2.5 shakes hands for TLS, and reads the rest of a record, without one (in a loop
 * that never rests): a server that takes connections and says nothing would have the thread for good.
 *
 * Above TLS, messages are zeroed where they stand as soon as they are sent: a bind has the password in it, and libldap frees it
 * as it is. It does not look at a message again: referrals are not followed. */
#include "internal.h"

#include <errno.h>
#include <ldap.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdlib.h>

static int layer_setup(Sockbuf_IO_Desc *d, void *arg)
{
    d->sbiod_pvt = arg;
    return 0;
}

static int layer_remove(Sockbuf_IO_Desc *d)
{
    d->sbiod_pvt = NULL;
    return 0;
}

static int layer_control(Sockbuf_IO_Desc *d, int option, void *arg)
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

static int layer_close(Sockbuf_IO_Desc *d)
{
    (void)d;
    return 0;
}

/* liblber's buffers have 4,060 bytes at least, and in front of a message's end stand up to three lengths that it made shorter, so that
 * as much of the end was moved and is still there behind it. */
static ber_slen_t wipe_write(Sockbuf_IO_Desc *d, void *from, ber_len_t n)
{
    enum { LEAST = 4060, BEHIND = 16 };
    ber_slen_t sent = LBER_SBIOD_WRITE_NEXT(d, from, n);
    bool whole = sent == (ber_slen_t)n && !d->sbiod_pvt && n + BEHIND <= LEAST;
    if (sent > 0)
        OPENSSL_cleanse(from, (size_t)sent + (whole ? BEHIND : 0));
    d->sbiod_pvt = sent == (ber_slen_t)n ? NULL : d; /* set: what comes next is the rest of a message */
    return sent;
}

static ber_slen_t wipe_read(Sockbuf_IO_Desc *d, void *to, ber_len_t n)
{
    return LBER_SBIOD_READ_NEXT(d, to, n);
}

/* Called when the connection is made, before anything is said. */
static int connected(LDAP *l, Sockbuf *s, LDAPURLDesc *url, struct sockaddr *address, struct ldap_conncb *c)
{
    static Sockbuf_IO limit = { layer_setup, layer_remove, layer_control, limit_read, limit_write, layer_close };
    static Sockbuf_IO wipe = { layer_setup, layer_remove, layer_control, wipe_read, wipe_write, layer_close };
    struct timeval *wait = NULL;
    (void)url, (void)address, (void)c;
    ldap_get_option(l, LDAP_OPT_NETWORK_TIMEOUT, &wait);
    intptr_t milliseconds = wait ? (intptr_t)wait->tv_sec * 1000 : -1;
    ldap_memfree(wait);
    int code = ber_sockbuf_add_io(s, &limit, (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2,
                                  (void *)milliseconds);
    return code ? code : ber_sockbuf_add_io(s, &wipe, LBER_SBIOD_LEVEL_APPLICATION, NULL);
}

static void closed(LDAP *l, Sockbuf *s, struct ldap_conncb *c)
{
    (void)l, (void)s, (void)c;
}

int ldap_add_layers(LDAP *l)
{
    static struct ldap_conncb calls = { connected, closed, NULL };
    return ldap_set_option(l, LDAP_OPT_CONNECT_CB, &calls);
}
