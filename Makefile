# C10K Lab: nine servers, one protocol, one harness. `make help` lists what there is to type.

SHELL  := /bin/bash
PYTHON ?= /usr/bin/python3
ifeq ($(origin CXX),default)
CXX := g++
endif
#@staff
CLANG_CXX ?= clang++
#@end

# All cores, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(findstring -j,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# make SANITIZE=address,undefined ... builds into a folder of its own.
SANITIZE ?=
BUILD    := build$(if $(SANITIZE),/$(SANITIZE))

STAGES := $(notdir $(wildcard stages/[0-9]*))
TOOLS  := $(basename $(notdir $(wildcard harness/bench/*.cc)))
LABS   := $(patsubst labs/%/lab.toml,%,$(sort $(wildcard labs/[0-9]*/lab.toml)))
COMMON := $(wildcard common/net/*.cc common/http/*.cc common/app/*.cc common/server/*.cc)
SOURCES := $(COMMON) $(wildcard stages/*/*.cc harness/bench/*.cc)
HEADERS := $(wildcard common/*/*.hh stages/*/*.hh harness/bench/*/*.hh)
#@staff
TESTS  := $(wildcard common/tests/*.cc)
FUZZ   := common/tests/fuzz/session_fuzz.cc
SOURCES += $(TESTS) $(FUZZ)
HEADERS += $(wildcard common/tests/*/*.hh)
EXAMPLES := $(wildcard slides/examples/*)
#@end

# Half-written code leaves names unused: that is worth a warning, and no reason not to try it. A
# result that is not looked at is another matter.
UNFINISHED ?= -Wno-error=unused $(addprefix -Wno-error=unused-,variable but-set-variable function \
  parameter but-set-parameter label local-typedefs) $(addprefix -Werror=unused-,result value)
#@staff
UNFINISHED :=
#@end
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror $(UNFINISHED)
OPTIMIZE := -O2 -D_FORTIFY_SOURCE=2
# Static, without what nobody calls: nothing to load and to relocate, and a fork copies fewer pages.
LDFLAGS  += -static -Wl,--gc-sections
ifneq ($(SANITIZE),)
LDFLAGS  :=
OPTIMIZE := -O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif
CPPFLAGS += -Icommon -MMD -MP
CXXFLAGS += -std=c++20 $(OPTIMIZE) -g1 $(WARNINGS) -pthread

# `make STAGE=...` takes numbers or names: the stages that are meant, all when there are none.
CHOSEN := $(if $(STAGE),$(foreach s,$(STAGE),$(filter $(s) $(s)-%,$(STAGES))),$(STAGES))
ifneq ($(STAGE),)
ifneq ($(words $(STAGE)),$(words $(CHOSEN)))
$(error STAGE="$(STAGE)": there is no such stage. There are: $(STAGES))
endif
endif

.DEFAULT_GOAL := all
.PHONY: all help deps doctor run bench race trace diff format clean check $(STAGES) $(TOOLS)
.PHONY: grade watch next hint try xray reset predict report
.SECONDARY:
.DELETE_ON_ERROR:

all: $(STAGES) $(TOOLS) compile_commands.json  ## build all servers (the default; -j works)
$(STAGES) $(TOOLS): %: $(BUILD)/bin/%

help:  ## this list
	@echo "make NN-name       build one server: $(STAGES)" | fold -s -w 78
	@echo "make checkNN       grade lab NN and those before it, up to the first failure"
	@sed -n 's/^\([a-z][a-z_-]*\):.*  ## /\1\t/p' Makefile | expand -t 19 | sed 's/^/make /'

deps:  ## install what is missing (as root; otherwise print the line to run)
	@setup/deps.sh

doctor:  ## what this machine lacks, and the line that fixes it
	@PYTHON=$(PYTHON) CXX=$(CXX) setup/doctor.sh

run:  ## make run STAGE=06 [PORT=8080] [ARGS="--help"]: run one server here
	@test $(words $(STAGE)) = 1 || { echo 'which one? make run STAGE=06 [PORT=8080] [ARGS="..."]'; exit 2; }
	@$(MAKE) -s --no-print-directory $(CHOSEN)
	@exec $(BUILD)/bin/$(CHOSEN) $(if $(PORT),--port $(PORT)) $(ARGS)

# --- the labs ---

# What runs make in its turn is not part of this make: it has jobs of its own.
lab-tool = @env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL CXX="$(CXX)" $(PYTHON) -m harness.lab $(1) \
  $(if $(LAB),--lab "$(LAB)") $(if $(T),$(or $(2),--check) "$(T)") $(ARGS)
which-lab = @test -n "$(LAB)" || { echo 'which lab? make $@ LAB=04'; exit 2; }

grade:  ## make grade LAB=04 [T="4.2 4.3"] [SANITIZE=address,undefined]: the score of one lab
	$(which-lab)
ifneq ($(SANITIZE),)
	@$(MAKE) -s --no-print-directory $(filter $(LAB)-%,$(STAGES))
endif
	$(call lab-tool,grade $(if $(SANITIZE),--bin-dir $(BUILD)/bin),--only)

CHECKS := $(foreach lab,$(LABS),check$(firstword $(subst -, ,$(lab))))
.PHONY: $(CHECKS)
$(foreach check,$(CHECKS),$(eval $(check): LAB = $(check:check%=%)))
$(CHECKS):
	$(call lab-tool,check)

watch:  ## make watch LAB=04: build and check again at every save
	$(call lab-tool,watch)

next:  ## where you are, and what to write next
	$(call lab-tool,next)

hint:  ## make hint LAB=04 [T=4.3]: one more hint for what fails
	$(call lab-tool,hint)

try:  ## make try LAB=04 T=4.3: that check again, slowly, with the bytes
	$(call lab-tool,try)

predict:  ## make predict LAB=04: questions to answer before you write anything
	$(call lab-tool,predict)

reset:  ## make reset LAB=04: back to the start; yours is kept in .backup
	$(call lab-tool,reset)

report:  ## make report LAB=04: the lab report, with what was measured here
	$(call lab-tool,report)

xray:  ## what my running server is: processes, threads, what they wait in [PID=]
	@$(PYTHON) -m harness.xray $(PID)

# --- the kit ---

#@staff
.PHONY: handout starter docs mutants selftest test unit fuzz lint
.PHONY: slides slides-pdf slides-pictures slides-check

handout:  ## make handout OUT=DIR [LAB=05]: the student's repository; labs before LAB solved
	@test -n "$(OUT)" || { echo 'where to? make handout OUT=DIR [LAB=05]'; exit 2; }
	$(call lab-tool,handout --out "$(OUT)")

starter:  ## build what students start with, with g++ and clang++: there is no warning
	$(call lab-tool,starter)

docs:  ## make docs [LAB=04]: run every command of the labs' texts
	$(call lab-tool,docs)

mutants:  ## make mutants [LAB=04]: does the grader see each seeded mistake?
	$(call lab-tool,mutants)

selftest: deps  ## all that the grader promises, proved
	$(call lab-tool,selftest)

slides:  ## make slides [DECK=06]: the lecture, a page a deck, into build/slides
	@slides/setup.sh
	@$(PYTHON) -m harness.slides html $(DECK)

slides-pdf:  ## make slides-pdf [DECK=06]: the same as PDF, without the notes
	@slides/setup.sh chromium
	@$(PYTHON) -m harness.slides pdf $(DECK)

slides-pictures:  ## make slides-pictures [DECK=06]: every slide as a PNG
	@slides/setup.sh chromium
	@$(PYTHON) -m harness.slides pictures $(DECK)

slides-check: deps all  ## make slides-check [DECK=06]: is all of it to be read, and do the commands run?
	@slides/setup.sh chromium
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL $(PYTHON) -m harness.slides check $(DECK)

# With SANITIZE= it is one build that is tested; without, all that `make test` promises.
test: deps  ## test everything, or make test STAGE=06 [SANITIZE=...]: one stage from outside
ifneq ($(STAGE)$(SANITIZE),)
	@$(MAKE) --no-print-directory check
else
	@PYTHON=$(PYTHON) setup/test.sh
endif

unit: $(BUILD)/bin/unit-tests  ## the C++ unit tests
	$< --gtest_brief=1

fuzz: build/bin/session-fuzz  ## ten seconds of random input for the HTTP session
	@mkdir -p build/fuzz/corpus
	cd build/fuzz && ../bin/session-fuzz -max_total_time=10 -verbosity=0 -print_final_stats=0 \
	  corpus ../../common/tests/fuzz/corpus
#@end

check: $(CHOSEN)  ## only the checks from outside: make check STAGE=05 [ARGS="-k pipelin"]
	$(PYTHON) -m pytest harness/checks --bin-dir $(BUILD)/bin --stage "$(CHOSEN)" $(ARGS)

# FULL=1: every load and every peer, with a report; takes less than an hour, and goes on where it was
# stopped. DIR=path: the servers of another tree beside ours and nginx. TARGET=host:port: a server
# that runs already. COMPARE=old.json: what has changed since; with two files, nothing is measured.
# PAGE=results.json: nothing is measured, the report of an earlier run is written once more.
bench: deps  ## compare with others [STAGE="05 06"] [LOAD="hello file"] [ROUNDS=8] [FULL=1] [DIR=path]
	@$(MAKE) -s --no-print-directory $(TOOLS) \
	  $(if $(STAGE),$(CHOSEN),$(if $(TARGET)$(PAGE)$(word 2,$(COMPARE)),,$(STAGES)))
	@$(PYTHON) -m harness.bench $(if $(STAGE),--stage "$(CHOSEN)") $(if $(LOAD),--load "$(LOAD)") \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(filter-out 0,$(FULL)),--full) \
	  $(if $(DIR),--dir "$(DIR)") $(if $(TARGET),--target "$(TARGET)") \
	  $(if $(COMPARE),--compare $(COMPARE)) $(if $(PAGE),--page $(PAGE)) $(ARGS)

race: deps  ## make race [STAGE="02 06"]: watch servers side by side under load, live
	@$(MAKE) -sk --no-print-directory $(STAGES) $(TOOLS) || true  # what does not build takes no part
	@$(PYTHON) -m harness.race $(if $(STAGE),--stage "$(CHOSEN)") $(ARGS)

# Into build/trace: a picture of each server, a page that compares them. DIR=path: another tree's.
trace: deps  ## make trace [STAGE="01 06"] [SCENARIO=queue] [DIR=path]: servers at work, drawn
	@$(if $(DIR)$(filter herd,$(SCENARIO)),,$(MAKE) -sk --no-print-directory $(CHOSEN) || \
	  echo 'trace: what does not build is shown as it was last built, or left out' >&2)
	@$(PYTHON) -m harness.trace $(if $(STAGE),--stage "$(CHOSEN)") \
	  $(if $(DIR),--dir "$(DIR)",--bin-dir $(BUILD)/bin) \
	  $(if $(SCENARIO),--scenario $(SCENARIO)) $(ARGS)

diff:  ## make diff FROM=05 TO=06 [NAME=watch]: what makes one stage of the other
	@$(PYTHON) -m harness.stagediff "$(FROM)" "$(TO)" $(if $(NAME),"$(NAME)")

format:  ## put the C++ into the kit's form
	clang-format -i $(SOURCES) $(HEADERS) $(EXAMPLES)

#@staff
lint: compile_commands.json  ## clang-tidy, clang-format and flake8: nothing to say means clean
	clang-format --dry-run --Werror $(SOURCES) $(HEADERS) $(EXAMPLES)
	$(PYTHON) -m flake8 harness
	printf '%s\n' $(COMMON) $(wildcard stages/*/*.cc) | xargs -P$$(nproc) -n1 clang-tidy --quiet -p .
