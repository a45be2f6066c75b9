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

// The first request makes tables that all others use (names of fields, the time zone). A server
// that forks would make them again in every child, and touch the pages for them.
void warm_up(app::Service& service) {
  http::Settings unnoticed;
  http::Session session(unnoticed, http::Clock::now());
  constexpr std::string_view request = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
  session.received(request, http::Clock::now());
  while (auto first = session.next_request()) session.respond(service.answer(std::move(*first)));
}

}  // namespace

int run(int argc, char** argv, const Stage& stage, net::Listener::Mode mode,
        void (*serve)(Context& context)) {
  int exit_status = 0;
  const auto options = parse_options(argc, argv, stage, exit_status);
  if (!options) return exit_status;
  try {
    raise_descriptor_limit();
    const Stop stop(options->drain_timeout);  // before anybody can know that we are here
    app::Service service(std::string(stage.name), std::string(stage.idea), options->root);
    service.shared().process_started(::getpid());
    net::Listener listener(options->host, options->port, options->backlog, mode);
    Context context{*options, stop, listener, service, settings_for(*options, service)};
    std::cout << "listening on http://" << listener.address() << " stage=" << stage.name
              << " pid=" << ::getpid() << std::endl;
    warm_up(service);
    serve(context);
    return 0;
  } catch (const std::exception& error) {
    log(std::string(stage.name) + ": " + error.what());
    return 1;
  }
}

}  // namespace server
