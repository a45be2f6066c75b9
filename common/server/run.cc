#include "server/run.hh"

#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>

#include "server/log.hh"

namespace server {
namespace {

void log_reply(const http::LogEntry& entry) {
  log("\"" + std::string(entry.request) + "\" " +
      std::string(http::status_text(entry.status).substr(0, 3)) + " " +
      std::to_string(entry.length));
}

http::Settings settings_for(const Options& options, app::Service& service) {
  http::Settings settings;
  settings.max_body = options.max_body;
  settings.idle_timeout = options.idle_timeout;
  settings.header_timeout = options.header_timeout;
  settings.io_timeout = options.io_timeout;
  settings.log = options.access_log ? log_reply : nullptr;
  settings.traffic = &service.shared().traffic;
  return settings;
}

}  // namespace

int run(int argc, char** argv, const Stage& stage, net::Listener::Mode mode,
        void (*serve)(Context& context)) {
  int exit_status = 0;
  const auto options = parse_options(argc, argv, stage, exit_status);
  if (!options) return exit_status;
  try {
    const Stop stop(options->drain_timeout);  // before anybody can know that we are here
    app::Service service(std::string(stage.name), std::string(stage.idea), options->root);
    service.shared().process_started(::getpid());
    net::Listener listener(options->host, options->port, options->backlog, mode);
    Context context{*options, stop, listener, service, settings_for(*options, service)};
    std::cout << "listening on http://" << listener.address() << " stage=" << stage.name
              << " pid=" << ::getpid() << std::endl;
    // The first date reads the time zone's file: once here, and not once in every child.
    (void)context.settings.date();
    serve(context);
    return 0;
  } catch (const std::exception& error) {
    log(std::string(stage.name) + ": " + error.what());
    return 1;
  }
}

}  // namespace server
