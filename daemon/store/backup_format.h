#pragma once

#include <string>
#include <string_view>

#include "core/json/json.h"
#include "core/result.h"
#include "daemon/store/backup.h"

namespace berth::store {

// A backup is a tar with these members, in this order, in a folder of this name.
inline constexpr const char* kBackupFolder = "berth-backup";
inline constexpr const char* kAbout = "backup.json";
inline constexpr const char* kEventsMember = "events.log";
inline constexpr const char* kDatabaseMember = "berth.db";
inline constexpr std::int64_t kBackupFormat = 1;

/// A file of a backup, as `backup.json` has it.
struct BackedUp {
  std::uint64_t bytes = 0;
  std::string sha256;
};

struct AboutBackup {
  Backup backup;
  BackedUp database, events;
};

std::string to_text(const AboutBackup& about);
/// `Errc::protocol` for what is none, `Errc::usage` for one of a newer format.
Result<AboutBackup> parse_about(std::string_view text);

/// The first `bytes` of a file, hashed.
Result<BackedUp> hash_file(const std::filesystem::path& path, std::uint64_t bytes);

}  // namespace berth::store
