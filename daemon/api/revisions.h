#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::api {

/// Which state of an app somebody has read, for changes that are to be made of no other (RFC 9110, ETag and If-Match). A revision is another one after each change that was asked for and made, after each
/// decision of berthd's own, and after a restart of berthd; what instances do by themselves changes none.
class Revisions {
 public:
  Revisions();

  /// The entity tag of an app now. `decision`: what the deployer has decided of it.
  std::string tag(const std::string& app, std::string_view decision) const;
  /// What a change of an app made of its revision. No number is given twice, also of those that were taken back: somebody may have read one.
  struct Change {
    std::uint64_t before = 0, now = 0;
  };
  /// A change of the app begins.
  Change change(const std::string& app);
  /// It changed nothing: where no other one has begun since, the revision is what it was.
  void take_back(const std::string& app, const Change& change);

 private:
  std::uint64_t nonce_;                        ///< of this berthd
  std::uint64_t last_ = 0;                     ///< the last number that was given
  std::map<std::string, std::uint64_t> counts_;  ///< the number of each app's revision
};

/// Whether a header `If-Match` has that tag. Fails with `Errc::usage` for what is no such header; tags that are weak fit none.
Result<bool> matches(std::string_view if_match, std::string_view tag);

}  // namespace berth::api
