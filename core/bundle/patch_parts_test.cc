#include "core/bundle/patch_parts.h"

#include <gtest/gtest.h>

#include "core/bundle/bundle_fixture.h"
#include "core/bundle/hand_made_tar.h"

namespace berth::bundle {
namespace {

const std::vector<Entry> kOld{folder_entry("bin"),          file_entry("bin/run", "one", 0755), file_entry("gone", "g"),
                              link_entry("latest", "bin/run"), file_entry("mode", "m"),            file_entry("same", "s")};
const std::vector<Entry> kFresh{folder_entry("bin"),          file_entry("bin/run", "two", 0755), link_entry("latest", "bin/run"),
                                file_entry("mode", "m", 0755), file_entry("new", "n"),             file_entry("same", "s")};

std::string paths(const std::vector<Entry>& entries) {
  std::string all;
  for (const Entry& entry : entries) all += entry.path + ' ';
  return all;
}

TEST(PatchParts, AreWhatOneSideDoesNotHaveAlike) {
  EXPECT_EQ(paths(patch_base(PatchBase::all, kOld, kFresh)), paths(kOld));
  EXPECT_EQ(paths(patch_base(PatchBase::changed, kOld, kFresh)), "bin bin/run gone latest mode ");
  EXPECT_EQ(paths(patch_made(kOld, kFresh)), "bin/run mode new ");
  EXPECT_EQ(paths(patch_made(kOld, kOld)), "");
  EXPECT_EQ(paths(patch_made({}, kFresh)), "bin/run mode new same ");
}

class PatchPartsOfATree : public FolderTest {};

TEST_F(PatchPartsOfATree, AreAsLongAsTheirTar) {
  put_all_kinds();
  EXPECT_EQ(tar_size_of(entries()), tar().size());
  EXPECT_EQ(tar_size_of({}), kTarEnd);
}

}  // namespace
}  // namespace berth::bundle
