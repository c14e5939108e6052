#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::trust {

/// Where metadata and targets come from: a web server, or a folder. The seam that tests replace.
class Remote {
 public:
  virtual ~Remote() = default;
  /// The file `path` below the base, of at most `most` bytes. `path` is appended as it is, never decoded or normalised.
  /// Fails with `Errc::not_found` where there is none (404, 403), `Errc::protocol` where it is longer, and others for other troubles.
  virtual Result<std::string> get(std::string_view path, std::uint64_t most) = 0;
};

}  // namespace berth::trust
