# tmgc and publishd. `make help` lists the targets.
CC      ?= cc
PKGS     = libxml-2.0 yaml-0.1 libpcre2-8 libidn2 openssl jansson
CFLAGS  ?= -O2 -g
WARN     = -std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion
BUILD   ?= build
VERSION  = 0.1.0
PREFIX  ?= /usr/local
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
ALL_CFLAGS = $(WARN) $(PKG_CFLAGS) -DTMGC_VERSION='"$(VERSION)"' $(CFLAGS) -pthread

ROOMS   = base settings ir parser emitters verify
LIB     = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(ROOMS:%=%/*.c))))
CLI     = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard cli/*.c)))
DAEMON  = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard daemon/*.c)))
UNIT    = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/*.c)))

all: $(BUILD)/tmgc $(BUILD)/publishd

$(BUILD)/libtmgc.a: $(LIB)
	@rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tmgc: $(CLI) $(BUILD)/libtmgc.a
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(PKG_LIBS) $(LDFLAGS)
$(BUILD)/publishd: $(DAEMON) $(BUILD)/libtmgc.a
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(PKG_LIBS) $(LDFLAGS)
$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libtmgc.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. -o $@ $^ $(PKG_LIBS) $(LDFLAGS)
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
-include $(LIB:.o=.d) $(CLI:.o=.d) $(DAEMON:.o=.d)

unit: $(UNIT)
	@set -e; for t in $(UNIT); do $$t; done

clean:
	rm -rf $(BUILD)
.PHONY: all unit clean
