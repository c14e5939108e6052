#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zstd.h>

#include <fmt/core.h>

#include "core/logs/log_reader.h"

namespace berth::logs {

/// A log folder that a test fills as a keeper would.
class LogFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "berth-logs-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
  }
  void TearDown() override { fs::remove_all(root); }

  static std::string segment_name(std::uint64_t first) { return fmt::format("{:016}.log", first); }

  /// A CRI line at second `at` of the day.
  static std::string cri(int at, std::string_view text, std::string_view stream = "stdout", std::string_view tag = "F") {
    return fmt::format("2026-11-24T{:02}:{:02}:{:02}.000000000Z {} {} {}\n", at / 3600, at / 60 % 60, at % 60, stream, tag, text);
  }

  void append(const std::string& instance, std::uint64_t first, const std::string& bytes) {
    const auto folder = root / instance;
    fs::create_directories(folder);
    std::ofstream(folder / segment_name(first), std::ios::app | std::ios::binary) << bytes;
  }

  void compress(const std::string& instance, std::uint64_t first) {
    const auto path = root / instance / segment_name(first);
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 3));
    std::ofstream(path.string() + ".zst", std::ios::binary) << packed;
    fs::remove(path);
  }

  LogReader open(const std::string& selector, LogFilter filter = {}, std::optional<std::uint64_t> last = {}, bool follow = false) {
    auto reader = LogReader::open(root, {.selector = parse_selector(selector).value(), .filter = std::move(filter), .last = last, .follow = follow});
    if (!reader) throw std::runtime_error(reader.error().message);
    return std::move(*reader);
  }

  /// The texts up to the present end.
  static std::vector<std::string> texts(LogReader& reader) {
    std::vector<std::string> all;
    for (;;) {
      auto record = reader.next();
      if (!record) throw std::runtime_error(record.error().message);
      if (!*record) return all;
      all.push_back((*record)->text);
    }
  }

  fs::path root;
};

}  // namespace berth::logs
