#include "daemon/store/drift.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "core/bundle/layer.h"
#include "core/bundle/tree.h"
#include "daemon/store/store_fixture.h"

namespace berth::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A sealed slot with something of every kind in it, made as staging does.
class DriftTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "slots are root's";
    put(slot / "app/bin/run", "#!/bin/sh\n", 0555);
    put(slot / "app/share/text", "hello\n");
    fs::create_symlink("run", slot / "app/bin/start");
    put(slot / "config/settings", "a=1\n");
    bundle::Manifest manifest;
    manifest.app = "web";
    manifest.environment = "production";
    manifest.release = "v1";
    const bundle::LayerRef app = seal("app"), config = seal("config");
    manifest.builds["any"] = {.digest = app.tar_sha256, .version = "", .layer = app};
    manifest.config = config;
    manifest.spec.app = "web";
    manifest.spec.processes["web"].command = {"bin/run"};
    manifest.requires_berthd = "0.1.0";
    manifest.created = "2030-01-01T00:00:00Z";
    const std::string text = bundle::to_canonical_json(manifest);
    put(slot / "manifest.json", text);
    manifest_sha256 = crypto::sha256_hex(text);
    for (const char* path : {"", "app", "app/bin", "app/share", "config"}) ASSERT_EQ(::chmod((slot / path).c_str(), 0555), 0) << path;
  }

  /// Writes the index of a tree beside it; gives what a manifest says of it.
  bundle::LayerRef seal(const std::string& part) {
    const auto tree = must(bundle::list_tree(slot / part));
    auto written = must(bundle::write_layer(slot / part, tree.entries, folder.path() / "layer.tar.zst", 1));
    const std::string text = bundle::to_canonical_json(written.index);
    written.ref.index = {.sha256 = crypto::sha256_hex(text), .size = text.size()};
    put(slot / (part + ".index.json"), text);
    return written.ref;
  }

  static void put(const fs::path& path, const std::string& content, mode_t mode = 0444) {
    fs::create_directories(path.parent_path());
    ASSERT_TRUE(files::replace(path, content, mode));
  }

  /// The drift, a line each.
  std::vector<std::string> drift() {
    const Verdict verdict = must(verify_slot(slot, manifest_sha256, {}));
    std::vector<std::string> lines;
    for (const Drift& one : verdict.drift) lines.push_back(one.path + ": " + one.what);
    EXPECT_EQ(verdict.drifted, lines.size());
    return lines;
  }

  files::TemporaryDirectory folder;
  fs::path slot = folder.path() / "slot";
  std::string manifest_sha256;
};

TEST_F(DriftTest, ASlotAsItWasSealedHasNone) {
  const Verdict verdict = must(verify_slot(slot, manifest_sha256, {}));
  EXPECT_THAT(verdict.drift, IsEmpty());
  EXPECT_EQ(verdict.drifted, 0u);
  EXPECT_EQ(verdict.paths, 12u) << "the slot, three files beside the two trees, and what is in them";
  EXPECT_GT(verdict.bytes, 20u);
}

TEST_F(DriftTest, EachChangedPathIsNamedWithWhatIsWrong) {
  put(slot / "app/bin/run", "#!/bin/xh\n", 0555);
  put(slot / "app/bin/more", "");
  ASSERT_EQ(::chmod((slot / "app/share/text").c_str(), 0644), 0);
  fs::remove(slot / "app/bin/start");
  fs::create_symlink("/bin/sh", slot / "app/bin/start");
  fs::remove(slot / "config/settings");
  EXPECT_THAT(drift(), ElementsAre("app/bin/more: is there, and not in the index", "app/bin/run: has another content",
                                   "app/bin/start: leads elsewhere than to run", "app/share/text: has mode 0644, not 0444", "config/settings: is missing"));
}

TEST_F(DriftTest, AnotherSizeTypeOrOwnerIsDrift) {
  put(slot / "app/share/text", "hello, you\n");
  fs::remove(slot / "app/bin/run");
  fs::create_directory(slot / "app/bin/run");
  ASSERT_EQ(::lchown((slot / "app/bin/start").c_str(), 61184, 0), 0);
  put(slot / "left", "behind");
  ASSERT_EQ(::chmod(slot.c_str(), 0755), 0);
  EXPECT_THAT(drift(), ElementsAre(".: has mode 0755, not 0555", "app/bin/run: is a folder, not a file", "app/bin/start: belongs to user 61184, not to root",
                                   "app/share/text: has 11 bytes, not 6", "left: is there, and no part of a slot"));
}

TEST_F(DriftTest, FileCapabilitiesAreDrift) {
  const std::uint32_t bind_service[5] = {0x02000001, 1u << 10, 0, 0, 0};  // version 2, effective; permitted, inheritable
  if (::setxattr((slot / "app/bin/run").c_str(), "security.capability", bind_service, sizeof bind_service, 0) != 0) GTEST_SKIP() << "not on this file system";
  EXPECT_THAT(drift(), ElementsAre("app/bin/run: has file capabilities"));
}

TEST_F(DriftTest, ALinkInPlaceOfAFolderIsNotFollowed) {
  fs::rename(slot / "app/share", folder.path() / "elsewhere");
  fs::create_symlink(folder.path() / "elsewhere", slot / "app/share");
  EXPECT_THAT(drift(), ElementsAre("app/share: is a link, not a folder", "app/share/text: is missing"));
}

TEST_F(DriftTest, WhatIsSignedIsComparedFirst) {
  put(slot / "app.index.json", "{}");
  EXPECT_THAT(drift(), ElementsAre("app.index.json: has another content"));
  put(slot / "manifest.json", "{}");
  EXPECT_THAT(drift(), ElementsAre("manifest.json: has another content"));
  fs::remove_all(slot);
  EXPECT_THAT(drift(), ElementsAre(".: is missing"));
}

TEST_F(DriftTest, LookingCanBeStopped) {
  std::stop_source stop;
  stop.request_stop();
  const auto verdict = verify_slot(slot, manifest_sha256, stop.get_token());
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, Errc::cancelled);
}

TEST_F(DriftTest, SharedFilesAreSeen) {
  EXPECT_FALSE(shares_files(slot));
  fs::create_hard_link(slot / "app/share/text", folder.path() / "other");
  EXPECT_TRUE(shares_files(slot));
}

TEST(DueAfter, ATimeThatIsStillToComeIsOfAClockThatWasAhead) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::system_clock::from_time_t(1'800'000'000);
  EXPECT_EQ(due_after(now - 1h, 24h, 1h, now), now + 22h);
  EXPECT_EQ(due_after(now + 30s, 24h, 1h, now), now + 30s + 23h) << "a clock that was set back by a little";
  EXPECT_LT(due_after(now + 24h * 365, 24h, 1h, now), now) << "it would not be looked at for a year";
  EXPECT_EQ(due_after(std::chrono::system_clock::time_point(), 24h, 0h, now), std::chrono::system_clock::time_point() + 24h) << "of 1970: it is due";
}

}  // namespace
}  // namespace berth::store
