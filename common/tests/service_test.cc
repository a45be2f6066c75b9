#include "app/service.hh"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "body.hh"
#include "tree.hh"

namespace {

using http::Later;
using http::Method;
using http::Response;
using http::Status;
using http::Time;
using namespace std::chrono_literals;

class ServiceTest : public testing::Test {
 protected:
  http::Answer answer(Method method, const std::string& target, const std::string& body = {}) {
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.fields[http::Field::content_type] = "text/x-own";
    return service.answer(std::move(request));
  }

  Response get(const std::string& target) {
    return std::get<Response>(answer(Method::get, target));
  }

  std::unique_ptr<Later> get_later(const std::string& target) {
    return std::get<std::unique_ptr<Later>>(answer(Method::get, target));
  }

  void expect(const std::string& target, Status status, const std::string& body) {
    Response response = get(target);
    EXPECT_EQ(response.status, status) << target;
    EXPECT_EQ(tests::body_of(response), body) << target;
  }

  tests::Tree tree;
  app::Service service{"99-tested", "an idea", tree.path("")};
};

TEST_F(ServiceTest, SaysHello) {
  expect("/hello", Status::ok, "Hello, World!");
  EXPECT_EQ(get("/hello").type, "text/plain");
}

TEST_F(ServiceTest, HasAStartPageThatSaysWhichStageThisIs) {
  Response page = get("/");
  EXPECT_EQ(page.status, Status::ok);
  EXPECT_EQ(page.type, "text/html; charset=utf-8");
  const std::string html = tests::body_of(page);
  for (const char* part :
       {"<!doctype html>", "99-tested", "an idea", "/hello", "/stats", "/rendezvous"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
}

TEST_F(ServiceTest, EchoesABodyAndItsType) {
  const std::string every_byte = [] {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
  }();
  for (const Method method : {Method::post, Method::put}) {
    auto response = std::get<Response>(answer(method, "/echo?x", every_byte));
    EXPECT_EQ(response.status, Status::ok);
    EXPECT_EQ(response.own_type, "text/x-own");
    EXPECT_EQ(tests::body_of(response), every_byte);
  }
}

TEST_F(ServiceTest, HasBytesOfAFixedPattern) {
  for (const std::size_t n : {0UL, 1UL, 251UL, 252UL, 16'064UL, 1'000'000UL}) {
    std::string pattern(n, '\0');
    for (std::size_t i = 0; i < n; ++i) pattern[i] = static_cast<char>(i % 251);
    for (const std::size_t piece : {997UL, 65'536UL}) {
      Response response = get("/bytes/" + std::to_string(n));
      EXPECT_EQ(response.body.length, n);
      EXPECT_EQ(tests::body_of(response, piece), pattern) << n << " in pieces of " << piece;
    }
  }
  EXPECT_EQ(get("/bytes/1073741824").body.length, std::uint64_t{1} << 30);
}

TEST_F(ServiceTest, RefusesParametersThatAreNoneOrTooLarge) {
  for (const char* target : {"/bytes/",
                             "/bytes/x",
                             "/bytes/-1",
                             "/bytes/+1",
                             "/bytes/1x",
                             "/bytes/1073741825",
                             "/bytes/18446744073709551617",
                             "/bytes/1/",
                             "/sleep",
                             "/sleep?",
                             "/sleep?ms",
                             "/sleep?ms=",
                             "/sleep?ms=x",
                             "/sleep?ms=-1",
                             "/sleep?ms=1.5",
                             "/sleep?ms=60001",
                             "/sleep?sms=1",
                             "/sleep?xms=1&m=2",
                             "/work",
                             "/work?us=10000001",
                             "/work?us=1e3",
                             "/rendezvous",
                             "/rendezvous?n=2",
                             "/rendezvous?ms=2",
                             "/rendezvous?n=0&ms=1",
                             "/rendezvous?n=4097&ms=1",
                             "/rendezvous?n=1&ms=60001"})
    EXPECT_EQ(get(target).status, Status::bad_request) << target;
}

TEST_F(ServiceTest, FindsAParameterAmongOthers) {
  expect("/work?x&us=1&y=2", Status::ok, "worked 1 us\n");
  expect("/work?usx=9&us=2&us=3", Status::ok, "worked 2 us\n");
}

TEST_F(ServiceTest, KnowsNoOtherPath) {
  for (const char* target : {"/hello/", "/hell", "/helloo", "/HELLO", "//", "//hello", "/bytes",
                             "/files", "/echo/", "*", "", "hello", "/favicon.ico", "/%68ello"})
    EXPECT_EQ(get(target).status, Status::not_found) << target;
}

TEST_F(ServiceTest, SaysWhichMethodsAPathTakes) {
  for (const char* path : {"/", "/hello", "/bytes/1", "/files/a", "/sleep?ms=1", "/work?us=1",
                           "/rendezvous?n=1&ms=1", "/stats"})
    for (const Method method : {Method::post, Method::put, Method::patch, Method::del,
                                Method::options, Method::trace, Method::connect}) {
      const auto response = std::get<Response>(answer(method, path));
      EXPECT_EQ(response.status, Status::method_not_allowed) << path;
      EXPECT_EQ(response.fields, "Allow: GET, HEAD\r\n") << path;
    }
  for (const Method method : {Method::get, Method::head, Method::del}) {
    const auto response = std::get<Response>(answer(method, "/echo"));
    EXPECT_EQ(response.status, Status::method_not_allowed);
    EXPECT_EQ(response.fields, "Allow: POST, PUT\r\n");
  }
}

TEST_F(ServiceTest, TakesHeadWhereverItTakesGet) {
  for (const char* path : {"/", "/hello", "/bytes/1", "/stats", "/work?us=1"})
    EXPECT_EQ(std::get<Response>(answer(Method::head, path)).status, Status::ok) << path;
}

TEST_F(ServiceTest, SleepsWithoutHoldingAnybodyUp) {
  const Time before = http::Clock::now();
  const auto later = get_later("/sleep?ms=50000");
  const Time after = http::Clock::now();
  EXPECT_LT(after - before, 10s);
  EXPECT_GE(later->due, before + 50s);
  EXPECT_LE(later->due, after + 50s);
  auto response = later->poll(later->due);
  ASSERT_TRUE(response);
  EXPECT_EQ(tests::body_of(*response), "slept 50000 ms\n");
}

TEST_F(ServiceTest, WorksForAsLongAsItIsTold) {
  timespec before{};
  timespec after{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  expect("/work?us=20000", Status::ok, "worked 20000 us\n");
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  EXPECT_GE((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec,
            20'000'000);
}

TEST_F(ServiceTest, LetsRequestsMeet) {
  const auto one = get_later("/rendezvous?n=2&ms=5000");
  const Time now = one->due;
  EXPECT_FALSE(one->poll(now));
  const auto other = get_later("/rendezvous?n=2&ms=5000");
  for (auto* later : {one.get(), other.get()}) {
    auto response = later->poll(now);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, Status::ok);
    EXPECT_EQ(tests::body_of(*response), "met: 2 requests at once\n");
  }
}

TEST_F(ServiceTest, TellsWhoWaitedInVain) {
  const auto later = get_later("/rendezvous?n=2&ms=500");
  EXPECT_FALSE(later->poll(later->due + 499ms));
  const auto response = later->poll(later->due + 500ms);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, Status::unavailable);
}

TEST_F(ServiceTest, ForgetsARequestThatWasGivenUp) {
  get_later("/rendezvous?n=2&ms=5000").reset();  // its client has gone
  const auto later = get_later("/rendezvous?n=2&ms=5000");
  EXPECT_FALSE(later->poll(later->due));
}

TEST_F(ServiceTest, HasStatistics) {
  service.shared().process_started(12);
  service.shared().process_started(34);
  service.shared().connection_opened();
  service.shared().connection_opened();
  service.shared().connections_closed();
  service.shared().traffic.requests = 5;
  service.shared().traffic.bytes_in = 6;
  service.shared().traffic.bytes_out = 7;
  expect("/stats", Status::ok,
         "{\"stage\": \"99-tested\", \"pids\": [12, 34], \"open\": 1, \"accepted\": 2, "
         "\"requests\": 5, \"bytes_in\": 6, \"bytes_out\": 7}\n");
  EXPECT_EQ(get("/stats").type, "application/json");
}

TEST_F(ServiceTest, ServesFilesByTheirEscapedNames) {
  tree.write("a b.txt", "found");
  expect("/files/a%20b.txt?version=2", Status::ok, "found");
  EXPECT_EQ(get("/files/%2e%2e/etc/passwd").status, Status::not_found);
  EXPECT_EQ(get("/files/a%00").status, Status::bad_request);
}

TEST(Service, NeedsARootThatExists) {
  EXPECT_THROW(app::Service("99-tested", "an idea", "/nonexistent"), std::system_error);
}

}  // namespace
