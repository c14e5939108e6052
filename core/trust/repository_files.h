#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "core/result.h"
#include "core/trust/repository.h"
#include "core/trust/trusted_set.h"

namespace berth::trust {

/// A delegated role, and what is published of it.
struct DelegatedFile {
  Delegation delegation;
  std::int64_t version = 0;  ///< as snapshot lists it; 0: nothing was published yet
  std::string trouble;       ///< why its file is not believed, such as a key that was taken away
  std::string bytes;         ///< its file, believed or not
  json::object document;     ///< its member `signed`, believed or not; empty where it cannot be read
  Targets targets;           ///< empty unless it is believed
};

/// The present metadata of a repository: what its files say, and the documents to go on from.
struct RepositoryFiles {
  RepositoryState state;
  Root root;
  json::object root_document, timestamp, snapshot, targets;  ///< the members `signed`
  Targets top;                                               ///< `targets`, read
  std::vector<DelegatedFile> delegated;                      ///< in the order of `targets`
  std::set<std::string> unfinished;                          ///< roles to sign anew, see `Reading::finish_rotation`

  /// The role of that name; null where none is delegated.
  const DelegatedFile* role(std::string_view name) const;
  /// What snapshot lists as a role's version, delegated still or not; 0 where it does not.
  std::int64_t listed_version(const std::string& role) const;
};

enum class Reading {
  whole,            ///< every file is signed by the keys of the newest root
  finish_rotation,  ///< also those signed by keys of the root before: a publisher was interrupted right after a new root
};

/// Reads and verifies the newest root, and what timestamp.json leads to.
Result<RepositoryFiles> read_repository_files(const std::filesystem::path& folder, Reading reading = Reading::whole);

/// `metadata/`, `targets/` and `incoming/` of a repository.
std::filesystem::path metadata_of(const std::filesystem::path& folder);
std::filesystem::path targets_of(const std::filesystem::path& folder);
std::filesystem::path incoming_of(const std::filesystem::path& folder);

/// `7.web.json`
std::string numbered_file(std::string_view role, std::int64_t version);

/// `web/production/<sha256>.v1.json`
std::string file_of_target(std::string_view name, std::string_view sha256);

}  // namespace berth::trust
