#pragma once

#include <string>
#include <vector>

#include "core/image/image_json.h"
#include "core/spec/app_spec.h"

namespace berth::image {

/// What an image says of how it is run, as a berth.toml would say it, and notes on what has no counterpart.
struct ImageDefaults {
  spec::Defaults defaults;
  std::vector<std::string> notes;
};

/// Entrypoint and command become the command, the working folder the directory, exposed TCP ports named ones, of which 80, 8080 or
/// the lowest is public (`http`) and the others private (`tcp-9090`), the health check a readiness and a startup probe, the environment variables with defaults. The user does not count: an app runs as a user of its own unless its spec says
/// otherwise, since numbers of an image's users are those of other users on the node. `Errc::usage` for values that cannot be.
Result<ImageDefaults> defaults_of(const ImageConfig& config);

}  // namespace berth::image
