#include "daemon/fetch/file_content.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/hand_made_tar.h"
#include "core/files/files.h"

namespace berth::fetch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<bundle::Entry> files_of_sizes(const std::vector<std::uint64_t>& sizes) {
  std::vector<bundle::Entry> entries;
  for (const std::uint64_t size : sizes) {
    entries.push_back(bundle::file_entry("f" + std::to_string(entries.size()), ""));
    entries.back().size = size;
  }
  return entries;
}

TEST(RunsOf, HaveAtMost64EntriesAnd4MiBButForALargerFile) {
  constexpr std::uint64_t kMiB = 1u << 20;
  EXPECT_THAT(runs_of({}), IsEmpty());
  const auto many = files_of_sizes(std::vector<std::uint64_t>(130, 10));
  EXPECT_THAT(runs_of(many), ElementsAre(EntryRun{0, 64}, EntryRun{64, 128}, EntryRun{128, 130}));
  const auto large = files_of_sizes({2 * kMiB, 2 * kMiB, 1, 100 * kMiB, 4 * kMiB, 0, 1});
  EXPECT_THAT(runs_of(large), ElementsAre(EntryRun{0, 2}, EntryRun{2, 3}, EntryRun{3, 4}, EntryRun{4, 6}, EntryRun{6, 7}));
}

TEST(FileContent, IsHashedWholeWhateverItsLength) {
  files::TemporaryDirectory folder;
  FileContent content;
  for (const std::size_t size : {0u, 1u, 256u << 10, (256u << 10) + 1, 1'000'000u}) {
    const std::string bytes(size, 'x');
    ASSERT_TRUE(files::replace(folder.path() / "file", bytes));
    const Fd file = std::move(*files::open(folder.path() / "file", O_RDONLY));
    EXPECT_EQ(content.sha256(file.get(), "file", {}).value_or(""), crypto::sha256_hex(bytes)) << size;
  }
  std::stop_source stop;
  stop.request_stop();
  const Fd file = std::move(*files::open(folder.path() / "file", O_RDONLY));
  const auto stopped = content.sha256(file.get(), "file", stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace berth::fetch
