// How far apart two cpus are: the time a cache line takes from one to the other and back, in ns.
// A virtual machine's cpus may be moved apart and together again by its host, from one moment to
// the next; all that two cpus do with each other, such as a reply over loopback, then costs a
// quarter more or less. A benchmark that knows the distance compares like with like.
//
//   distance CPU CPU
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>

namespace {

constexpr int trips = 500;              // in a batch
constexpr int batches = 12;             // the quickest one counts: nobody else was on either cpu
alignas(128) std::atomic<int> ball{0};  // even: on the near side, odd: on the far side

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) std::exit(1);
}

void pass_back(int cpu) {
  pin(cpu);
  for (int next = 1; next < 2 * trips * batches; next += 2) {
    while (ball.load(std::memory_order_acquire) != next) {
    }
    ball.store(next + 1, std::memory_order_release);
  }
}

}  // namespace

int main(int argc, char** argv) {
  using clock = std::chrono::steady_clock;
  if (argc != 3) return 2;
  pin(std::atoi(argv[1]));
  std::jthread far_side(pass_back, std::atoi(argv[2]));
  auto quickest = std::numeric_limits<double>::max();
  for (int batch = 0, next = 1; batch < batches; ++batch) {
    const auto start = clock::now();
    for (int trip = 0; trip < trips; ++trip, next += 2) {
      ball.store(next, std::memory_order_release);
      while (ball.load(std::memory_order_acquire) != next + 1) {
      }
    }
    const std::chrono::duration<double, std::nano> took = clock::now() - start;
    quickest = std::min(quickest, took.count() / trips);
  }
  std::printf("%.1f\n", quickest);
}
