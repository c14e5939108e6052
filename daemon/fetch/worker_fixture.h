#pragma once

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "core/files/files.h"
#include "daemon/fetch/worker.h"

namespace berth::fetch {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

/// A worker that obeys, started just as berth-unpack is.
class WorkerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root starts workers";
    fs::create_directory(target);
    ASSERT_EQ(::chown(target.c_str(), spec.uid, spec.gid), 0);
    ASSERT_EQ(::chmod(target.c_str(), 0700), 0);
    ASSERT_EQ(::chmod(folder.path().c_str(), 0711), 0);
  }

  Worker start(const std::string& orders) { return start(BERTH_ROGUE_WORKER, "", orders); }

  /// Any program, as berthd starts berth-unpack.
  Worker start(const std::string& program, const std::string& job, const std::string& blob) {
    EXPECT_TRUE(files::replace(folder.path() / "job", job));
    EXPECT_TRUE(files::replace(folder.path() / "blob", blob));
    job_ = std::move(*files::open(folder.path() / "job", O_RDONLY));
    blob_ = std::move(*files::open(folder.path() / "blob", O_RDONLY));
    target_ = std::move(*files::open(target, O_RDONLY | O_DIRECTORY));
    spec.program = program;
    spec.job = job_.get();
    spec.blob = blob_.get();
    spec.target = target_.get();
    auto worker = Worker::start(spec);
    if (!worker) ADD_FAILURE() << worker.error().message;
    return std::move(*worker);
  }

  Worker::End run(const std::string& orders) {
    Worker worker = start(orders);
    auto end = worker.wait({.whole = 20s, .stalled = 20s}, {});
    EXPECT_TRUE(end) << end.error().message;
    return end.value_or(Worker::End{});
  }

  /// Until a worker has written something.
  static void wait_for(const fs::path& path) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!fs::exists(path)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << path << " was never made";
      std::this_thread::sleep_for(5ms);
    }
  }

  static std::string proc(pid_t pid, const std::string& file) { return files::read(fmt::format("/proc/{}/{}", pid, file), 1u << 20).value_or(""); }
  static std::string space(pid_t pid, const std::string& kind) { return fs::read_symlink(fmt::format("/proc/{}/ns/{}", pid, kind)).string(); }

  files::TemporaryDirectory folder;
  fs::path target = folder.path() / "target";
  WorkerSpec spec{.limits = {.file_size = 1u << 20}};

 private:
  Fd job_, blob_, target_;
};

}  // namespace berth::fetch
