#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/bundle/channel.h"
#include "core/ids.h"
#include "core/publish/release.h"
#include "core/result.h"

namespace berth::publish {

/// A channel that was pointed to a release.
struct SetChannel {
  bundle::Channel channel;
  std::string before;                   ///< the release it pointed to; empty for a new one
  fs::path handed_in;                   ///< as in `Published`
  std::int64_t missing_signatures = 0;
};

/// Points a channel of an app and environment to one of its releases, and signs that. Where it points there already nothing is signed. Fails with
/// `Errc::not_found` for a release that does not exist, and as `publish_release` does.
Result<SetChannel> set_channel(const Repository& repository, const std::string& name, const ReleaseRef& release);

/// The channels of an app, or of all apps where it is empty, by target name.
Result<std::vector<bundle::Channel>> list_channels(const fs::path& repository, const std::string& app);

}  // namespace berth::publish
