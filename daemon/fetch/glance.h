#pragma once

#include <stop_token>
#include <string>

#include "core/io/http.h"
#include "core/result.h"

namespace berth::fetch {

/// The timestamp.json of one place: whatever changes in a repository, this does.
struct Stamp {
  std::string url;    ///< of the repository there
  std::string etag;   ///< what its server calls it; empty: nothing
  std::string bytes;  ///< not verified
};

struct Glance {
  bool unchanged = false;
  Stamp stamp;
};

/// Asks the repository at `url` once for its timestamp.json, whether it is another than `seen`: one exchange without a body where the server has ETags.
Result<Glance> glance(const std::string& url, const Stamp& seen, io::FetchOptions options, std::stop_token stop);

}  // namespace berth::fetch
