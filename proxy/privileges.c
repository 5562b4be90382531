#define _GNU_SOURCE
#include "privileges.h"
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizers' own leak search looks into the process from outside, as a debugger does. */
#if defined(__has_feature)
#define FEATURE(x) __has_feature(x)
#else
#define FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || FEATURE(address_sanitizer) ||                     \
    FEATURE(thread_sanitizer)
enum { LOOKED_INTO = 1 };
#else
enum { LOOKED_INTO = 0 };
#endif

void privileges_hide(void)
{
    if (LOOKED_INTO)
        return;
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    prctl(PR_SET_DUMPABLE, 0);
}

static int keep(unsigned long long capabilities)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { 0 };
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted = (__u32)(capabilities >> 32 * i);
    return syscall(SYS_capset, &head, data) ? -1 : 0;
}

int privileges_drop(const char *user, bool transparent, struct strbuf *err)
{
    if (geteuid() != 0 || !user)
        return 0;
    errno = 0;
    const struct passwd *who = getpwnam(user);
    if (!who) {
        buf_printf(err, "user: there is no %s\n", user);
        return -1;
    }
    unsigned long long kept = 1ull << CAP_NET_BIND_SERVICE | (transparent ? 1ull << CAP_NET_ADMIN : 0);
    if (prctl(PR_SET_KEEPCAPS, 1) || initgroups(user, who->pw_gid) ||
        setresgid(who->pw_gid, who->pw_gid, who->pw_gid) || setresuid(who->pw_uid, who->pw_uid, who->pw_uid) ||
        keep(kept)) {
        buf_printf(err, "user: cannot become %s: %s\n", user, strerror(errno));
        return -1;
    }
    return 0;
}

int privileges_suffice(const struct config *c, struct strbuf *err)
{
    const struct conf_rule *r = config_transparent(c);
    if (!r)
        return 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &(int){ 1 }, sizeof(int)) == 0;
    int why = good ? 0 : errno;
    if (!good)
        buf_printf(
            err,
            "forward_client_address: the rule \"%.200s\" connects from clients' addresses, which this process may "
            "not (%s): it needs CAP_NET_ADMIN, which publishd keeps if root starts it with such a rule\n",
            r->name, strerror(why));
    if (fd >= 0)
        close(fd);
    return why;
}

bool privileges_confine(void)
{
    static const int never[] = {
        SCMP_SYS(execve),
        SCMP_SYS(execveat),
        SCMP_SYS(ptrace),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(kcmp),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(move_mount),
        SCMP_SYS(open_tree),
        SCMP_SYS(fsopen),
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(kexec_file_load),
        SCMP_SYS(reboot),
        SCMP_SYS(swapon),
        SCMP_SYS(swapoff),
        SCMP_SYS(acct),
        SCMP_SYS(settimeofday),
        SCMP_SYS(clock_settime),
        SCMP_SYS(adjtimex),
        SCMP_SYS(bpf),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(io_uring_enter),
        SCMP_SYS(io_uring_register),
        SCMP_SYS(iopl),
        SCMP_SYS(ioperm),
        SCMP_SYS(mknod),
        SCMP_SYS(mknodat),
        SCMP_SYS(sethostname),
        SCMP_SYS(setdomainname),
        SCMP_SYS(quotactl),
        SCMP_SYS(lookup_dcookie),
        SCMP_SYS(personality),
        SCMP_SYS(name_to_handle_at),
        SCMP_SYS(open_by_handle_at),
    };
    if (LOOKED_INTO)
        return true;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int failed = filter ? 0 : -ENOMEM;
    for (size_t i = 0; !failed && i < sizeof never / sizeof *never; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), never[i], 0);
    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!failed)
        failed = seccomp_load(filter); /* sets no_new_privs too */
    seccomp_release(filter);
    return !failed;
}
