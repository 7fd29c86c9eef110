/* SPDX-License-Identifier: MIT */
/* Reading the CMOS clock: when the machine was started, in seconds since 1970 (UTC). */
#include <exo/abi.h>
#include <stdbool.h>
#include <stdint.h>
#include "core/exo.h"
#include "core/string.h"
#include "time/time.h"

#define CMOS_SELECT 0x70
#define CMOS_DATA 0x71

#define STATUS_A 0x0a
#define STATUS_A_UPDATING 0x80
#define STATUS_B 0x0b
#define STATUS_B_24_HOURS 0x02
#define STATUS_B_BINARY 0x04
#define HOUR_PM 0x80

#define POLLS_MAX 10000 /* an update takes 2 ms at most */
#define TRIES_MAX 10

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

static uint8_t cmos_read(uint8_t reg)
{
	exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_OUT8, CMOS_SELECT, reg);
	return (uint8_t)exo_port(EXO_HANDLE(EXO_SLOT_PORTS), EXO_PORT_IN8, CMOS_DATA, 0);
}

static void read_fields(uint8_t fields[FIELDS])
{
	static const uint8_t registers[FIELDS] = { 0, 2, 4, 7, 8, 9 };

	for (unsigned i = 0; i < POLLS_MAX; i++)
		if (!(cmos_read(STATUS_A) & STATUS_A_UPDATING))
			break;
	for (unsigned i = 0; i < FIELDS; i++)
		fields[i] = cmos_read(registers[i]);
}

static void decode_fields(uint8_t fields[FIELDS])
{
	uint8_t status = cmos_read(STATUS_B);
	bool pm = !(status & STATUS_B_24_HOURS) && (fields[HOUR] & HOUR_PM);

	if (!(status & STATUS_B_24_HOURS))
		fields[HOUR] &= (uint8_t)~HOUR_PM;
	if (!(status & STATUS_B_BINARY))
		for (unsigned i = 0; i < FIELDS; i++)
			fields[i] = (uint8_t)((fields[i] >> 4) * 10 + (fields[i] & 0xf));
	if (!(status & STATUS_B_24_HOURS))
		fields[HOUR] = (uint8_t)(fields[HOUR] % 12 + (pm ? 12 : 0));
}

/* Years counted from March, so that the leap day comes last (Fliegel and van Flandern). */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
	unsigned y = month <= 2 ? year - 1 : year;
	unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return 365ul * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

uint64_t rtc_unix_seconds(void)
{
	uint8_t fields[FIELDS], again[FIELDS];

	/* Twice the same: then no update came in between. */
	read_fields(fields);
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		read_fields(again);
		if (memcmp(fields, again, sizeof(fields)) == 0)
			break;
		memcpy(fields, again, sizeof(fields));
	}
	decode_fields(fields);
	if (fields[MONTH] < 1 || fields[MONTH] > 12 || fields[DAY] < 1 || fields[DAY] > 31)
		return 0;
	return days_since_1970(2000u + fields[YEAR], fields[MONTH], fields[DAY]) * 86400 +
	       fields[HOUR] * 3600ul + fields[MINUTE] * 60ul + fields[SECOND];
}
