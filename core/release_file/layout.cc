#include "core/release_file/layout.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/bundle/entry_rules.h"
#include "core/json/json.h"

namespace berth::release_file {
namespace {

constexpr std::string_view kMetadata = "metadata/", kTargets = "targets/", kBlobs = "blobs/sha256/", kEnding = ".json";

bool is_hex(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// As a web server serves them: what berth writes, and percent-encoded names of roles.
bool is_plain(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("._-%").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 255 && text.front() != '.' && std::ranges::all_of(text, plain);
}

}  // namespace

std::string to_text(const ReleaseRef& release) {
  return json::text(json::object{{"app", release.app}, {"environment", release.environment}, {"format", 1}, {"release", release.release}}) + "\n";
}

Result<ReleaseRef> parse_name(std::string_view text) {
  BERTH_TRY(const auto parsed, json::parse(text));
  json::ObjectReader reader(parsed, std::string(kName));
  const ReleaseRef release{.app = reader.string("app"), .environment = reader.string("environment"), .release = reader.string("release")};
  reader.integer("format", 1, 1);
  if (!is_name(release.app) || !is_name(release.environment) || !is_release_id(release.release)) reader.complain("names no release");
  BERTH_CHECK(reader.done());
  return release;
}

Result<Part> part_of(std::string_view path) {
  if (path == kName) return Part::name;
  if (path.starts_with(kMetadata) && path.ends_with(kEnding) && is_plain(path.substr(kMetadata.size()))) return Part::metadata;
  if (path.starts_with(kBlobs) && is_hex(path.substr(kBlobs.size()))) return Part::blob;
  if (path.starts_with(kTargets) && path.ends_with(kEnding)) {
    const std::string_view name = path.substr(kTargets.size());
    const auto first = name.find('/'), second = first == std::string_view::npos ? first : name.find('/', first + 1);
    if (second != std::string_view::npos && is_name(name.substr(0, first)) && is_name(name.substr(first + 1, second - first - 1)) &&
        is_plain(name.substr(second + 1)))
      return Part::target;
  }
  return fail(Errc::trust, fmt::format("{}: a release file has no such file", bundle::shown(path)));
}

bool is_folder(std::string_view path) {
  if (path == "blobs" || path == "blobs/sha256" || path == "metadata" || path == "targets") return true;
  if (!path.starts_with(kTargets)) return false;
  const std::string_view name = path.substr(kTargets.size());
  const auto slash = name.find('/');
  return is_name(name.substr(0, slash)) && (slash == std::string_view::npos || is_name(name.substr(slash + 1)));
}

}  // namespace berth::release_file
