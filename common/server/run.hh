#pragma once

#include "app/service.hh"
#include "http/session.hh"
#include "http/settings.hh"
#include "net/listener.hh"
#include "server/options.hh"
#include "server/stop.hh"

namespace server {

// What a stage is given to work with. All of it outlives the stage's connections.
struct Context {
  const Options& options;
  const Stop& stop;
  net::Listener& listener;
  app::Service& service;
  http::Settings settings;

  [[nodiscard]] std::size_t max_connections() const {
    return static_cast<std::size_t>(options.max_connections);
  }

  // A new client's conversation.
  [[nodiscard]] http::Session new_session(http::Time now) const { return {settings, now}; }

  // Answers every request that is whole, as long as there is room for replies.
  void answer(http::Session& session) const {
    while (auto request = session.next_request())
      session.respond(service.answer(std::move(*request)));
  }
};

// A stage's main(): reads the options, listens, says so on standard output, and calls `serve`,
// which returns when the server is stopped and drained. Returns the exit status: 0 drained,
// 1 cannot run (one line on standard error says why), 2 usage.
[[nodiscard]] int run(int argc, char** argv, const Stage& stage, net::Listener::Mode mode,
                      void (*serve)(Context& context));

}  // namespace server
