# SPDX-License-Identifier: Apache-2.0
"""Somebody between the command and the keeper's local socket, who stops it at a message."""
import os
import select
import socket
import struct
import threading

STATUS, SHARE, KEY, RESET, SEAL, REKEY, REKEY_COMMIT, ROTATE, BACKUP, CHECK, WITNESS, WATCH, THAW, ANSWER, PROGRESS, DATA = range(17, 33)
DATAGRAM = 128 * 1024


class Middle:
    """Hands datagrams on, both ways. `watch(type, to_keeper)` is asked before each: True hands it on, False ends the connection."""

    def __init__(self, folder, keeper, watch):
        self.path = os.path.join(folder, "middle.sock")
        self.keeper, self.watch = keeper, watch
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)
        os.unlink(self.path)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as keeper:
                try:
                    keeper.connect(self.keeper)
                    self.carry(client, keeper)
                except OSError:
                    pass

    def carry(self, client, keeper):
        while True:
            ready, _, _ = select.select([client, keeper], [], [])
            for source in ready:
                data = source.recv(DATAGRAM)
                if not data or not self.watch(struct.unpack(">H", data[2:4])[0], source is client):
                    return
                (keeper if source is client else client).send(data)
