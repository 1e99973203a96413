/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_destination.c - any text as a next hop: what is taken apart is a name that the DNS can be asked */
#include "net/destination.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct destination d;

	if (destination_parse((struct slice){ (const char *)data, size }, 25, &d) != DESTINATION_OK)
		return 0;
	CHECK(d.port != 0 && d.name[0] && strlen(d.name) <= LIMIT_DOMAIN);
	for (const char *c = d.name; *c; c++)
		CHECK(ascii_is_print(*c) && *c != ' ');
	CHECK(d.kind != DESTINATION_ADDRESS || socket_address_port(&d.address) == d.port);
	return 0;
}
