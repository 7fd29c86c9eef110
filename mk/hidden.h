/* SPDX-License-Identifier: MIT */
/*
 * Included ahead of every C source of the libos: nothing in it can come from elsewhere, so the
 * addresses of functions and variables are computed from RIP instead of being loaded from a table
 * (-fpie alone assumes a table for what is extern).
 */
#pragma GCC visibility push(hidden)
