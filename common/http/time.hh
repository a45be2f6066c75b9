#pragma once

#include <chrono>

namespace http {

// Deadlines are points on the monotonic clock: nobody's setting of the date moves them. The
// protocol itself never reads a clock, it is told what time it is.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

}  // namespace http
