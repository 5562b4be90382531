"""The client's side of GSSAPI, by ctypes: tokens of Kerberos and NTLM for many users in one process."""
import ctypes
import threading

SPNEGO, KERBEROS, NTLM = bytes.fromhex("2b0601050502"), bytes.fromhex("2a864886f712010202"), bytes.fromhex("2b06010401823702020a")
gss = ctypes.CDLL("libgssapi_krb5.so.2")
one_at_a_time = threading.Lock()             # acquiring: gss-ntlmssp reads the environment there


class Buffer(ctypes.Structure):
    _fields_ = [("length", ctypes.c_size_t), ("value", ctypes.c_char_p)]


class Oid(ctypes.Structure):
    """Its length has 32 bits."""
    _fields_ = [("length", ctypes.c_uint32), ("elements", ctypes.c_char_p)]


class OidSet(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("elements", ctypes.POINTER(Oid))]


class Output(ctypes.Structure):
    _fields_ = [("length", ctypes.c_size_t), ("value", ctypes.c_void_p)]


def must(what, major, minor):
    if major > 1:
        raise RuntimeError("%s: %#x, %#x" % (what, major, minor.value))


def name_of(text, kind):
    name, minor, text = ctypes.c_void_p(), ctypes.c_uint32(), text.encode()
    must("gss_import_name", gss.gss_import_name(ctypes.byref(minor), ctypes.byref(Buffer(len(text), text)), ctypes.c_void_p.in_dll(gss, kind), ctypes.byref(name)), minor)
    return name


def credential(user, password, mechanism):
    """A user's, by the password; for Kerberos a ticket is had from the KDC. It may make any number of contexts."""
    cred, minor, secret = ctypes.c_void_p(), ctypes.c_uint32(), password.encode()
    mechanisms = OidSet(1, ctypes.pointer(Oid(len(mechanism), mechanism)))
    with one_at_a_time:
        must("the credential of " + user, gss.gss_acquire_cred_with_password(
            ctypes.byref(minor), name_of(user, "GSS_C_NT_USER_NAME"), ctypes.byref(Buffer(len(secret), secret)), ctypes.c_uint32(0), ctypes.byref(mechanisms),
            ctypes.c_int(1), ctypes.byref(cred), None, None), minor)
    return cred


class Tokens:
    """A context: called with the server's token, it gives ours. cred None: what the environment names."""
    def __init__(self, mechanism, cred=None, service="HTTP@front.lab.test"):
        self.context, self.cred, self.oid, self.name = ctypes.c_void_p(), cred, Oid(len(mechanism), mechanism), name_of(service, "GSS_C_NT_HOSTBASED_SERVICE")

    def __call__(self, token=b""):
        minor, out = ctypes.c_uint32(), Output()
        must("gss_init_sec_context", gss.gss_init_sec_context(
            ctypes.byref(minor), self.cred, ctypes.byref(self.context), self.name, ctypes.byref(self.oid), ctypes.c_uint32(0), ctypes.c_uint32(0), None,
            ctypes.byref(Buffer(len(token), token)) if token else None, None, ctypes.byref(out), None, None), minor)
        made = ctypes.string_at(out.value, out.length)
        gss.gss_release_buffer(ctypes.byref(minor), ctypes.byref(out))
        return made

    def __del__(self):
        minor = ctypes.c_uint32()
        gss.gss_delete_sec_context(ctypes.byref(minor), ctypes.byref(self.context), None)
        gss.gss_release_name(ctypes.byref(minor), ctypes.byref(self.name))
