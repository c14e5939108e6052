#pragma once

#include <fstream>
#include <memory>
#include <string>

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "daemon/store/store.h"

namespace berth::store {

/// A store below a folder of its own, which can be closed and opened again.
class StoreTest : public testing::Test {
 protected:
  StoreTest() : paths{.state = folder.path() / "state", .logs = folder.path() / "logs", .run = folder.path() / "run"} {}

  void open() {
    auto opened = Store::open(paths);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
  }

  void reopen() {
    store.reset();
    open();
  }

  static Event event(std::string kind, std::string app = {}, boost::json::object data = {}) {
    return {.number = 0, .at = {}, .kind = std::move(kind), .app = std::move(app), .data = std::move(data)};
  }

  /// Stages a small release and seals it.
  Result<void> seal(const std::string& app, const std::string& release, std::int64_t deployment = 1) {
    BERTH_TRY(const fs::path staged, store->make_staging(deployment));
    fs::create_directories(staged / "app" / "bin");
    std::ofstream(staged / "app" / "bin" / "server") << release;
    const std::string manifest = "manifest of " + release;
    std::ofstream(staged / "manifest.json") << manifest;
    fs::permissions(staged / "app" / "bin", fs::perms(0555));
    SlotRow row{.app = app, .release = release, .manifest_sha256 = crypto::sha256_hex(manifest), .bytes = 3, .sealed_at = {}, .signed_by = app, .signing_keys = {"ab12", "cd34"}};
    return store->seal(deployment, row, event("slot.sealed", app));
  }

  DeploymentRow deploy(const std::string& app, const std::string& release) {
    DeploymentRow row{.app = app, .release = release, .kind = "deploy", .state = "queued"};
    auto added = store->add_deployment(row, event("deployment.state", app));
    EXPECT_TRUE(added) << added.error().message;
    return added ? *added : row;
  }

  /// Deploys, seals and decides for a release.
  DeploymentRow activate(const std::string& app, const std::string& release) {
    DeploymentRow row = deploy(app, release);
    EXPECT_TRUE(seal(app, release, row.id));
    row.state = "switching";
    row.decided = true;
    EXPECT_TRUE(store->decide(row, {}));
    EXPECT_TRUE(store->swap_current(app));
    return row;
  }

  /// The deployment ends in that state.
  void end(DeploymentRow& row, const std::string& state) {
    row.state = state;
    row.ended_at = "2026-11-24T09:00:00.000000Z";
    EXPECT_TRUE(store->update_deployment(row, {}));
  }

  std::string current(const std::string& app) const {
    std::error_code missing;
    return fs::read_symlink(paths.current(app), missing).string();
  }

  files::TemporaryDirectory folder;
  Paths paths;
  std::unique_ptr<Store> store;
};

/// The value of a result that has to be one.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return std::move(*result);
}

}  // namespace berth::store
