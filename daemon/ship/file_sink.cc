#include "daemon/ship/file_sink.h"

#include <filesystem>
#include <system_error>

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "daemon/config/values.h"
#include "daemon/ship/file_writer.h"
#include "daemon/ship/sinks/courier.h"

namespace berth::ship {
namespace {

constexpr std::uint64_t kLeastRotated = 64u << 10;
constexpr BatchLimits kFileLimits{.entries = 4'000, .bytes = 1u << 20};
/// When a disk is full, it may be for long.
constexpr std::chrono::milliseconds kDiskWait{1000};

class FileCourier final : public Courier {
 public:
  explicit FileCourier(FileSettings settings) : writer_(std::move(settings)) {}

  Delivery deliver(std::span<const Entry> batch, std::stop_token) override {
    const auto written = writer_.write(batch);
    if (written) return taken();
    return later(written.error().message, written.error().code == Errc::no_space ? kDiskWait : std::chrono::milliseconds(0));
  }

 private:
  FileWriter writer_;
};

}  // namespace

FileSettings parse_file(config::Section& section) {
  FileSettings settings;
  section.read("path", settings.path, [](const std::string& text) { return config::parse_path(text); });
  if (!section.has("path")) section.complain("path", "a sink of kind 'file' has no 'path': say which file is written");
  section.read("rotate_bytes", settings.rotate_bytes, [](const std::string& text) -> Result<std::uint64_t> {
    auto size = config::parse_size(text);
    if (size && *size < kLeastRotated) return fail(Errc::usage, "'" + text + "' is less than 64KiB");
    return size;
  });
  settings.keep_files = static_cast<int>(section.integer("keep_files", settings.keep_files, 1, 1000));
  section.read("group", settings.group, [](const std::string& text) -> Result<std::string> {
    if (config::is_group_name(text)) return text;
    return fail(Errc::usage, "'" + text + "' is no name for a group");
  });
  return settings;
}

Result<void> check_file(const FileSettings& settings) {
  if (!settings.group.empty())
    if (const auto group = gid_of(settings.group); !group) return fail(Errc::usage, fmt::format("group: {}: make it ('groupadd --system {}'), or name another one", group.error().message, settings.group));
  std::error_code unknown;
  const auto at = std::filesystem::symlink_status(settings.path, unknown);
  if (std::filesystem::exists(at) && !std::filesystem::is_regular_file(at))
    return fail(Errc::usage, fmt::format("path: {} is {}: give the sink a file of its own", settings.path.string(), std::filesystem::is_directory(at) ? "a folder" : "no plain file"));
  std::filesystem::path there = settings.path.parent_path();
  while (!there.empty() && there != there.parent_path() && !std::filesystem::exists(there, unknown)) there = there.parent_path();
  if (!std::filesystem::is_directory(there, unknown)) return fail(Errc::usage, fmt::format("path: {} is no folder, and the file would be below it", there.string()));
  struct statfs about{};
  if (::statfs(there.c_str(), &about) != 0) return {};
  const bool is_the_kernels = about.f_type == PROC_SUPER_MAGIC || about.f_type == SYSFS_MAGIC;
  if (is_the_kernels || (about.f_flags & ST_RDONLY) != 0)
    return fail(Errc::usage, fmt::format("path: {} is on a file system that {}: give the sink a file elsewhere", there.string(), is_the_kernels ? "is the kernel's" : "is read only"));
  return {};
}

std::unique_ptr<Sink> make_file_sink(FileSettings settings) {
  std::string name = settings.name;
  return make_threaded_sink(std::move(name), kFileLimits, std::make_unique<FileCourier>(std::move(settings)));
}

}  // namespace berth::ship
