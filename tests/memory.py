"""What a process holds in its memory, looked at from outside (/proc/PID/mem; by its owner or root)."""
import array
import base64
import itertools
import re
import resource
import urllib.parse


PAGE = resource.getpagesize()


def spellings(password):
    """The password as it is, in a form's coding, and in Basic's, whatever stands in front of it."""
    plain = password.encode()
    found = {"plain": plain, "form": urllib.parse.quote_plus(password).encode()}
    for n in range(3):
        found["base64+%d" % n] = base64.b64encode(b"x" * n + plain)[(0, 2, 3)[n]:(len(plain) + n) // 3 * 4]
    return found


def areas(pid):
    """(first, last, name, flags) of what is mapped, writable, and not left out of core dumps on purpose."""
    out = []
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            if head:
                area = int(head[1], 16), int(head[2], 16), head[4] or "anonymous", head[3]
            elif line.startswith("VmFlags:") and "w" in area[3] and "dd" not in line.split():
                out.append(area[:3])
    return out


def touched(pid, first, last):
    """The parts of an area that were ever written: most of a thread's stack never is."""
    with open("/proc/%d/pagemap" % pid, "rb", 0) as f:
        f.seek(first // PAGE * 8)
        entries = array.array("Q", f.read((last - first) // PAGE * 8))
    at = 0
    for there, pages in itertools.groupby(entries, lambda e: e >> 62 != 0):       # in memory, or swapped out
        n = len(list(pages)) * PAGE
        if there:
            yield first + at, n
        at += n


def holds(pid, words):
    """[(name of the word, where)] of words, {name: bytes}, that stand in memory that a core dump would show."""
    found = []
    with open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for first, last, name in areas(pid):
            for start, n in touched(pid, first, last):
                try:
                    memory.seek(start)
                    content = memory.read(n)
                except (OSError, ValueError):
                    continue                 # [vvar] and the like
                for word, wanted in words.items():
                    at = content.find(wanted)
                    if at >= 0:
                        found.append((word, "%s+%x: %r" % (name, start - first + at, content[max(0, at - 160):at + 80])))
    return found
