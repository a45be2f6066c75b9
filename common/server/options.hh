#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "http/time.hh"

namespace server {

// What a stage is called, says of itself, and makes of the options that not every stage has.
struct Stage {
  std::string_view name;  // "06-epoll-lt"
  std::string_view idea;  // one line
  int workers = 0;        // --workers' default; 0: the option means nothing here
  int queue = 0;          // --queue likewise
  int connections = 0;    // --max-connections likewise
};

// As many connections as the hard descriptor limit allows, less those a server needs for itself.
[[nodiscard]] int descriptors_for_clients();

// Raises the soft descriptor limit to the hard one, which needs no privilege (getrlimit(2)).
void raise_descriptor_limit();

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string root;
  int workers = 0;
  int queue = 0;
  int backlog = 4096;
  int max_connections = 0;
  http::Duration idle_timeout;
  http::Duration header_timeout;
  http::Duration io_timeout;
  http::Duration drain_timeout;
  std::size_t max_body = 1024 * 1024;
  bool access_log = false;
};

// Reads the command line. Nothing means that all is said (--help, --version, a usage error), and
// `exit_status` is what to return: 0, or 2 after a sentence on standard error.
[[nodiscard]] std::optional<Options> parse_options(int argc, char** argv, const Stage& stage,
                                                   int& exit_status);

}  // namespace server
