/* spnego: reading and writing SPNEGO's messages (RFC 4178 section 4.2) and the frame of GSS-API tokens (RFC 2743 3.1).
 * Done here and not by the mechglue, because a negotiation there falls back to default credentials where an element is
 * missing, and because what comes in is from strangers. */
#ifndef AUTH_SPNEGO_H
#define AUTH_SPNEGO_H
#include "der.h"

extern const unsigned char oid_krb5[9], oid_ms_krb5[9], oid_ntlm[10], oid_spnego[6];     /* bodies of the OBJECT IDENTIFIERs */

enum spnego_state { SPNEGO_COMPLETED, SPNEGO_INCOMPLETE, SPNEGO_REJECT, SPNEGO_REQUEST_MIC, SPNEGO_NO_STATE };
struct spnego_init {
    struct der mechs;                /* the elements of MechTypeList */
    struct der mech_list;            /* the list with its own tag: what a mechListMIC is made over */
    struct der token, mic;           /* p NULL: not there */
};
struct spnego_resp { enum spnego_state state; struct der mech, token, mic; };
/* A NegTokenInit in its frame; a NegTokenResp. false: it is not one, or not well-formed. */
bool spnego_read_init(const void *token, size_t n, struct spnego_init *out);
bool spnego_read_resp(const void *token, size_t n, struct spnego_resp *out);
/* A raw Kerberos token: frame, the mechanism's name, then the bytes. */
bool gss_frame_is_krb5(const void *token, size_t n);

void spnego_write_init(struct strbuf *out, const void *mech, size_t mech_n, const void *token, size_t n);
/* mech, token and mic are left out where their p is NULL. */
void spnego_write_resp(struct strbuf *out, enum spnego_state state, struct der mech, struct der token, struct der mic);
#endif
