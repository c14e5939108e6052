#pragma once

#include <memory>
#include <string>

#include "cli/repository_access.h"
#include "core/release_file/release_file.h"
#include "core/trust/remote.h"
#include "daemon/fetch/mirrors.h"

namespace berth::cli {

/// A repository to be read as a client reads it.
struct OpenRepository {
  std::shared_ptr<fetch::Mirrors> mirrors;  ///< which the others ask
  std::unique_ptr<trust::Remote> metadata, targets;
  release_file::ReadBlob blob;
  std::string root;  ///< the text of the root

  release_file::Source source() const;
};

/// `Errc::usage` where a root is needed and none was named: nothing that comes over a network is believed without one.
Result<OpenRepository> open_repository(const RepositoryLocation& location);

/// Its metadata alone, which nothing is known to have signed.
Result<std::unique_ptr<trust::Remote>> open_metadata(const RepositoryLocation& location);

/// What went wrong with the repository at `at`, whose name it begins with, and what may help. That it cannot be reached is `Errc::io`: `Errc::unreachable` is said of berthd.
Error of_repository(Error error, const std::string& at);

}  // namespace berth::cli
