#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/crypto/keys.h"
#include "core/json/json.h"
#include "core/result.h"
#include "core/trust/time.h"
#include "core/trust/verify.h"

namespace berth::trust {

using Hashes = std::map<std::string, std::string>;  ///< algorithm → hex

/// What every role says of itself.
struct Issue {
  std::int64_t version = 0;
  WallTime expires;
};

/// `root`: whose signatures count for what.
struct Root {
  Issue issue;
  bool consistent_snapshot = false;
  RoleKeys root, timestamp, snapshot, targets;
};

/// What timestamp and snapshot say of another metadata file.
struct FileInfo {
  std::int64_t version = 0;
  std::optional<std::int64_t> length;
  Hashes hashes;
};

struct Timestamp {
  Issue issue;
  FileInfo snapshot;
};

struct Snapshot {
  Issue issue;
  std::map<std::string, FileInfo> roles;  ///< by role name, without `.json`
};

struct TargetInfo {
  std::uint64_t length = 0;
  Hashes hashes;
};

/// A role that another one hands part of its targets to.
struct Delegation {
  std::string role;
  RoleKeys keys;
  std::vector<std::string> paths;          ///< patterns; used unless there are prefixes
  std::vector<std::string> hash_prefixes;  ///< hex, of the SHA-256 of the target's name
  bool terminating = false;

  bool covers(std::string_view target) const;
};

struct Targets {
  Issue issue;
  std::map<std::string, TargetInfo, std::less<>> targets;
  std::vector<Delegation> delegations;  ///< in order of precedence
};

/// Each reads the content of an envelope, whose signatures are the caller's business. `where` stands in front of complaints.
/// Unknown members are left alone; what is missing or of a wrong kind, type or major version is `Errc::trust`.
Result<Root> parse_root(const json::value& content, std::string_view where);
Result<Timestamp> parse_timestamp(const json::value& content, std::string_view where);
Result<Snapshot> parse_snapshot(const json::value& content, std::string_view where);
Result<Targets> parse_targets(const json::value& content, std::string_view where);

/// Whether `bytes` have the length and the hashes listed, of those algorithms berth knows. With `required`, at least one must be known.
Result<void> check_hashes(std::string_view bytes, const Hashes& hashes, bool required, std::string_view where);
Result<void> check_file(std::string_view bytes, const FileInfo& info, std::string_view where);

}  // namespace berth::trust
