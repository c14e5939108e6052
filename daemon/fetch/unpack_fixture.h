#pragma once

#include <algorithm>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/fetch/layer_fixture.h"
#include "daemon/fetch/unpack_layer.h"

namespace berth::fetch {

namespace fs = std::filesystem;
using bundle::Entry;
using testing::AllOf;
using testing::HasSubstr;

/// Unpacks what a test makes into `target`.
class Unpack : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root starts workers";
  }

  Result<void> unpack_blob(std::vector<Entry> expected, const std::string& blob, std::size_t tar_size, std::stop_token stop = {}) {
    std::ranges::sort(expected, {}, &Entry::path);
    EXPECT_TRUE(files::replace(folder.path() / "blob", blob, 0600));
    EXPECT_TRUE(files::remove_tree(target));
    return unpack_layer(index_of(std::move(expected), blob, tar_size), folder.path() / "blob", plan, target, options, stop);
  }
  Result<void> unpack(const std::vector<Entry>& expected, const std::string& tar) { return unpack_blob(expected, zstd_frame(tar), tar.size()); }

  /// The whole is refused, and the error names the path and what is wrong with it.
  void expect_refused(const Result<void>& result, const std::string& path, const std::string& why) {
    ASSERT_FALSE(result) << "expected: " << path << " " << why;
    EXPECT_EQ(result.error().code, Errc::trust) << result.error().message;
    EXPECT_THAT(result.error().message, AllOf(HasSubstr(path), HasSubstr(why)));
  }

  files::TemporaryDirectory folder;
  fs::path target = folder.path() / "app";
  StageOptions options{.worker_program = BERTH_UNPACK_PROGRAM, .reserve_bytes = 0};
  LinkPlan plan;
  const std::vector<Entry> honest{folder_entry("bin"), file_entry("bin/run", "#!/bin/sh\n", 0755), link_entry("latest", "bin/run"),
                                  file_entry("note", "hello\n")};
  /// What those entries are as a tar.
  const HandMadeTar honest_tar =
      HandMadeTar().add(honest[0]).add_file("bin/run", "#!/bin/sh\n", 0755).add(honest[2]).add_file("note", "hello\n");
};

}  // namespace berth::fetch
