/* SPDX-License-Identifier: Apache-2.0 */
/* The door's relay, driven by hand between an OpenSSL client and a plain socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "door/listen.h"
#include "door/relay.h"

static char folder[] = "/tmp/postern-test-door-XXXXXX";
static char certificate_file[64];
static char key_file[64];
static struct tls_server *server;

static void
write_pem(EVP_PKEY *key, X509 *certificate)
{
	FILE *file = fopen(certificate_file, "we");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	file = fopen(key_file, "we");
	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

static int
set_up(void **state)
{
	char problem[200];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	(void)state;
	if (mkdtemp(folder) == NULL || key == NULL || certificate == NULL)
		return -1;
	snprintf(certificate_file, sizeof(certificate_file), "%s/crt", folder);
	snprintf(key_file, sizeof(key_file), "%s/key", folder);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	if (X509_sign(certificate, key, EVP_sha256()) == 0)
		return -1;
	write_pem(key, certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
	server = tls_server_new(certificate_file, key_file, problem);
	return server != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	tls_server_free(server);
	unlink(certificate_file);
	unlink(key_file);
	return rmdir(folder);
}

/* A client, the relay, and the gateway's end. */
struct party {
	SSL_CTX *context;
	SSL *client;
	int client_fd;
	int gateway_fd;
	struct relay *relay;
};

static void
party_open(struct party *party, int max_version, SSL_SESSION *session)
{
	int ends[2];
	struct sockaddr_storage peer = {.ss_family = AF_INET};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	party->client_fd = ends[0];
	party->gateway_fd = -1;
	party->relay =
		relay_new(server, ends[1], (struct sockaddr *)&peer, sizeof(struct sockaddr_in));
	assert_non_null(party->relay);
	party->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(party->context, max_version);
	party->client = SSL_new(party->context);
	SSL_set_fd(party->client, ends[0]);
	SSL_set_connect_state(party->client);
	if (session != NULL)
		SSL_set_session(party->client, session);
}

static void
party_close(struct party *party)
{
	SSL_free(party->client);
	SSL_CTX_free(party->context);
	relay_free(party->relay);
	close(party->client_fd);
	if (party->gateway_fd >= 0)
		close(party->gateway_fd);
}

static enum relay_state
handshake(struct party *party)
{
	enum relay_state state = RELAY_HANDSHAKE;

	for (int i = 0; i < 10 && state == RELAY_HANDSHAKE; i++) {
		(void)SSL_do_handshake(party->client);
		state = relay_advance(party->relay, true, false);
	}
	return state;
}

static void
connect_gateway(struct party *party)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	party->gateway_fd = ends[1];
	relay_connect(party->relay, ends[0]);
}

static void
open_connected(struct party *party, SSL_SESSION *session)
{
	party_open(party, 0, session);
	assert_int_equal(handshake(party), RELAY_READY);
	connect_gateway(party);
}

static void
bytes_cross_both_ways(void **state)
{
	struct party party;
	char memory[64];
	size_t size = 0;

	(void)state;
	open_connected(&party, NULL);
	assert_int_equal(SSL_write(party.client, "question", 8), 8);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OPEN);
	assert_int_equal(recv(party.gateway_fd, memory, sizeof(memory), 0), 8);
	assert_memory_equal(memory, "question", 8);
	assert_int_equal(send(party.gateway_fd, "answer", 6, 0), 6);
	assert_int_equal(relay_advance(party.relay, false, true), RELAY_OPEN);
	assert_int_equal(SSL_read_ex(party.client, memory, sizeof(memory), &size), 1);
	assert_int_equal(size, 6);
	assert_memory_equal(memory, "answer", 6);
	party_close(&party);
}

