/* SPDX-License-Identifier: Apache-2.0 */
/* Several brokers, one of which hangs, and answers that are lost: against a TLS server that answers
 * its first question and then nothing more. */
#include "command/broker.h"
#include "command/certificate.h"
#include "command/command.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8

static char ca_path[] = "/tmp/postern-test-XXXXXX";
static SSL_CTX *tls;

/* "/first" is answered while `silent` is not set; "/second" never is: its connection is cut. */
struct server {
	int listener;
	pthread_t thread;
	char address[64];
	bool silent;
	atomic_uint firsts, seconds;
};

struct connection {
	struct server *server;
	int socket;
	pthread_t thread;
};

static void
questions_answer(struct server *server, SSL *ssl)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	char text[2048];

	for (;;) {
		int size = SSL_read(ssl, text, sizeof(text) - 1);
		if (size <= 0)
			return;
		text[size] = '\0';
		if (strstr(text, "/second") != NULL) {
			atomic_fetch_add(&server->seconds, 1);
			return;
		}
		if (strstr(text, "/first") == NULL)
			continue; /* a body that came by itself */
		atomic_fetch_add(&server->firsts, 1);
		if (!server->silent && SSL_write(ssl, answer, sizeof(answer) - 1) <= 0)
			return;
	}
}

static void *
connection_run(void *user)
{
	struct connection *connection = user;
	SSL *ssl = SSL_new(tls);

	(void)SSL_set_fd(ssl, connection->socket);
	if (SSL_accept(ssl) == 1)
		questions_answer(connection->server, ssl);
	SSL_free(ssl);
	(void)close(connection->socket);
	return NULL;
}

/* A kept connection must not hold up another. */
static void *
server_run(void *user)
{
	struct connection connections[CONNECTIONS_MAX];
	struct server *server = user;
	size_t count = 0;

	for (; count < CONNECTIONS_MAX; count++) {
		struct connection *connection = &connections[count];
		*connection = (struct connection){.server = server,
						  .socket = accept(server->listener, NULL, NULL)};
		if (connection->socket < 0 ||
		    pthread_create(&connection->thread, NULL, connection_run, connection) != 0)
			break;
	}
	for (size_t i = 0; i < count; i++)
		(void)pthread_join(connections[i].thread, NULL);
	return NULL;
}

static void
server_start(struct server *server, bool silent)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	*server = (struct server){.silent = silent, .listener = socket(AF_INET, SOCK_STREAM, 0)};
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(server->listener, CONNECTIONS_MAX), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(server->address, sizeof(server->address), "https://127.0.0.1:%u",
		       ntohs(address.sin_port));
	assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static void
server_stop(struct server *server)
{
	(void)shutdown(server->listener, SHUT_RDWR);
	(void)pthread_join(server->thread, NULL);
	(void)close(server->listener);
}

static struct broker
broker_of(const char *first, const char *second)
{
	struct broker broker = {.http = http_new(ca_path),
				.count = second != NULL ? 2 : 1,
				.addresses = {first, second}};

	assert_non_null(broker.http);
	return broker;
}

struct asking {
	struct broker *broker;
	unsigned tried; /* bits of addresses */
	bool twice;
};

static bool
ask(void *user, size_t index, struct broker_problem *problem)
{
	struct asking *asking = user;
	auto_json *first = NULL, *second = NULL;

	asking->tried |= 1u << index;
	if (!broker_post(asking->broker, index, "/first", json_object(), &first, problem))
		return false;
	return !asking->twice ||
	       broker_post(asking->broker, index, "/second", json_object(), &second, problem);
}

static double
seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Takes the connection, even the handshake, and never answers: the next is asked in two seconds. */
static void
test_hanging(void **state)
{
	struct server silent, good;
	struct broker_problem problem;

	(void)state;
	server_start(&silent, true);
	server_start(&good, false);
	struct broker broker = broker_of(silent.address, good.address);
	struct asking asking = {.broker = &broker};
	double begin = seconds_now();
	assert_true(broker_try(&broker, ask, &asking, &problem));
	double took = seconds_now() - begin;
	assert_int_equal(asking.tried, 3);
	assert_int_equal(silent.firsts, 1);
	assert_true(took > 1 && took < 2.5);
	broker_close(&broker);
	server_stop(&silent);
	server_stop(&good);
}

