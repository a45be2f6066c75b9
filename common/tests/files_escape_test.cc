// Nothing outside the root is served, whatever it is called and wherever links lead.

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "app/files.hh"
#include "files_fixture.hh"

namespace tests {
namespace {

TEST_F(FilesTest, AreReachedThroughLinksAndDotsThatStayInside) {
  link("letters.txt", "link");
  link("dir", "folder");
  for (const char* target :
       {"link", "folder/inner.html", "./letters.txt", "dir/../letters.txt", "dir//inner.html"})
    EXPECT_EQ(get(target).status, Status::ok) << target;
}

TEST_F(FilesTest, OutsideTheRootAreNotFoundHoweverTheyAreCalled) {
  ASSERT_TRUE(std::filesystem::exists(tree.path("root/../outside/secret.txt")));
  const std::string absolute = tree.path("outside/secret.txt");
  for (const std::string& target :
       {std::string("../outside/secret.txt"), std::string("%2e%2e/outside/secret.txt"),
        std::string("..%2foutside%2Fsecret.txt"), std::string("%2e%2e%2foutside%2fsecret.txt"),
        std::string("dir/../../outside/secret.txt"), std::string("./../outside/secret.txt"),
        std::string("....//outside/secret.txt"), std::string("%252e%252e/outside/secret.txt"),
        std::string("..%5coutside%5csecret.txt"), absolute, "/" + absolute,
        "%2f" + absolute.substr(1), "dir/" + absolute, std::string("/proc/self/root") + absolute,
        std::string("/dev/fd/0")})
    expect_not_found(target);
}

TEST_F(FilesTest, OutsideTheRootAreNotFoundThroughALink) {
  link("../outside/secret.txt", "relative");
  link(tree.path("outside/secret.txt"), "absolute");
  link("../outside", "folder");
  link(tree.path("root/letters.txt"), "absolute-but-inside");
  link("/proc/self/cwd", "magic");
  link("loop", "loop");
  for (const char* target : {"relative", "absolute", "folder/secret.txt", "absolute-but-inside",
                             "dir/../relative", "magic", "loop"})
    expect_not_found(target);
}

TEST_F(FilesTest, WithANulByteInTheirNameAreABadRequest) {
  EXPECT_EQ(get("letters.txt%00").status, Status::bad_request);
  EXPECT_EQ(get("letters.txt%00.html").status, Status::bad_request);
}

TEST_F(FilesTest, ThatAreNoFilesAreNotFound) {
  ASSERT_EQ(::mkfifo(tree.path("root/fifo").c_str(), 0600), 0);
  for (const char* target :
       {"", ".", "/", "dir", "dir/", "fifo", "letters.txt/", "letters.txt/x", "nothing"})
    expect_not_found(target);
  expect_not_found(std::string(5000, 'x'));
}

TEST_F(FilesTest, ThatMayNotBeReadAreNotFound) {
  std::filesystem::permissions(tree.path("root/letters.txt"), std::filesystem::perms::none);
  const int nobody = 65534;
  const int before = ::setfsuid(nobody);  // root may read everything
  expect_not_found("letters.txt");
  ::setfsuid(static_cast<uid_t>(before));
}

TEST(PercentDecode, UndoesEscapesOnce) {
  EXPECT_EQ(app::percent_decode("a%20b%2Fc%2f%25%e4"), "a b/c/%\xe4");
  EXPECT_EQ(app::percent_decode("%2541"), "%41");
  EXPECT_EQ(app::percent_decode(""), "");
}

TEST(PercentDecode, RefusesWhatIsMalformed) {
  for (const char* text :
       {"%", "%2", "a%", "a%4", "%zz", "%4z", "%+1", "%-1", "% 1", "%0x", "%00", "a%00b"})
    EXPECT_FALSE(app::percent_decode(text)) << text;
  EXPECT_FALSE(app::percent_decode(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace tests
