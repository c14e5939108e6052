#pragma once

#include <string>
#include <string_view>

#include "core/bundle/manifest.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::publish {

/// What CI makes of one commit: files and an app spec, without any configuration. One build serves many environments.
struct Build {
  std::string platform;      ///< `linux/amd64`, or `any`
  bundle::BuildRef ref;      ///< its digest, version and layer
  spec::AppSpec spec;
  std::string commit;        ///< empty where it is not known
  std::string builder;       ///< who or what made it
  std::string created;       ///< RFC 3339, UTC

  bool operator==(const Build&) const = default;
};

/// What names a build everywhere: the SHA-256 of the tar's own SHA-256 in hex, a newline, and the spec as canonical JSON. Compressed bytes do
/// not count, since compressors change them.
std::string build_digest(std::string_view tar_sha256, const spec::AppSpec& spec);

/// The twelve digits that people read of a digest.
std::string short_digest(std::string_view digest);

/// `build.json`, format 1.
std::string to_canonical_json(const Build& build);

/// Reads it strictly; `name` stands in front of complaints, which are `Errc::trust`.
Result<Build> parse_build(std::string_view text, const std::string& name);

}  // namespace berth::publish
