#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/nodes.h"
#include "core/files/files.h"

namespace berth::cli {

/// A home folder with a nodes.toml.
class NodesTest : public testing::Test {
 protected:
  NodesTest() {
    for (const char* name : {"XDG_CONFIG_HOME", "BERTH_NODE", "BERTH_CA_FILE", "BERTH_CERTIFICATE_FILE", "BERTH_KEY_FILE"}) ::unsetenv(name);
    ::setenv("HOME", folder.path().c_str(), 1);
    std::filesystem::create_directories(folder.path() / ".config/berth");
    put("me.key", 0600);
    put("me.pem", 0644);
  }
  ~NodesTest() override {
    for (const char* name : {"BERTH_NODE", "BERTH_CA_FILE", "BERTH_CERTIFICATE_FILE", "BERTH_KEY_FILE"}) ::unsetenv(name);
    home.empty() ? ::unsetenv("HOME") : ::setenv("HOME", home.c_str(), 1);
  }
  void say(const std::string& text) { std::ofstream(folder.path() / ".config/berth/nodes.toml") << text; }
  void put(const std::string& name, mode_t mode) {
    std::ofstream(folder.path() / ".config/berth" / name) << "x";
    ::chmod((folder.path() / ".config/berth" / name).c_str(), mode);
  }
  std::string path(const std::string& name) const { return folder.path() / ".config/berth" / name; }
  static RemoteNode find(const std::string& said) {
    const auto nodes = find_nodes({said});
    EXPECT_TRUE(nodes) << nodes.error().message;
    return nodes ? nodes->front() : RemoteNode();
  }
  static std::string complaint(const std::vector<std::string>& said) {
    const auto nodes = find_nodes(said);
    return nodes ? "" : nodes.error().message;
  }

  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  files::TemporaryDirectory folder;
};

}  // namespace berth::cli
