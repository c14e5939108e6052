#include "daemon/fetch/file_hashes.h"

#include <algorithm>
#include <map>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::fetch {
namespace {

constexpr std::size_t kKiB = 1024;

/// Files of these sizes, and what was told of each.
class FileHashesTest : public testing::Test {
 protected:
  std::string content_of(std::size_t number, std::size_t size) {
    std::string content(size, static_cast<char>('a' + number % 26));
    for (std::size_t i = 0; i < size; i += 97) content[i] = static_cast<char>(i / 97);
    return content;
  }

  Fd file(std::size_t number, std::size_t size) {
    names_[number] = "f" + std::to_string(number);
    EXPECT_TRUE(files::replace(folder_.path() / names_[number], content_of(number, size)));
    return std::move(*files::open(folder_.path() / names_[number], O_RDONLY));
  }

  /// Fails with the name of each file in `wrong`.
  FileHashes::Take take(std::vector<std::size_t> wrong = {}) {
    return [this, wrong](std::size_t number, Result<std::string> sha256) -> Result<void> {
      EXPECT_TRUE(sha256) << number;
      told_[number] = sha256.value_or("");
      if (std::ranges::find(wrong, number) != wrong.end()) return fail(Errc::trust, names_[number]);
      return {};
    };
  }

  files::TemporaryDirectory folder_;
  std::map<std::size_t, std::string> names_, told_;
  FileHashes hashes_;
};

TEST_F(FileHashesTest, TellsTheHashOfEachWhateverTheirLengths) {
  const std::vector<std::size_t> sizes{0, 1, 300 * kKiB, 64, 128 * kKiB, 63, 0, 256 * kKiB, 128 * kKiB - 1, 128 * kKiB + 1, 1'000'000, 5, 65};
  for (std::size_t i = 0; i < sizes.size(); ++i) ASSERT_TRUE(hashes_.add(file(i, sizes[i]), i, names_[i], take(), {}));
  EXPECT_LT(told_.size(), sizes.size());
  ASSERT_TRUE(hashes_.finish(take(), {}));
  ASSERT_EQ(told_.size(), sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(told_[i], crypto::sha256_hex(content_of(i, sizes[i]))) << i;
}

TEST_F(FileHashesTest, FailsForTheFirstThatIsWrongAndIsGoodForOthersThen) {
  ASSERT_TRUE(hashes_.add(file(1, 500 * kKiB), 1, names_[1], take(), {}));
  ASSERT_TRUE(hashes_.add(file(2, 10), 2, names_[2], take(), {}));
  ASSERT_TRUE(hashes_.add(file(3, 10), 3, names_[3], take(), {}));
  const auto both = hashes_.finish(take({1, 2}), {});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().message, "f1");
  ASSERT_TRUE(hashes_.finish(take(), {}));
  EXPECT_FALSE(told_.contains(3));
  told_.clear();

  ASSERT_TRUE(hashes_.add(file(4, 10), 4, names_[4], take(), {}));
  ASSERT_TRUE(hashes_.add(file(5, 500 * kKiB), 5, names_[5], take(), {}));
  const auto first = hashes_.finish(take({4}), {});
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().message, "f4");
  EXPECT_FALSE(told_.contains(5));

  ASSERT_TRUE(hashes_.add(file(6, 10), 6, names_[6], take(), {}));
  ASSERT_TRUE(hashes_.add(file(7, 200), 7, names_[7], take(), {}));
  ASSERT_TRUE(hashes_.finish(take(), {}));
  EXPECT_EQ(told_[6], crypto::sha256_hex(content_of(6, 10)));
  EXPECT_EQ(told_[7], crypto::sha256_hex(content_of(7, 200)));
}

TEST_F(FileHashesTest, IsCancelledBetweenPieces) {
  std::stop_source stop;
  ASSERT_TRUE(hashes_.add(file(1, 500 * kKiB), 1, names_[1], take(), stop.get_token()));
  stop.request_stop();
  Errc told = Errc::io;
  const FileHashes::Take ask = [&](std::size_t, Result<std::string> sha256) -> Result<void> {
    told = sha256 ? Errc::io : sha256.error().code;
    return {};
  };
  ASSERT_TRUE(hashes_.finish(ask, stop.get_token()));
  EXPECT_EQ(told, Errc::cancelled);
}

}  // namespace
}  // namespace berth::fetch
