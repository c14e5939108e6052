#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/client.h"
#include "core/trust/fake_repository.h"

namespace berth::trust {

/// Tests of the client against a repository in memory, with a metadata folder of their own.
class ClientFixture : public testing::Test {
 protected:
  /// Pins the repository's first root.
  void pin() { ASSERT_TRUE(client().init(repository.root_bytes(1))); }

  /// A client as a new process has it: only the folder goes on.
  Client client() {
    return Client(folder.path() / "tuf", repository, [this] { return now; });
  }

  /// Refreshes in a new process; the requests of this refresh alone are remembered.
  Result<void> refresh() {
    repository.requests.clear();
    return client().refresh();
  }

  /// Looks a target up in a new process. The role that has it, or the failure.
  Result<Target> find(const std::string& name) {
    repository.requests.clear();
    Client fresh = client();
    BERTH_CHECK(fresh.refresh());
    return fresh.find(name);
  }

  void expect_refused(const Result<void>& result, const std::string& says) {
    ASSERT_FALSE(result) << "expected: " << says;
    EXPECT_EQ(result.error().code, Errc::trust) << result.error().message;
    EXPECT_THAT(result.error().message, testing::HasSubstr(says));
  }

  /// The files in the metadata folder, sorted.
  std::vector<std::string> kept() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "tuf")) names.insert(entry.path().filename());
    return {names.begin(), names.end()};
  }

  std::string content(const std::string& file) const { return files::read(folder.path() / "tuf" / file, 10u << 20).value_or("(absent)"); }

  files::TemporaryDirectory folder;
  FakeRepository repository;
  WallTime now = kNow;
};

}  // namespace berth::trust
