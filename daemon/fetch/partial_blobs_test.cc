#include "daemon/fetch/partial_blobs.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "core/files/files.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class PartialBlobsTest : public testing::Test {
 protected:
  void left(const std::string& name, fs::file_time_type::duration ago, std::size_t bytes = 100) {
    ASSERT_TRUE(files::make_directories(folder));
    ASSERT_TRUE(files::replace(folder / name, std::string(bytes, 'x')));
    fs::last_write_time(folder / name, fs::file_time_type::clock::now() - ago);
  }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder)) found.insert(entry.path().filename().string());
    return found;
  }

  files::TemporaryDirectory home;
  fs::path folder = home.path() / "partial";
  PartialBlobs parts{folder};
};

TEST_F(PartialBlobsTest, AreOfOneHolderAtATime) {
  auto first = parts.hold("aa");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->path(), folder / "aa");
  const auto other = parts.hold("bb");
  EXPECT_EQ(other.value().path(), folder / "bb");
  EXPECT_EQ(parts.hold("aa").value().path(), fs::path()) << "another fetch of the same blob writes elsewhere";
  { const auto ended = std::move(*first); }
  EXPECT_EQ(parts.hold("aa").value().path(), folder / "aa");
}

TEST_F(PartialBlobsTest, AreNotKeptOfWhatIsNotWhatWasSignedForNorWithoutAByte) {
  for (const char* name : {"aa", "bb", "cc"}) left(name, 1min, *name == 'c' ? 0 : 100);
  parts.hold("aa").value().failed({Errc::unreachable, "gone"});
  parts.hold("bb").value().failed({Errc::trust, "wrong"});
  parts.hold("cc").value().failed({Errc::unreachable, "gone"});
  EXPECT_EQ(names(), (std::set<std::string>{"aa"}));
}

TEST_F(PartialBlobsTest, AreNotKeptWithoutAFolder) {
  PartialBlobs none{{}};
  EXPECT_EQ(none.hold("aa").value().path(), fs::path());
  EXPECT_EQ(none.size_of("aa"), 0u);
  EXPECT_EQ(none.clear().blobs, 0u);
}

TEST_F(PartialBlobsTest, GoWhenTheyAreOldUnlessSomebodyHoldsThem) {
  left("old", PartialBlobs::kLongest + 1min);
  left("older", PartialBlobs::kLongest + 1h, 50);
  left("young", PartialBlobs::kLongest - 1min);
  {
    const auto held = parts.hold("aa");  // which tidies up
    EXPECT_EQ(names(), (std::set<std::string>{"young"}));
  }
  left("old", PartialBlobs::kLongest + 1min);
  left("older", PartialBlobs::kLongest + 1h, 50);
  PartialBlobs of_a_new_berthd{folder};
  const auto removed = of_a_new_berthd.tidy();
  EXPECT_EQ(removed.blobs, 2u);
  EXPECT_EQ(removed.bytes, 150u);
  const auto held = parts.hold("young");
  fs::last_write_time(folder / "young", fs::file_time_type::clock::now() - 1000h);
  EXPECT_EQ(parts.tidy().blobs, 0u);
  EXPECT_EQ(parts.size_of("young"), 100u);
}

TEST_F(PartialBlobsTest, AreFewAndTheNewestStay) {
  for (std::size_t number = 0; number < PartialBlobs::kMost + 3; ++number) left(fmt::format("{:02}", number), std::chrono::minutes(number));
  EXPECT_EQ(parts.tidy().blobs, 3u);
  EXPECT_EQ(names().size(), PartialBlobs::kMost);
  EXPECT_FALSE(names().contains(fmt::format("{:02}", PartialBlobs::kMost)));
}

TEST_F(PartialBlobsTest, AreClearedButForThoseThatAreNeeded) {
  for (const char* name : {"aa", "bb", "cc"}) left(name, 1min);
  const auto held = parts.hold("bb");
  const auto removed = parts.clear({"cc"});
  EXPECT_EQ(removed.blobs, 1u);
  EXPECT_EQ(names(), (std::set<std::string>{"bb", "cc"}));
}

}  // namespace
}  // namespace berth::fetch
