#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/deploy/instance_plan.h"

namespace berth::deploy {

namespace fs = std::filesystem;

/// A node in a folder of its own, with a slot of web@v1 that a test fills.
class PlanFixture : public testing::Test {
 protected:
  PlanFixture() {
    node = {.name = "edge-1",
            .environment = "production",
            .labels = {{"rack", "r7"}},
            .paths = {.state = folder.path() / "state", .logs = folder.path() / "logs", .run = folder.path() / "run"}};
    manifest.app = "web";
    manifest.environment = "production";
    manifest.release = "v1";
    manifest.builds[bundle::this_platform()].digest = "d1ge57";
    manifest.spec.app = "web";
    manifest.spec.processes["web"].command = {"bin/server", "--port", "${PORT}"};
    manifest.spec.processes["web"].routing = spec::Routing::port;
    manifest.spec.processes["web"].public_port = 8080;
    put("app/bin/server", "#!/bin/sh\n", 0755);
    fs::create_directories(slot() / "config");
    fs::create_directories(node.paths.data("web"));
  }

  fs::path slot() const { return node.paths.slot("web", "v1"); }
  void put(const std::string& path, const std::string& content, mode_t mode = 0644) {
    fs::create_directories((slot() / path).parent_path());
    std::ofstream(slot() / path) << content;
    ASSERT_EQ(::chmod((slot() / path).c_str(), mode), 0);
  }
  std::map<std::string, std::string> environment(const std::map<std::string, std::string>& secrets = {}) const {
    return environment_of(node, manifest, id, 20001, secrets);
  }
  spec::Process& process() { return manifest.spec.processes["web"]; }

  static std::string content(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static struct stat status(const fs::path& path) {
    struct stat found{};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
  }

  files::TemporaryDirectory folder;
  NodeFacts node;
  bundle::Manifest manifest;
  InstanceId id{.app = "web", .process = "web", .number = 1, .release = "v1"};
};

/// The error of a result that must have failed.
template <class T>
Error error_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Error{} : result.error();
}

}  // namespace berth::deploy
