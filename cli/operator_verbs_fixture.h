#pragma once

#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "cli/fake_daemon.h"
#include "cli/run_berth.h"

namespace berth::cli {

/// What operators meet when they are in a hurry.
class OperatorVerbs : public testing::Test {
 protected:
  /// Deployment 7 of web@v2 as berthd tells it.
  static std::string a_deployment(const std::string& state, int exit, const std::string& more = "") {
    return fmt::format(R"({{"id": 7, "app": "web", "release": "v2", "state": "{}", "from": "v1", "exit": {} {}}})", state, exit, more);
  }
  Ran berth(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", daemon.socket()});
    return run_berth(std::move(arguments));
  }
  FakeDaemon daemon;
};

}  // namespace berth::cli
