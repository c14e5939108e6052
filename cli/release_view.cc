#include "cli/release_view.h"

#include <fcntl.h>
#include <fmt/core.h>

#include "cli/common.h"
#include "cli/import_file.h"
#include "cli/json_view.h"
#include "cli/on_nodes.h"
#include "core/files/files.h"
#include "core/publish/blob_folder.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

Result<std::vector<bundle::Entry>> entries_in(const release_file::Source& source, const bundle::LayerRef& layer) {
  BERTH_TRY(const std::string text, release_file::read_blob(source, layer.index));
  BERTH_TRY(auto index, bundle::parse_index(text, layer));
  return std::move(index.entries);
}

Result<ReleaseView> from_repository(const ReleaseRef& ref, const RepositoryLocation& location) {
  BERTH_TRY(const auto opened, open_repository(location));
  const auto source = opened.source();
  auto found = release_file::find_release(source, ref);
  if (!found) return std::unexpected(of_repository(found.error(), location.at));
  ReleaseView view{.manifest = std::move(found->manifest), .role = found->role, .keys = found->keys, .expired = found->expired, .files = {}, .config = {}};
  for (const auto& [platform, build] : view.manifest.builds) {
    BERTH_TRY(view.files[platform], entries_in(source, build.layer));
  }
  BERTH_TRY(view.config, entries_in(source, view.manifest.config));
  return view;
}

/// A release file is a part of a repository: it is unpacked, and read as one. Without a root that is believed its own is, which proves only that it is of a piece.
Result<ReleaseView> from_file(const std::string& file, const RepositoryLocation& location) {
  BERTH_TRY(const Fd opened, files::open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  const files::TemporaryDirectory folder;
  BERTH_TRY(const auto unpacked, release_file::unpack(opened.get(), file, folder.path(), {}));
  auto view = from_repository(unpacked.release, {.at = folder.path().string(), .root = location.root});
  if (!view) {
    std::string& message = view.error().message;
    if (const auto at = message.find(folder.path().string()); at != std::string::npos) message.replace(at, folder.path().string().size(), file);
  } else {
    view->proves_itself = location.root.empty();
  }
  return view;
}

/// An index beside a slot's trees, which the manifest names by its hash.
Result<std::vector<bundle::Entry>> entries_beside(const fs::path& file, const bundle::LayerRef& layer) {
  BERTH_TRY(const std::string text, files::read(file, layer.index.size));
  if (publish::blob_of(text) != layer.index) return fail(Errc::trust, fmt::format("{}: is not what was sealed; 'berth verify' tells more", file.string()));
  BERTH_TRY(auto index, bundle::parse_index(text, layer));
  return std::move(index.entries);
}

/// Who signed is not in a slot: berthd wrote it down when it took the release. One that was taken by an older berthd has no such note.
void take_signers(const Console& console, const ReleaseRef& ref, ReleaseView& view) {
  const auto app = ApiClient(console).get("/v1/apps/" + ref.app);
  const auto* all = app ? member(*app, "signers") : nullptr;
  const auto* its = all == nullptr ? nullptr : member(*all, ref.release);
  if (its == nullptr) return;
  view.role = text_of(*its, "role");
  for (const auto& key : list_of(*its, "keys"))
    if (key.is_string()) view.keys.emplace_back(key.get_string());
}

/// A slot's manifest and indexes are no secret: they are read as they lie there.
Result<ReleaseView> from_node(const Console& console, const std::string& verb, const ReleaseRef& ref) {
  BERTH_CHECK(check_is_here(console, "berth " + verb, "the releases"));
  BERTH_TRY(const auto status, ApiClient(console).get("/v1/status"));
  const std::string environment = text_of(status, "environment");
  if (!ref.environment.empty() && ref.environment != environment)
    return fail(Errc::usage, fmt::format("berth {}: this node runs {}, not {}; say which repository: --repo DIR|URL", verb, environment, ref.environment));
  const auto* paths = member(status, "paths");
  const fs::path slot = fs::path(paths == nullptr ? "" : text_of(*paths, "state")) / "apps" / ref.app / "slots" / ref.release;
  auto text = files::read(slot / "manifest.json", bundle::kLargestManifest);
  if (!text && text.error().code == Errc::not_found)
    return fail(Errc::not_found, fmt::format("{}@{} is not on this node; 'berth releases {}' lists what is. Releases of a repository: --repo DIR|URL", ref.app,
                                             ref.release, ref.app));
  BERTH_CHECK(text);
  ReleaseView view;
  take_signers(console, ref, view);
  BERTH_TRY(view.manifest, bundle::parse_manifest(*text));
  const std::string platform = view.manifest.builds.contains(bundle::this_platform()) ? bundle::this_platform() : "any";
  BERTH_TRY(const auto build, bundle::build_for(view.manifest, platform));
  BERTH_TRY(view.files[platform], entries_beside(slot / "app.index.json", build.layer));
  BERTH_TRY(view.config, entries_beside(slot / "config.index.json", view.manifest.config));
  return view;
}

}  // namespace

std::string name_of(const bundle::Manifest& manifest) { return fmt::format("{}/{}@{}", manifest.app, manifest.environment, manifest.release); }

Result<ReleaseView> view_release(const Console& console, const std::string& verb, const std::string& release, const RepositoryLocation& said) {
  RepositoryLocation location = said;
  location.tell = console.teller();
  BERTH_CHECK(take_configuration(location));
  if (is_release_file(release)) {
    if (!location.at.empty()) return fail(Errc::usage, fmt::format("berth {}: {} is a file, which is read without --repo", verb, release));
    return from_file(release, location);
  }
  BERTH_TRY(const auto ref, release_argument(release, verb));
  if (location.at.empty()) return from_node(console, verb, ref);
  if (ref.environment.empty())
    return fail(Errc::usage, fmt::format("berth {}: say of which environment, as in {}/production@{}", verb, ref.app, ref.release));
  return from_repository(ref, location);
}

}  // namespace berth::cli
