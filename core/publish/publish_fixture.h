#pragma once

#include <gmock/gmock.h>

#include <string>
#include <string_view>

#include <sys/stat.h>

#include "core/files/files.h"
#include "core/publish/make_build.h"
#include "core/publish/release.h"
#include "core/trust/repository.h"

namespace berth::publish {

/// The first bytes of a program: ELF, 64 bits, little-endian, dynamic.
inline std::string program_for(unsigned machine) {
  std::string bytes("\x7f" "ELF\x02\x01\x01", 7);
  bytes.resize(64, '\0');
  bytes[16] = 3;
  bytes[18] = static_cast<char>(machine & 0xff);
  bytes[19] = static_cast<char>(machine >> 8);
  return bytes;
}

inline constexpr unsigned kAmd64 = 62, kArm64 = 183, kRiscV = 243;

/// A folder, a store, and a repository with keys; a clock that the test moves.
class PublishTest : public testing::Test {
 protected:
  PublishTest() { put("site/berth.toml", spec()); put("site/bin/server", program_for(kAmd64), 0755); }

  static std::string spec(const std::string& more = {}) {
    return "app = \"web\"\n[process.web]\ncommand = [\"bin/server\", \"--port\", \"${PORT}\"]\nport = 8080\n" + more;
  }

  void put(const fs::path& name, std::string_view content, mode_t mode = 0644) {
    const fs::path path = at(name);
    ASSERT_TRUE(files::make_directories(path.parent_path()));
    ASSERT_TRUE(files::replace(path, content, mode));
  }

  fs::path at(const fs::path& name) const { return folder.path() / name; }

  std::string content(const fs::path& path) const {
    const auto text = files::read(path, 64u << 20);
    EXPECT_TRUE(text) << text.error().message;
    return text ? *text : "";
  }

  Result<MadeBuild> build(const fs::path& source = "site", const BuildOptions& options = {}) { return make_build(store, at(source), options, now); }

  void make_repository() {
    const auto made = trust::init_repository(at("repo"), at("repo-keys"), now);
    ASSERT_TRUE(made) << made.error().message;
  }

  Repository repository() {
    return {.folder = at("repo"), .keys = at("repo-keys"), .now = [this] { return now; }};
  }

  /// Releases the latest build.
  Result<Published> release(const std::string& environment = "production", const ReleaseOptions& options = {}) {
    BERTH_CHECK(files::make_directories(at("environments") / environment));
    BERTH_TRY(const Build latest, store.latest("web"));
    BERTH_TRY(const Draft draft, draft_of(store, {latest}));
    BERTH_TRY(const Environment configuration, read_environment(at("environments"), environment));
    return publish_release(repository(), draft, configuration, options);
  }

  files::TemporaryDirectory folder;
  BuildStore store{folder.path() / "store"};
  trust::WallTime now = *trust::parse_time("2030-01-01T00:00:00Z");
};

/// EXPECT_THAT(…, Refuses(code, "words")).
MATCHER_P2(Refuses, code, words, "") {
  if (arg) return false;
  *result_listener << "says: " << arg.error().message;
  return arg.error().code == code && arg.error().message.find(words) != std::string::npos;
}

}  // namespace berth::publish
