/* sealing: encrypting for one key again and again, as AP-REQs need it (RFC 4120 section 7.5.1, key usage 11).
 *
 * By libkrb5, whose krb5_key keeps the keys that it derived; but for AES with SHA-1 by OpenSSL, which uses the processor's
 * instructions for both: a quarter of the time. A sealer is for one thread at a time. */
#ifndef AUTH_SEALING_H
#define AUTH_SEALING_H
#include "../base/base.h"
#include <krb5.h>

struct sealer;
enum { SEALER_ROOM = 16 };
/* Copies the key. NULL: its kind is not known. */
struct sealer *sealer_new(krb5_context k, const krb5_keyblock *key);
void sealer_free(struct sealer *s);                      /* zeroes its keys; NULL is allowed */
size_t sealer_length(const struct sealer *s, size_t n);  /* of n bytes, sealed */
/* plain: n bytes; the SEALER_ROOM bytes in front of them are overwritten. out: has room for sealer_length. */
bool sealer_seal(struct sealer *s, krb5_context k, unsigned char *plain, size_t n, unsigned char *out);
/* From the kernel's generator, by way of a store that makes a system call rare; n: at most 64. */
bool sealer_random(struct sealer *s, krb5_context k, void *out, size_t n);
#endif
