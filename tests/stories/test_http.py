# SPDX-License-Identifier: Apache-2.0
"""Clients that speak HTTP or TLS wrongly, slowly or without end. Whatever they do, the next caller is served."""
import json
import os
import socket
import ssl
import time

import pytest

from guest import b64

HEALTH = b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n"
CHALLENGE = "/v1/attest/challenge"
BODY_MAX = 14 * 1024 * 1024
UPLOAD_MAX = 16 * 1024 * 1024
PATIENCE = 15
GOOD = json.dumps({"evidence": "tpm2", "ak_public": b64(b"x")}).encode()


@pytest.fixture
def http(bare):
    yield Hostile(bare)
    # Where one connection is all there may be, the last test's may be closing still.
    until = time.monotonic() + PATIENCE
    while True:
        try:
            assert bare.client.raw("GET", "/v1/sys/health")[0] == 200
            break
        except ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    assert bare.broker.process.poll() is None


class Hostile:
    """Raw bytes over TLS to one broker."""

    def __init__(self, bare):
        self.client, self.broker = bare.client, bare.broker

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.broker.port), timeout=PATIENCE)

    def connect(self):
        return self.client.tls.wrap_socket(self.plain(), server_hostname="127.0.0.1")

    def say(self, *pieces, wait=0):
        """All that is answered until the broker closes, or has answered `wait` times."""
        with self.connect() as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:
                pass  # closed while we were still sending
            return read_answers(connection, wait)


def read_answers(connection, wait):
    data = b""
    try:
        while not wait or len(split_answers(data)) < wait:
            piece = connection.recv(65536)
            if not piece:
                break
            data += piece
    except OSError:
        pass
    return split_answers(data)


def split_answers(data):
    """[(status, headers, body)] of the whole answers in `data`."""
    found = []
    while b"\r\n\r\n" in data:
        head, rest = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        status, size = int(lines[0].split()[1]), int(headers.get("content-length", 0))
        if len(rest) < size:
            break
        if status != 100:
            found.append((status, headers, rest[:size]))
        data = rest[size:]
    return found


def post(path, body, *headers):
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def statuses(answers):
    return [status for status, _, _ in answers]


# ---- what is answered ----


def test_every_answer_says_what_it_is(http):
    asked = [HEALTH, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", b"DELETE /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n",
             post(CHALLENGE, b"{"), post(CHALLENGE, GOOD)]
    for request, wanted in zip(asked, [200, 404, 405, 400, 200]):
        (status, headers, body), = http.say(request, wait=1)
        assert status == wanted, body
        assert headers["content-type"] == "application/json" and headers["cache-control"] == "no-store"
        json.loads(body)


@pytest.mark.parametrize("method,path,allow", [
    ("DELETE", CHALLENGE, "POST, PUT"), ("GET", CHALLENGE, "POST, PUT"), ("HEAD", "/v1/attest/release", "POST, PUT"),
    ("POST", "/v1/sys/health", "GET, HEAD"), ("OPTIONS", "/v1/sys/health", "GET, HEAD")])
def test_a_method_that_is_not_one(http, method, path, allow):
    status, headers, _ = http.client.raw(method, path)
    assert status == 405 and headers["Allow"] == allow


@pytest.mark.parametrize("path", [
    "/", "/v1", "/v1/", "/v1/attest/challenge/", "//v1/attest/challenge", "/v1/./attest/challenge", "/v1/x/../attest/challenge",
    "/v1/attest/%2e%2e/attest/challenge", "/v1/attest/challenge%00", "/v1/attest/challenge%00/x", "/v1/attest/%63hallenge",
    "/v1/attest/CHALLENGE", "/v1/attest/challenge;x", "http://x/v1/attest/challenge", "*"])
def test_a_path_that_is_not_one(http, path):
    (status, _, _), = http.say(post(path, b"{}"), wait=1)
    assert status in (400, 404)


def test_head_has_no_body(http):
    status, headers, body = http.client.raw("HEAD", "/v1/sys/health")
    assert status == 200 and body == b"" and int(headers["Content-Length"]) > 0


# ---- JSON ----


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b'"x"', b"{}", b"{", b'{"evidence":"tpm2","evidence":"tpm2","ak_public":"eA=="}', b"[" * 100000,
    b'{"x":' * 9 + b"1" + b"}" * 9, b'{"evidence":"tpm2","ak_public":"eA==","x":[' + b"0," * 5000 + b"0]}",
    b'{"evidence":"tpm2","ak_public":"e\\u0000A=="}', b'{"evidence":"tpm2","ak_public":"eA==\xff"}',
    b'{"evidence":"tpm2\xc0\x80","ak_public":"eA=="}', b'{"evidence":"tpm2","ak_public":"\\ud800"}',
    b'{"evidence":"tpm2","ak_public":1e999}', b'{"evidence":"tpm2","ak_public":' + b"9" * 5000 + b"}",
    b'{"evidence":"tpm2","ak_public":"eB=="}', b'\xef\xbb\xbf{"evidence":"tpm2","ak_public":"eA=="}', b"\0" * 1000],
    ids=range(19))