#@end

clean:  ## remove all that was built
	rm -rf build compile_commands.json .pytest_cache
	find harness -name __pycache__ -type d -prune -exec rm -rf {} +

# make V=1 shows the whole commands.
Q   := $(if $(V),,@)
say  = $(if $(V),,@echo "  $(1)")

object = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))

define stage-rule
$(BUILD)/bin/$(1): $(call object,$(wildcard stages/$(1)/*.cc)) $(BUILD)/libcommon.a
endef
$(foreach stage,$(STAGES),$(eval $(call stage-rule,$(stage))))

define tool-rule
$(BUILD)/bin/$(1): $(call object,harness/bench/$(1).cc)
endef
$(foreach tool,$(TOOLS),$(eval $(call tool-rule,$(tool))))

#@staff
# Tests need not be fast, but compiling them should be: no optimizer, and GoogleTest read once.
TEST_FLAGS = $(CPPFLAGS) $(CXXFLAGS) -O0 -U_FORTIFY_SOURCE
$(BUILD)/obj/common/tests/%.o: common/tests/%.cc $(BUILD)/pch/tests.hh.gch
	@mkdir -p $(@D)
	$(call say,compile $<)
	$(Q)$(CXX) $(TEST_FLAGS) -include $(BUILD)/pch/tests.hh -c $< -o $@

$(BUILD)/pch/tests.hh.gch: $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '#include <gtest/gtest.h>' >$(basename $@)
	$(Q)$(CXX) $(TEST_FLAGS) -x c++-header $(basename $@) -o $@

$(BUILD)/bin/unit-tests: LDLIBS := -lgtest -lgtest_main
$(BUILD)/bin/unit-tests: LDFLAGS :=
$(BUILD)/bin/unit-tests: $(call object,$(TESTS)) $(BUILD)/libcommon.a
#@end

$(BUILD)/bin/%:
	@mkdir -p $(@D)
	$(call say,link $@)
	$(Q)$(CXX) $(CXXFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/libcommon.a: $(call object,$(COMMON))
	@rm -f $@
	$(Q)ar rcs $@ $^

# The flags are a prerequisite: what was built with others is built anew.
$(BUILD)/obj/%.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,compile $<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

$(BUILD)/flags: always
	@mkdir -p $(@D)
	@echo '$(CXX) $(CPPFLAGS) $(CXXFLAGS)' | cmp -s - $@ || echo '$(CXX) $(CPPFLAGS) $(CXXFLAGS)' >$@
.PHONY: always

#@staff
# libFuzzer is clang's; it needs the library built with its instrumentation.
build/bin/session-fuzz: $(FUZZ) $(COMMON) $(wildcard common/*/*.hh common/tests/fuzz/*.hh)
	@mkdir -p $(@D)
	$(call say,compile $@)
	$(Q)$(CLANG_CXX) -std=c++20 -O1 -g1 -Icommon $(WARNINGS) -pthread -fsanitize=fuzzer,address,undefined \
	  -fno-sanitize-recover=all $(FUZZ) $(filter-out common/server/%,$(COMMON)) -o $@
#@end

# For editors: how each file is compiled.
compile_commands.json: Makefile $(sort $(dir $(SOURCES)))
	@{ echo '['; for f in $(SOURCES); do \
	  echo "{\"directory\": \"$(CURDIR)\", \"file\": \"$$f\", \"command\":" \
	       "\"$(CXX) -Icommon -std=c++20 $(WARNINGS) -pthread -c $$f\"},"; done | sed '$$s/,$$//'; \
	  echo ']'; } >$@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
