/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pacing.h - how fast mail may go to a destination, as settings say it: "5", "100/1h", "5@100/1h"
 *
 * Pure: text to numbers. Layer: config. Tests: test_config.c.
 */
#pragma once
#include "base/slice.h"

struct pacing {
	uint64_t concurrency; /* 0: not said */
	uint64_t n_messages;  /* in interval_s; 0: no rate */
	uint64_t interval_s;
};

MUST_USE bool pacing_parse_rate(struct slice text, struct pacing *out); /* "N/TIME" */
/* "HOP=CONCURRENCY", "HOP=N/TIME", "HOP=CONCURRENCY@N/TIME" */
MUST_USE bool pacing_parse_limit(struct slice word, struct slice *hop_out, struct pacing *out);
/* What smtp.destination_limits says of hop (ASCII case ignored); false: nothing. */
bool pacing_find(struct slice limits, struct slice hop, struct pacing *out);
