# SPDX-License-Identifier: Apache-2.0
"""The driver of the yardstick: bench/run is its command, workloads/ has one file for each thing that is measured."""