def test_a_body_that_is_not_one(http, body):
    (status, _, answer), = http.say(post(CHALLENGE, body), wait=1)
    assert status == 400 and json.loads(answer)["errors"][0].startswith("malformed: ")


@pytest.mark.parametrize("name", ["", "a" * 65, "a" * 70000, "a b", "a/../b", "\x7f", "\u00e9"], ids=range(7))
def test_a_name_that_is_none(http, name):
    (status, _, _), = http.say(post("/v1/operator/challenge", json.dumps({"operator": name}).encode()), wait=1)
    assert status == 400


# ---- size ----


def test_a_body_up_to_the_limit_is_read(http):
    (status, _, answer), = http.say(post(CHALLENGE, b"x" * BODY_MAX), wait=1)
    assert status == 400, answer
    (status, _, answer), = http.say(post(CHALLENGE, b"x" * (BODY_MAX + 1)), wait=1)
    assert status == 413 and json.loads(answer)["errors"][0].startswith("limit: ")


@pytest.mark.parametrize("path", [CHALLENGE, "/nowhere", "/v1/sys/health"])
def test_a_body_without_end_is_cut_off(http, path):
    """Known or not, chunked or counted: at some point nobody listens any more."""
    chunk = b"10000\r\n" + bytes(65536) + b"\r\n"
    for headers, piece in (("Transfer-Encoding: chunked", chunk), ("Content-Length: 1000000000000", chunk)):
        with http.connect() as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
            sent = 0
            with pytest.raises(OSError):
                while sent < 8 * UPLOAD_MAX:
                    connection.sendall(piece)
                    sent += len(piece)
            assert sent < 3 * UPLOAD_MAX


@pytest.mark.parametrize("length", ["-1", "0x10", "1 1", "99999999999999999999999999", "", "abc"])
def test_a_length_that_is_not_one(http, length):
    answers = http.say(f"POST {CHALLENGE} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{{}}".encode() + HEALTH, wait=2)
    assert 200 not in statuses(answers)


@pytest.mark.parametrize("header", [b"A: " + b"x" * 100000, b"A" * 100000 + b": x", b"\r\n".join(b"A%d: x" % i for i in range(20000))],
                         ids=["value", "name", "many"])
def test_headers_without_end(http, header):
    assert 200 not in statuses(http.say(HEALTH.replace(b"Host: x", b"Host: x\r\n" + header), wait=1))
    assert 200 not in statuses(http.say(HEALTH.replace(b"health", b"h" * 100000), wait=1))


# ---- order ----


def test_pipelined_requests_are_answered_in_order(http):
    unknown = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    assert statuses(http.say(HEALTH + unknown + post(CHALLENGE, b"{}") + HEALTH, wait=4)) == [200, 404, 400, 200]


