#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth::bundle {

/// A signed pointer from an app and environment to a release, `format` 1. Its canonical JSON is the TUF target
/// `<app>/<environment>/channels/<channel>.json`, which is replaced when the channel moves.
struct Channel {
  std::string app, environment, channel;
  std::string release;       ///< the id it points to
  std::int64_t serial = 0;   ///< from 1, one more with every move

  bool operator==(const Channel&) const = default;
};

inline constexpr std::size_t kLargestChannel = 4096;  ///< bytes

/// Canonical JSON, the bytes that are signed for.
std::string to_canonical_json(const Channel& channel);

/// Reads it strictly; unknown members, other formats, bad names and every form but the canonical one are refused with `Errc::trust`.
Result<Channel> parse_channel(std::string_view text);

/// `web/production/channels/stable.json`. Channel names are those of apps: `[a-z][a-z0-9-]{0,30}`.
std::string channel_target(std::string_view app, std::string_view environment, std::string_view channel);

/// Which channel a target is, without release and serial; none where it is something else.
std::optional<Channel> channel_of(std::string_view target);

}  // namespace berth::bundle
