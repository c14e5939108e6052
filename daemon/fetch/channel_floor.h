#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/bundle/channel.h"
#include "core/result.h"

namespace berth::fetch {

/// The highest serial that this node has seen of each channel, so that an old channel is refused also where all signatures are right. A file a channel,
/// `<app>.<environment>.<channel>.json` in `channels` below the trusted metadata: the channel as it was signed. Blocking; one at a time.
class ChannelFloor {
 public:
  explicit ChannelFloor(const std::filesystem::path& trust_directory) : folder_(trust_directory / "channels") {}

  /// The channel as it was last taken; nothing where none was. `Errc::trust` where its file cannot be made out: then nobody knows what was seen.
  Result<std::optional<bundle::Channel>> last(const std::string& app, const std::string& environment, const std::string& channel) const;

  /// Takes a channel that is signed for. `Errc::trust` where its serial is lower than the last one's, or is that and points to another release; else it is
  /// durable when this returns.
  Result<void> take(const bundle::Channel& channel) const;

 private:
  std::filesystem::path file(const bundle::Channel& channel) const;

  std::filesystem::path folder_;
};

}  // namespace berth::fetch
