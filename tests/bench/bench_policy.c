/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decisions cost: at 1, 10, 100 and 1,000 policies, and with the published implementation
 * beside it where node and its package are there.
 *
 *   bench_policy [bench_policy.mjs]
 *   bench_policy json N                 the world in JSON
 *   bench_policy decide N ROUNDS        for an instruction count, under valgrind --tool=callgrind:
 *   bench_policy build N ROUNDS         the difference of two counts of rounds is the rounds alone
 *   bench_policy parse N ROUNDS
 *   bench_policy validate N ROUNDS
 */
#include "policy/schema.h"
#include "policy_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SAMPLES	     100000U
#define VALIDATIONS  10U
#define PARSE_BYTES  (8U * 1024 * 1024) /* so much is parsed for one figure */

static const unsigned int counts[] = {1, 10, 100, 1000};

struct bench {
	char *source;
	size_t source_size;
	struct policy_set *set;
	struct policy_facts *base;   /* entities */
	struct policy_facts *values; /* the requests' values */
	struct policy_facts *facts;  /* what a decision needs: cleared each time */
	struct policy_request requests[WORLD_REQUESTS];
	char decisions[WORLD_REQUESTS + 1]; /* 1 allowed, 0 denied */
};

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static struct policy_set *
parse(const struct bench *bench)
{
	struct policy_text source = {.data = bench->source, .size = bench->source_size};
	struct policy_set *set = NULL;
	struct policy_error err = {0};

	if (policy_set_parse(source, &set, &err) != POLICY_OK) {
		fprintf(stderr, "%u:%u: %s\n", err.line, err.column, err.message);
		exit(1);
	}
	return set;
}

static void
open_bench(struct bench *bench, unsigned int count)
{
	*bench = (struct bench){0};
	FILE *memory = open_memstream(&bench->source, &bench->source_size);
	assert(memory != NULL);
	world_write_policies(memory, count);
	fclose(memory);
	bench->set = parse(bench);
	bench->base = policy_facts_new(NULL);
	assert(bench->base != NULL && world_add_entities(bench->base));
	bench->values = policy_facts_new(bench->base);
	bench->facts = policy_facts_new(bench->values);
	assert(bench->values != NULL && bench->facts != NULL);
	for (unsigned int i = 0; i < WORLD_REQUESTS; i++)
		bench->requests[i] = world_build(bench->values, world_request(i));
}

static void
close_bench(struct bench *bench)
{
	policy_facts_free(bench->facts);
	policy_facts_free(bench->values);
	policy_facts_free(bench->base);
	policy_set_free(bench->set);
	free(bench->source);
}

/* On a request whose values are built; what is remembered of the last one is cleared. */
static bool
decide_built(struct bench *bench, unsigned int number)
{
	struct policy_decision decision;

	policy_facts_clear(bench->facts);
	enum policy_status status =
		policy_decide(bench->set, bench->facts, &bench->requests[number], &decision, NULL);
	assert(status == POLICY_OK && decision.failure_count == 0);
	return decision.allowed;
}

/* The same with the building of its values. */
static bool
build_and_decide(struct bench *bench, unsigned int number)
{
	struct policy_decision decision;

	policy_facts_clear(bench->facts);
	struct policy_request request = world_build(bench->facts, world_request(number));
	enum policy_status status =
		policy_decide(bench->set, bench->facts, &request, &decision, NULL);
	assert(status == POLICY_OK && decision.failure_count == 0);
	return decision.allowed;
}

/* ---- figures ---- */

struct figures {
	double p50; /* microseconds */
	double p99;
	double per_second;
};

static int
compare_doubles(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static struct figures
measure(struct bench *bench, bool (*act)(struct bench *bench, unsigned int number))
{
	static double samples[SAMPLES];

	for (unsigned int i = 0; i < WORLD_REQUESTS; i++)
		act(bench, i);
	double start = now();
	for (unsigned int i = 0; i < SAMPLES; i++)
		act(bench, i % WORLD_REQUESTS);
	double all = now() - start;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		double before = now();
		act(bench, i % WORLD_REQUESTS);
		samples[i] = now() - before;
	}
	qsort(samples, SAMPLES, sizeof(samples[0]), compare_doubles);
	return (struct figures){
		.p50 = samples[SAMPLES / 2],
		.p99 = samples[SAMPLES / 100 * 99],
		.per_second = SAMPLES / all * 1e6,
	};
}

/* Megabytes a second. */
static double
measure_parsing(const struct bench *bench)
{
	size_t rounds = PARSE_BYTES / bench->source_size;
	double start = now();

	for (size_t i = 0; i < rounds; i++)
		policy_set_free(parse(bench));
	return (double)(bench->source_size * rounds) / (now() - start);
}

static struct policy_schema *
parse_schema(void)
{
	struct policy_schema *schema = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	assert(memory != NULL);
	world_write_schema(memory);
	fclose(memory);
	enum policy_status status = policy_schema_parse(
		(struct policy_text){.data = text, .size = size}, &schema, NULL);
	assert(status == POLICY_OK);
	free(text);
	return schema;
}