static void
what_came_with_the_handshake_is_not_lost(void **state)
{
	struct party party;
	char memory[64];

	(void)state;
	party_open(&party, 0, NULL);
	(void)SSL_do_handshake(party.client);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_HANDSHAKE);
	assert_int_equal(SSL_do_handshake(party.client), 1);
	/* Finished and the first request arrive together. */
	assert_int_equal(SSL_write(party.client, "early", 5), 5);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_READY);
	connect_gateway(&party);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OPEN);
	assert_int_equal(recv(party.gateway_fd, memory, sizeof(memory), 0), 5);
	party_close(&party);
}

static SSL_SESSION *kept_session;

static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(kept_session);
	kept_session = session;
	return 1;
}

static void
a_returning_guest_resumes(void **state)
{
	struct party party;
	char memory[16];

	(void)state;
	party_open(&party, 0, NULL);
	SSL_CTX_set_session_cache_mode(party.context,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(party.context, keep_session);
	assert_int_equal(handshake(&party), RELAY_READY);
	assert_int_equal(SSL_session_reused(party.client), 0);
	(void)SSL_read(party.client, memory, sizeof(memory)); /* takes the ticket */
	(void)SSL_shutdown(party.client);		      /* else OpenSSL forgets the session */
	party_close(&party);
	assert_non_null(kept_session);

	open_connected(&party, kept_session);
	assert_int_equal(SSL_session_reused(party.client), 1);
	party_close(&party);
	SSL_SESSION_free(kept_session);
	kept_session = NULL;
}

static void
tls_1_2_is_refused(void **state)
{
	struct party party;

	(void)state;
	party_open(&party, TLS1_2_VERSION, NULL);
	assert_int_equal(handshake(&party), RELAY_OVER);
	party_close(&party);
}

static void
garbage_ends_the_handshake(void **state)
{
	struct party party;

	(void)state;
	party_open(&party, 0, NULL);
	assert_int_equal(send(party.client_fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OVER);
	party_close(&party);
}

static void
either_end_gone_ends_the_relay(void **state)
{
	struct party party;

	(void)state;
	open_connected(&party, NULL);
	close(party.gateway_fd);
	party.gateway_fd = -1;
	assert_int_equal(relay_advance(party.relay, false, true), RELAY_OVER);
	party_close(&party);

	open_connected(&party, NULL);
	(void)SSL_shutdown(party.client);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OVER);
	party_close(&party);

	open_connected(&party, NULL);
	shutdown(party.client_fd, SHUT_RDWR); /* no goodbye */
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OVER);
	party_close(&party);
}

/* A flipped bit in a record ends the connection, and nothing of the record reaches the gateway. */
static void
a_spoiled_record_ends_the_relay(void **state)
{
	struct party party;
	int tap[2];
	uint8_t record[256];
	char memory[64];

	(void)state;
	open_connected(&party, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, tap), 0);
	SSL_set_fd(party.client, tap[0]);
	assert_int_equal(SSL_write(party.client, "question", 8), 8);
	ssize_t size = recv(tap[1], record, sizeof(record), 0);
	assert_true(size > 8);
	record[size - 1] ^= 1;
	assert_int_equal(send(party.client_fd, record, (size_t)size, 0), size);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OVER);
	assert_int_equal(recv(party.gateway_fd, memory, sizeof(memory), 0), -1);
	close(tap[0]);
	close(tap[1]);
	party_close(&party);
}

/* The relay as the door drives it: each end is tried only when its interest says so. */
static void
turn(struct party *party)
{
	bool network = (relay_network_interest(party->relay) & EPOLLIN) != 0;
	bool plain = (relay_plain_interest(party->relay) & EPOLLIN) != 0;

	assert_int_equal(relay_advance(party->relay, network, plain), RELAY_OPEN);
}

#define MUCH (1024 * 1024)

