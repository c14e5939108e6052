#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace berth::crypto {

/// Tests that have `openssl` make or read keys and signatures, in a folder of their own.
class OpensslFixture : public testing::Test {
 protected:
  OpensslFixture() {
    char name[] = "/tmp/berth-crypto-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~OpensslFixture() override { std::filesystem::remove_all(folder); }

  /// Runs a shell command in the folder; the test fails where it does.
  void run(const std::string& command) const {
    EXPECT_EQ(std::system(("cd " + folder.string() + " && { " + command + "; } >/dev/null 2>openssl.err").c_str()), 0)
        << command << "\n" << content("openssl.err");
  }

  std::string content(const std::string& file) const {
    std::ostringstream bytes;
    bytes << std::ifstream(folder / file, std::ios::binary).rdbuf();
    return bytes.str();
  }

  void write(const std::string& file, const std::string& bytes) const { std::ofstream(folder / file, std::ios::binary) << bytes; }

  std::filesystem::path folder;
};

}  // namespace berth::crypto
