#include "core/release_file/others.h"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/bundle/manifest.h"

namespace berth::release_file {
namespace {

constexpr std::string_view kManifest = ".json";
constexpr std::size_t kMostOthers = 5;

/// "v42": an id that was counted, and not given.
bool is_counted(const std::string& id) { return id.size() > 1 && id[0] == 'v' && id.find_first_not_of("0123456789", 1) == std::string::npos; }

}  // namespace

std::unexpected<Error> not_there(trust::Client& client, const ReleaseRef& wanted) {
  const std::string others = others_there(client, wanted);
  return fail(Errc::not_found, fmt::format("{} is not in the repository{}{}", to_string(wanted), others.empty() ? "" : "; ", others));
}

std::string text_of_others(std::vector<std::string> ids, const ReleaseRef& wanted) {
  if (ids.empty()) return fmt::format("there is no release of {}/{}", wanted.app, wanted.environment);
  const bool all_counted = std::ranges::all_of(ids, is_counted);
  std::ranges::sort(ids, [all_counted](const std::string& a, const std::string& b) { return all_counted && a.size() != b.size() ? a.size() > b.size() : a > b; });
  const char* what = all_counted ? "the newest there: " : ids.size() > kMostOthers ? "there, among others: " : "there: ";
  if (ids.size() > kMostOthers) ids.resize(kMostOthers);
  return fmt::format("{}{}", what, fmt::join(ids, ", "));
}

std::string others_there(trust::Client& client, const ReleaseRef& wanted) {
  const auto names = client.beside(bundle::target_name(wanted.app, wanted.environment, wanted.release));
  if (!names) return {};
  std::vector<std::string> ids;
  for (const std::string& name : *names) {
    const std::string base = name.substr(name.rfind('/') + 1);
    if (!base.ends_with(kManifest)) continue;
    if (std::string id = base.substr(0, base.size() - kManifest.size()); is_release_id(id)) ids.push_back(std::move(id));
  }
  return text_of_others(std::move(ids), wanted);
}

}  // namespace berth::release_file
