#pragma once

#include <atomic>

#include "net/fd.hh"
#include "server/run.hh"

// Serves, with level-triggered epoll as in 06-epoll-lt, the clients that come over `channel`.
// Returns when it is told to stop, by a signal or by the channel's end, and is done with them.
// `load` is the number of clients that the master has handed over and that have not left yet;
// memory that both share.
void run_worker(const server::Context& context, net::Fd channel, std::atomic<int>& load);
