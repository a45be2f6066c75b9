#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace net {

// Throws std::system_error that names the call which set errno: "bind 127.0.0.1:80: Permission
// denied". For what makes a server unable to run; a single connection's trouble never throws.
[[noreturn]] inline void throw_errno(const std::string& call) {
  throw std::system_error(errno, std::generic_category(), call);
}

// Passes a system call's result on, or throws when it is -1.
inline int checked(int result, const char* call) {
  if (result == -1) throw_errno(call);
  return result;
}

}  // namespace net
