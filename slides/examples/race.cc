// Two threads add to one number, and nobody says who may when: what comes out is anybody's guess.

#include <cstdio>
#include <thread>

long served = 0;
void work() {
  for (int i = 0; i < 10'000'000; ++i) served = served + 1;
}
int main() {
  std::thread a(work), b(work);
  a.join(), b.join();
  std::printf("%ld\n", served);
}
