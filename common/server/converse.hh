#pragma once

#include "net/fd.hh"
#include "server/run.hh"

namespace server {

// Where a conversation says that it rests: it waits for a request, and none has begun. By default
// it may. A pool has clients who wait for the very thread that would rest.
class Rests {
 public:
  virtual ~Rests() = default;
  [[nodiscard]] virtual bool crowded() { return false; }  // somebody waits: say good-bye
  virtual void begin(int) {}  // may shut the descriptor down for reading, at once or later
  virtual void end(int) {}
};

// Talks to one client until one side is done, blocking in recv(2) and send(2): what the stages
// 00 to 03 do with a connection, each in another kind of place. Never throws for what a client
// does; closing the socket is left to whoever owns it.
void converse(const net::Fd& client, const Context& context, Rests& rests);
void converse(const net::Fd& client, const Context& context);

// Tells a client that there is no room for it, without waiting for anything: 503, and the end.
void turn_away(const net::Fd& client, const Context& context);

}  // namespace server
