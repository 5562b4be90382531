/* spnego: see spnego.h. */
#include "spnego.h"

const unsigned char oid_krb5[9] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02 };
const unsigned char oid_ms_krb5[9] = { 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02 };
const unsigned char oid_ntlm[10] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a };
const unsigned char oid_spnego[6] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02 };

/* ---- reading --------------------------------------------------------------------------------------------------- */
/* Inside the frame [APPLICATION 0] { mechanism, rest }. */
static bool frame(const void *token, size_t n, struct der *mech, struct der *rest)
{
    struct der in = { token, n };
    return der_take(&in, DER_APPLICATION, rest) && !in.n && der_take(rest, DER_OID, mech);
}

bool gss_frame_is_krb5(const void *token, size_t n)
{
    struct der mech, rest;
    return frame(token, n, &mech, &rest) && rest.n && der_is(mech, oid_krb5, sizeof oid_krb5);
}

/* The next element, if it is [number] holding one element of that tag. Not there: *body stays empty and all is well. */
static bool optional(struct der *in, unsigned number, unsigned tag, struct der *body)
{
    struct der inside;
    *body = (struct der){ 0 };
    if (!der_take(in, DER_CONTEXT | number, &inside))
        return true;
    return der_take(&inside, tag, body) && !inside.n;
}

bool spnego_read_init(const void *token, size_t n, struct spnego_init *out)
{
    struct der mech, rest, init, fields, list, skipped;
    memset(out, 0, sizeof *out);
    if (!frame(token, n, &mech, &rest) || !der_is(mech, oid_spnego, sizeof oid_spnego) ||
        !der_take(&rest, DER_CONTEXT | 0, &init) || rest.n || !der_take(&init, DER_SEQUENCE, &fields) || init.n)
        return false;
    if (!der_take(&fields, DER_CONTEXT | 0, &list))
        return false;
    out->mech_list = list;
    if (!der_take(&list, DER_SEQUENCE, &out->mechs) || list.n || !out->mechs.n)
        return false;
    der_take(&fields, DER_CONTEXT | 1, &skipped); /* flags that nobody uses */
    return optional(&fields, 2, DER_OCTETS, &out->token) && optional(&fields, 3, DER_OCTETS, &out->mic);
}

bool spnego_read_resp(const void *token, size_t n, struct spnego_resp *out)
{
    struct der in = { token, n }, resp, fields, state;
    memset(out, 0, sizeof *out);
    out->state = SPNEGO_NO_STATE;
    if (!der_take(&in, DER_CONTEXT | 1, &resp) || in.n || !der_take(&resp, DER_SEQUENCE, &fields) || resp.n ||
        !optional(&fields, 0, DER_ENUM, &state) || !optional(&fields, 1, DER_OID, &out->mech) ||
        !optional(&fields, 2, DER_OCTETS, &out->token) || !optional(&fields, 3, DER_OCTETS, &out->mic) || fields.n)
        return false;
    if (state.p && (state.n != 1 || state.p[0] > SPNEGO_REQUEST_MIC))
        return false;
    if (state.p)
        out->state = (enum spnego_state)state.p[0];
    return true;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */
static void put_field(struct strbuf *out, unsigned number, unsigned tag, const void *body, size_t n)
{
    struct strbuf inside = { 0 };
    der_put(&inside, tag, body, n);
    der_put(out, DER_CONTEXT | number, inside.p, inside.n);
    buf_free(&inside);
}

/* Puts what is in b inside an element; b has that then. */
static void wrap(struct strbuf *b, unsigned tag)
{
    struct strbuf outside = { 0 };
    der_put(&outside, tag, b->p ? b->p : "", b->n);
    buf_free(b);
    *b = outside;
}

void spnego_write_init(struct strbuf *out, const void *mech, size_t mech_n, const void *token, size_t n)
{
    struct strbuf list = { 0 }, b = { 0 }, whole = { 0 };
    der_put(&list, DER_OID, mech, mech_n);
    put_field(&b, 0, DER_SEQUENCE, list.p, list.n);
    put_field(&b, 2, DER_OCTETS, token, n);
    wrap(&b, DER_SEQUENCE);
    wrap(&b, DER_CONTEXT | 0);
    der_put(&whole, DER_OID, oid_spnego, sizeof oid_spnego);
    buf_add(&whole, b.p, b.n);
    der_put(out, DER_APPLICATION, whole.p, whole.n);
    buf_free(&list);
    buf_free(&b);
    buf_free(&whole);
}

void spnego_write_resp(struct strbuf *out, enum spnego_state state, struct der mech, struct der token, struct der mic)
{
    struct strbuf b = { 0 };
    unsigned char value = (unsigned char)state;
    put_field(&b, 0, DER_ENUM, &value, 1);
    if (mech.p)
        put_field(&b, 1, DER_OID, mech.p, mech.n);
    if (token.p)
        put_field(&b, 2, DER_OCTETS, token.p, token.n);
    if (mic.p)
        put_field(&b, 3, DER_OCTETS, mic.p, mic.n);
    wrap(&b, DER_SEQUENCE);
    wrap(&b, DER_CONTEXT | 1);
    buf_add(out, b.p, b.n);
    buf_free(&b);
}
