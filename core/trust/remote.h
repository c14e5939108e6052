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

/// The failure to get a file that a repository has to have, because something in it lists that file. Where it is not there, that is no answer to the
/// question whether there is such a release: a wrong url, an upload that is not whole, or somebody who withholds it; so it is `Errc::trust`, and says what
/// to do. Other failures stay as they are. `why` is such as "which its timestamp.json lists".
Error of_listed_file(Error error, std::string_view file, std::string_view why);

}  // namespace berth::trust
