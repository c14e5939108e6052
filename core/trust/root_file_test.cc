#include "core/trust/root_file.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/repository.h"

namespace berth::trust {
namespace {

class RootFile : public testing::Test {
 protected:
  std::filesystem::path made(std::chrono::system_clock::time_point now) {
    const auto done = init_repository(folder.path() / "repo", folder.path() / "keys", now);
    EXPECT_TRUE(done) << done.error().message;
    return folder.path() / "repo/metadata";
  }

  const files::TemporaryDirectory folder;
};

TEST_F(RootFile, IsRightAlsoWhereItExpired) {
  const auto metadata = made(std::chrono::system_clock::now() - std::chrono::years(10));
  for (const char* name : {"root.json", "1.root.json"}) {
    const auto right = check_root_file(metadata / name);
    EXPECT_TRUE(right) << name << ": " << right.error().message;
  }
}

TEST_F(RootFile, SaysWhyAnotherFileIsNone) {
  const auto metadata = made(std::chrono::system_clock::now());
  const auto other = check_root_file(metadata / "timestamp.json");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::trust);
  EXPECT_THAT(other.error().message, testing::StartsWith((metadata / "timestamp.json").string() + " is no root of trust (is of type 'timestamp', not 'root'"));
  EXPECT_THAT(other.error().message, testing::HasSubstr("it should be the repository's own metadata/root.json"));
}

TEST_F(RootFile, IsReadWithinBounds) {
  const auto missing = check_root_file(folder.path() / "nope");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  ASSERT_TRUE(files::replace(folder.path() / "large", std::string(kMostRoot + 1, ' ')));
  const auto large = check_root_file(folder.path() / "large");
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().message, testing::HasSubstr((folder.path() / "large").string()));
}

}  // namespace
}  // namespace berth::trust
