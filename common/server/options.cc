#include "server/options.hh"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>

namespace server {
namespace {

constexpr const char* version = "C10K Lab 0.1";

// An option that only some stages have: the others name it too, so that they can say why not.
void add_for_some(CLI::App& app, const std::string& name, int& value, int standard,
                  const std::string& help, const Stage& stage, int most) {
  value = standard;
  if (standard > 0) {
    app.add_option(name, value, help)->capture_default_str()->check(CLI::Range(1, most));
    return;
  }
  const std::string stage_name(stage.name);
  app.add_option_function<std::string>(
         name,
         [name, stage_name](const std::string&) {
           throw CLI::ValidationError(name + " means nothing to " + stage_name +
                                      ": it has no such thing to set");
         },
         help)
      ->group("");
}

void add_seconds(CLI::App& app, const std::string& name, double& value, const std::string& help) {
  app.add_option(name, value, help)
      ->capture_default_str()
      ->check(
          [](const std::string& text) {  // CLI::Range would let NaN through
            double seconds = 0;
            const bool good =
                CLI::detail::lexical_cast(text, seconds) && seconds >= 0.001 && seconds <= 86400;
            return good ? std::string() : "Value " + text + " not in range 0.001 to 86400";
          },
          "SECONDS");
}

http::Duration seconds(double value) {
  return std::chrono::duration_cast<http::Duration>(std::chrono::duration<double>(value));
}

}  // namespace

int descriptors_for_clients() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == -1) return 1000;
  return std::max(1, static_cast<int>(std::min<rlim_t>(files.rlim_max, 1'000'000)) - 64);
}

void raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == -1) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

std::optional<Options> parse_options(int argc, char** argv, const Stage& stage, int& exit_status) {
  Options options;
  double idle = 20;
  double header = 10;
  double io = 20;
  double drain = 10;

  CLI::App app{std::string(stage.name) + ": " + std::string(stage.idea)};
  app.option_defaults()->always_capture_default();
  app.set_version_flag("--version", std::string(version) + ", stage " + std::string(stage.name));
  app.add_option("--host", options.host, "numeric address to listen on");
  app.add_option("--port", options.port, "port to listen on; 0: any free one");
  app.add_option("--root", options.root,
                 "directory below which /files/PATH is served; none: no file")
      ->option_text("DIR");
  add_for_some(app, "--workers", options.workers, stage.workers, "threads or processes that serve",
               stage, 4096);
  add_for_some(app, "--queue", options.queue, stage.queue,
               "accepted connections that may wait for a worker", stage, 65536);
  app.add_option(
         "--backlog", options.backlog,
         "connections that may wait in the kernel to be accepted; net.core.somaxconn caps it")
      ->check(CLI::Range(1, 65535));
  add_for_some(app, "--max-connections", options.max_connections, stage.connections,
               "connections served at once; more wait to be accepted", stage, 1'000'000);
  add_seconds(app, "--idle-timeout", idle, "seconds a connection may rest between requests");
  add_seconds(app, "--header-timeout", header, "seconds a request's head may take to come in");
  add_seconds(app, "--io-timeout", io, "seconds a body or a reply may make no progress");
  add_seconds(app, "--drain-timeout", drain, "seconds SIGTERM leaves for replies under way");
  app.add_option("--max-body", options.max_body, "bytes a request's body may have")
      ->check(CLI::Range(std::size_t{0}, std::size_t{1} << 30));
  app.add_flag("--access-log", options.access_log, "a line per reply on standard error");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    exit_status = app.exit(asked, std::cout, std::cerr);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    std::cerr << stage.name << ": " << error.what() << " (--help lists the options)\n";
    exit_status = 2;
    return std::nullopt;
  }
  options.idle_timeout = seconds(idle);
  options.header_timeout = seconds(header);
  options.io_timeout = seconds(io);
  options.drain_timeout = seconds(drain);
  return options;
}

}  // namespace server