static void
a_slow_gateway_stops_its_guest_and_loses_nothing(void **state)
{
	static uint8_t sent[MUCH];
	static uint8_t got[MUCH];
	size_t written = 0;
	size_t received = 0;
	struct party party;
	bool stopped = false;

	(void)state;
	for (size_t i = 0; i < MUCH; i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	open_connected(&party, NULL);
	SSL_set_mode(party.client, SSL_MODE_ENABLE_PARTIAL_WRITE);
	/* First without a reader, until nothing moves; then the reader wakes. */
	for (int i = 0; i < 100000 && received < MUCH; i++) {
		size_t size = 0;
		if (written < MUCH &&
		    SSL_write_ex(party.client, sent + written, MUCH - written, &size) == 1)
			written += size;
		turn(&party);
		stopped |= (relay_network_interest(party.relay) & EPOLLIN) == 0;
		if (!stopped)
			continue;
		ssize_t n = recv(party.gateway_fd, got + received, MUCH - received, 0);
		received += n > 0 ? (size_t)n : 0;
	}
	assert_true(stopped);
	assert_int_equal(received, MUCH);
	assert_memory_equal(sent, got, MUCH);
	party_close(&party);
}

static void
a_slow_guest_stops_the_gateway_and_loses_nothing(void **state)
{
	static uint8_t sent[MUCH];
	static uint8_t got[MUCH];
	size_t written = 0;
	size_t received = 0;
	struct party party;
	bool stopped = false;

	(void)state;
	for (size_t i = 0; i < MUCH; i++)
		sent[i] = (uint8_t)(i * 11 + i / 241);
	open_connected(&party, NULL);
	for (int i = 0; i < 100000 && received < MUCH; i++) {
		size_t size = 0;
		ssize_t n = written < MUCH
				    ? send(party.gateway_fd, sent + written, MUCH - written, 0)
				    : 0;
		written += n > 0 ? (size_t)n : 0;
		turn(&party);
		stopped |= (relay_plain_interest(party.relay) & EPOLLIN) == 0;
		if (!stopped)
			continue;
		if (SSL_read_ex(party.client, got + received, MUCH - received, &size) == 1)
			received += size;
	}
	assert_true(stopped);
	assert_int_equal(received, MUCH);
	assert_memory_equal(sent, got, MUCH);
	party_close(&party);
}

/* A client that negotiated small records (RFC 6066, 4) gets a whole answer from one event. */
static void
small_records_are_all_sent(void **state)
{
	static uint8_t sent[TLS_RECORD_MAX];
	static uint8_t got[TLS_RECORD_MAX];
	struct party party;
	size_t received = 0;
	size_t size = 0;

	(void)state;
	party_open(&party, 0, NULL);
	assert_int_equal(
		SSL_set_tlsext_max_fragment_length(party.client, TLSEXT_max_fragment_length_512),
		1);
	assert_int_equal(handshake(&party), RELAY_READY);
	connect_gateway(&party);
	memset(sent, 'x', sizeof(sent));
	assert_int_equal(send(party.gateway_fd, sent, sizeof(sent), 0), sizeof(sent));
	assert_int_equal(relay_advance(party.relay, false, true), RELAY_OPEN);
	while (SSL_read_ex(party.client, got + received, sizeof(got) - received, &size) == 1)
		received += size;
	assert_int_equal(received, sizeof(sent));
	party_close(&party);
}

/* Key changes are answered, but not for ever: each is work for all guests' one thread. */
static void
endless_key_changes_end_the_relay(void **state)
{
	struct party party;
	enum relay_state relay = RELAY_OPEN;
	int changes = 0;
	char memory[16];

	(void)state;
	open_connected(&party, NULL);
	for (; changes < 1000 && relay == RELAY_OPEN; changes++) {
		assert_int_equal(SSL_key_update(party.client, SSL_KEY_UPDATE_REQUESTED), 1);
		(void)SSL_do_handshake(party.client);
		if (changes % 2 == 0)
			relay = relay_advance(party.relay, true, false);
		/* With or behind a question, which is not left lying inside, where no event comes
		 * from. */
		assert_int_equal(SSL_write(party.client, "question", 8), 8);
		if (relay == RELAY_OPEN)
			relay = relay_advance(party.relay, true, false);
		if (relay == RELAY_OPEN)
			assert_int_equal(recv(party.gateway_fd, memory, sizeof(memory), 0), 8);
		(void)SSL_read(party.client, memory, sizeof(memory)); /* takes the answer */
	}
	assert_in_range(changes, 8, 100);
	assert_int_equal(relay, RELAY_OVER);
	party_close(&party);
}

/* However much a guest sends and the gateway takes, one call copies a few records; and what stays
 * inside TLS is asked for again. */
static void
one_turn_is_bounded(void **state)
{
	struct party party;
	static uint8_t got[MUCH];
	size_t first = 0;
	size_t all = 0;
	ssize_t n;

	(void)state;
	open_connected(&party, NULL);
	/* 200 small records, which all fit into TLS's read-ahead */
	for (int i = 0; i < 200; i++)
		assert_int_equal(SSL_write(party.client, "question", 8), 8);
	assert_int_equal(relay_advance(party.relay, true, false), RELAY_OPEN);
	while ((n = recv(party.gateway_fd, got, sizeof(got), 0)) > 0)
		first += (size_t)n;
	assert_in_range(first, 8, 200);
	assert_true((relay_network_interest(party.relay) & EPOLLOUT) != 0);
	all = first;
	for (int i = 0; i < 200 && (relay_network_interest(party.relay) & EPOLLOUT) != 0; i++) {
		/* as on EPOLLOUT alone: nothing more came from the network */
		assert_int_equal(relay_advance(party.relay, false, false), RELAY_OPEN);
		while ((n = recv(party.gateway_fd, got, sizeof(got), 0)) > 0)
			all += (size_t)n;
	}
	assert_int_equal(all, 200 * 8);
	party_close(&party);
}

static struct sockaddr_storage
address_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&address, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&address, &in6, sizeof(in6));
	return address;
}

