/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delivered_to.h - was this mail at this address before? Its Delivered-To fields say so
 *
 * Pure. Layer: local. Tests: test_delivered_to.c.
 */
#pragma once
#include "base/slice.h"
#include "config/config.h"

/* Whether content has a Delivered-To field that names the address, in any case of its letters and under any
 * name of this host. */
bool delivered_to_names(const struct config *c, struct slice content, struct slice address);
