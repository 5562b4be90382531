"""Ports of 127.0.0.1 for programs that a test starts, which nobody else gets meanwhile: not this test, not one beside it, not another run; and
whole parts of 127.0.0.0/8 for those that need addresses of their own.

The ports lie below those that the system gives to clients and to bind(0). Who has a port holds the abstract Unix socket of its number, which the
system keeps per network namespace as it does ports, and lets go of when the process ends. What listens by itself should bind to port 0 instead."""
import os
import socket

FIRST, COUNT = 19800, 12000                                       # up to 31799; Linux begins its own at 32768
LOCK_PORT = 9643                                         # of the first address: whoever has it bound has the /24, as in verify/loopback.c
held = {}                                                # port, or network: the socket that holds it
following = None                                         # where to look next: processes that start together begin apart


def take_this(port):
    holder, s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), socket.socket()
    try:
        holder.bind("\0tmgc-port-%d" % port)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)   # only who listens is in the way
        s.bind(("127.0.0.1", port))
    except OSError:
        holder.close()
        return False
    finally:
        s.close()
    held[port] = holder
    return True


def in_a_row(n):
    """The first of n ports, each the next one's neighbour."""
    global following
    if following is None:
        following = os.getpid() * 61 % COUNT
    for _ in range(COUNT):
        if following + n > COUNT:
            following = 0
        first = FIRST + following
        taken = next((i for i in range(n) if not take_this(first + i)), n)
        following += taken + 1 if taken < n else n
        if taken == n:
            return first
        for port in range(first, first + taken):
            held.pop(port).close()
    raise RuntimeError("no %d free ports in a row" % n)


def free_port():
    return in_a_row(1)


def free_ports(n):
    return [free_port() for _ in range(n)]


def own_network():
    """The first three bytes of a /24, as "127.1.2", whose addresses nobody else uses meanwhile, be it a test or a `tmgc verify`."""
    start = os.getpid() * 61
    for i in range(62 * 256):
        at = (start + i) % (62 * 256)
        network, holder = "127.%d.%d" % (1 + at // 256, at % 256), socket.socket()
        try:
            holder.bind((network + ".1", LOCK_PORT))
        except OSError:
            holder.close()
            continue
        held[network] = holder
        return network
    raise RuntimeError("no part of 127.0.0.0/8 is free")


def let_go():
    """Of all that this process holds: what it started has ended."""
    while held:
        held.popitem()[1].close()
