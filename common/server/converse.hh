#pragma once

#include "net/fd.hh"
#include "server/run.hh"

namespace server {

// Talks to one client until one side is done, blocking in recv(2) and send(2): what the stages
// 00 to 03 do with a connection, each in another kind of place. Never throws for what a client
// does; closing the socket is left to whoever owns it.
void converse(const net::Fd& client, const Context& context);

}  // namespace server
