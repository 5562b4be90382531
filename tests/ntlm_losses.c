/* ntlm_losses: preloaded into a program with AddressSanitizer, which then does not take for leaks what gss-ntlmssp 1.2.0 loses: a
 * digest of OpenSSL's at each NTLM handshake with a server, and what hangs on it. Everything else counts. LeakSanitizer's own
 * suppressions go by names in a stack; the stacks through libcrypto, which has no frame pointers, would have to be unwound the slow way, and
 * the program would take ten times as long. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <openssl/evp.h>
#include <string.h>

extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

/* What is allocated while leaks are off is never one, nor what it refers to. */
EVP_MD *EVP_MD_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties)
{
    EVP_MD *(*fetch)(OSSL_LIB_CTX *, const char *, const char *);
    void *found = dlsym(RTLD_NEXT, "EVP_MD_fetch");
    memcpy(&fetch, &found, sizeof fetch);
    Dl_info caller;
    int off = __lsan_disable && dladdr(__builtin_return_address(0), &caller) && strstr(caller.dli_fname, "gssntlmssp");
    if (off)
        __lsan_disable();
    EVP_MD *digest = fetch(context, name, properties);
    if (off)
        __lsan_enable();
    return digest;
}
