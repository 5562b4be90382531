/* ntlm: the frame of NTLM's messages (MS-NLMP 2.2.1): told apart, checked, and made such that gss-ntlmssp reads them. */
#ifndef AUTH_NTLM_H
#define AUTH_NTLM_H
#include "../base/base.h"

enum ntlm_type { NTLM_NONE, NTLM_BEGIN, NTLM_END };      /* neither or malformed; type 1; type 3 */
/* Well-formed as far as lengths and offsets go. */
enum ntlm_type ntlm_type(const unsigned char *message, size_t n);
/* The message as gss-ntlmssp 1.2.0 wants it (it refuses what curl --ntlm sends). out is replaced. */
void ntlm_complete(struct strbuf *out, const unsigned char *message, size_t n);
/* A type 3 whose answer is NTLMv2. Anything older is broken and not taken. */
bool ntlm_is_v2(const unsigned char *message, size_t n);
#endif
