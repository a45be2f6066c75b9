#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <string>
#include <type_traits>

#include "net/error.hh"
#include "net/fd.hh"

namespace tests {

// What became of a child process.
struct Outcome {
  int wait_status = 0;
  std::string out;  // what it wrote to standard output
  std::string err;  // and to standard error

  [[nodiscard]] int exit_status() const {  // -1: a signal ended it
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
  }
};

inline std::string read_all(int fd) {
  std::string all;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
    all.append(buffer.data(), static_cast<std::size_t>(n));
  return all;
}

// Both ends of a pipe: [0] to read from, [1] to write to.
inline std::array<net::Fd, 2> make_pipe() {
  std::array<int, 2> ends{};
  net::checked(::pipe(ends.data()), "pipe");
  return {net::Fd(ends[0]), net::Fd(ends[1])};
}

// A file without a name, to which threads may write at the same time. Unlike a pipe it takes all.
inline net::Fd make_file() {
  net::Fd file(net::checked(::memfd_create("output", 0), "memfd_create"));
  net::checked(::fcntl(file.get(), F_SETFL, O_APPEND), "fcntl");
  return file;
}

// fork(2), but for what the tests have written and is not out yet: or else a child writes it, too.
inline pid_t fork_child() {
  std::fflush(nullptr);
  return net::checked(::fork(), "fork");
}

// Runs `body` in a child of its own and waits for its end: for what a process can do only once, or
// must not do to the others' tests. An int that it returns is the exit status. Expectations do not
// work in there: let it say on standard output what it sees.
template <typename Body>
Outcome in_child(Body body) {
  const net::Fd out = make_file();
  const net::Fd err = make_file();
  const pid_t pid = fork_child();
  if (pid == 0) {
    ::dup2(out.get(), STDOUT_FILENO);
    ::dup2(err.get(), STDERR_FILENO);
    int status = 0;
    if constexpr (std::is_void_v<decltype(body())>)
      body();
    else
      status = body();
    std::cout.flush();
    ::_exit(status);
  }
  Outcome outcome;
  net::checked(::waitpid(pid, &outcome.wait_status, 0), "waitpid");
  for (const net::Fd* file : {&out, &err}) ::lseek(file->get(), 0, SEEK_SET);
  outcome.out = read_all(out.get());
  outcome.err = read_all(err.get());
  return outcome;
}

}  // namespace tests
