#include "core/publish/contents.h"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/core.h>

#include "core/bundle/channel.h"
#include "core/files/files.h"
#include "core/trust/limits.h"

namespace berth::publish {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".json";
constexpr std::size_t kMostNamed = 5;

// A node that could not read what is published would be told too late.
static_assert(bundle::kLargestManifest <= trust::kMostTarget && bundle::kLargestChannel <= trust::kMostTarget);

/// N of `vN`, 0 for other ids.
std::uint64_t number_of(std::string_view id) {
  std::uint64_t number = 0;
  if (id.size() < 2 || id[0] != 'v' || id[1] == '0') return 0;
  const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), number);
  return error == std::errc() && end == id.data() + id.size() && number < UINT64_MAX ? number : 0;
}

/// By moment, and within one second by number.
bool is_newer(const bundle::Manifest& a, const bundle::Manifest& b) {
  if (a.created != b.created) return a.created > b.created;
  if (number_of(a.release) != number_of(b.release)) return number_of(a.release) > number_of(b.release);
  return a.release > b.release;
}

bool is_wanted(const ReleaseRef& ref, const std::string& app, const std::string& environment) {
  return (app.empty() || ref.app == app) && (environment.empty() || ref.environment == environment);
}

}  // namespace

std::optional<ReleaseRef> release_of(std::string_view target) {
  const auto first = target.find('/');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = target.find('/', first + 1);
  if (second == std::string_view::npos || !target.ends_with(kEnding)) return std::nullopt;
  const std::string_view app = target.substr(0, first), environment = target.substr(first + 1, second - first - 1);
  const std::string_view base = target.substr(second + 1);
  if (base.size() <= kEnding.size()) return std::nullopt;
  const std::string_view release = base.substr(0, base.size() - kEnding.size());
  if (!is_name(app) || !is_name(environment) || !is_release_id(release)) return std::nullopt;
  return ReleaseRef{std::string(app), std::string(environment), std::string(release)};
}

fs::path file_of(const fs::path& repository, const trust::Target& target) {
  const auto sha256 = target.hashes.find("sha256");
  const auto base = target.name.rfind('/') + 1;  // 0 where there is no slash
  return repository / "targets" /
         fmt::format("{}{}.{}", target.name.substr(0, base), sha256 == target.hashes.end() ? "" : sha256->second, target.name.substr(base));
}

Result<std::string> read_target(const Folders& folders, const trust::Target& target) {
  fs::path file = file_of(folders.front(), target);
  for (const fs::path& folder : folders)
    if (std::error_code error; fs::exists(file_of(folder, target), error)) {
      file = file_of(folder, target);
      break;
    }
  auto bytes = files::read(file, trust::kMostTarget);
  if (!bytes)
    return fail(bytes.error().code == Errc::not_found ? Errc::trust : bytes.error().code, fmt::format("{}: {}", target.name, bytes.error().message));
  if (const auto good = trust::check_target(*bytes, target); !good) return pass(good.error(), file.string());
  return bytes;
}

Result<bundle::Manifest> manifest_in(std::string_view bytes, std::string_view target) {
  auto manifest = bundle::parse_manifest(bytes);
  if (!manifest) return pass(manifest.error(), target);
  if (const auto name = bundle::target_name(manifest->app, manifest->environment, manifest->release); name != target)
    return fail(Errc::trust, fmt::format("{}: is the manifest of {}", target, name));
  return manifest;
}

Result<bundle::Manifest> read_manifest(const Folders& folders, const trust::Target& target) {
  BERTH_TRY(const std::string bytes, read_target(folders, target));
  return manifest_in(bytes, target.name);
}

Result<std::vector<bundle::Manifest>> read_releases(const Folders& folders, const trust::RepositoryState& state, const std::string& app,
                                                    const std::string& environment) {
  std::vector<bundle::Manifest> releases;
  for (const trust::Target& target : state.targets) {
    const auto ref = release_of(target.name);
    if (!ref || !is_wanted(*ref, app, environment)) continue;
    BERTH_TRY(bundle::Manifest manifest, read_manifest(folders, target));
    releases.push_back(std::move(manifest));
  }
  std::ranges::sort(releases, is_newer);
  return releases;
}

std::unexpected<Error> no_such_release(const fs::path& repository, const trust::RepositoryState& state, const ReleaseRef& ref) {
  const auto others = read_releases({repository}, state, ref.app, ref.environment);
  if (!others) return std::unexpected(others.error());
  std::string there;
  for (const bundle::Manifest& other : std::span(*others).first(std::min(others->size(), kMostNamed)))
    there += (there.empty() ? "" : ", ") + other.release;
  return fail(Errc::not_found,
              fmt::format("{} is not in {}; {}", to_string(ref), repository.string(),
                          there.empty() ? fmt::format("there is no release of {}/{}", ref.app, ref.environment) : "the newest there: " + there));
}

Result<bundle::Manifest> find_release(const fs::path& repository, const ReleaseRef& ref) {
  BERTH_TRY(const auto state, trust::read_repository(repository));
  const std::string name = bundle::target_name(ref.app, ref.environment, ref.release);
  const auto target = std::ranges::find(state.targets, name, &trust::Target::name);
  if (target != state.targets.end()) return read_manifest({repository}, *target);
  return no_such_release(repository, state, ref);
}

std::string newest_release(const std::vector<bundle::Manifest>& releases) {
  std::set<std::string> followed;
  for (const bundle::Manifest& release : releases) followed.insert(release.previous);
  const bundle::Manifest* newest = nullptr;
  for (const bundle::Manifest& release : releases)
    if (!followed.contains(release.release) && (newest == nullptr || is_newer(release, *newest))) newest = &release;
  return newest == nullptr ? "" : newest->release;
}

std::vector<std::string> dropped_ids(const trust::RepositoryState& state, const std::string& app, const std::string& environment) {
  std::vector<std::string> ids;
  for (const std::string& name : state.dropped)
    if (const auto ref = release_of(name); ref && is_wanted(*ref, app, environment)) ids.push_back(ref->release);
  return ids;
}

std::string next_id(const std::vector<bundle::Manifest>& releases, const std::vector<std::string>& dropped) {
  std::uint64_t highest = 0;
  for (const std::string& id : dropped) highest = std::max(highest, number_of(id));
  for (const bundle::Manifest& release : releases) highest = std::max(highest, number_of(release.release));
  return fmt::format("v{}", highest + 1);
}

}  // namespace berth::publish
