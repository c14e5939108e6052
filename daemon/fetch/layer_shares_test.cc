#include "daemon/fetch/layer_shares.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/hand_made_tar.h"

namespace berth::fetch {
namespace {

using bundle::Entry;
using bundle::kFrame;
using testing::ElementsAre;

constexpr std::uint64_t kMiB = 1u << 20;

Entry file_of_size(const std::string& path, std::uint64_t size) {
  return {.path = path, .type = bundle::EntryType::file, .mode = 0644, .size = size, .sha256 = {}, .target = {}};
}

/// An index with the frames that its entries' tar takes; what they are compressed to does not matter.
bundle::LayerIndex index_with(std::vector<Entry> entries) {
  bundle::LayerIndex index;
  std::uint64_t left = bundle::kTarEnd;
  for (const Entry& entry : entries) left += bundle::tar_size(entry);
  for (; left > 0; left -= index.frames.back().tar_size) index.frames.push_back({.offset = 0, .size = 1, .tar_size = std::min(left, kFrame)});
  index.entries = std::move(entries);
  return index;
}

TEST(LayerShares, AreOneWhereThereIsOneFrameOrOneWorker) {
  const LayerShare whole{.first_frame = 0, .end_frame = 1, .drop = 0, .take = 0};
  EXPECT_THAT(shares_of(index_with({file_of_size("a", kMiB), file_of_size("b", kMiB)}), 2), ElementsAre(whole));
  EXPECT_THAT(shares_of(index_with({}), 2), ElementsAre(whole));
  const auto one = shares_of(index_with({file_of_size("a", 20 * kMiB), file_of_size("b", 20 * kMiB)}), 1);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].end_frame, 3U);
}

TEST(LayerShares, EndAtAnEntryInTheMiddleOfTheWork) {
  const auto shares = shares_of(index_with({file_of_size("a", 10 * kMiB), file_of_size("b", 10 * kMiB), file_of_size("c", 10 * kMiB), file_of_size("d", 10 * kMiB)}), 2);
  const std::uint64_t half = 2 * (512 + 10 * kMiB);
  EXPECT_THAT(shares, ElementsAre(LayerShare{.first_frame = 0, .end_frame = 2, .drop = 0, .take = half},
                                  LayerShare{.first_frame = 1, .end_frame = 3, .drop = half - kFrame, .take = 0}));
}

TEST(LayerShares, ThatEndWhereAFrameDoesNeedNothingOfTheNext) {
  const auto shares = shares_of(index_with({file_of_size("a", kFrame - 512), file_of_size("b", kFrame - 512)}), 2);
  EXPECT_THAT(shares, ElementsAre(LayerShare{.first_frame = 0, .end_frame = 1, .drop = 0, .take = kFrame},
                                  LayerShare{.first_frame = 1, .end_frame = 3, .drop = 0, .take = 0}));
}

TEST(LayerShares, CountWhatIsHardToDecodeAndEachFile) {
  std::vector<Entry> entries;
  for (int i = 10; i < 90; ++i) entries.push_back(file_of_size("f" + std::to_string(i), kMiB));  // five frames and a little
  auto index = index_with(entries);
  for (auto& frame : index.frames) frame.size = kMiB;
  index.frames[0].size = kFrame;  // the first one did not compress
  const auto shares = shares_of(index, 2);
  ASSERT_EQ(shares.size(), 2U);
  EXPECT_EQ(shares[0].take, 16 * (kMiB + 512)) << "16 of 80 files are about as much work as the other 64";
  EXPECT_EQ(shares[1].first_frame, 1U);
  EXPECT_LT(shares[1].drop, kMiB) << "and the second share begins near the beginning of a frame";
}

TEST(LayerShares, AreOfOneFileEachAtLeast) {
  EXPECT_EQ(shares_of(index_with({file_of_size("a", 100 * kMiB)}), 4).size(), 1U);
  const auto shares = shares_of(index_with({file_of_size("a", 100 * kMiB), file_of_size("b", 1), file_of_size("c", 1)}), 2);
  ASSERT_EQ(shares.size(), 2U);
  EXPECT_EQ(shares[0].take, 512 + 100 * kMiB);
}

}  // namespace
}  // namespace berth::fetch
