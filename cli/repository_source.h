#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "core/io/http.h"
#include "core/release_file/release_file.h"
#include "core/trust/remote.h"

namespace berth::cli {

/// Where a repository is, and what of it is believed.
struct RepositoryLocation {
  std::string at;    ///< a folder, file://, http:// or https://
  std::string root;  ///< file of a root.json that is believed; empty: the folder's own first one
  io::TlsOptions tls;
};

/// A repository to be read as a client reads it.
struct OpenRepository {
  std::unique_ptr<trust::Remote> metadata, targets;
  release_file::ReadBlob blob;
  std::string root;  ///< the text of the root

  release_file::Source source() const;
};

/// `Errc::usage` where a root is needed and none was named: nothing that comes over a network is believed without one.
Result<OpenRepository> open_repository(const RepositoryLocation& location);

/// Its metadata alone, which nothing is known to have signed.
Result<std::unique_ptr<trust::Remote>> open_metadata(const RepositoryLocation& location);

/// What went wrong with the repository at `at`, whose name it begins with. That it cannot be reached is `Errc::io`: `Errc::unreachable` is said of berthd.
Error of_repository(Error error, const std::string& at);

/// `--repo`, whose help is `what_repo`, `--root` and the options of https.
std::vector<Option> location_options(RepositoryLocation& into, std::string what_repo);

}  // namespace berth::cli
