/* targets: the table of what can be emitted, and where its file goes below an output folder. */
#include "emit.h"

const struct target_output target_outputs[TARGETS] = {
    [TARGET_NGINX] = { "nginx", "nginx.conf", emit_nginx },
    [TARGET_HAPROXY] = { "haproxy", "haproxy.cfg", emit_haproxy },
    [TARGET_PUBLISHD] = { "publishd", "publishd.yaml", emit_publishd },
};