/* Milliseconds; with the parsing of the set, as the published implementation does it. */
static double
measure_validation(const struct bench *bench)
{
	struct policy_schema *schema = parse_schema();
	double start = now();

	for (unsigned int i = 0; i < VALIDATIONS; i++) {
		struct policy_set *set = parse(bench);
		enum policy_status status = policy_validate(schema, set, NULL, NULL, NULL);
		assert(status == POLICY_OK);
		policy_set_free(set);
	}
	double all = now() - start;
	policy_schema_free(schema);
	return all / VALIDATIONS / 1e3;
}

/* ---- the published implementation ---- */

struct published {
	char decisions[WORLD_REQUESTS + 1];
	double p50;
	double p99;
	double parsing;
	double validating;
	int valid;
};

/* False where it is not there. */
static bool
ask_published(const char *script, struct published published[COUNT(counts)])
{
	char path[] = "/tmp/bench_policy-XXXXXX";
	char command[1024];
	int file = mkstemp(path);
	bool answered = true;

	if (file < 0)
		return false;
	FILE *out = fdopen(file, "w");
	assert(out != NULL);
	for (size_t i = 0; i < COUNT(counts); i++)
		world_write_json(out, counts[i]);
	fclose(out);
	snprintf(command, sizeof(command), "node '%s' '%s' 2>/dev/null", script, path);
	FILE *in = popen(command, "r");
	assert(in != NULL);
	for (size_t i = 0; answered && i < COUNT(counts); i++)
		answered = fscanf(in, "%256s %lf %lf %lf %lf %d", published[i].decisions,
				  &published[i].p50, &published[i].p99, &published[i].parsing,
				  &published[i].validating, &published[i].valid) == 6;
	pclose(in);
	unlink(path);
	return answered;
}

static void
run(unsigned int count, const struct published *published)
{
	struct bench bench;

	open_bench(&bench, count);
	for (unsigned int i = 0; i < WORLD_REQUESTS; i++)
		bench.decisions[i] = decide_built(&bench, i) ? '1' : '0';
	struct figures built = measure(&bench, decide_built);
	struct figures whole = measure(&bench, build_and_decide);
	double parsing = measure_parsing(&bench);
	double validating = measure_validation(&bench);
	printf("%4u policies, %zu bytes\n", count, bench.source_size);
	printf("  decide a built request  p50 %6.2f us  p99 %6.2f us  %9.0f/s\n", built.p50,
	       built.p99, built.per_second);
	printf("  build it and decide     p50 %6.2f us  p99 %6.2f us  %9.0f/s\n", whole.p50,
	       whole.p99, whole.per_second);
	printf("  parse                   %6.1f MB/s  parse and validate %.2f ms\n", parsing,
	       validating);
	if (published != NULL) {
		bool same = strcmp(published->decisions, bench.decisions) == 0;
		printf("  cedar-wasm              p50 %6.2f us  p99 %6.2f us  parse %.2f MB/s  "
		       "validate %.1f ms\n",
		       published->p50, published->p99, published->parsing, published->validating);
		printf("  ratios                  p50 %.0f times, p99 %.0f, parse %.0f, validate "
		       "%.0f; "
		       "decisions %s\n",
		       published->p50 / whole.p50, published->p99 / whole.p99,
		       parsing / published->parsing, published->validating / validating,
		       same ? "agree" : "DIFFER");
		assert(same && published->valid);
	}
	close_bench(&bench);
}

/* For an instruction count. */
static int
repeat(const char *what, unsigned int count, unsigned int rounds)
{
	struct bench bench;
	unsigned int allowed = 0;

	open_bench(&bench, count);
	for (unsigned int i = 0; i < rounds; i++) {
		if (strcmp(what, "decide") == 0)
			allowed += decide_built(&bench, i % WORLD_REQUESTS);
		else if (strcmp(what, "build") == 0)
			allowed += build_and_decide(&bench, i % WORLD_REQUESTS);
		else if (strcmp(what, "validate") == 0)
			measure_validation(&bench);
		else
			policy_set_free(parse(&bench));
	}
	printf("%u allowed\n", allowed);
	close_bench(&bench);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct published published[COUNT(counts)];

	if (argc == 3 && strcmp(argv[1], "json") == 0) {
		world_write_json(stdout, (unsigned int)strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (argc == 4)
		return repeat(argv[1], (unsigned int)strtoul(argv[2], NULL, 10),
			      (unsigned int)strtoul(argv[3], NULL, 10));
	bool asked = argc == 2 && ask_published(argv[1], published);
	for (size_t i = 0; i < COUNT(counts); i++)
		run(counts[i], asked ? &published[i] : NULL);
	if (!asked)
		printf("cedar-wasm: skipped\n");
	return 0;
}