def test_a_chunked_body_is_a_body(http):
    chunked = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % CHALLENGE.encode()
    assert statuses(http.say(chunked + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" + HEALTH, wait=2)) == [400, 200]
    for broken in (b"zz\r\n{}\r\n0\r\n\r\n", b"fffffffffffffffffff\r\n{}", b"-1\r\n{}\r\n0\r\n\r\n", b"2\r\n{}xx0\r\n\r\n"):
        assert 200 not in statuses(http.say(chunked + broken + HEALTH, wait=2))


def test_what_is_in_a_body_is_no_request(http):
    """Two lengths, or a length and chunks, which a proxy in front may read in another way: neither is read."""
    for headers in (b"Content-Length: 2\r\nContent-Length: %d", b"Content-Length: 2\r\nTransfer-Encoding: chunked",
                    b"Transfer-Encoding: chunked\r\nContent-Length: 2"):
        headers = headers.replace(b"%d", str(2 + len(HEALTH)).encode())
        answers = http.say(b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n{}" % (CHALLENGE.encode(), headers) + HEALTH, wait=2)
        assert 200 not in statuses(answers), headers


def test_a_request_without_host(http):
    assert 200 not in statuses(http.say(HEALTH.replace(b"Host: x\r\n", b""), wait=1))


def test_a_body_of_a_get_is_not_the_next_request(http):
    smuggled = b"DELETE /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n"
    get = HEALTH.replace(b"Host: x", b"Host: x\r\nContent-Length: %d" % len(smuggled))
    assert statuses(http.say(get + smuggled + HEALTH, wait=2)) == [200, 200]


def test_expect_100_continue(http):
    with http.connect() as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n" % CHALLENGE.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert statuses(read_answers(connection, 1)) == [400]


# ---- those who stall, vanish and crowd ----


def test_garbage_and_old_tls(http):
    for data in (os.urandom(1000), b"\x16\x03\x01\xff\xff" + bytes(70000), HEALTH, b"\x80\x2e\x01\x03\x01", b"\x15\x03\x03\x00\x02\x02\x28"):
        with http.plain() as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(4096):
                    assert not piece.startswith(b"HTTP/")
            except OSError:
                pass
    old = ssl.create_default_context(cafile=http.broker.certificate)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with http.plain() as connection, pytest.raises(OSError):
        old.wrap_socket(connection, server_hostname="127.0.0.1")


def test_a_handshake_that_is_not_finished_is_ended(http):
    with http.plain() as connection:
        begin = time.monotonic()
        connection.settimeout(30)
        connection.sendall(b"\x16\x03\x01")
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass
        assert 5 < time.monotonic() - begin < 20


def test_a_request_byte_by_byte(http):
    with http.connect() as connection:
        for byte in HEALTH:
            connection.sendall(bytes([byte]))
        assert statuses(read_answers(connection, 1)) == [200]


def quickly(http):
    begin = time.monotonic()
    assert http.client.raw("GET", "/v1/sys/health")[0] == 200
    seconds = time.monotonic() - begin
    assert seconds < (5 if http.broker.sanitized else 1), seconds


def test_a_crowd_from_one_source(http):
    """300 connections that say nothing, half a request, or half a body; then one that asks."""
    crowd = []
    for index in range(300):
        connection = http.connect() if index % 3 else http.plain()
        if index % 3 == 1:
            connection.sendall(b"GET /v1/sys/hea")
        elif index % 3 == 2:
            connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n{" % CHALLENGE.encode())
        crowd.append(connection)
    for _ in range(5):
        quickly(http)
    for connection in crowd:
        connection.close()


@pytest.mark.settings(max_connections=20)
def test_more_connections_than_there_may_be(http):
    """The eleventh of one source is closed at once; when the others go, it is let in."""
    crowd = [http.connect() for _ in range(10)]
    with pytest.raises(OSError):
        http.connect()
    for connection in crowd:
        connection.close()
    quickly(http)


@pytest.mark.settings(max_connections=1)
def test_the_only_connection_is_anybodys(http):
    quickly(http)


def test_large_bodies_do_not_take_all_memory(http):
    """Uploads of nearly the largest size, none of which ends: what is kept of them is bounded."""
    gateway = http.broker.children()["gateway"]
    crowd = []
    part = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" % CHALLENGE.encode() + bytes(3900000)
    for _ in range(150):
        connection = http.connect()
        connection.sendall(part)
        crowd.append(connection)
    quickly(http)
    with open(f"/proc/{gateway}/status", encoding="ascii") as file:
        resident = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    if not http.broker.sanitized:
        assert resident < 400 * 1024, resident
    for connection in crowd:
        connection.close()


def test_clients_that_vanish_while_the_keeper_works(house):
    """Their answers meet nobody, again and again, and nobody else gets them."""
    guest = house.admitted()
    hostile = Hostile(house)
    for index in range(60):
        body = json.dumps(guest.request(guest.challenge(), [("db/prod", 0)])[0]).encode()
        connection = hostile.connect()
        connection.sendall(post("/v1/attest/release", body))
        if index % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == house.value


def test_a_slow_reader_holds_up_only_itself(http):
    """A thousand pipelined requests whose answers nobody reads; others are served meanwhile; then they are all there."""
    with http.connect() as connection:
        connection.settimeout(2)
        sent = 0
        try:
            for sent in range(5000):
                connection.sendall(HEALTH)
        except (TimeoutError, ssl.SSLError):
            pass
        for _ in range(5):
            quickly(http)


def test_the_door_does_not_spin_where_connections_wait(http):
    """Idle, half-closed and refused connections cost no processor time."""
    crowd = [http.connect() for _ in range(50)]
    for connection in crowd[:25]:
        connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{" % CHALLENGE.encode())
    pids = http.broker.children()

    def used(role):
        with open(f"/proc/{pids[role]}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used("door"), used("gateway")
    time.sleep(1.5)
    assert used("door") - before[0] < 0.2 and used("gateway") - before[1] < 0.2
    for connection in crowd:
        connection.close()


def test_it_ends_well_while_requests_are_under_way(house):
    guest = house.admitted()
    hostile = Hostile(house)
    crowd = [hostile.connect() for _ in range(20)]
    for connection in crowd[:10]:
        connection.sendall(post("/v1/attest/release", json.dumps(guest.request(guest.challenge(), [("db/prod", 0)])[0]).encode()))
    begin = time.monotonic()
    house.broker.stop()
    assert time.monotonic() - begin < 5
    for connection in crowd:
        connection.close()
