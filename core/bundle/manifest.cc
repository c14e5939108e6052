#include "core/bundle/manifest.h"

#include <fmt/core.h>

#include "core/json/json.h"

namespace berth::bundle {

std::string target_name(std::string_view app, std::string_view environment, std::string_view release) {
  return fmt::format("{}/{}/{}.json", app, environment, release);
}

std::string blob_path(std::string_view sha256) { return fmt::format("blobs/sha256/{}", sha256); }

Result<BuildRef> build_for(const Manifest& manifest, std::string_view platform) {
  for (const std::string_view wanted : {platform, std::string_view("any")})
    if (const auto found = manifest.builds.find(std::string(wanted)); found != manifest.builds.end()) return found->second;
  std::string there;
  for (const auto& [name, build] : manifest.builds) there += (there.empty() ? "" : ", ") + name;
  return fail(Errc::trust, fmt::format("{}/{}@{}: is built for {}, and this machine is {}", manifest.app, manifest.environment,
                                       manifest.release, there, platform));
}

std::string this_platform() {
#if defined(__x86_64__)
  return "linux/amd64";
#elif defined(__aarch64__)
  return "linux/arm64";
#else
#error "berth runs on amd64 and arm64"
#endif
}

}  // namespace berth::bundle