static void
sources_are_told_apart(void **state)
{
	static const struct {
		const char *one;
		const char *other;
		bool same;
	} table[] = {
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1", true},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sockaddr_storage other = address_of(table[i].other);
		struct relay relay = {.peer = address_of(table[i].one)};
		if (relay_shares_source(&relay, &other) != table[i].same)
			fail_msg("%s and %s", table[i].one, table[i].other);
	}
}

static void
bad_files_are_named(void **state)
{
	char problem[200] = "";

	(void)state;
	assert_null(tls_server_new(key_file, key_file, problem));
	assert_non_null(strstr(problem, "tls_certificate"));
	assert_null(tls_server_new(certificate_file, certificate_file, problem));
	assert_non_null(strstr(problem, "tls_key"));
}

static void
addresses_are_checked(void **state)
{
	static const char *const bad[] = {"", "127.0.0.1", "127.0.0.1:", "nowhere.invalid:1",
					  "127.0.0.1:x"};
	char problem[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(listen_at(bad[i], problem), -1);
	int fd = listen_at("127.0.0.1:0", problem);
	assert_true(fd >= 0);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_cross_both_ways),
		cmocka_unit_test(what_came_with_the_handshake_is_not_lost),
		cmocka_unit_test(a_returning_guest_resumes),
		cmocka_unit_test(tls_1_2_is_refused),
		cmocka_unit_test(garbage_ends_the_handshake),
		cmocka_unit_test(either_end_gone_ends_the_relay),
		cmocka_unit_test(a_spoiled_record_ends_the_relay),
		cmocka_unit_test(a_slow_gateway_stops_its_guest_and_loses_nothing),
		cmocka_unit_test(a_slow_guest_stops_the_gateway_and_loses_nothing),
		cmocka_unit_test(small_records_are_all_sent),
		cmocka_unit_test(endless_key_changes_end_the_relay),
		cmocka_unit_test(one_turn_is_bounded),
		cmocka_unit_test(sources_are_told_apart),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(addresses_are_checked),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
