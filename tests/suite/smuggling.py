"""What could be read in two ways: the vectors of tests/http1 through other parsers and through running proxies."""
import os
from .common import TOP, test


@test
def test_llhttp(t):
    """Each vector that llhttp judges otherwise than our codec is explained, and each explanation is needed."""
    r = t.run(program=os.path.join(t.build, "http1_oracle"), cwd=TOP)
    t.check(r.status == 0, "oracle:", r, r.out[-1500:].decode("utf-8", "replace"))
    t.note = r.out.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
