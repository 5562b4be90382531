"""What stands between publishd and the servers that it asks, so that they can be slow, silent or gone when a test wants it."""
import select
import socket
import threading
import time


class Relay:
    """TCP connections to there, on a port of their own. delay: seconds that each answer is late; held: an Event that answers wait for; silent:
    what is sent gets there, and no answer comes back; gone: nobody listens. source: the address that they come from there."""
    def __init__(self, address, there, port=0, source=None):
        self.source = (source, 0) if source else None
        self.there, self.delay, self.held, self.silent, self.connections = there, 0.0, None, False, 0
        self.address, self.port = address, port
        self.back()

    def back(self):
        self.listening = socket.create_server((self.address, self.port), backlog=256)
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listening,), daemon=True).start()

    def gone(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def accept(self, listening):
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.both, args=(client,), daemon=True).start()

    def both(self, client):
        try:
            with client, socket.create_connection(self.there, 30, self.source) as server:
                while True:
                    for ready in select.select((client, server), (), ())[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        if ready is client:
                            server.sendall(data)
                        elif not self.silent:
                            time.sleep(self.delay)
                            if self.held:
                                self.held.wait()
                            client.sendall(data)
        except OSError:
            pass


class Datagrams:
    """The same for UDP: a request and its answer at a time, many at once."""
    def __init__(self, address, there):
        self.there, self.delay, self.silent, self.connections = there, 0.0, False, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while True:
            data, client = self.socket.recvfrom(65536)
            self.connections += 1
            threading.Thread(target=self.one, args=(data, client), daemon=True).start()

    def one(self, data, client):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            try:
                s.sendto(data, self.there)
                answer = s.recv(65536)
            except OSError:
                return
        if not self.silent:
            time.sleep(self.delay)
            self.socket.sendto(answer, client)
