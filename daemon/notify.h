/* notify: tells systemd how publishd is doing (https://www.freedesktop.org/software/systemd/man/sd_notify.html). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H
/* "READY=1" and so on; does nothing where nobody listens. */
void notify_systemd(const char *state);
#endif
