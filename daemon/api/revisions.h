#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::api {

/// Which state of an app somebody has read, for changes that are to be made of no other (RFC 9110, ETag and If-Match). A revision is another one after each change that was asked for, after each
/// decision of berthd's own, and after a restart of berthd; what instances do by themselves changes none.
class Revisions {
 public:
  Revisions();

  /// The entity tag of an app now. `decision`: what the deployer has decided of it.
  std::string tag(const std::string& app, std::string_view decision) const;
  /// A change of the app begins.
  void change(const std::string& app);

 private:
  std::uint64_t nonce_;                        ///< of this berthd
  std::map<std::string, std::uint64_t> counts_;
};

/// Whether a header `If-Match` has that tag. Fails with `Errc::usage` for what is no such header; tags that are weak fit none.
Result<bool> matches(std::string_view if_match, std::string_view tag);

}  // namespace berth::api
