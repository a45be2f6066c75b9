#include "app/files.hh"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "files_fixture.hh"

namespace tests {
namespace {

using http::Field;
using http::Method;

TEST_F(FilesTest, AreServedWithTypeAndDate) {
  Response response = get("letters.txt");
  EXPECT_EQ(response.status, Status::ok);
  EXPECT_EQ(response.type, "text/plain; charset=utf-8");
  EXPECT_EQ(response.fields,
            "Last-Modified: " + date("letters.txt") + "\r\nAccept-Ranges: bytes\r\n");
  EXPECT_EQ(body_of(response), letters);
}

TEST_F(FilesTest, HaveATypeByTheirEnding) {
  for (const auto& [name, type] : std::vector<std::pair<std::string, std::string>>{
           {"dir/inner.html", "text/html; charset=utf-8"},
           {"a.css", "text/css"},
           {"a.js", "text/javascript"},
           {"a.json", "application/json"},
           {"a.png", "image/png"},
           {"a.tar.gz", "application/octet-stream"},
           {"Makefile", "application/octet-stream"}}) {
    tree.write("root/" + name, "x");
    EXPECT_EQ(get(name).type, type) << name;
  }
}

TEST_F(FilesTest, OfAnySizeAreServedToTheLastByte) {
  for (const std::size_t size : {0U, 1U, 65'536U, 65'537U, 1'000'000U}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
    tree.write("root/big", bytes);
    Response response = get("big");
    EXPECT_EQ(response.body.length, size);
    EXPECT_EQ(body_of(response), bytes) << size;
  }
}

TEST_F(FilesTest, MayHaveAnyNameThatCanBeEscaped) {
  tree.write("root/50% of \xc3\xa4?", "x");
  EXPECT_EQ(get("50%25%20of%20%c3%A4%3F").status, Status::ok);
}

TEST_F(FilesTest, AreUnavailableWhileThereIsNoDescriptor) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Status status = get("letters.txt").status;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(status, Status::unavailable);
}

TEST_F(FilesTest, AreNoneWithoutARoot) {
  EXPECT_EQ(app::Files("").serve("letters.txt", request).status, Status::not_found);
}

TEST_F(FilesTest, NeedARootThatIsADirectory) {
  EXPECT_THROW(app::Files(tree.path("nothing")), std::system_error);
  EXPECT_THROW(app::Files(tree.path("root/letters.txt")), std::system_error);
}

TEST_F(FilesTest, AreNotSentAgainUnlessModified) {
  for (const auto& [since, status] :
       std::vector<std::pair<std::string, Status>>{{date("letters.txt"), Status::not_modified},
                                                   {date("letters.txt", 1), Status::not_modified},
                                                   {date("letters.txt", -1), Status::ok},
                                                   {"yesterday", Status::ok},
                                                   {"", Status::ok}}) {
    request.fields[Field::if_modified_since] = since;
    Response response = get("letters.txt");
    EXPECT_EQ(response.status, status) << since;
    EXPECT_NE(response.fields.find("Last-Modified: " + date("letters.txt")), std::string::npos)
        << since;
    EXPECT_EQ(body_of(response), status == Status::ok ? letters : "") << since;
  }
}

TEST_F(FilesTest, AreSentInPartWhenAskedFor) {
  tree.write("root/large", std::string(100'000, 'x') + letters);
  for (const auto& [name, range, content_range, bytes] : std::vector<std::array<std::string, 4>>{
           {"letters.txt", "bytes=1-3", "1-3/26", "bcd"},
           {"letters.txt", "bytes=0-", "0-25/26", letters},
           {"letters.txt", "bytes=-2", "24-25/26", "yz"},
           {"large", "bytes=99999-100001", "99999-100001/100026", "xab"},
           {"large", "bytes=-3", "100023-100025/100026", "xyz"}}) {
    request.fields[Field::range] = range;
    Response response = get(name);
    EXPECT_EQ(response.status, Status::partial_content) << range;
    EXPECT_TRUE(response.fields.ends_with("\r\nContent-Range: bytes " + content_range + "\r\n"))
        << response.fields;
    EXPECT_EQ(body_of(response), bytes) << range;
  }
}

TEST_F(FilesTest, SayHowLongTheyAreWhenARangeLiesBehindTheirEnd) {
  request.fields[Field::range] = "bytes=26-";
  Response response = get("letters.txt");
  EXPECT_EQ(response.status, Status::range_not_satisfiable);
  EXPECT_TRUE(response.fields.ends_with("\r\nContent-Range: bytes */26\r\n")) << response.fields;
  EXPECT_EQ(body_of(response), "");
}

TEST_F(FilesTest, AreSentWholeWhenARangeMeansNothing) {
  request.fields[Field::range] = "bytes=0-1,3-4";
  EXPECT_EQ(get("letters.txt").status, Status::ok);
  request.fields[Field::range] = "bytes=0-1";
  request.method = Method::head;  // RFC 9110 section 14.2: ranges are for GET
  EXPECT_EQ(get("letters.txt").status, Status::ok);
}

TEST_F(FilesTest, AreSentInPartOnlyOfTheVersionTheClientHas) {
  request.fields[Field::range] = "bytes=0-1";
  for (const auto& [version, status] :
       std::vector<std::pair<std::string, Status>>{{date("letters.txt"), Status::partial_content},
                                                   {date("letters.txt", -1), Status::ok},
                                                   {date("letters.txt", 1), Status::ok},
                                                   {"\"an-entity-tag\"", Status::ok}}) {
    request.fields[Field::if_range] = version;
    EXPECT_EQ(get("letters.txt").status, status) << version;
  }
}

// A change of the last two seconds is too fresh to be kept: another could follow unseen.
void wait_until_old(const std::string& path) {
  struct stat state {};
  ASSERT_EQ(::stat(path.c_str(), &state), 0);
  while (std::time(nullptr) - state.st_ctim.tv_sec < 2)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

TEST_F(FilesTest, AreKeptInMemoryButSeenAtOnceWhenTheyChange) {
  const std::string path = tree.path("root/letters.txt");
  const auto kept = [this] { return std::get<1>(get("letters.txt").body.data); };
  EXPECT_NE(kept(), kept()) << "too fresh to be kept";
  ASSERT_NO_FATAL_FAILURE(wait_until_old(path));
  EXPECT_EQ(kept(), kept()) << "the very same bytes";

  std::string changed = letters;
  changed[0] = 'A';
  tree.write("root/letters.txt", changed);
  EXPECT_EQ(*kept(), changed);
  tree.write("root/new.txt", "new");
  std::filesystem::rename(tree.path("root/new.txt"), path);
  EXPECT_EQ(*kept(), "new");
  std::filesystem::remove(path);
  EXPECT_EQ(get("letters.txt").status, Status::not_found);
}

}  // namespace
}  // namespace tests