/* The same without a handshake: nobody accepts. */
static void
test_deaf(void **state)
{
	struct server good;
	struct broker_problem problem;
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int deaf = socket(AF_INET, SOCK_STREAM, 0);
	char text[64];

	(void)state;
	assert_int_equal(bind(deaf, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(deaf, 1), 0);
	assert_int_equal(getsockname(deaf, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(text, sizeof(text), "https://127.0.0.1:%u", ntohs(address.sin_port));
	server_start(&good, false);
	struct broker broker = broker_of(text, good.address);
	struct asking asking = {.broker = &broker};
	double begin = seconds_now();
	assert_true(broker_try(&broker, ask, &asking, &problem));
	assert_true(seconds_now() - begin < 2.5);
	assert_int_equal(asking.tried, 3);
	broker_close(&broker);
	server_stop(&good);
	(void)close(deaf);
}

/* What may have been carried out is sent once: neither to the next address, nor by libcurl on a new
 * connection in place of the one that was lost. */
static void
test_once(void **state)
{
	struct server server, other;
	struct broker_problem problem;

	(void)state;
	server_start(&server, false);
	server_start(&other, false);
	struct broker broker = broker_of(server.address, other.address);
	struct asking asking = {.broker = &broker, .twice = true};
	broker.cautious = true;
	assert_false(broker_try(&broker, ask, &asking, &problem));
	assert_int_equal(problem.status, EX_TEMPFAIL);
	assert_true(problem.uncertain);
	assert_int_equal(asking.tried, 1);
	assert_int_equal(server.seconds, 1);
	assert_int_equal(other.firsts, 0);
	broker_close(&broker);
	server_stop(&server);
	server_stop(&other);
}

/* A server's certificate is of a CA that is not pinned: nothing is asked of it, and who stands in
 * one broker's way does not stand in all of theirs. */
static void
test_untrusted(void **state)
{
	static char other_ca[] = "/tmp/postern-test-XXXXXX";
	static const char *const names[] = {"127.0.0.1"};
	auto_identity identity = {.key = NULL};
	struct server server;
	struct broker_problem problem;

	(void)state;
	assert_int_equal(server_identity_make(names, 1, time(NULL), &identity), 0);
	int file = mkstemp(other_ca);
	assert_int_equal(write(file, identity.ca.data, identity.ca.size), identity.ca.size);
	(void)close(file);
	server_start(&server, false);
	struct broker broker = {
		.http = http_new(other_ca), .count = 1, .addresses = {server.address}};
	struct asking asking = {.broker = &broker};
	assert_false(broker_try(&broker, ask, &asking, &problem));
	assert_int_equal(problem.status, EX_CONFIG);
	broker.count = 2;
	broker.addresses[1] = "https://127.0.0.1:1"; /* nobody is there */
	assert_false(broker_try(&broker, ask, &asking, &problem));
	assert_int_equal(asking.tried, 3);
	assert_int_equal(problem.status, EX_TEMPFAIL);
	assert_int_equal(server.firsts, 0);
	broker_close(&broker);
	server_stop(&server);
	(void)unlink(other_ca);
}

static int
tls_begin(void **state)
{
	static const char *const names[] = {"127.0.0.1"};
	auto_identity identity = {.key = NULL};
	int file = mkstemp(ca_path);

	(void)state;
	if (file < 0 || server_identity_make(names, 1, time(NULL), &identity) != 0 ||
	    write(file, identity.ca.data, identity.ca.size) != (ssize_t)identity.ca.size)
		return 1;
	(void)close(file);
	BIO *bio = BIO_new_mem_buf(identity.certificate.data, (int)identity.certificate.size);
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(identity.key->bytes, (int)identity.key->size);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	tls = SSL_CTX_new(TLS_server_method());
	bool good = tls != NULL && SSL_CTX_use_certificate(tls, certificate) == 1 &&
		    SSL_CTX_use_PrivateKey(tls, key) == 1;
	X509_free(certificate);
	EVP_PKEY_free(key);
	return good ? 0 : 1;
}

static int
tls_end(void **state)
{
	(void)state;
	SSL_CTX_free(tls);
	return unlink(ca_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hanging),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_untrusted),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, tls_begin, tls_end);
}
