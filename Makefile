# tmgc and publishd. `make help` lists the targets.
CC      ?= cc
PKGS     = libxml-2.0 yaml-0.1 libpcre2-8 libidn2 openssl jansson zlib
DAEMON_PKGS = libnghttp2 krb5-gssapi krb5 ldap wbclient libseccomp
CFLAGS  ?= -O2 -g
WARN     = -std=gnu11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion
BUILD   ?= build
VERSION  = 0.1.0
PREFIX  ?= /usr/local
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) $(DAEMON_PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
DAEMON_LIBS := $(shell pkg-config --libs $(DAEMON_PKGS) 2>/dev/null) -lcrypt
ALL_CFLAGS = $(WARN) $(PKG_CFLAGS) -DTMGC_VERSION='"$(VERSION)"' $(CFLAGS) -pthread

ROOMS   = base settings ir parser emitters verify
LIB     = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(ROOMS:%=%/*.c)))) $(BUILD)/gen/report_assets.o
SERVING = config http rewrite auth proxy
DAEMON_LIB = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(SERVING:%=%/*.c)))) $(BUILD)/gen/form_assets.o
CLI     = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard cli/*.c)))
DAEMON  = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard daemon/*.c)))
UNIT    = $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/*.c)))
PROGRAMS = $(BUILD)/tmgc $(if $(DAEMON),$(BUILD)/publishd)
SOURCES = $(sort $(wildcard $(ROOMS:%=%/*.[ch]) $(SERVING:%=%/*.[ch]) cli/*.[ch] daemon/*.[ch] tests/*.c tests/unit/*.[ch] tests/http1/*.h tests/fuzz/*.[ch]))

all: $(PROGRAMS)                      ## build/tmgc (and build/publishd)

$(BUILD)/libtmgc.a: $(LIB)
	@rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tmgc: $(CLI) $(BUILD)/libtmgc.a
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(PKG_LIBS) $(LDFLAGS)
$(BUILD)/libpublishd.a: $(DAEMON_LIB)
	@rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/publishd: $(DAEMON) $(BUILD)/libpublishd.a $(BUILD)/libtmgc.a
	$(CC) $(ALL_CFLAGS) -o $@ $^ $(PKG_LIBS) $(DAEMON_LIBS) $(LDFLAGS)
$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libpublishd.a $(BUILD)/libtmgc.a $(wildcard tests/unit/*.h tests/http1/*.h)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -I. -o $@ $(filter-out %.h,$^) $(PKG_LIBS) $(DAEMON_LIBS) $(LDFLAGS)
$(BUILD)/gen_docs: tests/gen_docs.c $(BUILD)/libtmgc.a
	$(CC) $(ALL_CFLAGS) -I. -o $@ $^ $(PKG_LIBS) $(LDFLAGS)
# What Debian's llhttp makes of the vectors, and what it costs: a test's oracle, no part of the daemon.
$(BUILD)/http1_oracle: tests/http1/oracle.c $(wildcard tests/http1/*.h) $(BUILD)/libpublishd.a $(BUILD)/libtmgc.a
	@mkdir -p $(BUILD)/obj/llhttp
	@for f in api http llhttp; do $(CC) $(CFLAGS) -I/usr/share/include/llhttp -w -c -o $(BUILD)/obj/llhttp/$$f.o /usr/share/llhttp/$$f.c || exit 1; done
	$(CC) $(ALL_CFLAGS) -I/usr/share/include/llhttp -o $@ $< $(BUILD)/obj/llhttp/*.o $(BUILD)/libpublishd.a $(BUILD)/libtmgc.a $(LDFLAGS)
$(BUILD)/lab_auth: tests/lab_auth.c $(BUILD)/libpublishd.a $(BUILD)/libtmgc.a
	$(CC) $(ALL_CFLAGS) -D_GNU_SOURCE -I. -o $@ $^ $(PKG_LIBS) $(DAEMON_LIBS) $(LDFLAGS)
lab_auth: $(BUILD)/lab_auth
$(BUILD)/measure: tests/measure.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $<
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# The style sheet and script of report.html as lines of C: emitters/report_html.h declares them.
$(BUILD)/gen/report_assets.c: emitters/html/style.css emitters/html/script.js
	@mkdir -p $(@D)
	@for f in $^; do n=$${f##*/}; echo "const char *const html_$${n%.*}[] = {"; \
	  sed 's/[\\"]/\\&/g; s/.*/"&\\n",/' $$f; echo '(const char *)0};'; done > $@
$(BUILD)/gen/report_assets.o: $(BUILD)/gen/report_assets.c
	$(CC) $(ALL_CFLAGS) -c -o $@ $<
# The sign-in pages, their style sheet and texts: auth/forms.h declares them.
$(BUILD)/gen/form_assets.c: $(sort $(wildcard auth/html/*))
	@mkdir -p $(@D)
	@{ echo '#include "auth/forms.h"'; echo 'const struct form_asset form_assets[] = {'; for f in $^; do \
	  echo "{ \"$${f##*/}\", (const char *const[]){"; sed 's/[\\"]/\\&/g; s/.*/"&\\n",/' $$f; echo '(const char *)0 } },'; \
	  done; echo '{ 0, 0 } };'; } > $@
$(BUILD)/gen/form_assets.o: $(BUILD)/gen/form_assets.c auth/forms.h
	$(CC) $(ALL_CFLAGS) -I. -c -o $@ $<
-include $(LIB:.o=.d) $(CLI:.o=.d) $(DAEMON:.o=.d) $(DAEMON_LIB:.o=.d)

# ---- for newcomers: each does its own set-up ----------------------------------
demo: ; @tests/setup build run && $(MAKE) -s -j2 all && tests/demo $(BUILD)  ## converts a sample, runs the result, asks it
demo-auth: ; @tests/setup build run lab && $(MAKE) -s -j2 all && tests/demo-auth $(BUILD)  ## signs in to publishd by form, Kerberos and NTLM, in a domain of its own
check: ; @tests/setup build run pages load lab && $(MAKE) -s -j2 check-now             ## every test; ends with "N passed, N failed"
bench: ; @tests/setup build bench lab && $(MAKE) -s -j2 all $(BUILD)/measure && tests/bench $(BUILD) && tests/bench_serving.py $(BUILD)  ## tmgc beside xmllint, publishd beside nginx and HAProxy
lint: ; @tests/setup build lint && $(MAKE) -s lint-now                   ## compilers, clang-tidy, cppcheck, formatting

check-now: all $(UNIT) $(BUILD)/gen_docs $(BUILD)/http1_oracle $(BUILD)/lab_auth asan
	@tests/run --build $(BUILD) --asan $(BUILD)-asan
unit: $(UNIT)                         ## the unit tests alone
	@set -e; for t in $(UNIT); do $$t; done
lint-now:
	@$(MAKE) -s BUILD=$(BUILD)-gcc-werror CC=gcc CFLAGS="-O2 -Werror" all
	@$(MAKE) -s BUILD=$(BUILD)-clang-werror CC=clang CFLAGS="-O1 -Werror" all
	tests/lint $(SOURCES)

# ---- other builds ---------------------------------------------------------------
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all
asan:                                 ## with AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan
	@$(MAKE) BUILD=$(BUILD)-asan CFLAGS="-O1 -g1 -fno-omit-frame-pointer $(SANITIZE)" LDFLAGS="$(SANITIZE)" all lab_auth
tsan:                                 ## with ThreadSanitizer, in build-tsan
	@$(MAKE) BUILD=$(BUILD)-tsan CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=thread" LDFLAGS="-fsanitize=thread" all
clang:                                ## with clang, in build-clang
	@$(MAKE) BUILD=$(BUILD)-clang CC=clang all

MINUTES   ?= 10
SANITIZER ?= none
SOAKED     = $(BUILD)$(if $(filter address,$(SANITIZER)),-asan)$(if $(filter thread,$(SANITIZER)),-tsan)
soak: $(if $(filter address,$(SANITIZER)),asan) $(if $(filter thread,$(SANITIZER)),tsan) $(if $(filter none,$(SANITIZER)),all) ## mixed load on publishd for MINUTES=10, SANITIZER=address, thread or none
	@tests/setup run load
	tests/soak --program $(SOAKED)/publishd --seconds $$(( $(MINUTES) * 60 ))

isolation: tsan                       ## 64 clients as 16 users in a domain of its own for a minute, publishd under ThreadSanitizer
	tests/lab.py run tests/lab_isolation.py $(BUILD)-tsan 60

multitool: all                        ## what Microsoft's SARIF multitool says about the reports; fetches it by npm
	tests/sarif_multitool.py $(BUILD)

# Every C file of tests/fuzz is a harness; tests/fuzz/seeds says what it begins with. What is found stays in build-fuzz.
SECONDS ?= 20
FUZZERS ?= $(sort $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
fuzz:                                 ## each harness of tests/fuzz for SECONDS=20, or those of FUZZERS="a b"
	@$(MAKE) -s BUILD=$(BUILD)-fuzz CC=clang CFLAGS="-O1 -g -fno-omit-frame-pointer $(SANITIZE) -fsanitize=fuzzer-no-link" fuzz-now
fuzz-now: $(FUZZERS:%=$(BUILD)/fuzz/%)
	@set -e; for f in $(FUZZERS); do tests/fuzz/seeds $$f $(BUILD)/corpus/$$f; echo "fuzz: $$f"; \
	  $(BUILD)/fuzz/$$f -max_total_time=$(SECONDS) -max_len=16384 -timeout=20 -rss_limit_mb=1500 -verbosity=0 -print_final_stats=1 \
	    -artifact_prefix=$(BUILD)/fuzz/$$f- $(BUILD)/corpus/$$f; done
$(BUILD)/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h tests/http1/*.h) $(BUILD)/libpublishd.a $(BUILD)/libtmgc.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -I. -o $@ $(filter %.c %.a,$^) $(PKG_LIBS) $(DAEMON_LIBS)

# ---- what is generated and checked in ----------------------------------------------
goldens: all                          ## samples/*/out and emitters/cases afresh: read the difference before you commit it
	@for s in samples/*/; do \
	  $(BUILD)/tmgc convert "$${s}export.xml" -m "$${s}site.yaml" -o "$${s}out" --fail-on never -q || exit 1; done
	@tests/situations --update --build $(BUILD)
	@git status --short samples emitters/cases
docs: all $(BUILD)/gen_docs $(BUILD)/unit/test_key_tables ## docs that are made from tables, and README.md's examples, afresh
	@$(BUILD)/unit/test_key_tables --update
	@for p in findings settings versions answers; do $(BUILD)/gen_docs $$p > docs/$$p.md || exit 1; done
	@tests/readme $(BUILD)
format:                               ## the sources in the house's style
	clang-format -i $(filter %.c,$(SOURCES))

install: all                          ## PREFIX=/usr/local, DESTDIR=
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/doc/tmgc \
	  $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 README.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/tmgc
	install -m 644 completions/tmgc.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tmgc
	install -m 644 completions/_tmgc $(DESTDIR)$(PREFIX)/share/zsh/site-functions
clean:                                ## removes what was built
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz $(BUILD)-clang $(BUILD)-gcc-werror $(BUILD)-clang-werror
help:                                 ## this list
	@sed -n 's/^\([a-z-]*\):.*## *\(.*\)/  make \1\t\2/p' Makefile | expand -t 18
.PHONY: all isolation multitool lab_auth unit check check-now demo demo-auth bench lint lint-now asan tsan soak fuzz fuzz-now clang goldens docs format install clean help
