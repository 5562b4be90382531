"""Many requests at a time over one HTTP/2 connection, by Debian's python3-h2, which is strict about what a server may send.

Not by `curl -Z`: curl 7.88.1, Debian 12's, at times does not notice the end of a parallel download whose last frame it has read, and sits there until
its time is over. With 8 of them beside each other that was 12 of 1,500 runs before publishd, 3 of 360 before nghttpx and 1 of 1,000 before HAProxy with
buffers of 128 KiB; the decrypted packets have END_STREAM on every stream within 0.1 s, all acknowledged by curl's side."""
import ssl
import sys

try:
    import h2.connection
except ImportError:                                      # Debian's, where another Python comes first
    sys.path.append("/usr/lib/python3/dist-packages")
    import h2.connection
import h2.config
import h2.events
import h2.settings

WINDOW = 1 << 20                                         # of a stream; the connection's is AT_ONCE as large
AT_ONCE = 16


class Answer:
    """Of one request: as far as it came. ended: whole; reset: the code, where the server ended it otherwise."""
    def __init__(self):
        self.status, self.fields, self.pieces, self.ended, self.reset = 0, [], [], False, None

    def body(self):
        return b"".join(self.pieces)

    def __str__(self):
        return "status %d, %d bytes, %s" % (self.status, sum(map(len, self.pieces)), "whole" if self.ended else "reset with %s" % self.reset if self.reset is not None else "no end")


class Connection:
    """On a TLS socket whose context offered h2; sock's timeout is how long nothing may come."""
    def __init__(self, sock):
        self.sock, self.h2 = sock, h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.open, self.rests, self.gone = {}, {}, False   # Answers by stream; bodies that are not sent yet; whether GOAWAY came
        self.h2.initiate_connection()
        self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        self.h2.increment_flow_control_window(WINDOW * AT_ONCE)
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def begin(self, fields, body):
        stream, answer = self.h2.get_next_available_stream_id(), Answer()
        self.h2.send_headers(stream, fields, end_stream=not body)
        self.open[stream] = answer
        if body:
            self.rests[stream] = body
        return answer

    def send_bodies(self):
        """As much of each as the windows let through."""
        for stream, rest in list(self.rests.items()):
            while rest and (n := min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(rest))):
                self.h2.send_data(stream, rest[:n], end_stream=n == len(rest))
                rest = rest[n:]
            self.rests[stream] = rest
            if not rest:
                del self.rests[stream]

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        answer = self.open.get(stream)
        if isinstance(event, h2.events.ConnectionTerminated):
            self.gone = True
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            answer.pieces.append(event.data)
        elif isinstance(event, h2.events.ResponseReceived):
            answer.fields = event.headers
            answer.status = int(dict(event.headers)[b":status"])
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code
        if isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            self.open.pop(stream)
            self.rests.pop(stream, None)

    def ask(self, requests):
        """requests: of (fields, body), up to AT_ONCE of them at a time. Their Answers in this order; those that are open when the connection ends or falls silent have no end."""
        waiting, answers = list(requests), []
        while self.open or (waiting and not self.gone):
            while waiting and len(self.open) < AT_ONCE and not self.gone:
                answers.append(self.begin(*waiting.pop(0)))
            self.send_bodies()
            self.flush()
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                break
            if not data:
                break
            for event in self.h2.receive_data(data):
                self.take(event)
        self.flush()
        return answers


def connect(sock, name):
    """A socket that is connected, into a Connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    wrapped = context.wrap_socket(sock, server_hostname=name)
    if wrapped.selected_alpn_protocol() != "h2":
        raise ValueError("the server does not choose h2")
    return Connection(wrapped)
