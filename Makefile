# C10K Lab: nine servers, one protocol, one harness. `make help` lists what there is.

SHELL    := /bin/bash
CXX      ?= g++
PYTHON   ?= /usr/bin/python3
SANITIZE ?=

ifeq ($(origin CXX),default)
CXX := g++
endif

comma   := ,
BUILD   := build$(if $(SANITIZE),/$(SANITIZE))
STAGES  := $(notdir $(wildcard stages/[0-9]*))
TOOLS   := $(basename $(notdir $(wildcard harness/bench/*.cc)))

WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
OPTIMIZE := $(if $(SANITIZE),-O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all,-O2)
CXXFLAGS += -std=c++20 $(OPTIMIZE) -g1 $(WARN) -pthread
CPPFLAGS += -Icommon -MMD -MP -D_FORTIFY_SOURCE=$(if $(SANITIZE),0,2)

COMMON := $(wildcard common/net/*.cc common/http/*.cc common/app/*.cc common/server/*.cc)
object  = $(patsubst %.cc,$(BUILD)/obj/%.o,$(1))

.DEFAULT_GOAL := all
.PHONY: all $(STAGES) $(TOOLS)

all: $(STAGES) $(TOOLS)
$(STAGES) $(TOOLS): %: $(BUILD)/bin/%

define stage_rule
$(BUILD)/bin/$(1): $(call object,$(wildcard stages/$(1)/*.cc)) $(BUILD)/libcommon.a
endef
$(foreach stage,$(STAGES),$(eval $(call stage_rule,$(stage))))

define tool_rule
$(BUILD)/bin/$(1): $(call object,harness/bench/$(1).cc)
endef
$(foreach tool,$(TOOLS),$(eval $(call tool_rule,$(tool))))

$(BUILD)/bin/%:
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(LDFLAGS) $^ -o $@

$(BUILD)/libcommon.a: $(call object,$(COMMON))
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c $< -o $@

-include $(shell find build -name '*.d' 2>/dev/null)
